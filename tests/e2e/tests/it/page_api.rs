//! The page of `mef dev` as its HTTP shows it: who is answered, what is told, and what is never told.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use mef_e2e::{Dev, Zoom, mef};
use serde_json::{Value, json};

use crate::story::{secret_of, zoom_folder};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer as it comes over the wire.
struct Raw {
    status: u16,
    head: String,
    body: String,
}

/// One request with exactly these headers.
fn ask(dev: &Dev, request: &str, headers: &[(&str, &str)], body: &str) -> Raw {
    let mut stream = connect(dev, request, headers, body);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8(answer).expect("an answer in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("a status");
    Raw {
        status,
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

fn connect(dev: &Dev, request: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&dev.page).expect("a listener");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut text = format!(
        "{request} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream
        .write_all(format!("{text}\r\n{body}").as_bytes())
        .expect("it is read");
    stream
}

/// With the token that scripts use.
fn get(dev: &Dev, path: &str) -> Value {
    let answer = dev.get(path);
    let text = String::from_utf8(answer.body).expect("text");
    assert_eq!(answer.status, 200, "{path}: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// A replay as the page asks for it: its lines, or the sentence of the refusal.
fn replay(dev: &Dev, wish: &Value) -> Result<Vec<Value>, (u16, String)> {
    let token = format!("Bearer {}", dev.token);
    let answer = ask(
        dev,
        "POST /page/replay",
        &[("host", &dev.page), ("authorization", &token)],
        &wish.to_string(),
    );
    if answer.status != 200 {
        let sentence: Value = serde_json::from_str(&answer.body).expect("a sentence");
        return Err((
            answer.status,
            sentence["error"].as_str().expect("a sentence").to_owned(),
        ));
    }
    // Chunked: lengths stand on lines of their own.
    let lines = answer.body.lines().filter(|line| line.starts_with('{'));
    Ok(lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect())
}

#[test]
fn the_page_answers_who_has_its_token_and_nobody_else() {
    let folder = zoom_folder();
    let dev = Dev::start(folder.path(), &["zoom-source.yaml"]);
    let host = ("host", dev.page.as_str());
    let bearer = format!("Bearer {}", dev.token);
    let paths = [
        "/",
        "/assets/page.js",
        "/page/state",
        "/page/requests",
        "/page/live",
        "/page/kept?lane=dead",
    ];
    for path in paths {
        let answer = ask(&dev, &format!("GET {path}"), &[host], "");
        assert_eq!(answer.status, 401, "{path}");
        assert!(!answer.body.contains("zoom"), "{path}: {}", answer.body);
        for name in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "frame-ancestors 'none'",
        ] {
            assert!(answer.head.contains(name), "{path} lacks {name}: {}", answer.head);
        }
        assert!(
            !answer.head.contains("access-control-"),
            "{path}: {}",
            answer.head
        );
    }
    let opened = ask(&dev, &format!("GET /?token={}", dev.token), &[host], "");
    assert_eq!(opened.status, 200);
    let cookie = opened
        .head
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .expect("a cookie");
    assert!(
        cookie.contains("; httponly") && cookie.contains("; samesite=strict"),
        "{cookie}"
    );
    assert!(!cookie.contains(&dev.token), "the cookie goes to other ports too");
    let session = cookie.split(';').next().expect("a pair").to_owned();
    let with = |more: &[(&'static str, &str)]| -> u16 {
        let mut headers = vec![host, ("cookie", session.as_str())];
        headers.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
        headers.extend(more.iter().copied());
        ask(&dev, "GET /page/state", &headers, "").status
    };
    assert_eq!(with(&[]), 200);
    assert_eq!(with(&[("host", "rebound.example:80")]), 421);
    assert_eq!(with(&[("origin", "http://attacker.example")]), 403);
    assert_eq!(with(&[("sec-fetch-site", "same-site")]), 403);
    let own = format!("http://{}", dev.page);
    assert_eq!(with(&[("origin", own.as_str())]), 200);
    // What changes something must say that it comes from the page.
    let order = json!({"source": "default/zoom", "dryRun": false}).to_string();
    let post = |more: &[(&str, &str)]| {
        let mut headers = vec![
            host,
            ("cookie", session.as_str()),
            ("content-type", "application/json"),
        ];
        headers.extend(more.iter().copied());
        ask(&dev, "POST /page/replay", &headers, &order).status
    };
    assert_eq!(post(&[]), 403);
    assert_eq!(post(&[("origin", "http://attacker.example")]), 403);
    assert_eq!(post(&[("origin", own.as_str())]), 200);
    // Another lane, another source, another file: none of it leads out of the queues.
    for path in [
        "/page/kept?lane=secrets",
        "/page/message?lane=dead&source=../../secrets&id=1",
        "/assets/..%2f..%2fCargo.toml",
        "/page/request?number=99",
    ] {
        let answer = ask(
            &dev,
            &format!("GET {path}"),
            &[host, ("authorization", &bearer)],
            "",
        );
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
    }
    // The sources' listener has none of it.
    assert_eq!(
        mef_e2e::post(&format!("http://{}/page/replay", dev.listen), &[], b"{}")
            .expect("an answer")
            .status,
        404
    );
    assert_eq!(dev.stop(), 0);
}

#[test]
fn a_follower_that_comes_back_misses_nothing_and_is_told_nothing_twice() {
    let folder = zoom_folder();
    let dev = Dev::start(folder.path(), &["zoom-source.yaml"]);
    let zoom = Zoom::new(&secret_of(folder.path()));
    let send = |serial: &str| {
        let body = Zoom::user_created(serial);
        assert_eq!(
            dev.post("/zoom", &zoom.headers(&body), &body)
                .expect("an answer")
                .status,
            200
        );
    };
    let bearer = format!("Bearer {}", dev.token);
    let follow = |more: &[(&str, &str)], wanted: usize| -> (Vec<u64>, String) {
        let mut headers = vec![("host", dev.page.as_str()), ("authorization", bearer.as_str())];
        headers.extend(more.iter().copied());
        let stream = connect(&dev, "GET /page/live?outcome=delivered", &headers, "");
        let (mut numbers, mut id) = (Vec::new(), String::new());
        let mut lines = BufReader::new(stream)
            .lines()
            .map(|line| line.expect("it goes on"));
        let mut kind = String::new();
        while numbers.len() < wanted {
            let line = lines.next().expect("it goes on");
            if let Some(name) = line.strip_prefix("event: ") {
                name.clone_into(&mut kind);
            } else if let Some(given) = line.strip_prefix("id: ") {
                given.clone_into(&mut id);
            } else if let Some(data) = line.strip_prefix("data: ").filter(|_| kind == "requests") {
                let rows: Vec<Value> = serde_json::from_str(data).expect("rows");
                numbers.extend(rows.iter().map(|row| row["number"].as_u64().expect("a number")));
            } else if line.starts_with("retry:") {
                // It follows from now on.
                if more.is_empty() {
                    send("first");
                    send("second");
                }
            }
        }
        (numbers, id)
    };
    let (numbers, id) = follow(&[], 2);
    assert_eq!(numbers, [1, 2]);
    // What is not looked for is passed over.
    assert_eq!(dev.post("/zoom", &[], b"{}").expect("an answer").status, 401);
    send("third");
    send("fourth");
    let (numbers, _) = follow(&[("last-event-id", &id)], 2);
    assert_eq!(numbers, [4, 5]);
    // The number of another life of the process means nothing here.
    let stale = format!("000000000000-{}", 1);
    let stream = connect(
        &dev,
        "GET /page/live?after=4",
        &[
            ("host", &dev.page),
            ("authorization", &bearer),
            ("last-event-id", &stale),
        ],
        "",
    );
    let rows = BufReader::new(stream)
        .lines()
        .map(|line| line.expect("it goes on"))
        .find(|line| line.starts_with("data: ["))
        .expect("rows");
    assert!(
        rows.contains("\"number\":5") && !rows.contains("\"number\":4"),
        "{rows}"
    );
    // Followers that read nothing hold up nobody, and there are only so many of them.
    let idle: Vec<_> = (0..40)
        .map(|_| {
            let headers = [("host", dev.page.as_str()), ("authorization", bearer.as_str())];
            let mut stream = connect(&dev, "GET /page/live", &headers, "");
            let mut head = [0; 12];
            stream.read_exact(&mut head).expect("an answer");
            (stream, String::from_utf8_lossy(&head).into_owned())
        })
        .collect();
    let refused = idle.iter().filter(|(_, head)| head.ends_with(" 503")).count();
    assert!((24..40).contains(&refused), "{refused} of 40 are refused");
    send("fifth");
    assert_eq!(get(&dev, "/page/requests?outcome=delivered")["latest"], 6);
    assert_eq!(dev.stop(), 0, "followers do not hold up the end");
}

#[test]
fn no_secret_and_nothing_of_a_forged_request_is_ever_shown() {
    let folder = zoom_folder();
    let dev = Dev::start(folder.path(), &["zoom-source.yaml"]);
    let secret = secret_of(folder.path());
    let zoom = Zoom::new(&secret);
    let secret = String::from_utf8(secret).expect("text");
    let echo = |kind: &str| {
        let text = String::from_utf8(Zoom::user_created("echo")).expect("text");
        text.replace("Example", &secret)
            .replace("\"type\":1", kind)
            .into_bytes()
    };
    for body in [
        echo("\"type\":1"),
        echo("\"type\":7"),
        format!("no JSON {secret}").into_bytes(),
    ] {
        let answer = dev.post("/zoom", &zoom.headers(&body), &body).expect("an answer");
        assert_eq!(answer.status, 200);
    }
    let forged = br#"{"event": "user.created", "note": "a-strangers-words"}"#;
    let answer = dev.post(
        "/zoom",
        &[("x-zm-signature".to_owned(), "v0=strangers".to_owned())],
        forged,
    );
    assert_eq!(answer.expect("an answer").status, 401);
    let mut shown = Vec::new();
    let mut see = |path: &str| {
        let value = get(&dev, path);
        shown.push((path.to_owned(), value.to_string()));
        value
    };
    see("/page/state");
    assert_eq!(see("/page/requests")["rows"].as_array().expect("rows").len(), 4);
    for number in 1..=4 {
        see(&format!("/page/request?number={number}"));
    }
    assert_eq!(see("/page/kept?lane=dead")["matched"], 2);
    see("/page/kept?lane=events");
    for path in [
        "lane=events&source=default/zoom&id=1",
        "lane=dead&source=default/zoom&id=1",
        "lane=dead&source=default/zoom&id=2",
    ] {
        see(&format!("/page/message?{path}"));
    }
    for (path, text) in &shown {
        assert!(!text.contains(&secret), "{path} shows the secret: {text}");
        assert!(
            !text.contains("strangers"),
            "{path} shows what a stranger sent: {text}"
        );
    }
    assert!(shown.iter().any(|(_, text)| text.contains("[redacted]")));
    // Nor does a search tell it: what is looked for is what is shown.
    let start: String = secret.chars().take(12).collect();
    for path in [
        "/page/requests?text=",
        "/page/kept?lane=dead&text=",
        "/page/kept?lane=events&text=",
    ] {
        let found = get(&dev, &format!("{path}{start}"));
        assert_eq!(found["rows"], json!([]), "{path}");
    }
    assert_eq!(
        get(&dev, "/page/requests?text=AbCdEfGh")["rows"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    assert_eq!(dev.stop(), 0);
}

#[test]
fn what_is_copied_is_what_explain_takes() {
    let folder = zoom_folder();
    let dev = Dev::start(folder.path(), &["zoom-source.yaml"]);
    let _ = mef(folder.path(), ["send", "zoom-source.yaml", "user.created"]).exits(0);
    let _ = mef(folder.path(), ["send", "zoom-source.yaml", "user.created-sso"]).exits(0);
    let explain = |document: &Value, more: &[&str], code: i32| {
        let document = document.as_str().expect("a document");
        fs::write(folder.path().join("captured.json"), document).expect("it is written");
        let command = [
            "explain",
            "zoom-source.yaml",
            "--request",
            "captured.json",
            "-o",
            "json",
        ];
        mef(folder.path(), command.iter().chain(more)).exits(code).json()
    };
    let one = get(&dev, "/page/request?number=1");
    assert_eq!(one["kind"], "user.created");
    let at = one["at"].as_str().expect("a time");
    assert!(
        one["explain"]["command"]
            .as_str()
            .expect("a command")
            .ends_with(at)
    );
    let explained = explain(&one["explain"]["document"], &["--at", at], 0);
    assert_eq!(explained["verification"]["verified"], true);
    assert_eq!(explained["events"][0]["id"], one["events"][0]["id"]);
    let letter = get(&dev, "/page/message?lane=dead&source=default/zoom&id=1");
    let explained = explain(&letter["explain"]["document"], &[], 1);
    assert_eq!(explained["events"][0]["outcome"], "dead-letter");
    // The place that is wrong, in the body as it is shown.
    let mark = &letter["body"]["marks"][0];
    let line = letter["body"]["text"]
        .as_str()
        .expect("a text")
        .lines()
        .nth(mark["line"].as_u64().expect("a line") as usize);
    assert!(line.expect("a line").contains("\"type\": 99"), "{letter}");
    assert_eq!(dev.stop(), 0);
}

#[test]
fn a_replay_goes_through_what_is_saved_and_says_what_is_wrong_with_it() {
    let folder = zoom_folder();
    let dev = Dev::start(folder.path(), &["zoom-source.yaml"]);
    let _ = mef(folder.path(), ["send", "zoom-source.yaml", "user.created-sso"]).exits(0);
    let file = folder.path().join("zoom-source.yaml");
    let source = fs::read_to_string(&file).expect("the source");
    let dry = json!({"source": "default/zoom", "dryRun": true});
    let lines = replay(&dev, &dry).expect("a dry run");
    assert_eq!(lines[0]["begun"]["letters"], 1);
    assert_eq!(lines[2]["report"]["failedAgain"], 1);
    // A mistake: the replay does not go through the definition from before without a word.
    fs::write(&file, source.replace("provider: zoom", "provider: zom")).expect("it is written");
    let (status, sentence) = replay(&dev, &dry).expect_err("the file is broken");
    assert_eq!(status, 409);
    assert!(
        sentence.contains("zoom-source.yaml:14:5") && sentence.contains("\"zom\""),
        "{sentence}"
    );
    assert_eq!(
        get(&dev, "/page/state")["problems"].as_array().map(Vec::len),
        Some(1)
    );
    // Corrected: the very next order goes through it.
    fs::write(&file, source.replace("enum: [1, 2]", "enum: [1, 2, 99]")).expect("it is written");
    let lines = replay(&dev, &dry).expect("a dry run");
    let difference = lines[1]["entry"]["differences"][0].as_str().expect("a diff");
    assert!(
        difference.contains("-dead letter: schema") && difference.contains("+  \"hostname\": \"zoom_host\""),
        "{difference}"
    );
    assert_eq!(
        get(&dev, "/page/state")["counts"]["default/zoom"]["dead"],
        1,
        "a dry run changes nothing"
    );
    let lines = replay(
        &dev,
        &json!({"source": "default/zoom", "dryRun": false, "ids": ["1"]}),
    )
    .expect("a replay");
    assert_eq!(lines.last().expect("a report")["report"]["delivered"], 1);
    let count = &get(&dev, "/page/state")["counts"]["default/zoom"];
    assert_eq!((&count["dead"], &count["queue"]), (&json!(0), &json!(1)));
    assert_eq!(
        (&count["requests"]["addsUp"], &count["events"]["addsUp"]),
        (&json!(true), &json!(true))
    );
    for broken in [
        json!({"source": "default/zoom"}),
        json!({"source": "default/none", "dryRun": true}),
    ] {
        assert!(replay(&dev, &broken).is_err(), "{broken}");
    }
    assert_eq!(dev.stop(), 0);
}
