//! The text of an overlay → a patch of the spec, or why it is none. Places are those in the text.

use mef_crds::{OVERLAY_FIELDS, Reason};
use serde_json::{Map, Value};

use super::Patch;
use crate::diagnostics::Problem;
use crate::manifest::messages::{join, nearest, show};
use crate::manifest::yaml;
use crate::manifest::{MAX_DEPTH, Positions};

/// The longest overlay in bytes. A ConfigMap holds twice as much; the definition must fit one as well.
const LONGEST: usize = 512 * 1024;

/// Reads it.
///
/// # Errors
/// Everything that is wrong with it, each with its line and column in the text.
pub(super) fn read(text: &str) -> Result<Patch, Vec<Problem>> {
    let whole = |message: String| Problem::error("", message).reason(Reason::OverlayInvalid);
    let one = |problem: Problem| Err(vec![problem]);
    if text.len() > LONGEST {
        let message = format!("the overlay has {} bytes; at most {LONGEST} are read", text.len());
        return one(whole(message).help("keep large schemas in a ConfigMap of their own (configMapRef)"));
    }
    let chunks = yaml::split(text);
    let chunk = match chunks[..] {
        [] => {
            let problem = whole("the overlay is empty".to_owned());
            return one(problem.help("write {} where it is to change nothing"));
        }
        [chunk] => chunk,
        [_, second, ..] => {
            let message = format!("the overlay holds {} documents; it must be one", chunks.len());
            let help = "merge them into one, or give each a key and an entry in spec.overlays";
            return one(whole(message).help(help).at(second.first_line, 1));
        }
    };
    let places = Positions::of(chunk);
    if let Some(place) = places.too_deep() {
        let message = format!("nested deeper than {MAX_DEPTH} levels");
        return one(whole(message).at(place.line, place.column));
    }
    if let Some(place) = places.anchor() {
        let problem =
            whole("the overlay uses a YAML anchor or alias (&, *), which overlays may not".to_owned());
        let help = "write the value out: tools between Git and the cluster do not all keep anchors";
        return one(problem.help(help).at(place.line, place.column));
    }
    let duplicates = places.duplicates();
    if !duplicates.is_empty() {
        let told = duplicates.into_iter().map(|duplicate| {
            let message = format!(
                "the key {:?} is already there in line {}",
                duplicate.key, duplicate.first.line
            );
            let second = duplicate.second;
            whole(message)
                .help("keep one of the two")
                .at(second.line, second.column)
        });
        return Err(told.collect());
    }
    let value = match yaml::read_json_or_yaml(text) {
        Ok(value) => value,
        Err(error) => {
            return one(whole(format!("not YAML: {}", error.message)).at(error.line, error.column));
        }
    };
    let Value::Object(patch) = value else {
        let problem = whole(format!("expected a mapping of fields, found {}", show(&value)));
        return one(problem.help(format!("an overlay may set {}", OVERLAY_FIELDS.join(", "))));
    };
    let forbidden = forbidden(&patch);
    if forbidden.is_empty() {
        return Ok(patch);
    }
    let told = forbidden.into_iter().map(|problem| {
        let place = places.locate(problem.field.strip_prefix("spec.").unwrap_or_default());
        problem.at(place.line, place.column)
    });
    Err(told.collect())
}

/// Fields that overlays may not set, each as far down as it is written.
fn forbidden(patch: &Patch) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, value) in patch {
        if OVERLAY_FIELDS.contains(&name.as_str()) {
            continue;
        }
        let mut fields = Vec::new();
        leaves(&join("spec", name), value, &mut fields);
        let help = match name.as_str() {
            "spec" | "apiVersion" | "kind" | "metadata" => {
                "an overlay is no object: write what stands below spec, without spec itself".to_owned()
            }
            _ => match nearest(name, OVERLAY_FIELDS) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("an overlay may set {}", OVERLAY_FIELDS.join(", ")),
            },
        };
        problems.extend(fields.into_iter().map(|field| {
            let message = format!("an overlay may not set {}", field.trim_start_matches("spec."));
            Problem::error(field, message)
                .help(help.clone())
                .reason(Reason::OverlayInvalid)
        }));
    }
    problems
}

fn leaves(field: &str, value: &Value, found: &mut Vec<String>) {
    match value.as_object().filter(|members| !members.is_empty()) {
        Some(members) => members_of(field, members, found),
        None => found.push(field.to_owned()),
    }
}

fn members_of(field: &str, members: &Map<String, Value>, found: &mut Vec<String>) {
    for (name, member) in members {
        leaves(&join(field, name), member, found);
    }
}
