//! `mef reconcile`, `mef suspend`, `mef resume`: what a person may ask of the operator, and waiting until it has heard.

use std::time::Duration;

use clap::Args;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use mef_crds::{EventSource, RECONCILE_ANNOTATION};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::client::{Cluster, Connected, block_on, refused};
use crate::args::now;
use crate::failure::{Failure, Outcome};
use crate::output::Output;

/// Between two looks at the object.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Which source, and how long to wait for the operator.
#[derive(Debug, Args)]
pub(super) struct Asked {
    /// The source
    source: String,
    /// How long to wait for the operator, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    #[command(flatten)]
    cluster: Cluster,
}

/// Have the operator look at a source now, and wait until it has
#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    #[command(flatten)]
    asked: Asked,
}

/// Stop changes to a source; what serves keeps serving
#[derive(Debug, Args)]
pub(crate) struct Suspend {
    #[command(flatten)]
    asked: Asked,
}

/// Let changes to a source through again
#[derive(Debug, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    asked: Asked,
}

impl Reconcile {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        let asked_at = now().to_string();
        let patch = json!({"metadata": {"annotations": {RECONCILE_ANNOTATION: asked_at}}});
        block_on(self.asked.patch(patch, output, |source| {
            let status = source.status.as_ref();
            status.and_then(|status| status.last_handled_reconcile_at.as_deref()) == Some(asked_at.as_str())
        }))?;
        output.note(format!("the operator has looked at {}", self.asked.source));
        Ok(())
    }
}

impl Suspend {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        set_suspend(&self.asked, true, output)
    }
}

impl Resume {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        set_suspend(&self.asked, false, output)
    }
}

fn set_suspend(asked: &Asked, suspend: bool, output: Output) -> Outcome {
    output.text_or_json()?;
    let patch = json!({"spec": {"suspend": suspend}});
    block_on(asked.patch(patch, output, |source| {
        let conditions = source.status.iter().flat_map(|status| &status.conditions);
        let suspended = conditions
            .filter(|condition| condition.type_ == "Suspended")
            .any(|condition| condition.status == "True");
        suspended == suspend
    }))?;
    let state = if suspend {
        "is suspended: what serves keeps serving, and nothing is changed"
    } else {
        "is no longer suspended"
    };
    output.note(format!("{} {state}", asked.source));
    Ok(())
}

impl Asked {
    /// Changes the object and waits until the operator's status shows that it has heard.
    async fn patch(&self, patch: Value, output: Output, heard: impl Fn(&EventSource) -> bool) -> Outcome {
        let connected = self.cluster.connect().await?;
        let source = connected.source(&self.source).await?;
        if let Some(owner) = git_owner(&source)
            && patch.get("spec").is_some()
        {
            output.note(format!(
                "note: {owner} applies {} from Git and may set this field back; change it there to keep it",
                self.source
            ));
        }
        let changed = connected
            .sources()
            .patch(&self.source, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        changed.map_err(|error| refused(&error))?;
        self.wait(&connected, heard).await
    }

    async fn wait(&self, connected: &Connected, heard: impl Fn(&EventSource) -> bool) -> Outcome {
        let deadline = Instant::now() + Duration::from_secs(self.timeout);
        loop {
            if heard(&connected.source(&self.source).await?) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(Failure::Unreachable(format!(
                    "the change is made, and the operator has not answered it within {} s: is it running, and does it watch this namespace?",
                    self.timeout
                )));
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Who applies the object from Git, by the marks Argo CD and Flux leave.
fn git_owner(source: &EventSource) -> Option<&'static str> {
    let (labels, annotations) = (source.labels(), source.annotations());
    let marked = |key: &str| labels.contains_key(key) || annotations.contains_key(key);
    if marked("argocd.argoproj.io/tracking-id") || marked("argocd.argoproj.io/instance") {
        Some("Argo CD")
    } else if marked("kustomize.toolkit.fluxcd.io/name") || marked("helm.toolkit.fluxcd.io/name") {
        Some("Flux")
    } else {
        None
    }
}
