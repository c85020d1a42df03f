//! Places inside the text of a ConfigMap's key: an overlay is a document within a document.

use super::yaml::Chunk;
use super::{Content, Manifest, Manifests, Position, Positions};
use crate::diagnostics::Problem;

impl Manifests {
    /// Where a ConfigMap stands.
    pub(crate) fn config_map(&self, namespace: &str, name: &str) -> Option<&Manifest> {
        let wanted = |manifest: &&Manifest| {
            matches!(manifest.content, Content::ConfigMap(_))
                && manifest.namespace == namespace
                && manifest.name == name
        };
        self.documents.iter().find(wanted)
    }
}

impl Manifest {
    /// Its namespace; `default` where the file names none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Adds file, line and column to a problem with an overlay that stands in a key of this ConfigMap. A place that the
    /// problem has is one in the overlay's text where the overlay itself is wrong, else one in the text of its field.
    pub(crate) fn locate_in_overlay(&self, problem: Problem, key: &str, object: String) -> Problem {
        let field = format!("data.{key}");
        let text = match &self.content {
            Content::ConfigMap(texts) => texts.get(key).map_or("", String::as_str),
            _ => "",
        };
        let inner = Positions::of(Chunk { first_line: 1, text });
        let below_spec = problem.field.strip_prefix("spec.").unwrap_or_default();
        let of_overlay = problem.reason == mef_crds::Reason::OverlayInvalid.as_str();
        let place = match (problem.line, problem.column) {
            (Some(line), Some(column)) if of_overlay => Position { line, column },
            (Some(line), Some(column)) if inner.has(below_spec) => {
                inner.locate_inside(below_spec, line, column)
            }
            _ => inner.locate(below_spec),
        };
        let place = self.positions.locate_inside(&field, place.line, place.column);
        Problem {
            file: Some(self.file.clone()),
            line: Some(place.line),
            column: Some(place.column),
            object: Some(object),
            ..problem
        }
    }
}
