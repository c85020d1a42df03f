//! The first quarter of an hour of a new user, with the built binary: a signed event arrives, a forged one is refused, one
//! that breaks the schema is kept with its reason, and comes back once the schema in the file is right.

use std::fs;
use std::path::Path;

use mef_e2e::{Dev, Run, conform, mef, repository};
use serde_json::Value;
use tempfile::TempDir;

/// One entry of a queue, as `mef tail` prints it.
pub(crate) struct Kept {
    pub(crate) id: String,
    pub(crate) body: String,
}

impl Kept {
    pub(crate) fn message(&self) -> Value {
        serde_json::from_str(&self.body).expect("a message is JSON")
    }
}

/// A folder of one's own with the Zoom example in it.
pub(crate) fn zoom_folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    let example = repository().join("examples/zoom/zoom-source.yaml");
    fs::copy(example, folder.path().join("zoom-source.yaml")).expect("the example is there");
    folder
}

/// The secret that `mef dev` made for the Zoom example.
pub(crate) fn secret_of(folder: &Path) -> Vec<u8> {
    fs::read(folder.join(".mef/secrets/default/zoom-webhook/secretToken")).expect("mef dev made a secret")
}

/// Every event in the queue of the Zoom example, oldest first, byte for byte.
pub(crate) fn events(folder: &Path) -> Vec<Kept> {
    #[derive(serde::Deserialize)]
    struct Line {
        id: String,
        message: Box<serde_json::value::RawValue>,
    }
    let run = mef(folder, ["tail", "zoom", "--no-follow", "-o", "json"]).exits(0);
    let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    run.stdout
        .lines()
        .map(read)
        .map(|Line { id, message }| Kept {
            id,
            body: message.get().to_owned(),
        })
        .collect()
}

/// Every dead letter, oldest first.
pub(crate) fn dead_letters(folder: &Path) -> Vec<Value> {
    mef(folder, ["dlq", "ls", "-o", "json"]).exits(0).json_lines()
}

fn send(folder: &Path, more: &[&str]) -> Run {
    mef(
        folder,
        ["send", "zoom-source.yaml", "user.created"].iter().chain(more),
    )
}

#[test]
fn an_event_arrives_a_forged_one_does_not_and_a_refused_one_comes_back() {
    let folder = zoom_folder();
    let at = folder.path();
    let dev = Dev::start(at, &["zoom-source.yaml"]);

    // The set-up text names the URL and the vendor's steps, and never the secret.
    let log = dev.log();
    assert!(log.contains(&format!("http://{}/zoom", dev.listen)), "{log}");
    assert!(log.contains("marketplace.zoom.us"), "{log}");
    assert!(
        !log.contains(std::str::from_utf8(&secret_of(at)).expect("it is text")),
        "the secret is shown:\n{log}"
    );

    let run = send(at, &[]).exits(0);
    assert!(run.stdout.contains("200"), "{}", run.stdout);
    let kept = events(at);
    assert_eq!(kept.len(), 1);
    conform(kept[0].body.as_bytes());
    let message = kept[0].message();
    assert_eq!(message["hostname"], "zoom_host");
    assert_eq!(message["tags"], serde_json::json!(["zoom"]));
    assert_eq!(message["details"]["event"], "user.created");
    assert_eq!(message["details"]["mef"]["id"], kept[0].id.as_str());

    // One flipped byte.
    let run = send(at, &["--tamper", "body"]).exits(1);
    assert!(run.stdout.contains("401"), "{}", run.stdout);
    assert_eq!(events(at).len(), 1);
    assert!(
        dead_letters(at).is_empty(),
        "a forged request leaves nothing behind"
    );

    // Genuine, and not what the schema says.
    let run = mef(at, ["send", "zoom-source.yaml", "user.created-sso"]).exits(0);
    assert!(run.stdout.contains("200"), "{}", run.stdout);
    assert_eq!(events(at).len(), 1);
    let dead = dead_letters(at);
    assert_eq!(dead.len(), 1, "{dead:?}");
    let text = mef(at, ["dlq", "ls"]).exits(0).stdout;
    assert!(
        text.contains("schema") && text.contains("/payload/object/type"),
        "{text}"
    );

    // As the definition stands, a replay would fail again, and a dry run changes nothing.
    let dry = mef(at, ["replay", "zoom-source.yaml", "--dry-run"]).exits(0);
    assert!(dry.stdout.contains("/payload/object/type"), "{}", dry.stdout);

    // The schema in the file is corrected.
    let file = at.join("zoom-source.yaml");
    let source = fs::read_to_string(&file).expect("the source can be read");
    let corrected = source.replace("enum: [1, 2]", "enum: [1, 2, 99]");
    assert_ne!(
        source, corrected,
        "the example still has the line that the story corrects"
    );
    fs::write(&file, corrected).expect("the source can be written");

    for _ in 0..2 {
        let dry = mef(at, ["replay", "zoom-source.yaml", "--dry-run"]).exits(0);
        assert!(
            dry.stdout.contains("zoom_host"),
            "the diff shows the message that would be sent: {}",
            dry.stdout
        );
        assert_eq!(
            (events(at).len(), dead_letters(at).len()),
            (1, 1),
            "a dry run changes nothing"
        );
    }
    let _ = mef(at, ["replay", "zoom-source.yaml"]).exits(0);
    let kept = events(at);
    assert_eq!(kept.len(), 2);
    conform(kept[1].body.as_bytes());
    assert_eq!(kept[1].message()["details"]["payload"]["object"]["type"], 99);
    assert!(dead_letters(at).is_empty());

    // What was saved is also what serves now.
    dev.until("the corrected definition serves", || {
        let before = events(at).len();
        let _ = mef(at, ["send", "zoom-source.yaml", "user.created-sso"]).exits(0);
        events(at).len() == before + 1
    });
    assert_eq!(dev.stop(), 0);
}
