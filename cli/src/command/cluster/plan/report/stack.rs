//! What is foreseen of a stack, as data and as text. Pure.

use mef_operator::aws::foresee::{Fate, Foreseen, Outcome, Resource as Found};
use serde::Serialize;

use super::{Action, Field, field, row};
use crate::layout::paragraph;
use crate::output::{Output, printable};

/// The stack of a source in AWS. Stable.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stack {
    action: Action,
    name: String,
    /// As the operator saw it last, in AWS's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// What the operator would wait for, or do, before.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits: Option<String>,
    /// What would become of each resource; absent where it is not known what the stack is made of now.
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<Resource>>,
}

#[derive(Debug, Serialize)]
struct Resource {
    action: Action,
    id: String,
    r#type: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Field>,
}

impl Stack {
    pub(super) fn of(foreseen: &Foreseen) -> Self {
        Self {
            action: match foreseen.outcome {
                Outcome::Nothing => Action::None,
                Outcome::Create => Action::Add,
                Outcome::Update => Action::Change,
                Outcome::Refused(_) => Action::Refuse,
            },
            name: foreseen.name.clone(),
            status: foreseen.word.clone(),
            waits: foreseen.waits.clone(),
            resources: foreseen
                .is_known
                .then(|| foreseen.resources.iter().map(resource).collect()),
        }
    }

    pub(super) const fn action(&self) -> Action {
        self.action
    }

    pub(super) fn definition_text(&self, from: Option<&str>, to: Option<&str>) -> String {
        match (from, to) {
            (_, None) => "no definition serves, and none would".to_owned(),
            (None, Some(to)) => format!("definition {to} would be served for the first time"),
            (Some(from), Some(to)) if from == to => format!("definition {from} stays"),
            (Some(from), Some(to)) => {
                format!("definition {from} → {to}: the function would be changed in place, without a pause")
            }
        }
    }

    pub(super) fn text(&self, output: Output, lines: &mut Vec<String>) {
        let status = self
            .status
            .as_ref()
            .map_or_else(String::new, |status| format!(", {}", printable(status)));
        lines.push(row(output, self.action, &format!("stack {}{status}", self.name)));
        if let Some(waits) = &self.waits {
            lines.push(paragraph("    before that: ", &printable(waits)));
        }
        for resource in self.resources.iter().flatten() {
            let what = format!("{} ({})", resource.id, resource.r#type);
            lines.push(format!("  {}", row(output, resource.action, &what)));
            lines.extend(
                resource
                    .changes
                    .iter()
                    .map(|change| format!("  {}", field(change))),
            );
        }
    }

    pub(super) fn summary(&self) -> String {
        let resources = self.resources.as_deref();
        let count = |action| {
            let of = |resources: &[Resource]| resources.iter().filter(|one| one.action == action).count();
            resources.map_or(0, of)
        };
        match (self.action, resources) {
            (Action::None | Action::Refuse, _) => "nothing to do".to_owned(),
            (_, None) => "the stack would be changed; what it is made of now only CloudFormation knows, because what the \
                          source asked for before is not what it was made of last"
                .to_owned(),
            _ => format!(
                "{} to add, {} to change, {} to replace, {} to remove",
                count(Action::Add),
                count(Action::Change),
                count(Action::Replace),
                count(Action::Remove)
            ),
        }
    }
}

fn resource(found: &Found) -> Resource {
    Resource {
        action: match found.fate {
            Fate::Added => Action::Add,
            Fate::Changed => Action::Change,
            Fate::Replaced => Action::Replace,
            Fate::Removed => Action::Remove,
        },
        id: found.id.clone(),
        r#type: found.kind.clone(),
        changes: found.changes.iter().map(Field::of).collect(),
    }
}
