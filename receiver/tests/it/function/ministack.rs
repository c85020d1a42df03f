//! A function with AWS's real protocols on the other side, as MiniStack speaks them: secrets in Secrets Manager and
//! Parameter Store, queues in SQS, and a consumer with boto3.

use serde_json::{Value, json};

use super::gateway::{Api, answer, event};
use super::lambda::Lambda;
use super::package;
use super::secrets::request;
use crate::ministack::MiniStack;
use crate::support::{SourceBuilder, TOKEN, events};

#[tokio::test]
async fn a_function_reads_its_secrets_and_a_consumer_reads_its_messages() {
    let stack = MiniStack::shared();
    let made = stack.boto3(&format!(
        "sqs = boto3.client('sqs')
print(sqs.create_queue(QueueName='mef-function')['QueueUrl'])
print(sqs.create_queue(QueueName='mef-function-dlq')['QueueUrl'])
manager = boto3.client('secretsmanager')
arn = manager.create_secret(Name='mef/function', SecretString='the-first-one-of-this-source')['ARN']
manager.put_secret_value(SecretId=arn, SecretBinary={TOKEN:?}.encode())
print(arn)
boto3.client('ssm').put_parameter(Name='/mef/function', Value='a-parameter-of-this-source', Type='SecureString')"
    ));
    let [queue, dead, arn] = made.lines().collect::<Vec<_>>().try_into().expect("three lines");
    let folder = tempfile::tempdir().expect("a folder");
    let (source, keys) = SourceBuilder::okta().build();
    package(folder.path(), &source, &keys, "okta");
    let path = folder.path().join("definition.json");
    let mut definition: Value = serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    definition["spec"]["webhook"]["secrets"] =
        json!([{"secretsManager": {"arn": arn}}, {"ssmParameter": {"name": "/mef/function"}}]);
    std::fs::write(&path, definition.to_string()).expect("a writable folder");
    let urls = [queue.to_owned(), dead.to_owned()];
    let mut lambda = Lambda::start_with(folder.path(), &stack.url(), urls, None).await;
    for (uuid, token, status) in [
        ("current", TOKEN, 204),
        ("previous", "the-first-one-of-this-source", 204),
        ("parameter", "a-parameter-of-this-source", 204),
        ("forged", "forged", 401),
    ] {
        let body = events(&[json!({"uuid": uuid})]);
        let said = lambda
            .answer(event(&request(token, &body), (Api::Rest, true)))
            .await;
        assert_eq!(answer(Api::Rest, &said).status, status, "{uuid}");
    }
    let body = events(&[json!({"no": "uuid"})]);
    let said = lambda
        .answer(event(&request(TOKEN, &body), (Api::Http, false)))
        .await;
    assert_eq!(answer(Api::Http, &said).status, 204);
    let read = |url: &str| -> Vec<Value> {
        let printed = stack.boto3(&format!(
            "sqs = boto3.client('sqs')
print(json.dumps(sqs.receive_message(QueueUrl={url:?}, MaxNumberOfMessages=10, MessageAttributeNames=['All'])['Messages']))"
        ));
        serde_json::from_str(&printed).expect("JSON")
    };
    let mut found: Vec<String> = read(queue)
        .iter()
        .map(|message| crate::support::id_of(message["Body"].as_str().expect("a body").as_bytes()))
        .collect();
    found.sort_unstable();
    assert_eq!(found, ["current", "parameter", "previous"]);
    let letters = read(dead);
    assert_eq!(letters.len(), 1);
    assert_eq!(
        letters[0]["MessageAttributes"]["mef-reason"]["StringValue"],
        "schema"
    );
}
