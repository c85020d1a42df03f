//! A source in a cluster whose queues somebody else made in SQS: a real API server, the operator as a process, the receiver as
//! its Deployment would run it, and a MiniStack that has the queues and STS.

use std::sync::Arc;

use mef_queue::{Lane, REASON};
use serde_json::{Value, json};

use crate::cluster::{Cluster, SECRET, api_server, source};
use crate::commands::{mef, mef_command, text};
use crate::letters::Letters;
use crate::ministack::{MiniStack, REGION};
use crate::pod::Pod;
use crate::replays::{condition, counts, expected, replay, requiring, until};

const ACCOUNT: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/digger";

/// A cluster, and two queues beside it.
struct Bed {
    cluster: Cluster,
    letters: Letters,
    stack: Arc<MiniStack>,
    queue: String,
}

impl Bed {
    /// `accounts`: what the operator is told of AWS.
    fn start(queue: &str, accounts: &Value) -> Self {
        let stack = MiniStack::shared();
        let letters = Letters::sqs(&stack, queue);
        let values = json!({"clusterId": "tests", "awsEndpoint": stack.url(), "awsAccounts": accounts});
        let environment = vec![("AWS_ACCESS_KEY_ID".to_owned(), ACCOUNT.to_owned())];
        let cluster = Cluster::start_in(api_server(), values, environment);
        Self {
            cluster,
            letters,
            stack,
            queue: queue.to_owned(),
        }
    }

    fn url(&self, lane: Lane) -> String {
        let suffix = match lane {
            Lane::Events => "",
            Lane::Dead => "-dlq",
        };
        format!(
            "https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{}{suffix}",
            self.queue
        )
    }

    fn object(&self) -> Value {
        let mut object = source("sample");
        object["spec"]["schemas"] = requiring("uuid");
        object["spec"]["runtime"] = json!({"cluster": {"serviceAccountName": "digger", "queue": {"sqs": {
            "queueUrl": self.url(Lane::Events), "deadLetterQueueUrl": self.url(Lane::Dead)}}}});
        object
    }

    fn apply(&self, object: &Value) {
        self.cluster.ok(&["apply", "-f", "-"], &object.to_string());
    }

    fn account(&self) {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
            "name": "digger", "annotations": {"eks.amazonaws.com/role-arn": ROLE}}});
        self.apply(&account);
    }

    fn ready(&self) {
        self.account();
        self.apply(&self.object());
        self.cluster.pods_are_ready("sample");
        self.cluster.until("sample", "Ready", "True", "Available");
    }

    /// Runs a program against the queues; `sqs` and `urls` are there.
    fn boto3(&self, program: &str) -> String {
        self.stack.boto3(&format!(
            "sqs = boto3.client('sqs', aws_access_key_id='{ACCOUNT}', aws_secret_access_key='x')
urls = [sqs.get_queue_url(QueueName=name)['QueueUrl'] for name in ['{0}', '{0}-dlq']]
{program}",
            self.queue
        ))
    }

    /// Whoever made the queues says whose they are.
    fn tag(&self, source: &str) {
        self.boto3(&format!(
            "for url in urls: sqs.tag_queue(QueueUrl=url, Tags={{'events.mozdef.io/source': {source:?}}})"
        ));
    }

    fn id(&self) -> String {
        format!("{}/sample", self.cluster.namespace)
    }
}

fn known() -> Value {
    json!({"main": {"accountId": ACCOUNT, "regions": {REGION: {}}}})
}

#[test]
fn events_go_from_a_pod_into_queues_of_somebody_else_and_dead_letters_come_back() {
    let bed = Bed::start("hill", &known());
    let cluster = &bed.cluster;
    bed.apply(&bed.object());
    let message = cluster.until("sample", "ReferencesResolved", "False", "ReferenceNotFound");
    let expected_message =
        "spec.runtime.cluster.serviceAccountName: there is no service account \"digger\" in the namespace";
    assert!(message.contains(expected_message), "{message}");
    assert!(cluster.get("deployment", "mef-sample").is_null());
    bed.ready();

    // Nothing of NATS, and a token that the API server does not take.
    let deployment = cluster.get("deployment", "mef-sample").to_string();
    assert!(!deployment.contains("nats"), "{deployment}");
    let pod = &cluster.get("deployment", "mef-sample")["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], "digger");
    assert_eq!(pod["automountServiceAccountToken"], false);

    let pod = Pod::start(cluster);
    let accepted = json!({"uuid": "one"});
    cluster.eventually("an answer", || pod.post(&accepted, SECRET) == Some(204));
    assert_eq!(
        pod.post(&json!({"id": 2, "who": "hunter2"}), SECRET),
        Some(204),
        "{}",
        pod.log()
    );
    assert_eq!(pod.post(&accepted, "guessed"), Some(401));
    let kept = bed.letters.all(Lane::Events);
    assert!(!kept.is_empty() && String::from_utf8_lossy(&kept[0].body).contains("\"one\""));
    let dead = bed.letters.all(Lane::Dead);
    assert_eq!((dead.len(), dead[0].attributes[REASON].as_str()), (1, "schema"));

    // The counts are told; of the letters nothing, until whoever made the queue says whose they are.
    cluster.until("sample", "DeadLettersPresent", "True", "MessagesPresent");
    let status = cluster.get("evsrc", "sample")["status"].clone();
    assert_eq!(status["queue"]["name"], "hill");
    assert_eq!(status["queue"]["messages"], kept.len());
    assert_eq!(
        status["deadLetter"],
        json!({"name": "hill-dlq", "messages": 1}),
        "{status}"
    );
    assert!(
        cluster.log().contains("has no tag events.mozdef.io/source"),
        "{}",
        cluster.log()
    );
    let gauge = format!("mef_queue_messages{{source=\"{}\",lane=\"dead\"}}", bed.id());
    assert_eq!(cluster.metric(&gauge), Some(1.0));
    replay(cluster, "early", &json!({}));
    let message = until(cluster, "early", "Ready", "False", "NotOwned");
    assert!(
        message.contains("has no tag events.mozdef.io/source"),
        "{message}"
    );
    bed.tag("elsewhere/sample");
    cluster.eventually("the other owner", || {
        condition(cluster, "early", "Ready").is_some_and(|(_, _, message)| {
            message.contains("has the tag events.mozdef.io/source=elsewhere/sample")
        })
    });
    assert_eq!(bed.letters.depths()[1], (1, 0), "nothing was taken");
    cluster.ok(&["delete", "evreplay", "early"], "");

    bed.tag(&bed.id());
    let mut corrected = bed.object();
    corrected["spec"]["schemas"] = requiring("id");
    bed.apply(&corrected);
    cluster.eventually("the new definition serves", || {
        cluster.pods_are_ready("sample");
        let object = cluster.get("evsrc", "sample");
        object["status"]["observedGeneration"] == object["metadata"]["generation"]
    });
    replay(cluster, "real", &json!({"select": {"reasons": ["schema"]}}));
    until(cluster, "real", "Complete", "True", "Finished");
    assert_eq!(counts(cluster, "real"), expected(1, 1, 1, 0, 0));
    let [(events, _), dead] = bed.letters.depths();
    assert_eq!((events, dead), (kept.len() as u64 + 1, (0, 0)));
    cluster.until("sample", "DeadLettersPresent", "False", "Empty");

    // A plan makes no queue, and knows what is there.
    let file = tempfile::Builder::new()
        .suffix(".yaml")
        .tempfile()
        .expect("a file");
    let plan = |object: &Value| {
        std::fs::write(file.path(), object.to_string()).expect("a writable file");
        let path = file.path().to_str().expect("text");
        let config = cluster.operator_config();
        let config = config.to_str().expect("text");
        let arguments = ["plan", path, "-o", "json", "--operator-config", config];
        let planned = mef(cluster, &arguments);
        serde_json::from_slice::<Value>(&planned.stdout)
            .unwrap_or_else(|_| panic!("{}", text(&planned.stderr)))
    };
    let planned = plan(&corrected)[0].clone();
    assert_eq!(
        (&planned["action"], &planned["streams"]),
        (&json!("none"), &json!([])),
        "{planned}"
    );
    let mut other = corrected.clone();
    other["metadata"]["name"] = json!("other");
    let planned = plan(&other)[0].clone();
    assert_eq!(
        (&planned["action"], &planned["streams"]),
        (&json!("add"), &json!([])),
        "{planned}"
    );
    other["spec"]["runtime"]["cluster"]["serviceAccountName"] = json!("nobody");
    let planned = plan(&other)[0].clone();
    assert_eq!(planned["action"], "refuse", "{planned}");
    assert!(
        planned.to_string().contains("there is no service account"),
        "{planned}"
    );

    // The same counts from the command line, by the source's own URLs.
    let counted = mef_command(cluster, &["queue", "sample", "--in-cluster"])
        .env("AWS_ENDPOINT_URL_SQS", bed.stack.url())
        .env("AWS_ACCESS_KEY_ID", ACCOUNT)
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .output()
        .expect("mef runs");
    let shown = text(&counted.stdout);
    let last: Vec<&str> = shown
        .lines()
        .last()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let total = events.to_string();
    assert_eq!(
        last[..4],
        ["sample", &total, "-", "0"],
        "{shown}{}",
        text(&counted.stderr)
    );
}

#[test]
fn reasons_are_told_of_queues_that_are_marked() {
    let bed = Bed::start("mound", &known());
    bed.tag(&bed.id());
    bed.ready();
    let events: Vec<_> = (0..3).map(|id| json!({"id": id})).collect();
    bed.letters.refuse(&bed.cluster, "sample", &events);
    let cluster = &bed.cluster;
    cluster.eventually("a sample", || {
        cluster.get("evsrc", "sample")["status"]["deadLetter"]["sampled"] == 3
    });
    let status = cluster.get("evsrc", "sample")["status"].clone();
    assert_eq!(status["deadLetter"]["byReason"], json!({"schema": 3}));
    let (_, _, message) = cluster
        .condition("sample", "DeadLettersPresent")
        .expect("a condition");
    assert_eq!(message, "there are dead letters, among them: schema");
    let gauge = format!(
        "mef_dead_letters{{source=\"{}\",reason=\"schema\",sampled=\"true\"}}",
        bed.id()
    );
    assert_eq!(cluster.metric(&gauge), Some(3.0));
}

#[test]
fn a_source_serves_although_the_operator_may_not_look_at_its_queues() {
    let bed = Bed::start("knoll", &json!({}));
    bed.ready();
    let cluster = &bed.cluster;
    let message = cluster.until("sample", "DeadLettersPresent", "Unknown", "QueueUnreadable");
    assert!(
        message.contains("awsAccounts in the chart's values holds no account \"111122223333\""),
        "{message}"
    );
    replay(cluster, "blind", &json!({}));
    until(cluster, "blind", "Ready", "False", "UnknownAccount");
    // Nothing of its own is left to wait for.
    bed.letters.refuse(cluster, "sample", &[json!({"id": 1})]);
    cluster.ok(&["delete", "evsrc", "sample", "--timeout=60s"], "");
    assert_eq!(bed.letters.depths(), [(0, 0), (1, 0)]);
}

#[test]
fn queues_stay_and_only_drain_waits_for_them() {
    let bed = Bed::start("ridge", &known());
    let cluster = &bed.cluster;
    bed.ready();
    bed.letters.refuse(cluster, "sample", &[json!({"id": 1})]);
    cluster.ok(&["delete", "evsrc", "sample", "--timeout=60s"], "");
    assert_eq!(
        bed.letters.depths(),
        [(0, 0), (1, 0)],
        "it does not wait and takes nothing along"
    );

    let mut object = bed.object();
    object["spec"]["deletionPolicy"] = json!("Drain");
    bed.apply(&object);
    cluster.pods_are_ready("sample");
    cluster.until("sample", "Ready", "True", "Available");
    cluster.ok(&["delete", "evsrc", "sample", "--wait=false"], "");
    let message = cluster.until("sample", "Ready", "False", "DeletionBlocked");
    assert!(
        message.contains("1 messages") && message.contains("The queues stay in any case"),
        "{message}"
    );
    assert!(
        cluster.get("deployment", "mef-sample").is_null(),
        "nothing new is taken"
    );
    bed.boto3("sqs.purge_queue(QueueUrl=urls[1])");
    cluster.eventually("its end", || cluster.get("evsrc", "sample").is_null());
    assert_eq!(bed.letters.depths(), [(0, 0), (0, 0)], "the queues are there");
}

#[test]
fn a_queue_that_is_not_there_and_a_role_that_is_none_are_told() {
    let bed = Bed::start("bank", &known());
    let cluster = &bed.cluster;
    bed.apply(
        &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
        "name": "digger", "annotations": {"eks.amazonaws.com/role-arn": "digger"}}}),
    );
    let mut object = bed.object();
    let url = bed.url(Lane::Events).replace("/bank", "/no-such-queue");
    object["spec"]["runtime"]["cluster"]["queue"]["sqs"]["queueUrl"] = json!(url);
    bed.apply(&object);
    let message = cluster.until("sample", "ReferencesResolved", "False", "ReferenceNotFound");
    assert!(message.contains("is \"digger\", which is no role"), "{message}");
    bed.account();
    let message = cluster.until("sample", "Provisioned", "False", "QueueUnavailable");
    let said = format!("spec.runtime.cluster.queue.sqs.queueUrl: there is no queue {url:?}");
    assert!(message.contains(&said), "{message}");
    assert!(cluster.get("deployment", "mef-sample").is_null());
    bed.stack.boto3(&format!(
        "sqs = boto3.client('sqs', aws_access_key_id='{ACCOUNT}', aws_secret_access_key='x')
sqs.create_queue(QueueName='no-such-queue')"
    ));
    cluster.pods_are_ready("sample");
    cluster.until("sample", "Ready", "True", "Available");
}
