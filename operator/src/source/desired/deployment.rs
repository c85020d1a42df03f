//! The pods: hardened, probed, spread, and replaced one by one without a pause.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, HTTPGetAction,
    LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ProjectedVolumeSource,
    ResourceRequirements, SeccompProfile, SecretVolumeSource, SecurityContext, ServiceAccountTokenProjection,
    Toleration, TopologySpreadConstraint, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mef_crds::{Quantities, Resources, Scheduling, TaintEffect, TolerationOperator};

use super::autoscaler::FEWEST;
use super::{ADMIN_PORT, DEFINITION_ANNOTATION, Names, PORT, Wanted};
use crate::config::Traces;
use crate::source::kept::{Identity, Kept};

/// Nobody's number, as distroless images use it.
const USER: i64 = 65_532;
const DEFINITION_FOLDER: &str = "/etc/mef/definition";
const SECRETS_FOLDER: &str = "/etc/mef/secrets";
const NATS_FOLDER: &str = "/etc/mef/nats";
const AWS_FOLDER: &str = "/etc/mef/aws";
const TOKEN: &str = "token";
/// How long a token for AWS holds.
const TOKEN_SECONDS: i64 = 3_600;
/// Characters of a session's name that AWS takes.
const SESSION: usize = 64;
/// Requests in flight may take this long after the notice is over.
const DRAIN_SECONDS: i64 = 30;
/// Old ReplicaSets kept for `kubectl rollout undo`, which the operator would undo at once: none are needed but the last.
const HISTORY: i32 = 2;

pub(super) fn build(wanted: &Wanted<'_>, names: &Names) -> Deployment {
    let runtime = wanted.runtime;
    Deployment {
        metadata: names.metadata(&names.common),
        spec: DeploymentSpec {
            // The autoscaler owns the number.
            replicas: match runtime.autoscaling {
                Some(_) => None,
                None => Some(runtime.replicas.map_or(FEWEST, i32::from)),
            },
            selector: LabelSelector {
                match_labels: Some(names.selector()),
                ..LabelSelector::default()
            },
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_unavailable: Some(IntOrString::Int(0)),
                    max_surge: Some(IntOrString::Int(1)),
                }),
            }),
            progress_deadline_seconds: Some(i32::from(wanted.config.receiver.progress_deadline_seconds)),
            revision_history_limit: Some(HISTORY),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(names.labels()),
                    annotations: Some(BTreeMap::from([(
                        DEFINITION_ANNOTATION.to_owned(),
                        wanted.encoded.digest.clone(),
                    )])),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(wanted, names)),
            },
            ..DeploymentSpec::default()
        },
        status: None,
    }
}

fn pod(wanted: &Wanted<'_>, names: &Names) -> PodSpec {
    let Scheduling {
        node_selector,
        tolerations,
        priority_class_name,
    } = wanted.runtime.scheduling.clone().unwrap_or_default();
    let receiver = &wanted.config.receiver;
    let (volumes, mounts) = volumes(wanted, names);
    PodSpec {
        containers: vec![container(wanted, mounts)],
        volumes: Some(volumes),
        service_account_name: wanted.runtime.service_account_name.clone(),
        // A receiver has no business with the API.
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        termination_grace_period_seconds: Some(i64::from(receiver.drain_notice_seconds) + DRAIN_SECONDS),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            // Mounted secrets belong to this group, so that they need not be readable for everybody.
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        image_pull_secrets: (!receiver.image_pull_secrets.is_empty()).then(|| {
            let reference = |name: &String| LocalObjectReference { name: name.clone() };
            receiver.image_pull_secrets.iter().map(reference).collect()
        }),
        node_selector: (!node_selector.is_empty()).then_some(node_selector),
        tolerations: (!tolerations.is_empty()).then(|| tolerations.into_iter().map(toleration).collect()),
        priority_class_name,
        topology_spread_constraints: Some(
            ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
                .map(|key| spread(key, names))
                .into(),
        ),
        ..PodSpec::default()
    }
}

fn container(wanted: &Wanted<'_>, mounts: Vec<VolumeMount>) -> Container {
    let receiver = &wanted.config.receiver;
    let port = |name: &str, number: i32| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    Container {
        name: "receiver".to_owned(),
        image: Some(receiver.image.clone()),
        image_pull_policy: receiver.image_pull_policy.clone(),
        args: Some(arguments(wanted)),
        env: environment(wanted),
        ports: Some(vec![port("http", PORT), port("admin", ADMIN_PORT)]),
        volume_mounts: Some(mounts),
        resources: Some(resources(wanted.runtime.resources.clone().unwrap_or_default())),
        liveness_probe: Some(probe("/livez", 10, 6)),
        readiness_probe: Some(probe("/readyz", 2, 2)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            run_as_non_root: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                add: None,
            }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn arguments(wanted: &Wanted<'_>) -> Vec<String> {
    let mut arguments = vec![
        format!("--definition={DEFINITION_FOLDER}"),
        format!("--secrets={SECRETS_FOLDER}"),
        format!("--listen=0.0.0.0:{PORT}"),
        format!("--admin=0.0.0.0:{ADMIN_PORT}"),
    ];
    let notice = format!(
        "--drain-notice-seconds={}",
        wanted.config.receiver.drain_notice_seconds
    );
    match wanted.kept {
        Kept::Streams { wanted, cluster } => {
            arguments.push(format!("--nats-url={}", cluster.url));
            arguments.push(notice);
            if wanted.credentials_ref.is_some() {
                arguments.push(format!("--nats-credentials={NATS_FOLDER}"));
            }
            if let Some(prefix) = &cluster.inbox_prefix {
                arguments.push(format!("--nats-inbox-prefix={prefix}"));
            }
        }
        // Their URLs name the region.
        Kept::Sqs(queues) => {
            arguments.push(format!("--sqs-queue-url={}", queues.queue_url));
            let dead = &queues.dead_letter_queue_url;
            arguments.push(format!("--sqs-dead-letter-queue-url={dead}"));
            arguments.push(notice);
            if let Some(endpoint) = &wanted.config.aws_endpoint {
                arguments.push(format!("--aws-endpoint-url={endpoint}"));
            }
        }
    }
    arguments
}

fn environment(wanted: &Wanted<'_>) -> Option<Vec<EnvVar>> {
    let traces = wanted.config.traces.as_ref();
    let mut variables = traces.map(|traces| traced(wanted, traces)).unwrap_or_default();
    if let Some(identity) = wanted.identity {
        variables.push(("AWS_ROLE_ARN", identity.role_arn.clone()));
        variables.push(("AWS_WEB_IDENTITY_TOKEN_FILE", format!("{AWS_FOLDER}/{TOKEN}")));
        // What sessions are called, for whoever reads CloudTrail.
        let name = Names::of(wanted.object);
        let session: String = format!("mef-{}-{}", name.namespace, name.source);
        variables.push(("AWS_ROLE_SESSION_NAME", session.chars().take(SESSION).collect()));
        if let Some(endpoint) = &wanted.config.aws_endpoint {
            variables.push(("AWS_ENDPOINT_URL_STS", endpoint.clone()));
        }
    }
    let variable = |(name, value): (&str, String)| EnvVar {
        name: name.to_owned(),
        value: Some(value),
        value_from: None,
    };
    (!variables.is_empty()).then(|| variables.into_iter().map(variable).collect())
}

/// OpenTelemetry's own variables (its specification, "Environment Variable Specification").
fn traced(wanted: &Wanted<'_>, traces: &Traces) -> Vec<(&'static str, String)> {
    let id = crate::source::id(wanted.object);
    let namespace = wanted.object.metadata.namespace.clone().unwrap_or_default();
    let mut variables = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", traces.endpoint.clone()),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            format!("k8s.namespace.name={namespace},mef.source={id}"),
        ),
    ];
    if let Some(share) = traces.per_thousand {
        let share = f64::from(share) / 1000.0;
        variables.push(("OTEL_TRACES_SAMPLER", "parentbased_traceidratio".to_owned()));
        variables.push(("OTEL_TRACES_SAMPLER_ARG", share.to_string()));
    }
    variables
}

/// Whole folders, never a subPath: what is mounted by subPath does not change when a Secret does.
fn volumes(wanted: &Wanted<'_>, names: &Names) -> (Vec<Volume>, Vec<VolumeMount>) {
    let mut volumes = vec![Volume {
        name: "definition".to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: names.of_definition(&wanted.encoded.digest),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }];
    let mut mounts = vec![mount("definition", DEFINITION_FOLDER.to_owned())];
    let entries = &wanted.definition.spec.webhook.secrets;
    let secrets: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| Some(entry.secret_ref.as_ref()?.name.as_str()))
        .collect();
    for (index, secret) in secrets.into_iter().enumerate() {
        let volume = format!("secret-{index}");
        mounts.push(mount(&volume, format!("{SECRETS_FOLDER}/{secret}")));
        volumes.push(secret_volume(volume, secret));
    }
    if let Kept::Streams { wanted, .. } = wanted.kept
        && let Some(credentials) = &wanted.credentials_ref
    {
        mounts.push(mount("nats", NATS_FOLDER.to_owned()));
        volumes.push(secret_volume("nats".to_owned(), &credentials.name));
    }
    if let Some(identity) = wanted.identity {
        mounts.push(mount("aws", AWS_FOLDER.to_owned()));
        volumes.push(token_volume("aws", identity));
    }
    (volumes, mounts)
}

fn secret_volume(name: String, secret: &str) -> Volume {
    Volume {
        name,
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.to_owned()),
            // Readable for the pod's group alone.
            default_mode: Some(0o440),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// A token that AWS alone takes: the API server does not, its audience is another. The kubelet renews it.
fn token_volume(name: &str, identity: &Identity) -> Volume {
    Volume {
        name: name.to_owned(),
        projected: Some(ProjectedVolumeSource {
            default_mode: Some(0o440),
            sources: Some(vec![VolumeProjection {
                service_account_token: Some(ServiceAccountTokenProjection {
                    audience: Some(identity.audience.clone()),
                    expiration_seconds: Some(TOKEN_SECONDS),
                    path: TOKEN.to_owned(),
                    ..ServiceAccountTokenProjection::default()
                }),
                ..VolumeProjection::default()
            }]),
            ..ProjectedVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn mount(name: &str, path: String) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path,
        read_only: Some(true),
        ..VolumeMount::default()
    }
}

fn probe(path: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(ADMIN_PORT),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        failure_threshold: Some(failures),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}

/// By node and by zone, but never so strictly that a small cluster runs nothing. A rollout counts its own pods only.
fn spread(key: &str, names: &Names) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: key.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(LabelSelector {
            match_labels: Some(names.selector()),
            ..LabelSelector::default()
        }),
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }
}

fn toleration(toleration: mef_crds::Toleration) -> Toleration {
    Toleration {
        key: toleration.key,
        operator: toleration.operator.map(|operator| match operator {
            TolerationOperator::Exists => "Exists".to_owned(),
            TolerationOperator::Equal => "Equal".to_owned(),
        }),
        value: toleration.value,
        effect: toleration.effect.map(|effect| match effect {
            TaintEffect::NoSchedule => "NoSchedule".to_owned(),
            TaintEffect::PreferNoSchedule => "PreferNoSchedule".to_owned(),
            TaintEffect::NoExecute => "NoExecute".to_owned(),
        }),
        toleration_seconds: None,
    }
}

/// What is not said is a small pod that cannot take its node's memory.
fn resources(Resources { requests, limits }: Resources) -> ResourceRequirements {
    let defaults = |cpu: Option<&str>, memory: &str| Quantities {
        cpu: cpu.map(str::to_owned),
        memory: Some(memory.to_owned()),
    };
    let requests = requests.unwrap_or_else(|| defaults(Some("50m"), "64Mi"));
    let limits = limits.unwrap_or_else(|| defaults(None, "256Mi"));
    ResourceRequirements {
        requests: Some(quantities(requests)),
        limits: Some(quantities(limits)),
        claims: None,
    }
}

fn quantities(Quantities { cpu, memory }: Quantities) -> BTreeMap<String, Quantity> {
    [("cpu", cpu), ("memory", memory)]
        .into_iter()
        .filter_map(|(name, amount)| Some((name.to_owned(), Quantity(amount?))))
        .collect()
}
