//! The only place that writes YAML.

use serde::Serialize;

use crate::failure::{Failure, Outcome};

/// A value as YAML, with a line end.
pub(crate) fn text(value: &impl Serialize) -> Outcome<String> {
    serde_yaml::to_string(value).map_err(|error| Failure::Unreachable(format!("cannot write YAML: {error}")))
}
