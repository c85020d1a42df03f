//! What somebody should be told: dead letters, events nobody reads, errors, throttling, and 5xx of the API.

use super::resource::{Alarm, Dimension, Properties};
use super::value::Text;
use super::{Resources, STAGE, tags};
use crate::aws::wanted::{Api, Wanted};

/// Seconds after which an event nobody has read is worth a word.
const OLD: u32 = 600;

/// Adds them.
pub(super) fn add(resources: &mut Resources, wanted: &Wanted) {
    let queue = |id: &str| vec![("QueueName", Text::attribute(id, "QueueName"))];
    let function = || vec![("FunctionName", Text::reference("Function"))];
    let mut add = |id: &str, alarm: Alarm| {
        resources.add(id, Properties::Alarm(Box::new(alarm)));
    };
    let mut dead = alarm(
        wanted,
        "dead-letters",
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
    );
    dead.alarm_description = "There are dead letters: read their reasons, correct the source, replay them.";
    dead.dimensions = dimensions(queue("DeadLetterQueue"));
    dead.statistic = "Maximum";
    add("AlarmDeadLetters", dead);

    let mut age = alarm(wanted, "oldest-event", "AWS/SQS", "ApproximateAgeOfOldestMessage");
    age.alarm_description = "Events have waited for ten minutes: does the SIEM read the queue?";
    age.dimensions = dimensions(queue("EventQueue"));
    age.statistic = "Maximum";
    age.evaluation_periods = 5;
    age.threshold = OLD;
    add("AlarmOldestEvent", age);

    let mut errors = alarm(wanted, "function-errors", "AWS/Lambda", "Errors");
    errors.alarm_description = "The function fails: its log says why.";
    errors.dimensions = dimensions(function());
    (errors.evaluation_periods, errors.datapoints_to_alarm) = (5, Some(3));
    add("AlarmFunctionErrors", errors);

    let mut throttles = alarm(wanted, "function-throttles", "AWS/Lambda", "Throttles");
    throttles.alarm_description = "Requests are turned away for want of concurrency; senders see 5xx.";
    throttles.dimensions = dimensions(function());
    throttles.evaluation_periods = 3;
    add("AlarmFunctionThrottles", throttles);

    let (metric, of) = match wanted.front.api {
        Api::Rest => ("5XXError", ("ApiName", wanted.names.stack().into())),
        Api::Http => ("5xx", ("ApiId", Text::reference("HttpApi"))),
    };
    let mut failures = alarm(wanted, "5xx", "AWS/ApiGateway", metric);
    failures.alarm_description = "Senders are answered with 5xx; most of them try again.";
    failures.dimensions = dimensions(vec![of, ("Stage", STAGE.into())]);
    (failures.evaluation_periods, failures.datapoints_to_alarm) = (5, Some(3));
    add("Alarm5xx", failures);
}

/// An alarm of more than none in a minute; no data is no reason, for idle sources have none.
fn alarm(wanted: &Wanted, name: &str, namespace: &'static str, metric_name: &'static str) -> Alarm {
    Alarm {
        alarm_name: format!("{}-{name}", wanted.names.stack()),
        alarm_description: "",
        namespace,
        metric_name,
        dimensions: Vec::new(),
        statistic: "Sum",
        period: 60,
        evaluation_periods: 1,
        datapoints_to_alarm: None,
        threshold: 0,
        comparison_operator: "GreaterThanThreshold",
        treat_missing_data: "notBreaching",
        alarm_actions: wanted.alarm_topic.iter().cloned().collect(),
        tags: tags(wanted),
    }
}

fn dimensions(of: Vec<(&'static str, Text)>) -> Vec<Dimension> {
    of.into_iter()
        .map(|(name, value)| Dimension { name, value })
        .collect()
}
