//! An explanation for people. What comes from the request is printed so that it cannot drive the terminal.

use mef_pipeline::explain::{Attempt, EventExplanation, Explanation};
use serde_json::Value;

use super::LetterExplanation;
use crate::command::dlq::{body_text, sentence};
use crate::layout::{indented, pretty_json};
use crate::output::{Output, Style, printable};

/// A request's page.
pub(super) fn of_request(explanation: &Explanation, output: Output) -> String {
    let Explanation {
        source,
        definition,
        outcome: _,
        reason: _,
        answer,
        verification,
        events,
    } = explanation;
    let mut lines = vec![
        head(source, definition, &outcome(explanation, output), output),
        String::new(),
    ];
    lines.push(verdict(output, verification.verified, "verify"));
    match verification.secret {
        Some(index) => lines.push(format!("  the secret at spec.webhook.secrets[{index}] matched")),
        None => lines.extend(
            verification
                .detail
                .iter()
                .map(|detail| format!("  {}", printable(detail))),
        ),
    }
    lines.extend(verification.attempts.iter().map(attempt));
    if let Some(answer) = answer {
        lines.push(String::new());
        lines.push(format!("challenge: a handshake, answered with {}", answer.status));
        lines.extend(
            answer
                .headers
                .iter()
                .map(|(name, value)| printable(&format!("  {name}: {value}"))),
        );
        lines.push(indented("  ", &printable(&answer.body)));
    }
    lines.extend(of_events(events, output));
    lines.join("\n")
}

/// A dead letter's page.
pub(super) fn of_letter(explanation: &LetterExplanation<'_>, output: Output) -> String {
    let LetterExplanation {
        source,
        definition,
        outcome,
        events,
    } = explanation;
    let mut lines = vec![head(source, definition, outcome, output)];
    lines.push("  a dead letter: it was genuine when it came in, so it is not verified again".to_owned());
    lines.extend(of_events(events, output));
    lines.join("\n")
}

fn head(source: &str, definition: &str, outcome: &str, output: Output) -> String {
    format!(
        "{} definition {definition}: {outcome}",
        output.paint(Style::Strong, source)
    )
}

fn of_events(events: &[EventExplanation], output: Output) -> Vec<String> {
    let count = events.len();
    let mut lines = Vec::new();
    for (index, event) in events.iter().enumerate() {
        lines.push(String::new());
        if count > 1 {
            lines.push(output.paint(Style::Strong, format!("event {} of {count}", index + 1)));
        }
        lines.push(one(event, output));
    }
    lines
}

fn outcome(explanation: &Explanation, output: Output) -> String {
    let reason = explanation
        .reason
        .and_then(|reason| serde_json::to_value(reason).ok());
    let reason = reason
        .as_ref()
        .and_then(Value::as_str)
        .map(|reason| format!(" ({reason})"))
        .unwrap_or_default();
    let style = if explanation.outcome == "rejected" {
        Style::Bad
    } else {
        Style::Good
    };
    output.paint(style, format!("{}{reason}", explanation.outcome))
}

fn verdict(output: Output, good: bool, stage: &str) -> String {
    let word = if good {
        output.paint(Style::Good, "passed")
    } else {
        output.paint(Style::Bad, "failed")
    };
    format!("{stage}: {word}")
}

fn attempt(attempt: &Attempt) -> String {
    let secret = attempt
        .secret
        .map(|index| format!(" with secrets[{index}]"))
        .unwrap_or_default();
    let mut text = format!("  {}{secret}: {}", attempt.primitive, printable(&attempt.result));
    if let Some(signed) = &attempt.signed {
        text.push_str(&format!("\n    the bytes that were signed ({}):\n", signed.len()));
        text.push_str(&indented("      ", &printable(signed)));
        if signed.ends_with('\n') && !attempt.matched {
            text.push_str(
                "\n    they end with a line end: was it sent, or did an editor add it to the captured body?",
            );
        }
    }
    text
}

fn one(event: &EventExplanation, output: Output) -> String {
    let mut lines: Vec<String> = event
        .stages
        .iter()
        .map(|stage| {
            let style = match stage.verdict {
                "passed" => Style::Good,
                "failed" => Style::Bad,
                "dropped" => Style::Doubtful,
                _ => Style::Faint,
            };
            format!("{}: {}", stage.stage, output.paint(style, stage.verdict))
        })
        .collect();
    if let Some(letter) = &event.dead_letter {
        for detail in &letter.detail {
            lines.push(format!("  {}", printable(&sentence(detail))));
            lines.extend(
                detail
                    .schema_path
                    .iter()
                    .map(|path| format!("    by the schema at {}", printable(path))),
            );
        }
        lines.push(format!(
            "It would be kept as a dead letter: {}, event {}",
            letter.reason, letter.event_id
        ));
        lines.push(indented("  ", &body_text(letter)));
    }
    if let Some(message) = &event.message {
        let id = event.id.as_deref().unwrap_or_default();
        lines.push(format!("The message that would be sent, event {id}"));
        let text = message.get();
        let pretty = pretty_json(text.as_bytes()).unwrap_or_else(|| text.to_owned());
        lines.push(indented("  ", &printable(&pretty)));
    }
    if event.outcome == "filter" {
        lines.push("The filter drops it: it would be answered with success and not kept".to_owned());
    }
    lines.join("\n")
}
