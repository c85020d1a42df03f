//! Sources in AWS: a real API server, the operator as a process, and the scripted CloudFormation.

use std::process::Command;

use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::cloud::Fate;
use crate::cluster::Cluster;
use crate::wire::{Fault, Server};

const ACCOUNT: &str = "111122223333";

/// A cluster whose operator asks the scripted CloudFormation.
pub(crate) struct Bed {
    pub(crate) cluster: Cluster,
    pub(crate) aws: Server,
    _runtime: Runtime,
    artefacts: tempfile::TempDir,
}

impl Bed {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let now = "2026-01-02T03:04:05Z".parse().expect("a time");
        let aws = runtime.block_on(Server::start(ACCOUNT, "eu-central-1", now));
        // Whatever was begun is done by the next look.
        aws.tick(60);
        let folder = tempfile::tempdir().expect("a folder");
        let zip = folder.path().join("bootstrap-x86_64.zip");
        let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], 'w')\nz.writestr('bootstrap', b'program')\nz.close()";
        let made = Command::new("python3").args(["-c", script]).arg(&zip).status();
        assert!(made.expect("python runs").success());
        std::fs::copy(&zip, folder.path().join("bootstrap-arm64.zip")).expect("a writable folder");
        let cluster = Cluster::start_with(json!({
            "clusterId": "tests",
            "awsEndpoint": aws.url(),
            "lambda": {"artefacts": folder.path()},
            "awsAccounts": {"security": {
                "accountId": ACCOUNT,
                "roleArn": "arn:aws:iam::111122223333:role/mef-operator",
                "externalId": "something-only-we-know",
                "serviceRoleArn": "arn:aws:iam::111122223333:role/mef-cloudformation",
                "permissionsBoundary": "arn:aws:iam::111122223333:policy/mef-function-boundary",
                "regions": {"eu-central-1": {"artefactBucket": "artefacts"}},
            }},
        }));
        Self {
            cluster,
            aws,
            _runtime: runtime,
            artefacts: folder,
        }
    }

    pub(crate) fn apply(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut object = source(name);
        change(&mut object);
        self.cluster.ok(&["apply", "-f", "-"], &object.to_string());
    }

    pub(crate) fn count(&self, action: &str) -> usize {
        self.aws.asked().iter().filter(|asked| *asked == action).count()
    }
}

pub(crate) fn source(name: &str) -> Value {
    json!({
        "apiVersion": "events.mozdef.io/v1alpha1",
        "kind": "EventSource",
        "metadata": {"name": name},
        "spec": {
            "webhook": {"provider": "okta", "secrets": [{"ssmParameter": {"name": "/mef/okta"}}]},
            "runtime": {"aws": {"account": "security", "region": "eu-central-1"}},
        },
    })
}

#[test]
fn a_source_is_made_serves_is_changed_and_goes() {
    let bed = Bed::start();
    let cluster = &bed.cluster;
    bed.apply("okta", |_| {});
    cluster.until("okta", "Ready", "True", "Available");
    cluster.until("okta", "Provisioned", "True", "StackComplete");
    cluster.until("okta", "DeadLettersPresent", "False", "Empty");
    let status = cluster.get("evsrc", "okta")["status"].clone();
    assert!(
        status["endpoint"]["url"]
            .as_str()
            .is_some_and(|url| url.starts_with("https://")),
        "{status}"
    );
    assert_eq!(status["mode"], "aws");
    assert_eq!(status["aws"]["stackStatus"], "CREATE_COMPLETE");
    assert_eq!(status["definition"]["serving"], status["definition"]["desired"]);
    assert_eq!(bed.count("CreateStack"), 1);
    // The package lies under the digest of its content, once.
    let objects = bed.aws.objects();
    assert_eq!(objects.len(), 1);
    assert!(
        objects
            .keys()
            .all(|path| path.starts_with("/artefacts/functions/") && path.ends_with(".zip"))
    );

    // What changes is changed; the stack stays the same.
    bed.apply("okta", |object| {
        object["spec"]["runtime"]["aws"]["throttle"] = json!({"rate": 1, "burst": 2});
    });
    cluster.eventually("an update", || bed.count("UpdateStack") == 1);
    cluster.eventually("an update that is done", || {
        cluster.get("evsrc", "okta")["status"]["observedGeneration"] == 2
    });
    let after = cluster.get("evsrc", "okta")["status"].clone();
    assert_eq!(after["aws"]["stackId"], status["aws"]["stackId"]);

    // A change that fails is told with its cause, and is not sent again; what was before serves.
    bed.aws.with(|cloud| {
        cloud.fates.push_back(Fate::Fails {
            logical_id: "Function".to_owned(),
            kind: "AWS::Lambda::Function".to_owned(),
            reason: "Reserved concurrency is more than the account has".to_owned(),
        });
    });
    bed.apply("okta", |object| {
        object["spec"]["runtime"]["aws"]["reservedConcurrency"] = json!(900);
    });
    let message = cluster.until("okta", "Stalled", "True", "UpdateFailed");
    assert!(
        message.contains("Function (AWS::Lambda::Function): Reserved concurrency"),
        "{message}"
    );
    assert_eq!(bed.count("UpdateStack"), 2);
    bed.apply("okta", |_| {});
    cluster.until("okta", "Ready", "True", "Available");

    // Messages keep it.
    assert!(bed.aws.with(|cloud| {
        let name = cloud.stacks()[0].name.clone();
        cloud.send(&name)
    }));
    cluster.ok(&["delete", "evsrc", "okta", "--wait=false"], "");
    cluster.until("okta", "Ready", "False", "DeletionBlocked");
    assert_eq!(bed.count("DeleteStack"), 0);
    cluster.ok(
        &["annotate", "evsrc", "okta", "events.mozdef.io/force-delete=all"],
        "",
    );
    cluster.eventually("the end", || cluster.get("evsrc", "okta").is_null());
    assert!(bed.aws.with(|cloud| {
        cloud
            .stacks()
            .iter()
            .all(|stack| stack.status == "DELETE_COMPLETE")
    }));
}

/// The reply of the create is lost, and the operator dies: one stack all the same.
#[test]
fn a_lost_reply_and_a_dead_operator_make_no_second_stack() {
    let mut bed = Bed::start();
    bed.aws.fault("CreateStack", Fault::DoneAndSilent);
    bed.apply("okta", |_| {});
    bed.cluster
        .eventually("a create", || bed.count("CreateStack") == 1);
    bed.cluster.stop_operator();
    bed.cluster.start_operator();
    bed.cluster.until("okta", "Ready", "True", "Available");
    assert_eq!(bed.aws.with(|cloud| cloud.stacks().len()), 1);
}

/// A stack of the same name that is somebody else's is left alone, whatever becomes of the source.
#[test]
fn somebody_elses_stack_is_left_alone() {
    let bed = Bed::start();
    let name = stack_name(&bed.cluster.namespace, "okta");
    bed.aws.with(|cloud| {
        let create = crate::cloud::Create {
            name,
            template: "{}".to_owned(),
            ..Default::default()
        };
        cloud.create(create).expect("a stack");
    });
    bed.apply("okta", |_| {});
    bed.cluster.until("okta", "Stalled", "True", "StackNotOwned");
    bed.cluster.ok(&["delete", "evsrc", "okta", "--wait=false"], "");
    bed.cluster
        .eventually("the end", || bed.cluster.get("evsrc", "okta").is_null());
    assert_eq!(
        bed.aws.with(|cloud| cloud.taken.len()),
        1,
        "nothing but the stranger's own create"
    );
}

pub(crate) fn stack_name(namespace: &str, name: &str) -> String {
    mef_operator::aws::names::Names::new("tests", namespace, name, None)
        .stack()
        .to_owned()
}

/// Both pass by themselves once what is missing is there.
#[test]
fn a_missing_program_and_an_unreadable_queue_are_told() {
    let bed = Bed::start();
    let program = bed.artefacts.path().join("bootstrap-x86_64.zip");
    let away = bed.artefacts.path().join("away");
    std::fs::rename(&program, &away).expect("it is there");
    bed.apply("okta", |_| {});
    let message = bed
        .cluster
        .until("okta", "Provisioned", "False", "ArtefactUnavailable");
    assert!(message.contains("bootstrap-x86_64.zip"), "{message}");
    assert_eq!(bed.count("CreateStack"), 0);
    std::fs::rename(&away, &program).expect("it is there");
    bed.aws
        .fault("GetQueueAttributes", Fault::Refuse(500, "InternalError", "later"));
    bed.apply("okta", |object| {
        object["spec"]["runtime"]["aws"]["throttle"] = json!({"rate": 1, "burst": 2});
    });
    bed.cluster.until("okta", "Ready", "True", "Available");
    let message = bed
        .cluster
        .until("okta", "DeadLettersPresent", "Unknown", "QueueUnreadable");
    assert!(message.contains("later"), "{message}");
}

#[test]
fn an_account_nobody_knows_is_told() {
    let bed = Bed::start();
    bed.apply("okta", |object| {
        object["spec"]["runtime"]["aws"]["account"] = json!("another");
    });
    let message = bed.cluster.until("okta", "Stalled", "True", "UnknownAccount");
    assert!(
        message.contains("another") && message.contains("security"),
        "{message}"
    );
    bed.cluster.ok(&["delete", "evsrc", "okta", "--wait=false"], "");
    bed.cluster
        .eventually("the end", || bed.cluster.get("evsrc", "okta").is_null());
}
