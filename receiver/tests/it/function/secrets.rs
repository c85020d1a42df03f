//! Secrets of a function: when they are read, which versions count, and what happens when they cannot be had.

use mef_pipeline::sign::UnsignedRequest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::aws::{Aws, Stored};
use super::gateway::{Api, WAYS, answer, event};
use super::lambda::{Lambda, Said};
use super::{arn, package};
use crate::support::{SourceBuilder, TOKEN, events};

pub(crate) struct Bench {
    pub(crate) aws: Aws,
    pub(crate) folder: TempDir,
}

impl Bench {
    /// Okta's preset with one secret, and its function's package.
    pub(crate) async fn new() -> Self {
        let bench = Self::of(&SourceBuilder::okta()).await;
        bench.store(Some(TOKEN), None, false);
        bench
    }

    pub(crate) async fn of(source: &SourceBuilder) -> Self {
        let (source, keys) = source.build();
        let folder = tempfile::tempdir().expect("a folder");
        package(folder.path(), &source, &keys, "okta");
        Self {
            aws: Aws::start().await,
            folder,
        }
    }

    fn store(&self, current: Option<&str>, previous: Option<&str>, binary: bool) {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        let (current, previous) = (bytes(current), bytes(previous));
        self.aws.keep(
            &arn("okta/0"),
            Stored {
                current,
                previous,
                binary,
            },
        );
    }

    pub(crate) async fn start(&self) -> Lambda {
        Lambda::start(self.folder.path(), &self.aws, "okta", None).await
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).expect("a log")
    }
}

pub(crate) fn request(token: &str, body: &str) -> UnsignedRequest {
    UnsignedRequest {
        method: "POST".to_owned(),
        path: "/okta".to_owned(),
        query: String::new(),
        headers: vec![
            ("Authorization".to_owned(), token.to_owned()),
            ("Content-Type".to_owned(), "application/json".to_owned()),
        ],
        body: body.as_bytes().to_vec().into(),
    }
}

async fn status(lambda: &mut Lambda, token: &str) -> u16 {
    let body = events(&[json!({"uuid": "one"})]);
    let said = lambda
        .answer(event(&request(token, &body), (Api::Rest, true)))
        .await;
    answer(Api::Rest, &said).status
}

#[tokio::test]
async fn nothing_is_called_before_the_first_request_and_then_each_secret_once() {
    let bench = Bench::new().await;
    let mut lambda = bench.start().await;
    crate::support::eventually("its start", || async {
        bench.log().contains("the function starts")
    })
    .await;
    assert_eq!(bench.aws.asked(), [""; 0]);
    for _ in 0..3 {
        assert_eq!(status(&mut lambda, TOKEN).await, 204);
    }
    let asked = bench.aws.asked();
    let reads = asked.iter().filter(|action| *action == "GetSecretValue").count();
    // The current version, and the one before.
    assert_eq!(reads, 2, "{asked:?}");
    assert_eq!(asked.len(), 5, "{asked:?}");
}

#[tokio::test]
async fn during_a_rotation_both_versions_count_as_text_or_as_bytes() {
    for binary in [false, true] {
        let bench = Bench::new().await;
        bench.store(Some("the-next-one-of-this-source"), Some(TOKEN), binary);
        let mut lambda = bench.start().await;
        assert_eq!(status(&mut lambda, TOKEN).await, 204);
        assert_eq!(status(&mut lambda, "the-next-one-of-this-source").await, 204);
        assert_eq!(status(&mut lambda, "neither-of-the-two").await, 401);
    }
}

#[tokio::test]
async fn a_rotated_secret_is_taken_by_the_very_request_that_does_not_match() {
    let bench = Bench::new().await;
    let mut lambda = bench.start().await;
    assert_eq!(status(&mut lambda, TOKEN).await, 204);
    bench.store(Some("the-next-one-of-this-source"), None, false);
    assert_eq!(status(&mut lambda, "the-next-one-of-this-source").await, 204);
    assert_eq!(bench.aws.sent("okta").len(), 2);
    // It is gone from Secrets Manager, and so it counts no more.
    assert_eq!(status(&mut lambda, TOKEN).await, 401);
}

#[tokio::test]
async fn forged_requests_do_not_make_a_function_ask_again_and_again() {
    let bench = Bench::new().await;
    let mut lambda = bench.start().await;
    for _ in 0..20 {
        assert_eq!(status(&mut lambda, "forged").await, 401);
    }
    // Two versions at the start, and two for the first forgery.
    assert_eq!(bench.aws.asked(), ["GetSecretValue"; 4]);
    assert!(bench.aws.sent("okta").is_empty());
}

#[tokio::test]
async fn without_its_secrets_a_function_says_come_back_and_with_them_it_works() {
    let bench = Bench::new().await;
    bench.aws.without_secrets(true);
    let mut lambda = bench.start().await;
    let body = events(&[json!({"uuid": "one"})]);
    for way in WAYS {
        let said = answer(way.0, &lambda.answer(event(&request(TOKEN, &body), way)).await);
        assert_eq!((said.status, said.header("retry-after")), (503, Some("5")));
    }
    assert!(bench.aws.sent("okta").is_empty());
    assert!(!bench.log().contains(TOKEN));
    bench.aws.without_secrets(false);
    assert_eq!(status(&mut lambda, TOKEN).await, 204);
    // Known ones go on being used when they cannot be read again.
    bench.aws.without_secrets(true);
    assert_eq!(status(&mut lambda, "forged").await, 401);
    assert_eq!(status(&mut lambda, TOKEN).await, 204);
}

#[tokio::test]
async fn a_secret_that_is_empty_or_missing_lets_nobody_in() {
    let bench = Bench::new().await;
    bench.store(Some(""), None, false);
    let mut lambda = bench.start().await;
    assert_eq!(status(&mut lambda, "").await, 503);
    bench.store(None, None, false);
    assert_eq!(status(&mut lambda, TOKEN).await, 503);
    assert!(bench.log().contains("spec.webhook.secrets[0]"), "{}", bench.log());
}

#[tokio::test]
async fn a_parameter_of_parameter_store_is_read_decrypted() {
    let bench = Bench::new().await;
    let path = bench.folder.path().join("definition.json");
    let mut definition: Value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    definition["spec"]["webhook"]["secrets"] = json!([{"ssmParameter": {"name": "/security/okta/token"}}]);
    std::fs::write(&path, definition.to_string()).expect("a writable folder");
    let current = Some(TOKEN.as_bytes().to_vec());
    bench.aws.keep(
        "/security/okta/token",
        Stored {
            current,
            ..Stored::default()
        },
    );
    let mut lambda = bench.start().await;
    assert_eq!(status(&mut lambda, TOKEN).await, 204);
    assert_eq!(bench.aws.asked(), ["GetParameter", "SendMessage"]);
}

#[tokio::test]
async fn an_invocation_that_is_no_request_is_an_error_and_the_next_one_is_served() {
    let bench = Bench::new().await;
    let mut lambda = bench.start().await;
    for stranger in [
        json!({}),
        json!({"Records": []}),
        json!({"version": "2.0"}),
        json!("text"),
    ] {
        match lambda.invoke(stranger).await {
            Said::Error(line, body) => {
                assert!(
                    line.starts_with("POST /2018-06-01/runtime/invocation/an-id/error "),
                    "{line}"
                );
                assert!(
                    body["errorMessage"]
                        .as_str()
                        .expect("a text")
                        .contains("API Gateway"),
                    "{body}"
                );
            }
            answer @ Said::Answer(_) => panic!("{answer:?}"),
        }
    }
    assert_eq!(status(&mut lambda, TOKEN).await, 204);
}

#[tokio::test]
async fn a_function_that_cannot_start_tells_lambda_why() {
    let bench = Bench::new().await;
    std::fs::write(bench.folder.path().join("definition.json"), "{\"spec\": 1}").expect("a writable folder");
    let mut lambda = bench.start().await;
    match lambda.said().await {
        Said::Error(line, body) => {
            assert!(line.starts_with("POST /2018-06-01/runtime/init/error "), "{line}");
            assert!(
                body["errorMessage"]
                    .as_str()
                    .expect("a text")
                    .contains("definition.json"),
                "{body}"
            );
        }
        answer @ Said::Answer(_) => panic!("{answer:?}"),
    }
}
