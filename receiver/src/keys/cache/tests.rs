//! What a user would miss: keys that are used too long, vendors that are hammered, genuine requests refused for good.

use mef_pipeline::network_keys::DocumentKind;

use super::*;

const KEY: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"KID","x":"JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs"}]}"#;

fn keys(id: &str) -> KeySet {
    KeySet::parse(DocumentKind::Jwks, KEY.replace("KID", id).as_bytes()).unwrap()
}

fn document(name: &str) -> KeyDocument {
    KeyDocument {
        url: format!("https://{name}.example/keys"),
        kind: DocumentKind::Jwks,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

/// The decision in one word.
fn word(decision: &Decision) -> &'static str {
    match decision {
        Decision::Use(_) => "use",
        Decision::Fetch(Fallback::Stale(_)) => "fetch, stale",
        Decision::Fetch(Fallback::Nothing) => "fetch",
        Decision::Unavailable(_) => "unavailable",
    }
}

struct Story {
    cache: Cache,
    document: KeyDocument,
}

impl Story {
    fn new() -> Self {
        Self {
            cache: Cache::default(),
            document: document("a"),
        }
    }

    #[track_caller]
    fn ask(&mut self, seconds: i64, key_id: Option<&str>, expected: &str) {
        let decision = self.cache.ask(&self.document, key_id, at(seconds));
        assert_eq!(word(&decision), expected, "at {seconds} s for {key_id:?}");
    }

    fn fetched(&mut self, seconds: i64, id: &str, max_age: Option<u64>) {
        let max_age = max_age.map(Duration::from_secs);
        let document = self.document.clone();
        self.cache.fetched(document, keys(id), max_age, at(seconds));
    }

    fn failed(&mut self, seconds: i64) {
        let document = self.document.clone();
        self.cache.failed(document, "it is down".to_owned(), at(seconds));
    }
}

#[test]
fn a_document_is_fresh_for_as_long_as_it_says_within_bounds() {
    for (max_age, fresh) in [
        (None, 3_600),
        (Some(0), 300),
        (Some(600), 600),
        (Some(10_000_000), 86_400),
    ] {
        let mut story = Story::new();
        story.ask(0, None, "fetch");
        story.fetched(0, "1", max_age);
        story.ask(fresh - 1, Some("1"), "use");
        story.ask(fresh, Some("1"), "fetch, stale");
    }
}

#[test]
fn a_stale_document_is_used_for_a_day_while_it_cannot_be_fetched() {
    let mut story = Story::new();
    story.fetched(0, "1", Some(600));
    story.ask(600, Some("1"), "fetch, stale");
    story.failed(600);
    story.ask(601, Some("1"), "use");
    // Whether a key that is not in it is a new one cannot be told now.
    story.ask(601, Some("2"), "unavailable");
    story.ask(661, Some("2"), "fetch");
    story.failed(661);
    let last = 600 + 86_400;
    story.ask(last - 1, Some("1"), "fetch, stale");
    story.ask(last, Some("1"), "fetch");
    story.failed(last);
    story.ask(last + 1, Some("1"), "unavailable");
}

#[test]
fn made_up_key_ids_make_one_fetch_a_minute() {
    let mut story = Story::new();
    story.fetched(0, "1", None);
    for second in 0..60 {
        story.ask(second, Some(&format!("made-up-{second}")), "use");
    }
    story.ask(60, Some("made-up"), "fetch");
    story.fetched(60, "1", None);
    story.ask(61, Some("made-up"), "use");
    story.ask(61, Some("1"), "use");
}

#[test]
fn a_rotated_key_is_found_within_a_minute() {
    let mut story = Story::new();
    story.fetched(0, "1", None);
    story.ask(100, Some("2"), "fetch");
    story.fetched(100, "2", None);
    story.ask(100, Some("2"), "use");
}

#[test]
fn a_document_that_cannot_be_had_is_asked_for_less_and_less_often() {
    let mut story = Story::new();
    let mut now = 0;
    for pause in [5, 10, 20, 40, 60, 60] {
        story.ask(now, None, "fetch");
        story.failed(now);
        story.ask(now + pause - 1, None, "unavailable");
        now += pause;
    }
    story.ask(now, None, "fetch");
    story.fetched(now, "1", None);
    story.ask(now, None, "use");
}

#[test]
fn a_flood_of_documents_neither_pushes_out_known_ones_nor_fetches_without_end() {
    let mut story = Story::new();
    story.fetched(0, "1", None);
    let mut begun = 0;
    for number in 0..10_000 {
        let made_up = document(&format!("made-up-{number}"));
        if matches!(story.cache.ask(&made_up, None, at(1)), Decision::Fetch(_)) {
            begun += 1;
            story.cache.failed(made_up, "none".to_owned(), at(1));
        }
    }
    assert_eq!(begun, 60);
    story.ask(1, Some("1"), "use");
    for number in 0..1_000 {
        let made_up = document(&format!("made-up-{number}"));
        story.cache.failed(made_up.clone(), "none".to_owned(), at(2));
        story.cache.fetched(made_up, keys("1"), None, at(2));
    }
    assert_eq!(story.cache.documents.len(), MAX_DOCUMENTS);
    assert!(story.cache.failures.len() <= MAX_FAILURES);
}

#[test]
fn a_clock_that_is_set_back_makes_no_document_fresh_for_longer() {
    let mut story = Story::new();
    story.fetched(1_000_000, "1", None);
    story.ask(0, Some("1"), "fetch, stale");
    story.failed(0);
    story.ask(1, Some("1"), "use");
}
