//! After parsing: one event in, the same event out as valid; else with everything that is wrong with it.
//!
//! The first rule of `spec.schemas` that matches the event decides. Schemas are compiled once, look only at their own
//! document (nothing is ever fetched), and judge the event where it lies; no tree is built for it. Patterns run on an engine
//! whose time is linear in the text; where a schema needs look-around or back-references, on one with a step limit.
//!
//! **Formats.** `format`, `contentEncoding` and `contentMediaType` are annotations in every draft, as JSON Schema has them
//! since 2019-09: they refuse nothing. A schema that wants them checked says so with the dialect made for it, `$schema:
//! https://json-schema.org/draft/2020-12/meta/format-assertion`.

mod compile;
mod dialect;
mod matching;
mod verdict;

#[cfg(test)]
mod tests;

use jsonschema::Validator;
use mef_crds::{SchemaFallback, SchemaMode};

use crate::dead_letter::Detail;
use crate::definition::Definition;
use crate::diagnostics::Problem;
use crate::json::{SchemaTape, TapeNode};
use crate::parse::Item;

use matching::Match;

/// How many errors of one event are told.
pub const MAX_DETAILS: usize = 20;

/// How many values and names an event may have for all its errors to be looked for. The validator collects every error
/// before any is told, so that of a huge event only the first is asked for.
const MAX_NODES_FOR_ALL_ERRORS: usize = 50_000;

/// The schemas of one source, compiled.
#[derive(Debug)]
pub struct Schemas {
    rules: Vec<Rule>,
    mode: SchemaMode,
    fallback: SchemaFallback,
}

#[derive(Debug)]
struct Rule {
    matches: Option<Match>,
    validator: Validator<SchemaTape>,
}

/// An event that may go on. Only [`validate`] makes one.
#[derive(Clone, Debug)]
pub struct Valid {
    item: Item,
    report: Option<serde_json::Value>,
}

/// An event with a negative verdict.
#[derive(Clone, Debug)]
pub struct Invalid {
    item: Item,
    detail: Vec<Detail>,
}

impl Schemas {
    /// Compiles a definition's schemas.
    ///
    /// # Errors
    /// With every schema that is none, refers to what is not there or would have to be fetched, and every rule that cannot
    /// be matched; at `spec.schemas[…]`.
    pub fn compile(definition: &Definition) -> Result<Self, Vec<Problem>> {
        let spec = &definition.spec;
        Ok(Self {
            rules: compile::rules(definition)?,
            mode: spec.schema_mode.unwrap_or_default(),
            fallback: spec.schema_fallback.unwrap_or_default(),
        })
    }

    /// What is wrong with an event; nothing when it is valid. `None` when no rule matches it and none has to.
    fn judge(&self, item: &Item) -> Option<Vec<Detail>> {
        let matching = |rule: &&Rule| rule.matches.as_ref().is_none_or(|rule| rule.holds(item));
        match self.rules.iter().find(matching) {
            Some(rule) => Some(rule.errors(item)),
            None if self.fallback == SchemaFallback::Accept => None,
            None => Some(vec![self.no_rule(item)]),
        }
    }

    fn no_rule(&self, item: &Item) -> Detail {
        let rules = self.rules.iter().filter_map(|rule| rule.matches.as_ref());
        let mut seen: Vec<String> = rules.map(|rule| rule.found(item)).collect();
        seen.sort_unstable();
        seen.dedup();
        let seen = if seen.is_empty() {
            "there is none".to_owned()
        } else {
            seen.join(", ")
        };
        Detail::message(format!(
            "no rule of spec.schemas matches this event ({seen}), and spec.schemaFallback is DeadLetter"
        ))
    }
}

impl Rule {
    fn errors(&self, item: &Item) -> Vec<Detail> {
        let document = item.document();
        let node = TapeNode::Value(document.root());
        if self.validator.is_valid(node) {
            return Vec::new();
        }
        let mut details = verdict::Details::default();
        if document.node_count() > MAX_NODES_FOR_ALL_ERRORS {
            if let Err(error) = self.validator.validate(node) {
                details.add(&error);
            }
            details.note(
                "the event is too large to look for everything that is wrong with it; this is the first",
            );
        } else {
            self.validator
                .iter_errors(node)
                .for_each(|error| details.add(&error));
        }
        details.into_vec()
    }
}

/// Judges an event.
///
/// # Errors
/// With a negative verdict in mode `Enforce`.
pub fn validate(schemas: &Schemas, item: Item) -> Result<Valid, Invalid> {
    match (schemas.judge(&item), schemas.mode) {
        (Some(detail), SchemaMode::Enforce) if !detail.is_empty() => Err(Invalid { item, detail }),
        (Some(detail), SchemaMode::Report) => {
            let report = serde_json::json!({"valid": detail.is_empty(), "detail": detail});
            Ok(Valid {
                item,
                report: Some(report),
            })
        }
        _ => Ok(Valid { item, report: None }),
    }
}

impl Valid {
    /// The event.
    #[must_use]
    pub fn item(&self) -> &Item {
        &self.item
    }

    /// With `schemaMode: Report` the verdict, for `details.mef.schema`: `{"valid": …, "detail": […]}`, the entries as in a
    /// dead letter. Absent where no rule matched.
    #[must_use]
    pub fn report(&self) -> Option<&serde_json::Value> {
        self.report.as_ref()
    }

    /// The event, to take it elsewhere.
    #[must_use]
    pub fn into_item(self) -> Item {
        self.item
    }
}

impl Invalid {
    /// The event.
    #[must_use]
    pub fn item(&self) -> &Item {
        &self.item
    }

    /// What is wrong with it, at most [`MAX_DETAILS`] entries; never empty.
    #[must_use]
    pub fn detail(&self) -> &[Detail] {
        &self.detail
    }
}
