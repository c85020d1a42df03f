//! The story of a source in AWS: a real API server, the operator as a process, and MiniStack, which makes the stack's
//! resources of the very document that AWS would get and runs the function's own program behind its API Gateway.
//!
//! What MiniStack is not: AWS. Its hosts do not exist, so a request for the host of an API goes to its gateway with the API in
//! the path. Policies are only held up where it speaks TLS (`start_strict`); the rights of the role that CloudFormation takes,
//! the right to pass it, and the condition on its name are not. What it does not fail is left to the scripted
//! CloudFormation (`aws.rs`).

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use mef_e2e::{Dev, Zoom, mef, mef_binary, repository};
use serde_json::{Value, json};

use crate::cluster::{Cluster, api_server};
use crate::ministack::MiniStack;

/// MiniStack's own.
const ACCOUNT: &str = "000000000000";
const TOKEN: &str = "the-secret-token-of-the-app";
const SOURCE: &str = "zoom-aws";
/// Closing, three readings over a minute, deletion.
const GOING: Duration = Duration::from_secs(300);

struct Bed {
    // In this order: the operator goes first.
    cluster: Cluster,
    aws: MiniStack,
    secret: String,
    _artefacts: tempfile::TempDir,
    started: Instant,
    api: &'static str,
}

/// How the operator comes to its rights.
struct Account {
    settings: Value,
    environment: Vec<(String, String)>,
}

#[test]
fn with_a_rest_api() {
    story("REST", MiniStack::start, anybody);
}

#[test]
fn with_an_http_api() {
    story("HTTP", MiniStack::start, anybody);
}

/// The operator is a user who may take the role of `cloudformation/bootstrap.yaml` and nothing else, and the function has what
/// its own role says.
#[test]
fn with_the_rights_of_the_bootstrap_template() {
    story("REST", || MiniStack::start_strict(&[]), bootstrapped);
}

fn story(api: &'static str, start: impl FnOnce() -> MiniStack, account: impl FnOnce(&MiniStack) -> Account) {
    if std::env::var_os("MEF_E2E_AWS").is_none() {
        println!("not run: `make e2e-aws` runs it, which takes minutes");
        return;
    }
    let bed = Bed::start(api, start(), account);
    let url = bed.comes_up();
    bed.takes_a_signed_request(&url);
    bed.refuses_a_forged_one_and_keeps_an_invalid_one(&url);
    bed.is_changed(&url);
    bed.keeps_serving_when_a_change_fails(&url);
    bed.goes_once_nothing_is_left(&url);
}

/// Without policies: whoever asks may.
fn anybody(aws: &MiniStack) -> Account {
    aws.boto3("boto3.client('s3').create_bucket(Bucket='artefacts', CreateBucketConfiguration={'LocationConstraint': 'eu-central-1'})");
    Account {
        settings: json!({
            "accountId": ACCOUNT,
            "serviceRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/mef-cloudformation"),
            "permissionsBoundary": format!("arn:aws:iam::{ACCOUNT}:policy/mef-function-boundary"),
            "regions": {"eu-central-1": {"artefactBucket": "artefacts"}},
        }),
        environment: Vec::new(),
    }
}

/// What an administrator does once: the commands that `mef bootstrap` prints, as they are, and the values it prints with them.
fn bootstrapped(aws: &MiniStack) -> Account {
    let made = aws.boto3(&format!(
        "iam = boto3.client('iam')
user = iam.create_user(UserName='operator')['User']['Arn']
iam.put_user_policy(UserName='operator', PolicyName='take', PolicyDocument=json.dumps({{'Version': '2012-10-17', 'Statement': [
    {{'Effect': 'Allow', 'Action': ['sts:AssumeRole', 'sts:TagSession'], 'Resource': 'arn:aws:iam::{ACCOUNT}:role/mef-operator'}}]}}))
key = iam.create_access_key(UserName='operator')['AccessKey']
print(json.dumps({{'arn': user, 'id': key['AccessKeyId'], 'secret': key['SecretAccessKey']}}))"
    ));
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let arn = text("arn");
    let arguments = [
        "bootstrap",
        "-o",
        "json",
        "--account-id",
        ACCOUNT,
        "--region",
        "eu-central-1",
        "--principal",
        &arn,
        "--external-id",
        "only-we-know",
        "--name",
        "security",
    ];
    let printed = mef(folder.path(), arguments).exits(0).json();
    for command in printed["commands"].as_array().expect("commands") {
        let binary = mef_binary();
        let mut shell = aws.shell(binary.parent().expect("a folder"));
        let run = shell
            .args(["-euc", command.as_str().expect("a command")])
            .current_dir(folder.path())
            .output()
            .expect("bash runs");
        assert!(
            run.status.success(),
            "{command}\n{}{}",
            String::from_utf8_lossy(&run.stdout),
            String::from_utf8_lossy(&run.stderr)
        );
    }
    let settings = printed["values"]["awsAccounts"]["security"].clone();
    without_the_role_of_cloudformation(aws, &settings);
    let authority = aws.authority().expect("it speaks TLS");
    Account {
        settings,
        environment: vec![
            ("AWS_ACCESS_KEY_ID".to_owned(), text("id")),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), text("secret")),
            ("SSL_CERT_FILE".to_owned(), authority.display().to_string()),
        ],
    }
}

/// MiniStack does not know the condition `cloudformation:RoleArn`, and takes what it does not know for another value. Everything
/// else of the policy stays as the template has it.
fn without_the_role_of_cloudformation(aws: &MiniStack, settings: &Value) {
    aws.boto3(&format!(
        "iam = boto3.client('iam')
policy = iam.get_role_policy(RoleName='mef-operator', PolicyName='operate')['PolicyDocument']
[statement] = [one for one in policy['Statement'] if 'cloudformation:RoleArn' in str(one.get('Condition'))]
assert statement['Sid'] == 'ChangeStacks', statement
assert statement.pop('Condition') == {{'StringEquals': {{'cloudformation:RoleArn': {}}}}}, statement
iam.put_role_policy(RoleName='mef-operator', PolicyName='operate', PolicyDocument=json.dumps(policy))",
        settings["serviceRoleArn"]
    ));
}

/// The function's program as it is built for tests, without its symbols.
fn program(folder: &tempfile::TempDir) {
    let bootstrap = PathBuf::from(env!("CARGO_BIN_EXE_mef-operator")).with_file_name("bootstrap");
    assert!(
        bootstrap.exists(),
        "{} is missing: cargo build --workspace --bins",
        bootstrap.display()
    );
    let script = "
import subprocess, sys, zipfile
program, target, small = sys.argv[1:]
subprocess.run(['strip', '-o', small, program], check=True)
entry = zipfile.ZipInfo('bootstrap')
entry.external_attr = 0o100755 << 16
with zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    archive.writestr(entry, open(small, 'rb').read(), zipfile.ZIP_DEFLATED)";
    let made = Command::new("python3")
        .args(["-c", script])
        .arg(bootstrap)
        .arg(folder.path().join("bootstrap-x86_64.zip"))
        .arg(folder.path().join("small"))
        .status();
    assert!(made.expect("python runs").success());
}

fn example() -> Value {
    let text = fs::read_to_string(repository().join("examples/zoom/zoom-source-aws.yaml")).expect("a file");
    serde_yaml::from_str(&text).expect("YAML")
}

impl Bed {
    fn start(api: &'static str, aws: MiniStack, account: impl FnOnce(&MiniStack) -> Account) -> Self {
        let started = Instant::now();
        let Account {
            settings,
            environment,
        } = account(&aws);
        let secret = aws.boto3(&format!(
            "print(boto3.client('secretsmanager').create_secret(Name='mef/zoom', SecretString={TOKEN:?})['ARN'])"
        ));
        let folder = tempfile::tempdir().expect("a folder");
        program(&folder);
        let values = json!({
            "clusterId": "tests",
            "awsEndpoint": aws.url(),
            "lambda": {"artefacts": folder.path()},
            "awsAccounts": {"security": settings},
        });
        let cluster = Cluster::start_in(api_server(), values, environment);
        Self {
            cluster,
            aws,
            secret,
            _artefacts: folder,
            started,
            api,
        }
    }

    fn says(&self, what: &str) {
        println!(
            "{} {:5.1} s  {what}",
            self.api,
            self.started.elapsed().as_secs_f64()
        );
    }

    fn apply(&self, change: impl FnOnce(&mut Value)) {
        let mut source = example();
        source["spec"]["webhook"]["secrets"] = json!([{"secretsManager": {"arn": self.secret}}]);
        source["spec"]["runtime"]["aws"]["api"] = json!(self.api);
        change(&mut source);
        self.cluster.ok(&["apply", "-f", "-"], &source.to_string());
    }

    fn status(&self) -> Value {
        self.cluster.get("evsrc", SOURCE)["status"].clone()
    }

    /// Has the operator look now and not in a minute: it does whenever the object changes.
    fn look(&self) {
        let at = format!("tests/look={}", self.started.elapsed().as_millis());
        self.cluster
            .ok(&["annotate", "evsrc", SOURCE, "--overwrite", &at], "");
    }

    /// Sends a request to the URL that the status tells, by way of MiniStack's gateway.
    fn send(&self, url: &str, headers: &[(String, String)], body: &[u8]) -> u16 {
        let rest = url.strip_prefix("https://").expect("https");
        let (host, path) = rest.split_once('/').expect("a path");
        let (id, after) = host.split_once('.').expect("a host of several names");
        assert_eq!(after, "execute-api.eu-central-1.amazonaws.com");
        let url = format!("{}/_aws/execute-api/{id}/{path}", self.aws.url());
        let script = "
import sys, json, urllib.request, urllib.error
url, headers = sys.argv[1], dict(json.loads(sys.argv[2]))
request = urllib.request.Request(url, sys.argv[3].encode(), headers, method='POST')
try:
    print(urllib.request.urlopen(request).status)
except urllib.error.HTTPError as error:
    print(error.code)";
        let headers = serde_json::to_string(headers).expect("JSON");
        let body = std::str::from_utf8(body).expect("text");
        let mut python = self.aws.python();
        let output = python.args(["-c", script, &url, &headers, body]).output();
        let output = output.expect("python runs");
        let said = String::from_utf8_lossy(&output.stdout).trim().parse();
        said.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    fn event(&self, url: &str, serial: &str) -> Vec<(String, String)> {
        let body = Zoom::user_created(serial);
        let mut headers = Zoom::new(TOKEN.as_bytes()).headers(&body);
        headers.push(("user-agent".to_owned(), "Zoom Marketplace/1.0a".to_owned()));
        assert_eq!(self.send(url, &headers, &body), 200, "{}", self.aws.log());
        headers
    }

    /// Takes everything out of a queue, as a SIEM does; `Body` and `MessageAttributes` of each.
    fn take(&self, queue: &str) -> Vec<Value> {
        let name = self.status()[queue]["name"].as_str().expect("a name").to_owned();
        let printed = self.aws.boto3(&format!(
            "sqs = boto3.client('sqs')
url = sqs.get_queue_url(QueueName={name:?})['QueueUrl']
found = []
while True:
    page = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=['All']).get('Messages', [])
    if not page: break
    for message in page: sqs.delete_message(QueueUrl=url, ReceiptHandle=message['ReceiptHandle'])
    found += page
print(json.dumps(found))"
        ));
        serde_json::from_str(&printed).expect("JSON")
    }

    /// What a queue is, which another of the same name would not be.
    fn queue(&self) -> Value {
        let name = self.status()["queue"]["name"]
            .as_str()
            .expect("a name")
            .to_owned();
        let printed = self.aws.boto3(&format!(
            "sqs = boto3.client('sqs')
url = sqs.get_queue_url(QueueName={name:?})['QueueUrl']
print(json.dumps(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=['CreatedTimestamp', 'QueueArn'])['Attributes']))"
        ));
        serde_json::from_str(&printed).expect("JSON")
    }

    /// Keys of packages in the bucket, and the one that the function was made of last.
    fn packages(&self) -> Vec<String> {
        let printed = self.aws.boto3(
            "s3 = boto3.client('s3')
print(json.dumps([o['Key'] for b in s3.list_buckets()['Buckets'] for o in s3.list_objects_v2(Bucket=b['Name']).get('Contents', [])]))",
        );
        serde_json::from_str(&printed).expect("JSON")
    }

    fn comes_up(&self) -> String {
        self.apply(|_| {});
        self.cluster.until(SOURCE, "Ready", "True", "Available");
        // Asked through the gateway and the function, so both are there.
        let answered = self.cluster.until(SOURCE, "EndpointReady", "True", "Answering");
        let serving = self.cluster.get("evsrc", SOURCE)["status"]["definition"]["serving"].clone();
        let short: String = serving.as_str().unwrap_or_default().chars().take(12).collect();
        assert!(answered.contains(&short), "{answered}; {short} serves");
        let status = self.status();
        assert_eq!(status["aws"]["stackStatus"], "CREATE_COMPLETE");
        assert_eq!(status["queue"]["messages"], 0);
        assert_eq!(self.packages().len(), 1);
        self.says("Ready after one kubectl apply");
        status["endpoint"]["url"].as_str().expect("a URL").to_owned()
    }

    fn takes_a_signed_request(&self, url: &str) {
        let headers = self.event(url, "the-first");
        let messages = self.take("queue");
        assert_eq!(messages.len(), 1);
        let message: Value =
            serde_json::from_str(messages[0]["Body"].as_str().expect("a body")).expect("JSON");
        let laptop = on_a_laptop(
            &self.cluster.namespace,
            &headers,
            &Zoom::user_created("the-first"),
        );
        assert_eq!(timeless(message), timeless(laptop));
        self.says("the message that boto3 reads is the one of mef dev");
    }

    fn refuses_a_forged_one_and_keeps_an_invalid_one(&self, url: &str) {
        let app = Zoom::new(TOKEN.as_bytes());
        let body = Zoom::user_created("forged");
        let headers = app.headers(&body);
        assert_eq!(self.send(url, &headers, &Zoom::user_created("altered")), 401);
        assert_eq!(self.send(url, &[], &body), 401);
        let text = String::from_utf8(Zoom::user_created("invalid")).expect("text");
        let invalid = text.replace("\"type\":1", "\"type\":99").into_bytes();
        assert_eq!(self.send(url, &app.headers(&invalid), &invalid), 200);
        self.look();
        self.cluster
            .until(SOURCE, "DeadLettersPresent", "True", "MessagesPresent");
        let status = self.status();
        assert_eq!(status["deadLetter"]["messages"], 1, "{status}");
        assert_eq!(status["deadLetter"]["byReason"], json!({"schema": 1}), "{status}");
        assert_eq!(status["deadLetter"]["sampled"], 1, "{status}");
        assert_eq!(status["queue"]["messages"], 0, "{status}");
        let letters = self.take("deadLetter");
        assert_eq!(letters.len(), 1);
        let attributes = &letters[0]["MessageAttributes"];
        assert_eq!(attributes["mef-reason"]["StringValue"], "schema", "{attributes}");
        self.says("forged: 401; invalid: a dead letter, which the status counts");
    }

    /// Another definition: another package, the same URL, the same queue with what is in it.
    fn is_changed(&self, url: &str) {
        self.event(url, "before-the-change");
        let before = (self.queue(), self.status());
        self.apply(|source| {
            source["spec"]["filter"] =
                json!(".event != \"user.presence_status_updated\" && .event != \"user.left\"");
        });
        self.cluster.eventually("a new definition that serves", || {
            let status = self.status();
            status["observedGeneration"] == 2 && status["definition"] != before.1["definition"]
        });
        self.cluster.until(SOURCE, "Ready", "True", "Available");
        let after = self.status();
        assert_eq!(after["definition"]["serving"], after["definition"]["desired"]);
        assert_eq!(after["aws"]["stackId"], before.1["aws"]["stackId"]);
        assert_eq!(after["endpoint"]["url"], *url);
        assert_eq!(self.queue(), before.0);
        assert_eq!(self.packages().len(), 2);
        self.event(url, "after-the-change");
        let left = json!({"event": "user.left"}).to_string().into_bytes();
        let headers = Zoom::new(TOKEN.as_bytes()).headers(&left);
        assert_eq!(self.send(url, &headers, &left), 200);
        assert_eq!(self.take("queue").len(), 2, "user.left is filtered now");
        self.says("changed: a new package, the same queue and URL");
    }

    /// A mapping to a domain that is not there fails, as on AWS; the definition that came with it must not serve.
    fn keeps_serving_when_a_change_fails(&self, url: &str) {
        let before = self.status();
        self.apply(|source| {
            source["spec"]["filter"] = json!("false");
            source["spec"]["samples"] = json!([]);
            source["spec"]["runtime"]["aws"]["domain"] = json!({"name": "hooks.example.org"});
        });
        let message = self.cluster.until(SOURCE, "Stalled", "True", "UpdateFailed");
        assert!(
            message.contains("Mapping") && message.contains("domain name"),
            "{message}"
        );
        let status = self.status();
        assert_eq!(status["aws"]["stackStatus"], "UPDATE_ROLLBACK_COMPLETE");
        assert_eq!(status["definition"]["serving"], before["definition"]["serving"]);
        assert_eq!(status["endpoint"]["url"], *url);
        self.event(url, "after-the-failure");
        self.says(&format!("a change that fails is rolled back: {message}"));
    }

    fn goes_once_nothing_is_left(&self, url: &str) {
        self.cluster.ok(&["delete", "evsrc", SOURCE, "--wait=false"], "");
        self.cluster.until(SOURCE, "Ready", "False", "DeletionBlocked");
        self.event(url, "while-it-goes");
        let status = self.status();
        self.says("it stays while a message remains, and serves");
        assert_eq!(self.take("queue").len(), 2);
        self.cluster
            .within(GOING, "the end", || self.cluster.get("evsrc", SOURCE).is_null());
        let left = self.aws.boto3(&format!(
            "stack = boto3.client('cloudformation').describe_stacks(StackName={})['Stacks'][0]['StackStatus']
queues = boto3.client('sqs').list_queues().get('QueueUrls', [])
functions = boto3.client('lambda').list_functions()['Functions']
print(stack, len(queues), len(functions))",
            status["aws"]["stackId"]
        ));
        assert_eq!(left, "DELETE_COMPLETE 0 0");
        self.says("drained: stack, queues and function are gone");
    }
}

/// The same source, secret and request at `mef dev`.
fn on_a_laptop(namespace: &str, headers: &[(String, String)], body: &[u8]) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let mut source = example();
    source["spec"].as_object_mut().expect("a spec").remove("runtime");
    source["spec"]["webhook"]["secrets"] =
        json!([{"secretRef": {"name": "zoom-webhook", "key": "secretToken"}}]);
    source["metadata"]["namespace"] = json!(namespace);
    fs::write(at.join("zoom.yaml"), source.to_string()).expect("a writable folder");
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "zoom-webhook", "namespace": namespace}, "stringData": {"secretToken": TOKEN}});
    fs::write(at.join("secret.yaml"), secret.to_string()).expect("a writable folder");
    let dev = Dev::start(at, &["zoom.yaml", "secret.yaml"]);
    let answer = dev.post("/zoom-aws", headers, body).expect("mef dev answers");
    assert_eq!(answer.status, 200);
    let lines = mef(at, ["tail", "--no-follow", "-o", "json"])
        .exits(0)
        .json_lines();
    assert_eq!(lines.len(), 1);
    lines[0]["message"].clone()
}

/// A message without what is another at another moment: when it was received, and the trace.
fn timeless(mut message: Value) -> Value {
    let own = message["details"]["mef"].as_object_mut().expect("details.mef");
    assert!(own.remove("receivedAt").is_some(), "it says when it was received");
    own.remove("trace");
    message["receivedtimestamp"].take();
    message
}
