//! The client against the scripted CloudFormation, over the wire: what is asked arrives, what is answered is understood.

use std::collections::BTreeMap;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::Timestamp;

use super::cloud::Fate;
use super::wire::{Fault, Server};
use crate::aws::decide::Call;
use crate::aws::edge::{Client, Http, Identity};
use crate::aws::refusal::Kind;
use crate::aws::requests::{Document, Subject, request};
use crate::aws::stack::{Status, tag};
use crate::aws::token::{Token, Verb};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-central-1";
const NAME: &str = "mef-security-zoom-9e743b18";

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn client(server: &Server, key: &str, role: Option<&str>) -> std::sync::Arc<Client> {
    let identity = Identity {
        base: SharedCredentialsProvider::new(Credentials::new(key, "secret", None, None, "test")),
        role_arn: role.map(str::to_owned),
        external_id: Some("between us".to_owned()),
        session: "mef-prod".to_owned(),
    };
    Client::new(
        Http::new(Some(server.url())).unwrap(),
        identity,
        REGION.to_owned(),
        "amazonaws.com",
    )
}

fn document(text: &str) -> Document {
    Document {
        text: text.to_owned(),
        tags: BTreeMap::from([
            (tag::UID.to_owned(), "5f0c7c1e".to_owned()),
            (tag::NAME.to_owned(), "zoom & <co>".to_owned()),
        ]),
    }
}

async fn ask(client: &Client, call: &Call, open: &Document) -> Result<String, crate::aws::refusal::Refusal> {
    let subject = Subject {
        name: NAME,
        role: "arn:aws:iam::111122223333:role/mef-cloudformation",
        open,
        closed: open,
        tags: &open.tags,
    };
    client.ask(request(call, &subject), now()).await
}

fn create(attempt: u32) -> Call {
    Call::Create {
        token: Token::new("5f0c7c1e", "0123456789ab", Verb::Create, attempt),
    }
}

#[tokio::test]
async fn a_stack_is_made_seen_changed_and_deleted() {
    let server = Server::start(ACCOUNT, REGION, now()).await;
    let client = client(&server, "KEY", None);
    assert_eq!(client.caller(now()).await.unwrap(), ACCOUNT);
    assert_eq!(client.describe(NAME, now()).await.unwrap(), None);
    let one = document("{\"Type\":\"AWS::IAM::Role\",\"n\":1}");
    ask(&client, &create(1), &one).await.unwrap();
    let stack = client.describe(NAME, now()).await.unwrap().unwrap();
    assert_eq!((stack.status, stack.protected), (Status::CreateInProgress, true));
    assert_eq!(stack.tags, one.tags, "tags arrive as they are");
    server.with(|cloud| cloud.advance(60));
    let stack = client.describe(&stack.id, now()).await.unwrap().unwrap();
    assert!(stack.outputs["QueueUrl"].ends_with(NAME));
    let update = Call::Update {
        id: stack.id.clone(),
        token: Token::new("5f0c7c1e", "0123456789ab", Verb::Update, 1),
        closed: false,
    };
    let same = ask(&client, &update, &one).await.unwrap_err();
    assert_eq!(same.kind, Kind::NoUpdates);
    ask(
        &client,
        &update,
        &document("{\"Type\":\"AWS::IAM::Role\",\"n\":2}"),
    )
    .await
    .unwrap();
    server.with(|cloud| cloud.advance(60));
    let delete = Call::Delete {
        id: stack.id.clone(),
        token: Token::new("5f0c7c1e", "0123456789ab", Verb::Delete, 1),
        retain: Vec::new(),
        force: false,
    };
    assert_eq!(
        ask(&client, &delete, &one).await.unwrap_err().kind,
        Kind::Protected
    );
    let unprotect = Call::Unprotect { id: stack.id.clone() };
    ask(&client, &unprotect, &one).await.unwrap();
    ask(&client, &delete, &one).await.unwrap();
    server.with(|cloud| cloud.advance(60));
    assert_eq!(
        client.describe(NAME, now()).await.unwrap(),
        None,
        "by name it is gone"
    );
    let gone = client.describe(&stack.id, now()).await.unwrap().unwrap();
    assert_eq!(gone.status, Status::DeleteComplete, "by its ARN it is known");
}

#[tokio::test]
async fn the_cause_of_a_failure_is_found_behind_what_it_cancelled() {
    let server = Server::start(ACCOUNT, REGION, now()).await;
    let client = client(&server, "KEY", None);
    server.with(|cloud| {
        cloud.fates.push_back(Fate::Fails {
            logical_id: "Function".to_owned(),
            kind: "AWS::Lambda::Function".to_owned(),
            reason: "Bucket <nowhere> does not exist & never did".to_owned(),
        });
    });
    ask(&client, &create(1), &document("{}")).await.unwrap();
    server.with(|cloud| cloud.advance(60));
    let stack = client.describe(NAME, now()).await.unwrap().unwrap();
    assert_eq!(stack.status, Status::RollbackComplete);
    let cause = client.cause(&stack.id, now()).await.unwrap().unwrap();
    assert_eq!(
        cause.to_string(),
        "Function (AWS::Lambda::Function): Bucket <nowhere> does not exist & never did"
    );
    assert_eq!(
        cause.token,
        Some(Token::new("5f0c7c1e", "0123456789ab", Verb::Create, 1).to_string())
    );
}

/// The outcome of a call that is not answered is unknown; the same token finds it.
#[tokio::test]
async fn a_lost_reply_is_no_answer_and_the_same_token_makes_no_second_stack() {
    let server = Server::start(ACCOUNT, REGION, now()).await;
    let client = client(&server, "KEY", None);
    for fault in [Fault::DoneAndError, Fault::DoneAndSilent] {
        server.fault("CreateStack", fault);
        let refusal = ask(&client, &create(1), &document("{}")).await.unwrap_err();
        assert_eq!(refusal.kind, Kind::Unreachable, "{}", refusal.message);
    }
    assert_eq!(server.with(|cloud| cloud.stacks().len()), 1);
    server.with(|cloud| cloud.advance(60));
    let again = ask(&client, &create(1), &document("{}")).await.unwrap_err();
    assert_eq!(again.kind, Kind::TokenExists);
    assert_eq!(
        ask(&client, &create(2), &document("{}")).await.unwrap_err().kind,
        Kind::AlreadyExists
    );
}

#[tokio::test]
async fn refusals_are_told_apart_over_the_wire() {
    let server = Server::start(ACCOUNT, REGION, now()).await;
    let client_ = client(&server, "KEY", None);
    for (http, code, sentence, kind) in [
        (400, "Throttling", "Rate exceeded", Kind::Throttled),
        (
            403,
            "AccessDenied",
            "User: mef is not authorized to perform: cloudformation:CreateStack",
            Kind::Denied,
        ),
        (503, "ServiceUnavailable", "", Kind::Unreachable),
        (
            400,
            "LimitExceededException",
            "Limit for stack has been exceeded",
            Kind::Quota,
        ),
        (
            400,
            "ValidationError",
            "Role arn:aws:iam::1:role/x is invalid or cannot be assumed",
            Kind::DeployRole,
        ),
    ] {
        server.fault("CreateStack", Fault::Refuse(http, code, sentence));
        let refusal = ask(&client_, &create(1), &document("{}")).await.unwrap_err();
        assert_eq!(refusal.kind, kind, "{}", refusal.message);
        assert!(refusal.message.contains("CreateStack") && refusal.message.contains(code));
    }
    assert_eq!(server.with(|cloud| cloud.stacks().len()), 0);
    // Without the word for roles AWS takes none; ours sends it.
    ask(&client_, &create(1), &document("{\"Type\":\"AWS::IAM::Role\"}"))
        .await
        .unwrap();
    // Expired credentials are no absence.
    let expired = client(&server, "EXPIRED", None);
    assert_eq!(
        expired.describe(NAME, now()).await.unwrap_err().kind,
        Kind::Credentials
    );
}

#[tokio::test]
async fn a_role_is_taken_once_and_kept_until_shortly_before_it_ends() {
    let server = Server::start(ACCOUNT, REGION, now()).await;
    let role = "arn:aws:iam::111122223333:role/mef-operator";
    let in_role = client(&server, "KEY", Some(role));
    assert_eq!(in_role.caller(now()).await.unwrap(), ACCOUNT);
    for _ in 0..3 {
        in_role.describe(NAME, now()).await.unwrap();
    }
    let taken = server
        .asked()
        .iter()
        .filter(|action| *action == "AssumeRole")
        .count();
    assert_eq!(taken, 1);
    server.fault(
        "AssumeRole",
        Fault::Refuse(
            403,
            "AccessDenied",
            "User: mef is not authorized to perform: sts:AssumeRole",
        ),
    );
    let refused = client(&server, "KEY", Some(role));
    let refusal = refused.describe(NAME, now()).await.unwrap_err();
    assert_eq!(
        refusal.kind,
        Kind::Credentials,
        "a role that cannot be taken is no absence"
    );
    assert!(refusal.message.contains(role), "{}", refusal.message);
}

/// Whoever is of another account is told that there is nothing; who they are tells.
#[tokio::test]
async fn another_account_says_so() {
    let server = Server::start(ACCOUNT, REGION, now()).await;
    let of_another = client(&server, "OTHER", None);
    assert_eq!(of_another.describe(NAME, now()).await.unwrap(), None);
    assert_eq!(of_another.caller(now()).await.unwrap(), "444455556666");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_no_absence_either() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let identity = Identity {
        base: SharedCredentialsProvider::new(Credentials::new("KEY", "secret", None, None, "test")),
        role_arn: None,
        external_id: None,
        session: "mef-prod".to_owned(),
    };
    let away = Client::new(
        Http::new(Some(url)).unwrap(),
        identity,
        REGION.to_owned(),
        "amazonaws.com",
    );
    assert_eq!(
        away.describe(NAME, now()).await.unwrap_err().kind,
        Kind::Unreachable
    );
}
