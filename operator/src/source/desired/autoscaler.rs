//! As many pods as the load asks for.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};

use super::{Names, Wanted};

/// Pods at least, where nothing is said: one may go while the other answers.
pub(super) const FEWEST: i32 = 2;
const CPU_PERCENT: i32 = 70;

pub(super) fn build(wanted: &Wanted<'_>, names: &Names) -> Option<HorizontalPodAutoscaler> {
    let autoscaling = wanted.runtime.autoscaling.as_ref()?;
    let most = i32::from(autoscaling.max_replicas);
    Some(HorizontalPodAutoscaler {
        metadata: names.metadata(&names.common),
        spec: HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: names.common.clone(),
            },
            min_replicas: Some(autoscaling.min_replicas.map_or(FEWEST.min(most), i32::from)),
            max_replicas: most,
            metrics: Some(vec![MetricSpec {
                type_: "Resource".to_owned(),
                resource: Some(ResourceMetricSource {
                    name: "cpu".to_owned(),
                    target: MetricTarget {
                        type_: "Utilization".to_owned(),
                        average_utilization: Some(
                            autoscaling.target_cpu_percent.map_or(CPU_PERCENT, i32::from),
                        ),
                        ..MetricTarget::default()
                    },
                }),
                ..MetricSpec::default()
            }]),
            ..HorizontalPodAutoscalerSpec::default()
        },
        status: None,
    })
}
