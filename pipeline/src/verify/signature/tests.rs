use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::received::{Headers, Received};

/// The candidates and the timestamp of a source in a request with these headers.
#[track_caller]
fn check(yaml: &str, headers: &[(&str, &str)], expected: Result<(&[&str], Option<&str>), &str>) {
    let words: SignatureSource = serde_yaml::from_str(yaml).unwrap();
    let mut problems = Vec::new();
    let signatures = Signatures::compile(&words, "signature", &mut problems).unwrap();
    assert_eq!(problems, []);
    let received = Received {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: headers.iter().copied().collect::<Headers>(),
        body: Bytes::new().into(),
        peer: None,
        trace: None,
        client_certificate: None,
        at: Timestamp::UNIX_EPOCH,
        request_id: "r1".to_owned(),
    };
    let view = View::new(&received);
    match (signatures.read(&view), expected) {
        (Ok(found), Ok((texts, timestamp))) => {
            assert_eq!(found.texts, texts, "{yaml}");
            assert_eq!(found.timestamp.as_deref(), timestamp, "{yaml}");
        }
        (Err(error), Err(sentence)) => assert_eq!(error.to_string(), sentence, "{yaml}"),
        (found, _) => panic!("{yaml}: {found:?}"),
    }
}

#[test]
fn a_single_signature_stands_behind_its_prefix() {
    let source = "{from: 'header:s', prefix: 'sha256='}";
    check(source, &[("s", "sha256=ab")], Ok((&["ab"], None)));
    check(
        source,
        &[("s", "sha1=ab")],
        Err("header:s does not start with \"sha256=\""),
    );
    check(
        source,
        &[("s", "sha256=ab,sha256=ab")],
        Err("header:s holds several values joined with a comma"),
    );
    check(
        source,
        &[("s", "sha256=ab"), ("s", "sha256=ab")],
        Err("header:s stands in the request more than once"),
    );
    check(source, &[], Err("header:s has no signature"));
}

#[test]
fn a_list_passes_over_what_it_does_not_know() {
    let source = "{from: 'header:s', list: ' ', item: 'v1,'}";
    check(source, &[("s", "v1,a v2,b  v1,c")], Ok((&["a", "c"], None)));
    check(source, &[("s", "v1a,a")], Err("header:s has no signature"));
    for joined in ["v1,a,v1,a", "v1,a, v1,a", "v1a,b, v1,a"] {
        check(
            source,
            &[("s", joined)],
            Err("header:s holds several values joined with a comma"),
        );
    }
    let comma = "{from: 'header:s', list: ',', item: 'v1='}";
    check(comma, &[("s", "v1=a, v1=b,v0=c,")], Ok((&["a", "b"], None)));
}

#[test]
fn pairs_are_read_in_any_order_and_name_their_time_once() {
    let source = "{from: 'header:s', keyed: {pair: ',', eq: '=', signature: v1, timestamp: t}}";
    check(
        source,
        &[("s", "t=1,v1=a,v1=b,v0=c")],
        Ok((&["a", "b"], Some("1"))),
    );
    check(source, &[("s", "v1=a, t=1")], Ok((&["a"], Some("1"))));
    check(source, &[("s", "v1=a=,nonsense,=")], Ok((&["a="], None)));
    check(
        source,
        &[("s", "t=1,v1=a,t=1")],
        Err("header:s names its timestamp \"t\" more than once"),
    );
    check(source, &[("s", "bad_header")], Err("header:s has no signature"));
}

#[test]
fn several_headers_each_hold_one() {
    check(
        "{anyOf: ['header:a', 'header:b']}",
        &[("b", "2")],
        Ok((&["2"], None)),
    );
    check(
        "{anyOf: ['header:a', 'header:b']}",
        &[],
        Err("header:a, header:b has no signature"),
    );
    let series = "{series: {header: 'x-s-{n}', max: 100}}";
    check(
        series,
        &[("x-s-1", "a"), ("x-s-3", "c"), ("x-s-0", "z"), ("x-s-101", "z")],
        Ok((&["a", "c"], None)),
    );
}
