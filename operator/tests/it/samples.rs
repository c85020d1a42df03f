//! What a status says of queues in SQS beside their counts: a real API server, the operator as a process, the scripted
//! CloudFormation for the stack, and a MiniStack that has the queues and the metrics.

use mef_queue::Lane;
use serde_json::{Value, json};

use crate::aws::{Bed, stack_name};
use crate::letters::Letters;
use crate::ministack::MiniStack;
use crate::replays::requiring;
use crate::wire::Fault;

/// To the hour, as a status has it.
fn hour(text: &Value) -> bool {
    text.as_str().is_some_and(|text| text.ends_with(":00:00Z"))
}

/// Has the operator look, and waits until it has.
fn look(bed: &Bed, number: usize) {
    let before = bed.count("DescribeStacks");
    let at = format!("tests/look={number}");
    bed.cluster
        .ok(&["annotate", "evsrc", "sample", "--overwrite", &at], "");
    // The look after it begins when this one is done.
    bed.cluster
        .eventually("a look", || bed.count("DescribeStacks") > before);
}

#[test]
fn a_sample_of_dead_letters_and_the_age_of_events_are_told_and_cost_nothing_at_rest() {
    let mut bed = Bed::start();
    let stack = MiniStack::shared();
    bed.aws.queues_at(&stack.url());
    let name = stack_name(&bed.cluster.namespace, "sample");
    let letters = Letters::sqs(&stack, &name);
    bed.apply("sample", |object| object["spec"]["schemas"] = requiring("uuid"));
    bed.cluster.until("sample", "Ready", "True", "Available");
    let status = |bed: &Bed| bed.cluster.get("evsrc", "sample")["status"].clone();
    let empty = status(&bed);
    assert_eq!(
        empty["deadLetter"],
        json!({"name": format!("{name}-dlq"), "messages": 0})
    );

    // Two letters of ours, one that a consumer failed on, and an event nobody has pulled for two hours.
    bed.cluster.stop_operator();
    letters.refuse(&bed.cluster, "sample", &[json!({"id": 1}), json!({"id": 2})]);
    stack.boto3(&format!(
        "who = dict(aws_access_key_id='111122223333', aws_secret_access_key='x')
sqs = boto3.client('sqs', **who)
for name in [{name:?}, '{name}-dlq']: sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=name)['QueueUrl'], MessageBody='{{}}')
from datetime import datetime, timedelta, timezone
# The minute before: one that has not ended yet is not told.
at = datetime.now(timezone.utc) - timedelta(seconds=60)
boto3.client('cloudwatch', **who).put_metric_data(Namespace='AWS/SQS', MetricData=[dict(MetricName='ApproximateAgeOfOldestMessage',
    Dimensions=[dict(Name='QueueName', Value={name:?})], Timestamp=at, Value=7200)])"
    ));
    bed.cluster.start_operator();
    bed.cluster.eventually("a sample and an age", || {
        let status = status(&bed);
        status["deadLetter"]["sampled"].is_i64() && status["queue"]["oldest"].is_string()
    });
    let told = status(&bed);
    let (queue, dead) = (&told["queue"], &told["deadLetter"]);
    assert!(hour(&queue["oldest"]) && hour(&dead["oldest"]), "{told}");
    assert_eq!(
        (queue, dead),
        (
            &json!({"name": name, "messages": 1, "oldest": queue["oldest"]}),
            &json!({"name": format!("{name}-dlq"), "messages": 3, "byReason": {"redrive": 1, "schema": 2}, "sampled": 3,
                "oldest": dead["oldest"]})
        )
    );
    let message = bed
        .cluster
        .until("sample", "DeadLettersPresent", "True", "MessagesPresent");
    assert_eq!(message, "there are dead letters, among them: redrive, schema");
    let source = format!("{}/sample", bed.cluster.namespace);
    let metric = |bed: &Bed, name: &str, labels: &str| {
        let metric = format!("{name}{{source=\"{source}\",{labels}}}");
        bed.cluster.metric(&metric)
    };
    let of_reason = "reason=\"schema\",sampled=\"true\"";
    assert_eq!(metric(&bed, "mef_dead_letters", of_reason), Some(2.0));
    let of_all = "reason=\"schema\",sampled=\"false\"";
    assert_eq!(metric(&bed, "mef_dead_letters", of_all), None);
    let age = "mef_queue_oldest_age_seconds";
    let events = metric(&bed, age, "lane=\"events\",sampled=\"false\"").expect("an age");
    assert!((7_200.0..7_400.0).contains(&events), "{events}");
    let dead = metric(&bed, age, "lane=\"dead\",sampled=\"true\"").expect("an age");
    assert!(dead < 200.0, "{dead}");

    // A look that finds nothing new asks for counts alone, and writes nothing.
    let written = |bed: &Bed| {
        let requests = bed.cluster.requests().into_iter();
        requests
            .filter(|request| request.verb == "patch" && request.resource == "eventsources/status")
            .count()
    };
    let asked = |bed: &Bed| ["ReceiveMessage", "GetMetricStatistics"].map(|action| bed.count(action));
    let before = (asked(&bed), written(&bed));
    assert_eq!(before.0, [1, 1]);
    (0..4).for_each(|number| look(&bed, number));
    assert_eq!((asked(&bed), written(&bed)), before);
    assert_eq!(status(&bed), told);

    // Nothing was hidden by it, and no event was received: this is each one's first receive.
    assert_eq!(letters.depths(), [(1, 0), (3, 0)]);
    let counts: Vec<_> = letters
        .all(Lane::Events)
        .iter()
        .map(|event| event.receive_count)
        .collect();
    assert_eq!(counts, [1]);

    // Neither is needed: where AWS refuses both, the counts are told and the source stays as it is.
    bed.cluster.stop_operator();
    for action in ["ReceiveMessage", "GetMetricStatistics"] {
        let refusal = Fault::Refuse(403, "AccessDenied", "not authorized to perform it");
        bed.aws.fault(action, refusal);
    }
    bed.cluster.start_operator();
    bed.cluster.eventually("counts alone", || {
        let status = status(&bed);
        status["deadLetter"] == json!({"name": format!("{name}-dlq"), "messages": 3})
            && status["queue"] == json!({"name": name, "messages": 1})
    });
    bed.cluster.until("sample", "Ready", "True", "Available");
    assert_eq!(asked(&bed), [2, 2]);
    assert_eq!(metric(&bed, "mef_dead_letters", of_reason), None);
    assert!(
        bed.cluster.log().contains("nothing is told of dead letters"),
        "{}",
        bed.cluster.log()
    );
}

/// A stack proves by its tags whose it is before a letter of it is touched.
#[test]
fn letters_of_somebody_elses_stack_are_not_looked_at() {
    let bed = Bed::start();
    let stack = MiniStack::shared();
    bed.aws.queues_at(&stack.url());
    let name = stack_name(&bed.cluster.namespace, "sample");
    let letters = Letters::sqs(&stack, &name);
    stack.boto3(&format!(
        "sqs = boto3.client('sqs', aws_access_key_id='111122223333', aws_secret_access_key='x')
sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName='{name}-dlq')['QueueUrl'], MessageBody='{{}}')"
    ));
    bed.aws.with(|cloud| {
        let create = crate::cloud::Create {
            name: name.clone(),
            template: "{}".to_owned(),
            ..Default::default()
        };
        cloud.create(create).expect("a stack");
    });
    bed.apply("sample", |_| {});
    bed.cluster.until("sample", "Stalled", "True", "StackNotOwned");
    look(&bed, 1);
    look(&bed, 2);
    assert!(bed.count("GetQueueAttributes") > 0, "its queues are named");
    assert_eq!(bed.count("ReceiveMessage"), 0);
    assert_eq!(letters.all(Lane::Dead)[0].receive_count, 1);
}
