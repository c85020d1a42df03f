//! One pod at a time may be evicted. With a single pod there is none: it would keep its node from being drained.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::autoscaler::FEWEST;
use super::{Names, Wanted};

pub(super) fn build(wanted: &Wanted<'_>, names: &Names) -> Option<PodDisruptionBudget> {
    let fewest = match &wanted.runtime.autoscaling {
        Some(autoscaling) => autoscaling.min_replicas.map_or(FEWEST, i32::from),
        None => wanted.runtime.replicas.map_or(FEWEST, i32::from),
    };
    (fewest >= 2).then(|| PodDisruptionBudget {
        metadata: names.metadata(&names.common),
        spec: Some(PodDisruptionBudgetSpec {
            selector: Some(LabelSelector {
                match_labels: Some(names.selector()),
                ..LabelSelector::default()
            }),
            max_unavailable: Some(IntOrString::Int(1)),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    })
}
