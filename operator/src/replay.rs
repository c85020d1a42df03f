//! The driver of replays: what wakes it, and its steps in order.
//!
//! A look decides whether a replay may run now and starts it; the run itself is a task of its own (`runs.rs`), which writes
//! how far it is. One replay runs per source, a few at once in all. Everything it must know after a restart stands in the
//! object's status and, as marks, in the dead letters themselves.

mod choice;
pub(crate) mod metrics;
mod options;
mod preview;
mod runs;
pub(crate) mod sqs;
mod status;
mod subject;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::Store;
use kube::{Api, Client};
use mef_crds::{EventReplay, EventReplayStatus, FIELD_MANAGER, Reason};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use choice::{Choice, choose};
use runs::Claimed;
pub use runs::Runs;
use status::{Phase, Told};
pub use watch::run;

/// Between two looks at a replay that waits for something else.
const WAITING: Duration = Duration::from_secs(3);
/// Between two looks at a replay that runs: whether its task is still there.
const RUNNING: Duration = Duration::from_secs(2);

/// What every look at a replay shares.
pub(crate) struct Shared {
    pub(crate) context: Arc<Context>,
    /// All replays of the namespaces that are watched.
    pub(crate) replays: Store<EventReplay>,
    pub(crate) shutdown: CancellationToken,
}

/// One look at a replay.
async fn reconcile(object: Arc<EventReplay>, shared: Arc<Shared>) -> Result<Action, kube::Error> {
    let runs = &shared.context.replays;
    let uid = object.uid().unwrap_or_default();
    if object.is_complete() || object.metadata.deletion_timestamp.is_some() {
        // A run that is still there ends by itself.
        runs.stop(&uid);
        return Ok(Action::await_change());
    }
    if object.spec.suspend {
        runs.stop(&uid);
    }
    if runs.is_running(&uid) {
        return Ok(Action::requeue(RUNNING));
    }
    let others = shared.replays.state();
    let options = match choose(&object, &others) {
        Choice::Rest(phase) => {
            tell(&object, &shared.context, Told::as_before(&object, phase)).await?;
            return Ok(Action::await_change());
        }
        Choice::Wait(reason, message) => return wait(&object, &shared, reason, message).await,
        Choice::Run(options) => *options,
    };
    if let Some(wait) = runs.cooling(&uid) {
        return Ok(Action::requeue(wait));
    }
    let claim = match runs.claim(&object, &shared.shutdown) {
        Claimed::Yes(claim) => claim,
        Claimed::No(why) => return wait(&object, &shared, Reason::WaitingForReplay, why).await,
    };
    let subject = match subject::subject(&object, &shared.context).await? {
        Ok(subject) => subject,
        Err((reason, message)) => {
            drop(claim);
            return wait(&object, &shared, reason, message).await;
        }
    };
    let mut told = Told::as_before(&object, Phase::Running);
    let now = shared.context.now();
    let began = options.began(&object, now);
    told.started_at = Some(began.to_string());
    told.definition = Some(subject.source.digest().to_owned());
    // Before anything is done: a restart must know when it began.
    tell(&object, &shared.context, told).await?;
    let options = options.engine(&object, began);
    tokio::spawn(runs::supervise(object, shared, subject, options, claim));
    Ok(Action::requeue(RUNNING))
}

async fn wait(
    object: &EventReplay,
    shared: &Shared,
    reason: Reason,
    message: String,
) -> Result<Action, kube::Error> {
    let told = Told::as_before(object, Phase::Waiting(reason, message));
    tell(object, &shared.context, told).await?;
    Ok(Action::requeue(WAITING))
}

/// Writes the status where it differs from the one that was seen last, and announces what changed.
pub(crate) async fn tell(object: &EventReplay, context: &Context, told: Told) -> Result<(), kube::Error> {
    let before = object.status.clone().unwrap_or_default();
    let after = status::status(object, told, context.now()); // pure
    if before == after {
        return Ok(());
    }
    write(&context.client, object, &after).await?;
    if let Some(event) = status::event(&before, &after) {
        context.announcer.tell(object, &event).await;
    }
    Ok(())
}

/// Writes the status as a whole; an object that is gone is no error.
async fn write(client: &Client, object: &EventReplay, status: &EventReplayStatus) -> Result<(), kube::Error> {
    let patch = json!({
        "apiVersion": format!("{}/{}", mef_crds::GROUP, mef_crds::VERSION),
        "kind": "EventReplay",
        // Not one that was made anew under the same name.
        "metadata": {"uid": object.uid()},
        "status": status,
    });
    let replays: Api<EventReplay> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let parameters = PatchParams::apply(&format!("{FIELD_MANAGER}-status")).force();
    match replays
        .patch_status(&object.name_any(), &parameters, &Patch::Apply(patch))
        .await
    {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
        Err(error) => Err(error),
    }
}

/// `namespace/name`.
pub(crate) fn id(object: &EventReplay) -> String {
    format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any())
}
