//! Presets of the user's own: given to every command, written by `mef preset new`.

use mef_pipeline::hex;
use serde_json::json;

use crate::support::{Dev, Place};

const SECRET: &str = "not-a-real-secret";

const SOURCE: &str = "\
apiVersion: events.mozdef.io/v1alpha1
kind: EventSource
metadata: {name: doors, namespace: security}
spec:
  webhook:
    provider: acme
    secrets:
      - {secretRef: {name: acme, key: token}}
";

/// What `mef preset new` prints for these options, as `acme.yaml` beside a source that uses it.
fn place(options: &[&str]) -> Place {
    let place = Place::with(&[("doors.yaml", SOURCE)]);
    let made = place
        .mef(["preset", "new", "--name", "acme"].iter().chain(options))
        .exits(0);
    place.write("acme.yaml", &made.stdout);
    place
}

fn signed_body() -> Place {
    place(&[
        "--header",
        "X-Acme-Signature",
        "--prefix",
        "sha256=",
        "--event-type",
        "/type",
    ])
}

/// A captured request, signed here and not by the program: HMAC as RFC 2104 says, over `content`.
fn captured(place: &Place, content: &str, headers: &[(&str, &str)], prefix: &str) {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = hex::encode(ring::hmac::sign(&key, content.as_bytes()).as_ref());
    let mut text = "POST /doors HTTP/1.1\r\ncontent-type: application/json\r\n".to_owned();
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("x-acme-signature: {prefix}{signature}\r\n\r\n{BODY}");
    place.write("captured.http", &text);
    place.write("secret.txt", &format!("{SECRET}\n"));
}

const BODY: &str = r#"{"type":"door.opened","door":"server-room-2"}"#;
const TIME: &str = "1767323045";

#[test]
fn what_is_written_is_checked_listed_shown_and_explained() {
    let place = signed_body();
    place
        .mef(["check", "acme.yaml"])
        .exits(0)
        .says("ok preset acme in acme.yaml, 1 example")
        .says("0 sources and 1 preset in 1 file: 0 errors, 0 warnings");
    place
        .mef(["check", "doors.yaml"])
        .exits(1)
        .says("there is no preset \"acme\"");
    let merged = [
        "check",
        "doors.yaml",
        "--preset",
        "acme.yaml",
        "--print-merged",
        "-o",
        "json",
    ];
    let definition = place.mef(merged).exits(0).json();
    assert_eq!(
        definition["preset"]["name"], "acme",
        "a definition carries the whole preset"
    );
    place
        .mef(["preset", "ls", "--preset", "acme.yaml"])
        .exits(0)
        .says("Acme (acme.yaml)");
    place.mef(["preset", "show", "acme"]).exits(2);
    place
        .mef(["preset", "show", "acme", "--preset", "acme.yaml"])
        .exits(0)
        .says("sha256=");

    captured(&place, BODY, &[], "sha256=");
    let explain = [
        "explain",
        "doors.yaml",
        "--request",
        "captured.http",
        "--secret",
        "acme=@secret.txt",
    ];
    place.mef(explain).exits(1);
    place
        .mef(explain.iter().chain(&["--preset", "acme.yaml"]))
        .exits(0);
}

#[test]
fn it_runs_takes_events_and_replays_as_a_built_in_one_does() {
    let place = signed_body();
    // A filter that fails makes a dead letter; the corrected one takes it back.
    let broken = format!("{SOURCE}  filter: 'to_int!(.type) > 1'\n");
    place.write("doors.yaml", &broken);
    let dev = Dev::start(&place, &["doors.yaml", "--preset", "acme.yaml"]);
    let send = ["send", "doors.yaml", "example.created", "--preset", "acme.yaml"];
    place.mef(send).exits(0);
    place.mef(["dlq", "ls"]).exits(0).says("transform");
    place.write("doors.yaml", SOURCE);
    place
        .mef(["replay", "doors.yaml", "--preset", "acme.yaml"])
        .exits(0);
    let messages = place
        .mef(["tail", "doors", "--no-follow", "-o", "json"])
        .exits(0)
        .stdout;
    assert!(messages.contains("example.created"), "{messages}");

    // The preset's file is watched as the source's is.
    let text = std::fs::read_to_string(place.path().join("acme.yaml")).unwrap();
    place.write(
        "acme.yaml",
        &text.replace("x-acme-signature", "x-other-signature"),
    );
    dev.until("the new preset serves", || place.mef(send).code == 0);
    place.write("acme.yaml", &text.replace("encoding:", "enkoding:"));
    dev.until("the mistake is told", || dev.log().contains("did you mean"));
    assert_eq!(dev.stop(), 0);
}

#[test]
fn it_takes_nobody_s_place() {
    let place = Place::with(&[("doors.yaml", &SOURCE.replace("acme", "zoom"))]);
    place
        .mef(["preset", "new", "--name", "zoom", "--header", "x-acme-signature"])
        .exits(2)
        .says("\"zoom\" is already the name of the built-in preset of Zoom");
    let made = place
        .mef(["preset", "new", "--name", "acme", "--header", "x-acme-signature"])
        .exits(0);
    place.write("zoom.yaml", &made.stdout.replacen("name: acme", "name: zoom", 1));
    place
        .mef(["check", "doors.yaml", "--preset", "zoom.yaml"])
        .exits(1)
        .says("zoom.yaml:1:1: error: preset zoom: name: \"zoom\" is already the name of the built-in preset of Zoom");
}

#[test]
fn a_captured_request_is_tried() {
    let place = Place::new();
    captured(&place, &format!("{TIME}.{BODY}"), &[("X-Acme-Time", TIME)], "");
    let with = [
        "--request",
        "captured.http",
        "--secret",
        "@secret.txt",
        "--at",
        TIME,
    ];
    let new = ["preset", "new", "--name", "acme", "--header", "x-acme-signature"];
    let right = ["--sign", "{ts}.{body}", "--timestamp", "x-acme-time"];
    place
        .mef(new.iter().chain(&right).chain(&with))
        .exits(0)
        .says("the captured request is genuine by this preset");
    let wrong = place
        .mef(new.iter().chain(&with))
        .exits(1)
        .says("--guess tries other ways");
    assert_eq!(wrong.stdout, "", "a preset that does not fit is not printed");
    let late = [&with[..4], &["--at", "1767400000"]].concat();
    place
        .mef(new.iter().chain(&right).chain(&late))
        .exits(0)
        .says("but for its age");
}

#[test]
fn how_a_request_is_signed_is_found_out() {
    let id = "5f0c6f5e";
    let cases: [(&str, String, &str); 6] = [
        ("{body}", BODY.to_owned(), "sha256="),
        ("{ts}.{body}", format!("{TIME}.{BODY}"), ""),
        ("{ts}\n{body}", format!("{TIME}\n{BODY}"), "v1,"),
        ("v0:{ts}:{body}", format!("v0:{TIME}:{BODY}"), "v0="),
        ("{id}.{ts}.{body}", format!("{id}.{TIME}.{BODY}"), ""),
        ("{body}{ts}", format!("{BODY}{TIME}"), "hmac "),
    ];
    for (sign, content, prefix) in cases {
        let place = Place::with(&[("doors.yaml", SOURCE)]);
        captured(
            &place,
            &content,
            &[("X-Acme-Time", TIME), ("X-Acme-Delivery-Id", id)],
            prefix,
        );
        let guess = [
            "preset",
            "new",
            "--name",
            "acme",
            "--guess",
            "--request",
            "captured.http",
        ];
        let rest = ["--secret", "@secret.txt", "--at", TIME];
        let made = place.mef(guess.iter().chain(&rest)).exits(0);
        assert!(!made.all().contains(SECRET));
        let found = serde_yaml::from_str::<serde_json::Value>(&made.stdout).unwrap();
        let hmac = &found["verification"]["any"][0]["all"][0]["hmac"];
        assert_eq!(hmac["sign"], json!(sign));
        assert_eq!(hmac["signature"]["prefix"].as_str().unwrap_or_default(), prefix);
        place.write("acme.yaml", &made.stdout);
        let explain = [
            "explain",
            "doors.yaml",
            "--preset",
            "acme.yaml",
            "--request",
            "captured.http",
        ];
        place
            .mef(
                explain
                    .iter()
                    .chain(&["--secret", "acme=@secret.txt", "--at", TIME]),
            )
            .exits(0);
    }
}

#[test]
fn pairs_and_tokens_are_found_out_too() {
    let place = Place::new();
    captured(&place, &format!("{TIME}.{BODY}"), &[], &format!("t={TIME},v1="));
    let guess = [
        "preset",
        "new",
        "--name",
        "acme",
        "--guess",
        "--request",
        "captured.http",
    ];
    let rest = ["--secret", "@secret.txt", "--at", TIME];
    place
        .mef(guess.iter().chain(&rest))
        .exits(0)
        .says("from: sig.ts")
        .says("signature: v1");
    place.write(
        "captured.http",
        &format!("POST / HTTP/1.1\nauthorization: Bearer {SECRET}\n\n{BODY}"),
    );
    let token = place
        .mef(guess.iter().chain(&rest))
        .exits(0)
        .says("scheme: Bearer");
    assert!(!token.all().contains(SECRET));
    place.write("secret.txt", "another");
    let none = place
        .mef(guess.iter().chain(&rest))
        .exits(1)
        .says("combinations fits");
    assert!(!none.all().contains(SECRET));
}

#[test]
fn what_is_not_told_is_asked() {
    let place = Place::new();
    let answers = "acme\nAcme Doors\nx-acme-signature\n\n\nhexx\nbase64\n\n{ts}.{body}\nx-acme-time\n\n\n/type\nvendor\n";
    let asked = place
        .mef_reads(["preset", "new"], answers)
        .exits(0)
        .says("\"hexx\" is none of them");
    place.write("acme.yaml", &asked.stdout);
    place.mef(["check", "acme.yaml"]).exits(0);
    let made = serde_yaml::from_str::<serde_json::Value>(&asked.stdout).unwrap();
    let hmac = &made["verification"]["any"][0]["all"][0]["hmac"];
    assert_eq!(
        (&hmac["encoding"], &hmac["hash"]),
        (&json!("Base64"), &json!("Sha256"))
    );
    assert_eq!(made["verification"]["timestamp"]["unit"], "Seconds");
    assert_eq!(
        (&made["title"], &made["secrets"][0]["issuedBy"]),
        (&json!("Acme Doors"), &json!("Vendor"))
    );
    place.mef(["preset", "new"]).exits(2).says("give --name");
}

#[test]
fn a_mistake_in_an_option_is_told_in_the_preset_s_words() {
    let place = Place::new();
    let new = ["preset", "new", "--name", "acme", "--header", "x-acme-signature"];
    place
        .mef(new.iter().chain(&["--sign", "{ts}.{body}"]))
        .exits(2)
        .says("has {ts}, and verification.timestamp does not say where it is");
    place
        .mef(new.iter().chain(&["--sign", "{payload}"]))
        .exits(2)
        .says("{payload} is no placeholder");
    let shown = place
        .mef(new.iter().chain(&["--request", "r.http", "--secret", SECRET]))
        .exits(2);
    assert!(!shown.all().contains(SECRET), "{}", shown.all());
}

#[test]
fn a_secret_typed_in_the_place_of_its_file_is_not_repeated() {
    let place = Place::with(&[("doors.yaml", SOURCE)]);
    for option in [format!("acme={SECRET}"), SECRET.to_owned()] {
        let run = place
            .mef(["send", "doors.yaml", "--secret", &option])
            .exits(2)
            .says("--secret");
        assert!(!run.all().contains(SECRET), "{}", run.all());
    }
}
