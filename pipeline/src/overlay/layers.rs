//! Which layer set which field.

use mef_crds::{OverlayResult, OverlayStatus};
use serde::Serialize;

use crate::diagnostics::Problem;

/// The most fields of a layer that a status lists.
const LISTED: usize = 64;

/// One overlay, as it was when the object was merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Layer {
    /// Its place in `spec.overlays`.
    pub index: usize,
    /// Name of the ConfigMap.
    pub name: String,
    /// Key in it.
    pub key: String,
    /// Version of the ConfigMap, where it comes from a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
    /// The first 12 hex digits of SHA-256 over its text; none where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What became of it.
    pub result: OverlayResult,
}

/// Whose a field of the merged spec is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The field, as `spec.mozdef.tags`. Lists are whole.
    pub field: String,
    /// 0: the object itself; n: `spec.overlays[n - 1]`.
    pub layer: usize,
    /// The layer removed it (null).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// The layers before that had set it, and lost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<usize>,
}

/// Every layer, and whose each field is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Layers {
    /// The overlays in their order.
    pub list: Vec<Layer>,
    /// Whose each field is that overlays may set, in the order of their names.
    pub origins: Vec<Origin>,
}

impl Layer {
    /// As problems name it: `overlays[0], ConfigMap zoom-private, key overlay.yaml`.
    #[must_use]
    pub fn label(&self) -> String {
        let Self { index, name, key, .. } = self;
        format!("overlays[{index}], ConfigMap {name}, key {key}")
    }
}

impl Layers {
    /// The overlay a field comes from; none where it is the object's own. A field with several others below it belongs to the
    /// last that set one of them: without that one it was sound.
    #[must_use]
    pub fn of(&self, field: &str) -> Option<&Layer> {
        let above = self
            .origins
            .iter()
            .filter(|origin| is_below(field, &origin.field))
            .max_by_key(|origin| origin.field.len());
        let below = || {
            let below = self
                .origins
                .iter()
                .filter(|origin| is_below(&origin.field, field));
            below.max_by_key(|origin| origin.layer)
        };
        let origin = above.or_else(below)?;
        self.list.get(origin.layer.checked_sub(1)?)
    }

    /// Says in a problem whose field it is about.
    #[must_use]
    pub fn attribute(&self, problem: Problem) -> Problem {
        if problem.layer.is_some() {
            return problem;
        }
        let layer = self.of(&problem.field).map(Layer::label);
        Problem { layer, ..problem }
    }

    /// What the status shows of each.
    #[must_use]
    pub fn status(&self) -> Vec<OverlayStatus> {
        let fields = |belongs: &dyn Fn(&Origin) -> bool| -> Vec<String> {
            let own = self.origins.iter().filter(|origin| belongs(origin));
            own.take(LISTED).map(|origin| origin.field.clone()).collect()
        };
        self.list
            .iter()
            .map(|layer| OverlayStatus {
                name: layer.name.clone(),
                key: layer.key.clone(),
                resource_version: layer.resource_version.clone(),
                digest: layer.digest.clone(),
                result: layer.result,
                fields: fields(&|origin| origin.layer == layer.index + 1),
                overridden: fields(&|origin| origin.over.contains(&(layer.index + 1))),
            })
            .collect()
    }
}

/// Whether a field is another or stands below it.
fn is_below(field: &str, parent: &str) -> bool {
    field
        .strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
