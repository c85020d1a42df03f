//! Moving over from the framework of 2019: the parameters of each of its three templates, as sources, give the same answers and
//! messages with the same fields. What is expected is made of the parameters, not of the sources.

use std::fs;
use std::path::Path;

use mef_e2e::{Answer, Dev, mef, repository};
use serde_json::{Value, json};
use tempfile::TempDir;

const TEMPLATES: [&str; 3] = ["github-source", "codecommit-source", "two-sources"];

/// Bodies, with the answer of the compatible default: those of the old handler where it gave one a sender can use.
fn table() -> Vec<(Vec<u8>, u16, &'static str)> {
    const RECEIVED: &str = "\"Event received\"";
    const BAD: &str = "\"Bad Request\"";
    let rows: [(&str, u16, &str); 17] = [
        (
            r#"{"event": "a", "payload": {"n": 1.10, "big": 123456789012345678901234567890}}"#,
            200,
            RECEIVED,
        ),
        (r#"{"payload": null}"#, 200, RECEIVED),
        (r#"{"payload": [1, "zwei"]}"#, 200, RECEIVED),
        (r#"{"payload": "scalar", "ü": "ß"}"#, 200, RECEIVED),
        (r#"{"payload": 1, "payload": {"last": "wins"}}"#, 200, RECEIVED),
        (r#"{"event": "a"}"#, 400, BAD),
        ("{}", 400, BAD),
        ("no JSON", 400, BAD),
        ("", 400, BAD),
        ("null", 400, BAD),
        ("\u{feff}{\"payload\": 1}", 400, BAD),
        (r#"{"payload": 1} x"#, 400, BAD),
        (r#"[{"payload": 1}]"#, 400, BAD),
        (r#""payload""#, 400, BAD),
        (r#"{"payload": NaN}"#, 400, BAD),
        (r#"{"payload": Infinity}"#, 400, BAD),
        (r#"{"payload": 1e400}"#, 400, BAD),
    ];
    rows.into_iter()
        .map(|(body, status, answer)| (body.as_bytes().to_vec(), status, answer))
        .collect()
}

struct Moved {
    parameters: Value,
    folder: TempDir,
}

impl Moved {
    fn of(template: &str) -> Self {
        let from = repository().join("examples/migrate").join(template);
        let folder = TempDir::new().expect("a folder");
        for entry in fs::read_dir(&from).expect("the example") {
            let path = entry.expect("an entry").path();
            fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("a copy");
        }
        let text = fs::read(folder.path().join("parameters.json")).expect("its parameters");
        fs::remove_file(folder.path().join("parameters.json")).expect("no manifest");
        fs::write(folder.path().join("token"), "the old token, with a blank").expect("a file");
        Self {
            parameters: serde_json::from_slice(&text).expect("JSON"),
            folder,
        }
    }

    fn parameter(&self, name: &str) -> &str {
        self.parameters[name].as_str().expect("a text")
    }

    /// What the old message holds, of the parameter Service alone.
    fn message(&self, details: &Value) -> Value {
        let service = self.parameter("Service");
        json!({
            "hostname": format!("{service}_host"), "processname": service, "summary": format!("{service}_event"),
            "category": service, "source": "api_aws_lambda", "eventsource": format!("{service}_api"), "tags": [service],
            "details": details,
        })
    }
}

fn last(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("JSON")
}

#[test]
fn each_template_becomes_a_source_with_the_same_answers_and_messages() {
    for template in TEMPLATES {
        let moved = Moved::of(template);
        let at = moved.folder.path();
        let _ = mef(at, ["check", "."]).exits(0);
        let source = format!(
            "{}-{}",
            moved.parameter("Service"),
            moved.parameter("Environment")
        );
        let secret = format!("--secret={source}-auth/token=@token");
        let file = format!("migrate-{template}-source.yaml");
        let dev = Dev::start(at, &[&file, &secret]);
        let path = path_of(at, &file);
        let post = |token: Option<&str>, body: &[u8]| -> Answer {
            let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            headers.extend(token.map(|token| ("authorization".to_owned(), token.to_owned())));
            dev.post(&path, &headers, body).expect("an answer")
        };
        let token = "the old token, with a blank";
        let mut expected = Vec::new();
        for (body, status, answer) in table() {
            let shown = String::from_utf8_lossy(&body).into_owned();
            let answered = post(Some(token), &body);
            assert_eq!(answered.status, status, "{template}: {shown}");
            assert_eq!(
                String::from_utf8_lossy(&answered.body),
                answer,
                "{template}: {shown}"
            );
            if status == 200 {
                expected.push(moved.message(&last(&body)));
            }
        }
        let wrong = [
            (Some("Bearer the old token, with a blank"), 403),
            (Some("the old token"), 403),
            (Some("THE OLD TOKEN, WITH A BLANK"), 403),
            (None, 401),
        ];
        for (token, status) in wrong {
            let answered = post(token, br#"{"payload": 1}"#);
            assert_eq!(answered.status, status, "{template}: {token:?}");
        }
        assert_eq!(delivered(at), expected, "{template}");
        let kept = mef(at, ["dlq", "ls", "-o", "json"]).exits(0).json_lines();
        let refused = table().iter().filter(|(_, status, _)| *status == 400).count();
        assert_eq!(kept.len(), refused, "{template}: what was lost then is kept now");
    }
}

#[test]
fn the_configuration_that_won_is_an_overlay_that_wins() {
    let moved = Moved::of("two-sources");
    let merged = mef(moved.folder.path(), ["check", ".", "--print-merged"])
        .exits(0)
        .stdout;
    let line = |field: &str| {
        let found = merged
            .lines()
            .find(|line| line.starts_with("#") && line.contains(field));
        found
            .unwrap_or_else(|| panic!("{field} is not in\n{merged}"))
            .to_owned()
    };
    assert!(line("spec.filter").ends_with("overlays[0]"), "{merged}");
    assert!(
        line("spec.samples").ends_with("overlays[0] (over spec)"),
        "{merged}"
    );
    assert!(line("spec.mozdef.service").ends_with("spec"), "{merged}");
}

fn path_of(folder: &Path, file: &str) -> String {
    let text = fs::read_to_string(folder.join(file)).expect("the source");
    let line = text.lines().find_map(|line| line.trim().strip_prefix("path: "));
    line.expect("its path").to_owned()
}

fn delivered(folder: &Path) -> Vec<Value> {
    let lines = mef(folder, ["tail", "--no-follow", "-o", "json"])
        .exits(0)
        .json_lines();
    lines.into_iter().map(|line| line["message"].clone()).collect()
}
