//! `mef plan`: what an apply of FILEs would add, change, remove or be refused, from the operator's own steps against the
//! cluster as it is. It changes nothing: the API server is asked with dry runs.

mod report;

use std::path::{Path, PathBuf};

use clap::Args;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use mef_crds::EventSource;
use mef_operator::config::Config;
use mef_operator::source::foresee::foresee;
use mef_pipeline::definition::References;
use mef_pipeline::diagnostics::has_errors;
use mef_pipeline::manifest::{Manifests, SourceText};

use super::client::{Cluster, Connected, block_on, refused};
use crate::args::now;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::output::Output;
use crate::sources::tell;
use report::Plan as Report;

/// The key of the operator's configuration in the chart's ConfigMap.
const CONFIGURATION: &str = "operator.yaml";
/// The label that ConfigMap has.
const OPERATORS: &str = "app.kubernetes.io/name=mef-operator";
/// The namespace of objects that name none, as the reader of files writes it.
const UNNAMED: &str = "default";

/// Show what an apply of FILEs would do in the cluster, and do nothing
///
/// Takes the steps of the operator itself: it reads the source, its children, its Secrets and ConfigMaps, and the operator's
/// configuration, and says what would be added, changed, removed, repaired or refused. The API server judges the source in a
/// dry run. NATS is not asked: of streams it tells what the old and the new spec say.
///
/// Exits with 1 when something would be refused, with 0 otherwise, whether there are changes or not.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  mef plan zoom-source.yaml -n security
  mef plan sources/ -o json | jq '.[] | select(.action != \"none\")'")]
pub(crate) struct Plan {
    /// Files or folders with EventSources and the ConfigMaps and Secrets that are applied with them; `-` for stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The namespace of the chart's release, where the operator's configuration is read
    #[arg(long, value_name = "NAMESPACE", default_value = "mef-system")]
    operator_namespace: String,
    /// The operator's configuration as a file, where it may not be read in the cluster
    #[arg(long, value_name = "FILE", conflicts_with = "operator_namespace")]
    operator_config: Option<PathBuf>,
    #[command(flatten)]
    cluster: Cluster,
}

impl Plan {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        let manifests = self.read(output)?;
        let plans = block_on(self.plans(&manifests))?;
        if output.is_json() {
            output.document(&plans)?;
        } else {
            let texts: Vec<_> = plans.iter().map(|plan| plan.text(output)).collect();
            output.line(texts.join("\n\n"))?;
        }
        if plans.iter().any(Report::is_refused) {
            Err(Failure::Reported)
        } else {
            Ok(())
        }
    }

    /// What the API server would prune or refuse has a line here, so it is told here.
    fn read(&self, output: Output) -> Outcome<Manifests> {
        let mut texts = Vec::new();
        for input in files::read(&self.files)? {
            let text = String::from_utf8(input.bytes)
                .map_err(|_| Failure::Wrong(format!("{}: the file is not UTF-8", input.name.display())))?;
            texts.push(SourceText {
                file: input.name,
                text,
            });
        }
        let manifests = Manifests::read(&texts);
        tell(manifests.problems(), output);
        if has_errors(manifests.problems()) {
            return Err(Failure::Reported);
        }
        if manifests.sources().next().is_none() {
            let names = crate::sources::names(&self.files);
            return Err(Failure::Wrong(format!("no EventSource in {names}")));
        }
        Ok(manifests)
    }

    async fn plans(&self, manifests: &Manifests) -> Outcome<Vec<Report>> {
        let connected = self.cluster.connect().await?;
        let config = self.configuration(&connected).await?;
        let mut plans = Vec::new();
        for (_, source) in manifests.sources() {
            let mut source = source.clone();
            let namespace = source
                .namespace()
                .unwrap_or_else(|| connected.namespace().to_owned());
            source.metadata.namespace = Some(namespace.clone());
            let beside = in_namespace(&manifests.references(), &namespace);
            plans.push(Box::pin(plan(&connected, &config, source, &beside)).await?);
        }
        Ok(plans)
    }

    async fn configuration(&self, connected: &Connected) -> Outcome<Config> {
        if let Some(path) = &self.operator_config {
            return Config::read(path).map_err(|error| Failure::Usage(error.to_string()));
        }
        let namespace = &self.operator_namespace;
        let none = |why: String| {
            Failure::Unreachable(format!(
                "the operator's configuration is not to be had: {why}; name the namespace of the chart's release with \
                 --operator-namespace, or give the configuration as a file with --operator-config"
            ))
        };
        let maps: Api<ConfigMap> = Api::namespaced(connected.client(), namespace);
        let maps = maps.list(&ListParams::default().labels(OPERATORS)).await;
        let maps = maps.map_err(|error| none(format!("the API server: {error}")))?;
        let found = maps.iter().find_map(|map| {
            let text = map.data.as_ref()?.get(CONFIGURATION)?;
            Some((format!("{namespace}/{}", map.name_any()), text))
        });
        let Some((name, text)) = found else {
            return Err(none(format!("there is none in the namespace {namespace:?}")));
        };
        Config::parse(Path::new(&name), text).map_err(|error| none(error.to_string()))
    }
}

/// What is applied beside a source of a namespace.
fn in_namespace(all: &References, namespace: &str) -> References {
    fn of<T: Clone>(
        all: &std::collections::BTreeMap<(String, String), T>,
        namespace: &str,
    ) -> std::collections::BTreeMap<(String, String), T> {
        all.iter()
            .filter(|((other, _), _)| other == namespace || other == UNNAMED)
            .map(|((_, name), value)| ((namespace.to_owned(), name.clone()), value.clone()))
            .collect()
    }
    References {
        config_maps: of(&all.config_maps, namespace),
        secrets: of(&all.secrets, namespace),
        ..References::default()
    }
}

async fn plan(
    connected: &Connected,
    config: &Config,
    source: EventSource,
    beside: &References,
) -> Outcome<Report> {
    let name = source.name_any();
    let namespace = source.namespace().unwrap_or_default();
    let id = format!("{namespace}/{name}");
    let sources: Api<EventSource> = Api::namespaced(connected.client(), &namespace);
    let before = sources.get_opt(&name).await.map_err(|error| refused(&error))?;
    if before
        .as_ref()
        .is_some_and(|before| before.metadata.deletion_timestamp.is_some())
    {
        return Ok(Report::refused(
            id,
            "the source is being deleted: of its spec only deletionPolicy still counts".to_owned(),
        ));
    }
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let judged = match &before {
        None => sources.create(&dry, &source).await,
        Some(before) => sources.replace(&name, &dry, &over(source, before)).await,
    };
    let object = match judged {
        Ok(object) => object,
        // What it says to a person who may apply: the object breaks a rule, as that of an immutable field.
        Err(kube::Error::Api(status)) if status.code == 422 => {
            return Ok(Report::refused(id, format!("the API server: {}", status.message)));
        }
        Err(kube::Error::Api(status)) if status.code == 404 && status.message.starts_with("namespaces") => {
            return Err(Failure::Wrong(format!("the API server: {}", status.message)));
        }
        Err(error) => return Err(refused(&error)),
    };
    let foreseen = Box::pin(foresee(
        &connected.client(),
        config,
        &object,
        before.as_ref(),
        beside,
        now(),
    ))
    .await;
    let foreseen = foreseen.map_err(|error| refused(&error))?;
    Ok(Report::of(id, &object, &foreseen))
}

/// The source with what an apply leaves of the one that is there.
fn over(mut source: EventSource, before: &EventSource) -> EventSource {
    source.metadata.resource_version = before.resource_version();
    source.metadata.finalizers.clone_from(&before.metadata.finalizers);
    let mut annotations = before.annotations().clone();
    annotations.extend(source.metadata.annotations.take().unwrap_or_default());
    source.metadata.annotations = Some(annotations);
    source
}
