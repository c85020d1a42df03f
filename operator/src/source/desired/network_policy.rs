//! Who may talk to the pods, and whom they may talk to. Only where the operator's configuration names peers: a policy by guess
//! would cut off somebody's ingress.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mef_pipeline::source::calls_senders;

use super::{ADMIN_PORT, Names, PORT, Wanted};
use crate::source::kept::Kept;

pub(super) fn build(wanted: &Wanted<'_>, names: &Names) -> Option<NetworkPolicy> {
    let network = wanted.config.network.as_ref()?;
    let ingress = [(PORT, &network.ingress_from), (ADMIN_PORT, &network.metrics_from)]
        .into_iter()
        .filter(|(_, peers)| !peers.is_empty())
        .map(|(number, peers)| NetworkPolicyIngressRule {
            from: Some(peers.clone()),
            ports: Some(vec![port("TCP", number)]),
        })
        .collect();
    let mut egress = vec![NetworkPolicyEgressRule {
        // Names must be looked up, wherever the cluster's DNS runs.
        ports: Some(vec![port("UDP", 53), port("TCP", 53)]),
        to: None,
    }];
    // The addresses of AWS and of senders are not known beforehand; the receiver itself calls no sender at a private one.
    let mut anywhere = BTreeSet::new();
    match wanted.kept {
        Kept::Streams { cluster, .. } => egress.push(NetworkPolicyEgressRule {
            ports: Some(vec![port("TCP", i32::from(cluster.port))]),
            to: peers(&cluster.egress),
        }),
        Kept::Sqs(_) => {
            anywhere.insert(wanted.config.aws_port());
        }
    }
    if calls_senders(wanted.definition) {
        anywhere.insert(443);
    }
    egress.extend(anywhere.into_iter().map(|number| NetworkPolicyEgressRule {
        ports: Some(vec![port("TCP", i32::from(number))]),
        to: None,
    }));
    if let Some(traces) = &wanted.config.traces {
        egress.push(NetworkPolicyEgressRule {
            ports: Some(vec![port("TCP", i32::from(traces.port()))]),
            to: peers(&traces.egress),
        });
    }
    Some(NetworkPolicy {
        metadata: names.metadata(&names.common),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(names.selector()),
                ..LabelSelector::default()
            }),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(ingress),
            egress: Some(egress),
        }),
    })
}

/// Without peers the port alone decides.
fn peers(peers: &[NetworkPolicyPeer]) -> Option<Vec<NetworkPolicyPeer>> {
    (!peers.is_empty()).then(|| peers.to_vec())
}

fn port(protocol: &str, number: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(number)),
        end_port: None,
    }
}
