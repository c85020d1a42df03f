//! What handshakes ask for beside their answer: a call that confirms a subscription, a secret told on first use. The answer
//! is given when it is done, and never before.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use mef_pipeline::preset::Challenge;
use mef_pipeline::secret::{KeyRing, Secret};
use mef_queue::Lane;
use mef_receiver::{Captor, Captured, Route};
use serde_json::{Value, json};

use crate::support::{Manner, Server, SourceBuilder, TestQueue, Vendor, post, post_to};

const HOST: &str = "confirm.example.com";

/// Okta's preset with one more handshake.
fn source(challenge: &Value) -> SourceBuilder {
    let challenge: Challenge = serde_json::from_value(challenge.clone()).expect("a challenge");
    SourceBuilder::okta().preset(move |preset| preset.challenges.push(challenge.clone()))
}

fn confirming() -> SourceBuilder {
    source(&json!({
        "when": {"json": {"/Type": "SubscriptionConfirmation"}},
        "auth": "Verified",
        "act": {"get": "json:/SubscribeURL", "allow": "^https://confirm\\.example\\.com/\\?[!-~]{1,200}$"},
        "respond": {"status": 200},
    }))
}

fn confirmation(url: &str) -> String {
    json!({"Type": "SubscriptionConfirmation", "SubscribeURL": url}).to_string()
}

struct Bed {
    vendor: Vendor,
    server: Server,
    queue: Arc<TestQueue>,
}

async fn bed(source: &SourceBuilder, manner: Manner) -> Bed {
    let vendor = Vendor::new(&[HOST], manner).await;
    let queue = Arc::new(TestQueue::new());
    let server = Server::start(vec![source.route(&queue)]).await;
    server
        .receiver
        .call_senders(&vendor.settings(&[HOST]))
        .expect("roots");
    Bed {
        vendor,
        server,
        queue,
    }
}

#[tokio::test]
async fn a_subscription_is_confirmed_before_its_handshake_is_answered() {
    let bed = bed(&confirming(), Manner::Body("<ok/>".to_owned(), "")).await;
    let url = "https://confirm.example.com/?Action=ConfirmSubscription&Token=23";
    let answer = bed.server.ask(post(&confirmation(url))).await;
    assert_eq!(answer.status, 200);
    let heads = bed.vendor.heads();
    assert_eq!(heads.len(), 1);
    assert!(
        heads[0].starts_with("GET /?Action=ConfirmSubscription&Token=23 HTTP/1.1\r\n"),
        "{heads:?}"
    );
    assert!(bed.queue.kept(Lane::Events).is_empty());
    let scrape = bed.server.scrape().await;
    assert_eq!(scrape.requests("challenged", "none"), 1);
    assert_eq!(
        scrape.sum(
            "mef_key_fetches_total",
            &[("what", "handshake"), ("result", "ok")]
        ),
        1
    );
    scrape.assert_laws();
}

#[tokio::test]
async fn a_confirmation_that_fails_is_asked_for_again() {
    for manner in [
        Manner::Status("500 Internal Server Error", ""),
        Manner::Status("302 Found", "location: https://confirm.example.com/?2\r\n"),
        Manner::Close,
    ] {
        println!("{manner:?}");
        let bed = bed(&confirming(), manner).await;
        let answer = bed
            .server
            .ask(post(&confirmation("https://confirm.example.com/?1")))
            .await;
        assert_eq!(answer.status, 503);
        assert!(answer.header("retry-after").is_some());
        assert_eq!(bed.vendor.calls(), 1);
        let scrape = bed.server.scrape().await;
        assert_eq!(scrape.requests("unavailable", "handshake"), 1);
        scrape.assert_laws();
    }
}

#[tokio::test]
async fn nobody_is_called_for_a_forged_or_a_foreign_confirmation() {
    let bed = bed(&confirming(), Manner::Body(String::new(), "")).await;
    let genuine = confirmation("https://confirm.example.com/?1");
    assert_eq!(
        bed.server
            .ask(post_to("/okta", "another-token", &genuine))
            .await
            .status,
        401
    );
    for url in [
        "https://elsewhere.example.com/?1",
        "https://confirm.example.com.elsewhere.example/?1",
        "http://confirm.example.com/?1",
        "https://user@confirm.example.com/?1",
    ] {
        let answer = bed.server.ask(post(&confirmation(url))).await;
        assert_eq!(answer.status, 400, "{url}");
    }
    assert_eq!(bed.vendor.calls(), 0);
    bed.server.scrape().await.assert_laws();
}

/// Keeps secrets in memory, for as long as it is open.
#[derive(Default)]
struct Keeper {
    open: AtomicBool,
    kept: Mutex<Vec<(String, String, Vec<u8>)>>,
}

impl Captor for Keeper {
    fn capture(&self, route: &Route, usage: &str, secret: &Secret) -> Captured {
        if !self.open.load(Ordering::SeqCst) {
            return Captured::Refused;
        }
        let mut kept = self.kept.lock().expect("no panic");
        if !kept.is_empty() {
            return Captured::Failed("the disk is full".to_owned());
        }
        kept.push((route.id().to_owned(), usage.to_owned(), secret.expose().to_vec()));
        Captured::Taken
    }
}

#[tokio::test]
async fn a_secret_told_on_first_use_is_taken_only_while_somebody_waits_for_it() {
    let queue = Arc::new(TestQueue::new());
    let (source, _) = SourceBuilder::provider("notes", "notion").build();
    let route = Route::new(source, Arc::new(KeyRing::new(Vec::new())), queue.clone());
    let server = Server::start(vec![route]).await;
    let body = json!({"verification_token": "secret_0123456789abcdef"}).to_string();
    let tell = async || server.ask(post_to("/notes", "any", &body)).await.status;
    assert_eq!(tell().await, 400, "a receiver without a captor takes none");
    let keeper = Arc::new(Keeper::default());
    server.receiver.capture_with(keeper.clone());
    assert_eq!(tell().await, 400, "nobody waits");
    keeper.open.store(true, Ordering::SeqCst);
    assert_eq!(tell().await, 200);
    assert_eq!(tell().await, 503, "it could not be kept, so it is told again");
    let kept = keeper.kept.lock().expect("no panic").clone();
    let expected = (
        "default/notes".to_owned(),
        "signing".to_owned(),
        b"secret_0123456789abcdef".to_vec(),
    );
    assert_eq!(kept, [expected]);
    let scrape = server.scrape().await;
    assert_eq!(scrape.requests("rejected", "challenge-guard"), 2);
    assert_eq!(scrape.requests("unavailable", "handshake"), 1);
    scrape.assert_laws();
}
