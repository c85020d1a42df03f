//! Every bit of what a signature covers, and every bit of the signature.

use bytes::Bytes;
use mef_crds::{Encoding, Primitive};
use mef_pipeline::received::{Headers, Received};

use crate::file::{Expect, VerifyVector, committed, made};
use crate::subject::{Catalogue, Signed};

/// What a preset's signatures cover, from its words.
struct Covered {
    body: bool,
    /// Headers signed as the timestamp and the id.
    headers: Vec<String>,
}

fn covered(signed: &Signed) -> Covered {
    let verification = &signed.subject.preset.verification;
    let templates: Vec<&str> = verification
        .any
        .iter()
        .flat_map(|alternative| &alternative.all)
        .flat_map(templates)
        .collect();
    let named = |piece: &str| !templates.is_empty() && templates.iter().any(|text| text.contains(piece));
    let header = |source: &str| source.strip_prefix("header:").map(str::to_owned);
    let time = verification.timestamp.as_ref().filter(|_| named("{ts}"));
    let id = verification.id.as_ref().filter(|_| named("{id}"));
    // Of a message of SNS every byte counts: what is not signed names the key, or the form.
    let token = |primitive: &Primitive| primitive.jwt.as_ref().is_some_and(|jwt| jwt.from == "body");
    let primitives = || verification.any.iter().flat_map(|alternative| &alternative.all);
    Covered {
        body: named("{body}") || named("{kv_lines:") || primitives().any(token),
        headers: time
            .and_then(|time| header(&time.from))
            .into_iter()
            .chain(id.and_then(|id| header(id)))
            .collect(),
    }
}

fn templates(primitive: &Primitive) -> Vec<&str> {
    let hmac = primitive
        .hmac
        .iter()
        .flat_map(|hmac| [Some(&hmac.sign), hmac.key_template.as_ref()]);
    let others = [
        primitive.digest.as_ref().map(|digest| &digest.sign),
        primitive.pubkey.as_ref().map(|pubkey| &pubkey.sign),
    ];
    hmac.chain(others).flatten().map(String::as_str).collect()
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

fn with_header(received: &Received, name: &str, value: &[u8]) -> Received {
    let mut headers = Headers::default();
    for (other, old) in received.headers.iter() {
        headers.push(
            other,
            if other == name {
                value.to_vec()
            } else {
                old.to_vec()
            },
        );
    }
    Received {
        headers,
        ..received.clone()
    }
}

fn accepted(catalogue: &Catalogue) -> Vec<(VerifyVector, Signed)> {
    let vectors = committed().verify.into_iter().chain(made().verify);
    vectors
        .filter(|vector| vector.expect == Expect::Accept)
        .filter_map(|vector| catalogue.signed(&vector).map(|signed| (vector, signed)))
        .collect()
}

#[track_caller]
fn check_covered(catalogue: &Catalogue) -> (usize, usize) {
    let (mut vectors, mut bits) = (0, 0);
    for (vector, signed) in accepted(catalogue) {
        let covered = covered(&signed);
        let mut altered = Vec::new();
        if covered.body && !vector.unsigned_body {
            for bit in 0..signed.received.body.len() * 8 {
                let body = Bytes::from(flipped(&signed.received.body, bit));
                altered.push((
                    format!("body, bit {bit}"),
                    Received {
                        body: body.into(),
                        ..signed.received.clone()
                    },
                ));
            }
        }
        for name in covered.headers.iter().filter(|_| !vector.unsigned_body) {
            let value = signed.received.headers.all(name).next().unwrap().to_vec();
            for bit in 0..value.len() * 8 {
                let received = with_header(&signed.received, name, &flipped(&value, bit));
                altered.push((format!("{name}, bit {bit}"), received));
            }
        }
        vectors += usize::from(!altered.is_empty());
        bits += altered.len();
        for (what, received) in altered {
            assert!(
                signed.judge(received, signed.now).is_err(),
                "{}: accepted with a flipped {what}",
                vector.name
            );
        }
    }
    (vectors, bits)
}

#[test]
fn no_flipped_bit_of_what_is_signed_is_accepted() {
    let (vectors, bits) = check_covered(&Catalogue::embedded());
    println!("{vectors} vectors, {bits} flipped bits of body, time and id");
    assert!(vectors >= 16 && bits > 20_000, "{vectors} vectors, {bits} bits");
}

#[test]
fn no_flipped_bit_of_what_is_signed_is_accepted_by_a_converted_preset() {
    let (vectors, bits) = check_covered(&Catalogue::converted());
    println!("{vectors} vectors, {bits} flipped bits of body, time and id");
    assert!(vectors >= 42, "{vectors} vectors, {bits} bits");
}

/// A header that holds one signature; its time is in it where the sender puts it there.
fn signature_header(signed: &Signed) -> Option<(String, Encoding)> {
    let primitive = signed.subject.preset.verification.any.first()?.all.first()?;
    let hmac = primitive
        .hmac
        .as_ref()
        .map(|words| (&words.signature, words.encoding));
    let pubkey = || {
        primitive
            .pubkey
            .as_ref()
            .map(|words| (&words.signature, words.encoding))
    };
    let (signature, encoding) = hmac.or_else(pubkey)?;
    let name = signature.from.as_ref()?.strip_prefix("header:")?;
    let value = String::from_utf8(signed.received.headers.all(name).next()?.to_vec()).ok()?;
    let item = signature
        .item
        .as_deref()
        .or(signature.keyed.as_ref().map(|keyed| keyed.signature.as_str()));
    let listed = |list: &String| value.contains(list.as_str());
    let single = item.is_none_or(|item| value.matches(item).count() == 1)
        && !signature.list.as_ref().is_some_and(listed);
    single.then(|| (name.to_owned(), encoding))
}

#[test]
fn a_flipped_bit_of_a_signature_is_accepted_only_where_its_bytes_stay_the_same() {
    let mut vectors = 0;
    for catalogue in [Catalogue::embedded(), Catalogue::converted()] {
        for (vector, signed) in accepted(&catalogue) {
            let Some((name, encoding)) = signature_header(&signed) else {
                continue;
            };
            vectors += 1;
            let value = signed.received.headers.all(&name).next().unwrap().to_vec();
            for bit in 0..value.len() * 8 {
                let altered = flipped(&value, bit);
                let received = with_header(&signed.received, &name, &altered);
                if signed.judge(received, signed.now).is_ok() {
                    // No two texts of canonical base64 stand for the same bytes; in hexadecimal case does not count.
                    assert!(
                        encoding == Encoding::Hex && altered.eq_ignore_ascii_case(&value),
                        "{}: accepted with bit {bit} of {name} flipped",
                        vector.name
                    );
                }
            }
        }
    }
    println!("{vectors} vectors");
    assert!(vectors >= 43, "{vectors} vectors");
}

#[test]
fn no_flipped_bit_of_a_token_is_accepted() {
    let mut tokens = 0;
    for (vector, signed) in accepted(&Catalogue::embedded()) {
        let Some(token) = &signed.subject.preset.verification.any[0].all[0].token else {
            continue;
        };
        let Some(name) = token.from.strip_prefix("header:") else {
            continue;
        };
        // Where another alternative proves the request there is none.
        let Some(value) = signed.received.headers.all(name).next().map(<[u8]>::to_vec) else {
            continue;
        };
        // The scheme's word is compared without case.
        let start = token
            .scheme
            .map_or(0, |_| value.iter().position(|byte| *byte == b' ').unwrap());
        tokens += 1;
        for bit in start * 8..value.len() * 8 {
            let received = with_header(&signed.received, name, &flipped(&value, bit));
            assert!(
                signed.judge(received, signed.now).is_err(),
                "{}: accepted with bit {bit} of {name} flipped",
                vector.name
            );
        }
    }
    assert!(tokens >= 5, "{tokens} tokens");
}
