//! Published keys, from a request to a vendor's server and back: genuine events are never lost to a vendor's bad day, and no
//! vendor, real or made up, can make us call somebody else, wait for ever or read without end.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use mef_queue::Lane;
use mef_receiver::{Admin, CallSettings, Clock as _, FixedClock, Limits};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{Answer, Manner, Server, SourceBuilder, TestQueue, Vendor, eventually};

const HOST: &str = "keys.example.com";
const ISSUER: &str = "https://issuer.example.com";

/// A key pair of an issuer.
struct Issuer {
    pair: EcdsaKeyPair,
    id: String,
}

impl Issuer {
    fn new(id: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        Self {
            pair: EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("a key"),
            id: id.to_owned(),
        }
    }

    /// The key set it publishes.
    fn document(&self) -> String {
        let point = self.pair.public_key().as_ref();
        let part = |range| URL_SAFE_NO_PAD.encode(&point[range]);
        json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.id, "x": part(1..33), "y": part(33..65)}]})
            .to_string()
    }

    /// A security event token as a request.
    fn request(&self, number: usize, now: Timestamp) -> String {
        let header = json!({"alg": "ES256", "typ": "secevent+jwt", "kid": self.id});
        let claims = json!({
            "iss": ISSUER, "aud": "us", "iat": now.as_second(), "jti": number.to_string(),
            "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}},
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .expect("a signature");
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        format!(
            "POST /sets HTTP/1.1\r\nhost: us\r\ncontent-type: application/secevent+jwt\r\ncontent-length: {}\r\n\r\n{token}",
            token.len()
        )
    }
}

struct Bed {
    server: Server,
    queue: Arc<TestQueue>,
    clock: Arc<FixedClock>,
}

impl Bed {
    async fn new(settings: &CallSettings) -> Self {
        Self::with_budget(settings, 10_000).await
    }

    async fn with_budget(settings: &CallSettings, milliseconds: u32) -> Self {
        let queue = Arc::new(TestQueue::new());
        let source = SourceBuilder::provider("sets", "ssf-set")
            .secrets(&[])
            .with(
                "/webhook/parameters",
                json!({"issuer": ISSUER, "audience": "us", "keySetUrl": format!("https://{HOST}/keys?tenant=1")}),
            )
            .preset(move |preset| preset.ack.deadline_milliseconds = milliseconds);
        let clock = Arc::new(FixedClock::new(
            Timestamp::from_second(1_767_323_045).expect("a time"),
        ));
        let route = source.route(&queue);
        let server = Server::with(vec![route], Limits::default(), clock.clone(), Admin::default()).await;
        server.receiver.call_senders(settings).expect("roots");
        Self { server, queue, clock }
    }

    async fn ask(&self, issuer: &Issuer, number: usize) -> Answer {
        self.server.ask(issuer.request(number, self.clock.now())).await
    }

    fn later(&self, seconds: i64) {
        let now = self.clock.now().as_second() + seconds;
        self.clock.set(Timestamp::from_second(now).expect("a time"));
    }

    /// A request is told to come back, kept nowhere, and counted as such.
    async fn check_unavailable(&self, answer: &Answer, result: &str) {
        assert_eq!(answer.status, 503, "{result}");
        assert!(answer.header("retry-after").is_some());
        assert!(self.queue.kept(Lane::Events).is_empty() && self.queue.kept(Lane::Dead).is_empty());
        let scrape = self.server.scrape().await;
        assert_eq!(scrape.requests("unavailable", "keys-unavailable"), 1);
        eventually("the fetch ends", || async {
            let scrape = self.server.scrape().await;
            scrape.sum("mef_key_fetches_total", &[("what", "keys"), ("result", result)]) == 1
        })
        .await;
        scrape.assert_laws();
    }
}

fn keys_of(issuer: &Issuer) -> Manner {
    Manner::Body(issuer.document(), "")
}

#[tokio::test]
async fn a_genuine_event_is_taken_with_the_key_its_sender_publishes() {
    let issuer = Issuer::new("1");
    let vendor = Vendor::new(&[HOST], keys_of(&issuer)).await;
    let bed = Bed::new(&vendor.settings(&[HOST])).await;
    for number in 0..3 {
        let answer = bed.ask(&issuer, number).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    assert_eq!(bed.queue.kept(Lane::Events).len(), 3);
    assert_eq!(vendor.calls(), 1, "the document is remembered");
    let heads = vendor.heads();
    assert!(
        heads[0].starts_with("GET /keys?tenant=1 HTTP/1.1\r\n"),
        "{heads:?}"
    );
    assert!(heads[0].contains("host: keys.example.com\r\n"), "{heads:?}");
    bed.server.scrape().await.assert_laws();
}

#[tokio::test]
async fn two_hundred_requests_at_once_make_one_fetch() {
    let issuer = Issuer::new("1");
    let gate = Arc::new(Semaphore::new(0));
    let vendor = Vendor::new(&[HOST], Manner::When(gate.clone(), issuer.document())).await;
    let bed = Bed::new(&vendor.settings(&[HOST])).await;
    let asked = (0..200).map(|number| bed.ask(&issuer, number));
    let opened = async {
        eventually("every request waits", || async {
            let scrape = bed.server.scrape().await;
            scrape.sum("mef_requests_in_flight", &[]) == 200
        })
        .await;
        gate.add_permits(1_000);
    };
    let (answers, ()) = tokio::join!(futures::future::join_all(asked), opened);
    assert!(answers.iter().all(|answer| answer.status == 202));
    assert_eq!(vendor.calls(), 1);
    assert_eq!(bed.queue.kept(Lane::Events).len(), 200);
}

#[tokio::test]
async fn hostile_and_broken_vendors_cost_a_bounded_time_and_nobody_is_believed() {
    let issuer = Issuer::new("1");
    let huge = format!("{}{}", issuer.document(), " ".repeat(10_000_000));
    for (manner, result) in [
        (
            Manner::Status("302 Found", "location: https://keys.example.com/other\r\n"),
            "status",
        ),
        (
            Manner::Status("301 Moved Permanently", "location: http://169.254.169.254/\r\n"),
            "status",
        ),
        (Manner::Status("500 Internal Server Error", ""), "status"),
        (Manner::Status("404 Not Found", ""), "status"),
        (Manner::Body(huge, ""), "too-large"),
        (Manner::Endless, "too-large"),
        (
            Manner::Body(issuer.document(), "content-encoding: gzip\r\n"),
            "malformed",
        ),
        (Manner::Body("<html>".to_owned(), ""), "malformed"),
        (Manner::Body(r#"{"keys": []}"#.to_owned(), ""), "malformed"),
        (Manner::Garbage, "malformed"),
        (Manner::Close, "malformed"),
    ] {
        println!("{manner:.40?}");
        let vendor = Vendor::new(&[HOST], manner).await;
        let bed = Bed::new(&vendor.settings(&[HOST])).await;
        let answer = bed.ask(&issuer, 0).await;
        bed.check_unavailable(&answer, result).await;
        assert_eq!(
            vendor.calls(),
            1,
            "no redirect is followed, nothing is tried twice"
        );
    }
}

#[tokio::test]
async fn a_slow_vendor_does_not_make_the_sender_wait_in_vain() {
    let issuer = Issuer::new("1");
    for manner in [Manner::Silence, Manner::Trickle] {
        let vendor = Vendor::new(&[HOST], manner).await;
        let bed = Bed::with_budget(&vendor.settings(&[HOST]), 1_000).await;
        let begun = std::time::Instant::now();
        let answer = bed.ask(&issuer, 0).await;
        let took = begun.elapsed();
        assert!(
            took < Duration::from_secs(4),
            "{took:?}: the fetch's own limit is 5 s"
        );
        bed.check_unavailable(&answer, "timeout").await;
    }
}

#[tokio::test]
async fn a_fetch_outlives_its_request_so_the_next_try_succeeds() {
    let issuer = Issuer::new("1");
    let gate = Arc::new(Semaphore::new(0));
    let vendor = Vendor::new(&[HOST], Manner::When(gate.clone(), issuer.document())).await;
    let bed = Bed::with_budget(&vendor.settings(&[HOST]), 500).await;
    assert_eq!(bed.ask(&issuer, 0).await.status, 503);
    gate.add_permits(1);
    eventually("the fetch lands", || async {
        bed.ask(&issuer, 0).await.status == 202
    })
    .await;
    assert_eq!(vendor.calls(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_who_the_url_says_is_not_believed() {
    let issuer = Issuer::new("1");
    let vendor = Vendor::new(&["other.example.com"], keys_of(&issuer)).await;
    let bed = Bed::new(&vendor.settings(&[HOST])).await;
    let answer = bed.ask(&issuer, 0).await;
    bed.check_unavailable(&answer, "untrusted").await;
    assert_eq!(vendor.calls(), 0);

    let vendor = Vendor::new(&[HOST], keys_of(&issuer)).await;
    let foreign = CallSettings {
        roots: None,
        ..vendor.settings(&[HOST])
    };
    let bed = Bed::new(&foreign).await;
    let answer = bed.ask(&issuer, 0).await;
    bed.check_unavailable(&answer, "untrusted").await;
    assert_eq!(vendor.calls(), 0);
}

#[tokio::test]
async fn names_that_lead_home_or_to_metadata_services_are_not_called() {
    let issuer = Issuer::new("1");
    let vendor = Vendor::new(&[HOST], keys_of(&issuer)).await;
    let settings = CallSettings {
        private_addresses: false,
        ..vendor.settings(&[HOST])
    };
    let bed = Bed::new(&settings).await;
    let answer = bed.ask(&issuer, 0).await;
    bed.check_unavailable(&answer, "refused").await;
    assert_eq!(vendor.calls(), 0);

    let mut settings = vendor.settings(&[HOST]);
    let metadata = "169.254.169.254:443".parse().expect("an address");
    settings.hosts.insert(HOST.to_owned(), metadata);
    let bed = Bed::new(&settings).await;
    let answer = bed.ask(&issuer, 0).await;
    bed.check_unavailable(&answer, "refused").await;
}

#[tokio::test]
async fn a_rotated_key_is_found_and_made_up_ones_make_one_fetch_a_minute() {
    let (old, new, made_up) = (Issuer::new("1"), Issuer::new("2"), Issuer::new("made up"));
    let vendor = Vendor::new(&[HOST], keys_of(&old)).await;
    let bed = Bed::new(&vendor.settings(&[HOST])).await;
    assert_eq!(bed.ask(&old, 0).await.status, 202);
    for number in 0..20 {
        // ssf-set answers 400 where others answer 401.
        assert_eq!(bed.ask(&made_up, number).await.status, 400);
    }
    assert_eq!(vendor.calls(), 1);
    vendor.behaves(keys_of(&new));
    bed.later(61);
    assert_eq!(bed.ask(&new, 1).await.status, 202);
    assert_eq!(vendor.calls(), 2);
    assert_eq!(
        bed.ask(&old, 2).await.status,
        400,
        "a key that is withdrawn is withdrawn"
    );
    let scrape = bed.server.scrape().await;
    assert_eq!(scrape.requests("rejected", "unknown-key"), 21);
    scrape.assert_laws();
}

#[tokio::test]
async fn a_vendor_that_is_down_stops_nobody_whose_key_is_known() {
    let (issuer, new) = (Issuer::new("1"), Issuer::new("2"));
    let vendor = Vendor::new(
        &[HOST],
        Manner::Body(issuer.document(), "cache-control: max-age=600\r\n"),
    )
    .await;
    let bed = Bed::new(&vendor.settings(&[HOST])).await;
    assert_eq!(bed.ask(&issuer, 0).await.status, 202);
    vendor.behaves(Manner::Status("503 Service Unavailable", ""));
    bed.later(601);
    assert_eq!(bed.ask(&issuer, 1).await.status, 202);
    assert_eq!(bed.ask(&issuer, 2).await.status, 202);
    assert_eq!(vendor.calls(), 2);
    assert_eq!(
        bed.ask(&new, 3).await.status,
        503,
        "nobody can tell whether it is genuine"
    );
    bed.later(86_400);
    assert_eq!(bed.ask(&issuer, 4).await.status, 503, "a day is enough");
    vendor.behaves(keys_of(&new));
    bed.later(61);
    assert_eq!(bed.ask(&new, 5).await.status, 202);
    bed.server.scrape().await.assert_laws();
}

#[tokio::test]
async fn a_receiver_that_may_call_nobody_refuses_nothing_for_good() {
    let issuer = Issuer::new("1");
    let queue = Arc::new(TestQueue::new());
    let source = SourceBuilder::provider("sets", "ssf-set").secrets(&[]).with(
        "/webhook/parameters",
        json!({"issuer": ISSUER, "audience": "us", "keySetUrl": format!("https://{HOST}/keys")}),
    );
    let server = Server::start(vec![source.route(&queue)]).await;
    let now = server.receiver.clock().now();
    assert_eq!(server.ask(issuer.request(0, now)).await.status, 503);
    let scrape = server.scrape().await;
    assert_eq!(scrape.requests("unavailable", "keys-unavailable"), 1);
}
