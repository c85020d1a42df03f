//! What is foreseen, as data and as text. Pure.

mod stack;

use mef_crds::EventSource;
use mef_operator::aws::foresee as aws;
use mef_operator::source::changes::{Change as Found, changes};
use mef_operator::source::diff::{Apply, Live, Why};
use mef_operator::source::foresee::{Foreseen, StreamChange};
use mef_operator::source::validate::sentences;
use serde::Serialize;

use crate::layout::paragraph;
use crate::output::{Output, Style, printable};
use stack::Stack;

/// The plan of one source: one element of `-o json`. Stable.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Plan {
    source: String,
    action: Action,
    /// Why nothing of the new spec would be rolled out.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// `spec.suspend` is set, so nothing would be done.
    suspended: bool,
    /// The definition that pods run, before and after.
    definition: Change,
    /// Pods would be replaced one by one.
    replaces_pods: bool,
    objects: Vec<Object>,
    streams: Vec<Stream>,
    /// Of a source in AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<Stack>,
}

/// What would come of an object, or of a source in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    /// Nothing.
    None,
    Add,
    Change,
    /// Somebody changed it by hand; it would be set back.
    Repair,
    /// Another would take its place, and it would go.
    Replace,
    Remove,
    /// Nothing of the new spec would be rolled out.
    Refuse,
}

#[derive(Debug, Serialize)]
struct Change {
    from: Option<String>,
    to: Option<String>,
}

#[derive(Debug, Serialize)]
struct Object {
    action: Action,
    kind: String,
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Field>,
}

#[derive(Debug, Serialize)]
struct Stream {
    action: Action,
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Field>,
}

#[derive(Debug, Serialize)]
struct Field {
    path: String,
    #[serde(flatten)]
    change: Change,
}

impl Plan {
    /// The plan of a source of which nothing would be rolled out.
    pub(super) fn refused(source: String, why: String) -> Self {
        Self {
            source,
            action: Action::Refuse,
            refused: Some(why),
            suspended: false,
            definition: Change { from: None, to: None },
            replaces_pods: false,
            objects: Vec::new(),
            streams: Vec::new(),
            stack: None,
        }
    }

    pub(super) fn of(source: String, object: &EventSource, foreseen: &Foreseen) -> Self {
        let refused = refused(foreseen);
        let mut objects: Vec<_> = foreseen
            .plan
            .apply
            .iter()
            .map(|apply| applied(apply, &foreseen.live))
            .collect();
        objects.extend(foreseen.plan.delete.iter().map(|delete| Object {
            action: Action::Remove,
            kind: delete.kind.resource().kind,
            name: delete.name.clone(),
            changes: Vec::new(),
        }));
        if !foreseen.plan.foreign.is_empty() {
            // Nothing is written while there is one.
            objects.clear();
        }
        let streams: Vec<_> = foreseen.streams.iter().map(stream).collect();
        let stack = foreseen.stack.as_ref().map(Stack::of);
        let action = match (
            &refused,
            foreseen.before.is_none(),
            objects.is_empty() && streams.is_empty(),
        ) {
            (Some(_), ..) => Action::Refuse,
            (None, ..) if stack.is_some() => stack.as_ref().map_or(Action::None, Stack::action),
            (None, _, true) => Action::None,
            (None, true, _) => Action::Add,
            (None, false, _) => Action::Change,
        };
        let in_template = |field: &Field| field.path.starts_with("/spec/template");
        let of_pods =
            |object: &&Object| object.kind == "Deployment" && object.changes.iter().any(in_template);
        Self {
            source,
            action,
            refused,
            suspended: object.spec.suspend,
            definition: Change {
                from: foreseen.before.clone(),
                to: foreseen.after.clone(),
            },
            replaces_pods: objects.iter().any(|object| of_pods(&object)),
            objects,
            streams,
            stack,
        }
    }

    pub(super) fn is_refused(&self) -> bool {
        self.action == Action::Refuse
    }

    pub(super) fn text(&self, output: Output) -> String {
        let mut lines = vec![output.paint(Style::Strong, &self.source)];
        if let Some(why) = &self.refused {
            lines.push(paragraph(
                &format!("  {} ", output.paint(Style::Bad, "refused:")),
                &printable(why),
            ));
        }
        lines.push(paragraph("  ", &self.definition_text()));
        for object in &self.objects {
            lines.push(row(
                output,
                object.action,
                &format!("{} {}", object.kind, object.name),
            ));
            lines.extend(object.changes.iter().map(field));
        }
        for stream in &self.streams {
            lines.push(row(output, stream.action, &format!("stream {}", stream.name)));
            lines.extend(stream.changes.iter().map(field));
        }
        if let Some(stack) = &self.stack {
            stack.text(output, &mut lines);
        }
        lines.push(format!("  {}", self.summary()));
        lines.join("\n")
    }

    fn definition_text(&self) -> String {
        if let Some(stack) = &self.stack {
            return stack.definition_text(self.definition.from.as_deref(), self.definition.to.as_deref());
        }
        match (&self.definition.from, &self.definition.to) {
            (None, None) => "no pods run, and none would be started".to_owned(),
            (None, Some(to)) => format!("definition {to} would be served for the first time"),
            (Some(from), Some(to)) if from == to && self.replaces_pods => {
                format!("definition {from} stays; pods would be replaced one by one, without a pause")
            }
            (Some(from), Some(to)) if from == to => format!("definition {from} stays"),
            (Some(from), to) => {
                let to = to.as_deref().unwrap_or("none");
                format!(
                    "definition {from} → {to}: pods would be replaced one by one, and the old ones serve until the new ones do"
                )
            }
        }
    }

    fn summary(&self) -> String {
        let actions = || {
            let objects = self.objects.iter().map(|object| object.action);
            objects.chain(self.streams.iter().map(|stream| stream.action))
        };
        let count = |action| actions().filter(|other| *other == action).count();
        if self.suspended {
            return "nothing is done while spec.suspend is set".to_owned();
        }
        if let Some(stack) = &self.stack {
            return stack.summary();
        }
        if actions().next().is_none() {
            return "nothing to do".to_owned();
        }
        format!(
            "{} to add, {} to change, {} to set back, {} to remove",
            count(Action::Add),
            count(Action::Change),
            count(Action::Repair),
            count(Action::Remove)
        )
    }
}

/// Why the new spec would not be rolled out.
fn refused(foreseen: &Foreseen) -> Option<String> {
    if !foreseen.problems.is_empty() {
        return Some(sentences(&foreseen.problems));
    }
    if let Some(aws::Outcome::Refused(why)) = foreseen.stack.as_ref().map(|stack| &stack.outcome) {
        return Some(why.clone());
    }
    let foreign = &foreseen.plan.foreign;
    (!foreign.is_empty()).then(|| {
        format!(
            "{} exists and is not the source's; nothing would be written: remove or rename it",
            foreign.join(", ")
        )
    })
}

fn applied(apply: &Apply, live: &[Live]) -> Object {
    let action = match apply.why {
        Why::Missing => Action::Add,
        Why::Changed => Action::Change,
        Why::Drifted(_) => Action::Repair,
    };
    let found = live.iter().find(|live| {
        live.kind == apply.kind && live.object.metadata.name.as_deref() == Some(apply.name.as_str())
    });
    let found = found.and_then(|live| serde_json::to_value(&live.object).ok());
    let fields = found.map(|mut found| {
        // What comes in a list carries no type of its own.
        found["apiVersion"] = apply.object["apiVersion"].clone();
        found["kind"] = apply.object["kind"].clone();
        changes(&apply.object, &found)
    });
    Object {
        action,
        kind: apply.kind.resource().kind,
        name: apply.name.clone(),
        changes: fields.unwrap_or_default().iter().map(Field::of).collect(),
    }
}

impl Field {
    fn of(change: &Found) -> Self {
        Self {
            path: change.path.clone(),
            change: Change {
                from: change.from.clone(),
                to: change.to.clone(),
            },
        }
    }
}

fn stream(stream: &StreamChange) -> Stream {
    Stream {
        action: if stream.changes.is_empty() {
            Action::Add
        } else {
            Action::Change
        },
        name: stream.name.clone(),
        changes: stream
            .changes
            .iter()
            .map(|difference| Field {
                path: difference.field.to_owned(),
                change: Change {
                    from: Some(difference.found.clone()),
                    to: Some(difference.expected.clone()),
                },
            })
            .collect(),
    }
}

fn row(output: Output, action: Action, what: &str) -> String {
    let (style, sign, note) = match action {
        Action::Add => (Style::Good, "+", ""),
        Action::Change => (Style::Doubtful, "~", ""),
        Action::Repair => (Style::Doubtful, "~", " (changed by somebody, would be set back)"),
        Action::Replace => (Style::Bad, "±", " (made anew, and the old one goes)"),
        Action::Remove => (Style::Bad, "-", ""),
        Action::None | Action::Refuse => (Style::Faint, " ", ""),
    };
    format!("  {} {what}{note}", output.paint(style, sign))
}

fn field(field: &Field) -> String {
    let value = |value: &Option<String>| value.as_deref().map_or_else(|| "(none)".to_owned(), printable);
    format!(
        "      {}: {} → {}",
        field.path,
        value(&field.change.from),
        value(&field.change.to)
    )
}
