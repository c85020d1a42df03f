//! Rules that choose a schema: `match` as written in, yes or no out.

use mef_crds::MatchRule;

use crate::diagnostics::Problem;
use crate::excerpt::shorten;
use crate::parse::Item;
use crate::verify::value::ValueSource;

/// A value of the request or event, compared with texts.
#[derive(Debug)]
pub(super) struct Match {
    source: ValueSource,
    texts: Vec<String>,
}

impl Match {
    pub(super) fn compile(rule: &MatchRule, field: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let source = match rule.from.parse() {
            Ok(source @ (ValueSource::Header(_) | ValueSource::Query(_) | ValueSource::Json(_))) => {
                Some(source)
            }
            Ok(_) => {
                let message = format!("{:?} cannot be compared", rule.from);
                problems.push(
                    Problem::error(format!("{field}.from"), message)
                        .help("use header:NAME, query:NAME or json:/POINTER"),
                );
                None
            }
            Err(error) => {
                problems.push(Problem::error(format!("{field}.from"), format!("{error}")));
                None
            }
        };
        let texts = match (&rule.equals, &rule.one_of) {
            (Some(text), None) => vec![text.clone()],
            (None, Some(texts)) if !texts.is_empty() => texts.clone(),
            (None, Some(_)) => {
                problems.push(Problem::error(
                    format!("{field}.in"),
                    "the list is empty, so it never matches",
                ));
                Vec::new()
            }
            _ => {
                problems.push(Problem::error(field, "exactly one of equals, in must be set"));
                Vec::new()
            }
        };
        match source {
            Some(source) if problems.is_empty() => Ok(Self { source, texts }),
            _ => Err(problems),
        }
    }

    pub(super) fn holds(&self, item: &Item) -> bool {
        item.value(&self.source)
            .is_some_and(|value| self.texts.iter().any(|text| *text == value))
    }

    /// What the event has where this rule looks.
    pub(super) fn found(&self, item: &Item) -> String {
        match item.value(&self.source) {
            Some(value) => format!("{} is {:?}", self.source, shorten(&value, 80)),
            None => format!("{} is absent", self.source),
        }
    }
}
