//! What a function keeps, and what it says when it could not.

use serde_json::json;

use super::gateway::{Api, WAYS, answer, event};
use super::secrets::{Bench, request};
use crate::support::{TOKEN, events};

#[tokio::test]
async fn a_body_of_many_events_is_sent_together_and_answered_once_all_are_kept() {
    let bench = Bench::new().await;
    let mut lambda = bench.start().await;
    let items: Vec<_> = (0..12)
        .map(|number| json!({"uuid": number.to_string()}))
        .collect();
    let broken = json!({"no": "uuid"});
    let body = events(&[&items[..], &[broken]].concat());
    let said = lambda
        .answer(event(&request(TOKEN, &body), (Api::Http, false)))
        .await;
    assert_eq!(answer(Api::Http, &said).status, 204);
    let sent = bench.aws.sent("okta");
    let dead: Vec<_> = sent.iter().filter(|sent| sent.queue == "okta-dlq").collect();
    assert_eq!((sent.len(), dead.len()), (13, 1));
    assert_eq!(dead[0].attributes["mef-reason"], "schema");
    assert!(
        sent.iter()
            .all(|sent| sent.attributes["mef-source"] == "default/okta")
    );
    let asked = bench.aws.asked();
    let calls = asked.iter().filter(|action| action.starts_with("Send")).count();
    assert_eq!(calls, 3, "ten, two, and the dead letter: {asked:?}");
}

#[tokio::test]
async fn an_event_that_is_in_neither_queue_is_answered_with_503() {
    let bench = Bench::new().await;
    let mut lambda = bench.start().await;
    bench.aws.refuse(Some((403, "AccessDeniedException")));
    let body = events(&[json!({"uuid": "one"})]);
    let said = answer(
        Api::Rest,
        &lambda
            .answer(event(&request(TOKEN, &body), (Api::Rest, true)))
            .await,
    );
    assert_eq!((said.status, said.header("retry-after")), (503, Some("5")));
    bench.aws.refuse(None);
    let said = answer(
        Api::Rest,
        &lambda
            .answer(event(&request(TOKEN, &body), (Api::Rest, true)))
            .await,
    );
    assert_eq!(said.status, 204);
    assert_eq!(bench.aws.sent("okta").len(), 1);
}

#[tokio::test]
async fn a_message_names_the_trace_that_x_ray_keeps_and_not_the_senders() {
    let bench = Bench::new().await;
    let mut lambda = bench.start().await;
    let body = events(&[json!({"uuid": "one"})]);
    for way in WAYS {
        let mut request = request(TOKEN, &body);
        let theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        request
            .headers
            .push(("traceparent".to_owned(), theirs.to_owned()));
        assert_eq!(
            answer(way.0, &lambda.answer(event(&request, way)).await).status,
            204
        );
    }
    for sent in bench.aws.sent("okta") {
        let message: serde_json::Value = serde_json::from_str(&sent.body).expect("a message");
        assert_eq!(
            message["details"]["mef"]["trace"], "67891233abcdef012345678912345678",
            "{message}"
        );
    }
}

#[tokio::test]
async fn headers_are_found_whatever_the_case_of_their_names_and_with_all_their_values() {
    let bench = Bench::new().await;
    let mut lambda = bench.start().await;
    let body = events(&[json!({"uuid": "one"})]);
    for way in WAYS {
        for name in ["authorization", "AUTHORIZATION", "Authorization"] {
            let mut request = request(TOKEN, &body);
            request.headers[0].0 = name.to_owned();
            let said = answer(way.0, &lambda.answer(event(&request, way)).await);
            assert_eq!(said.status, 204, "{way:?} {name}");
        }
        // Two proofs where one is expected: which of them counts is nobody's guess.
        let mut request = request(TOKEN, &body);
        request
            .headers
            .push(("Authorization".to_owned(), "another".to_owned()));
        let said = answer(way.0, &lambda.answer(event(&request, way)).await);
        assert_eq!(said.status, 401, "{way:?}");
    }
}

#[tokio::test]
async fn an_answer_names_the_definition_that_gave_it_and_the_request() {
    let bench = Bench::new().await;
    let mut lambda = bench.start().await;
    for way in WAYS {
        let said = answer(way.0, &lambda.answer(event(&request("", ""), way)).await);
        assert_eq!(said.status, 401);
        assert_eq!(said.header("x-mef-definition").map(str::len), Some(12));
        let id = said.header("x-request-id").expect("a number").to_owned();
        crate::support::eventually("its line in the log", || async { bench.log().contains(&id) }).await;
    }
}

#[tokio::test]
async fn a_path_with_a_stage_before_it_is_the_sources_path() {
    let bench = Bench::new().await;
    let mut lambda = bench.start().await;
    let body = events(&[json!({"uuid": "one"})]);
    let mut told = event(&request(TOKEN, &body), (Api::Http, true));
    told["rawPath"] = json!("/live/okta");
    told["requestContext"]["stage"] = json!("live");
    told["routeKey"] = json!("$default");
    assert_eq!(answer(Api::Http, &lambda.answer(told).await).status, 204);
    let mut told = event(&request(TOKEN, &body), (Api::Rest, true));
    told["path"] = json!("/base/okta");
    assert_eq!(answer(Api::Rest, &lambda.answer(told).await).status, 204);
}
