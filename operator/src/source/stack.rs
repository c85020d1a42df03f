//! One look at a source in AWS: fetch → validate → render → observe → decide → call → status. The steps are pure; here they are
//! carried out, at most one call that changes something, and never before what is begun stands in the status.

mod endpoint;
pub(super) mod queues;
mod status;

use std::time::{Duration, Instant};

use bytes::Bytes;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use mef_crds::{
    ADOPT_ANNOTATION, CONTINUE_SKIP_ANNOTATION, DELETE_RETAIN_ANNOTATION, DeletionPolicy, EventSource,
    EventSourceStatus, FORCE_DELETE_ANNOTATION, FORCE_ROLLBACK_ANNOTATION, RECONCILE_ANNOTATION,
    RECREATE_ANNOTATION, Reason,
};
use mef_pipeline::diagnostics::Problem;
use mef_pipeline::source::Source;

use self::queues::Queues;
use self::status::{Seen, Telling, status};
use super::look::SAMPLES_WITHIN;
use super::validate::{self, Good, Judged};
use super::{Error, apply, fetch, has_finalizer, id, write};
use crate::aws::budget::jittered;
use crate::aws::decide::{Call, Decision, Hashes, Leaving, Notes, Sight, View, decide, refused, stop};
use crate::aws::edge::Client;
use crate::aws::memory::Memory;
use crate::aws::names::Names;
use crate::aws::package::{Packed, pack};
use crate::aws::place::{Documents, Place, documents};
use crate::aws::record::recall;
use crate::aws::refusal::{Kind, Refusal};
use crate::aws::requests::{Subject, request};
use crate::aws::stack::{Stack, Status};
use crate::aws::wanted::Package;
use crate::context::Context;
use crate::source::desired::Text;
use crate::source::status::Aspect;

/// When a URL that is not answered is asked again, before it is spread.
const ASKED_AGAIN: Duration = Duration::from_secs(30);

/// What is to be made, where the source is sound.
struct Made {
    documents: Documents,
    hashes: Hashes,
    package: Packed,
    /// The generation its definition is written under.
    generation: i64,
}

pub(super) async fn reconcile(
    object: &EventSource,
    context: &Context,
    place: Place<'_>,
) -> Result<Action, Error> {
    if object.metadata.deletion_timestamp.is_some() && !has_finalizer(object) {
        context.back_off.reset(&id(object));
        return Ok(Action::await_change());
    }
    let references = fetch::references(&context.client, object, &context.reads).await?; // IO
    let until = Instant::now() + SAMPLES_WITHIN;
    let judged = validate::validate(object, &references, context.now(), &|| Instant::now() >= until); // pure
    let (made, unpacked) = match judged
        .good
        .as_ref()
        .map(|good| make(object, context, &place, good))
    {
        None => (None, None),
        Some(Ok(made)) => (Some(made), None),
        Some(Err(why)) => (None, Some(why)),
    };
    let client = context
        .aws_client(&place.site())
        .await
        .map_err(|error| Error::Retry(error.to_string()))?;
    let look = Look {
        object,
        context,
        place,
        judged: &judged,
        made: made.as_ref(),
        unpacked,
    };
    look.go(&client).await
}

/// The source names an account it cannot have. Nothing is asked of AWS; one that goes is let go where its stack is to stay, or
/// there never was one.
pub(super) async fn nowhere(
    object: &EventSource,
    context: &Context,
    problem: &Problem,
) -> Result<Action, Error> {
    let going = object.metadata.deletion_timestamp.is_some();
    if going && !has_finalizer(object) {
        return Ok(Action::await_change());
    }
    let memory = recall(object.status.as_ref().and_then(|status| status.aws.as_ref()));
    let forced = object
        .annotations()
        .get(FORCE_DELETE_ANNOTATION)
        .map(String::as_str)
        == Some("all");
    let retained = object.spec.deletion_policy == Some(DeletionPolicy::Retain);
    if going && (forced || retained || memory.stack_id.is_none()) {
        apply::remove_finalizer(&context.client, object).await?;
        return Ok(Action::await_change());
    }
    let message = validate::sentences(std::slice::from_ref(problem));
    let decision = stop(memory, Reason::UnknownAccount, Reason::UnknownAccount, message);
    let telling = Telling {
        object,
        judged: &Judged {
            good: None,
            problems: vec![problem.clone()],
            samples: None,
            overlays: Vec::new(),
        },
        decision: &decision,
        names: &Names::of(context.config.cluster_id.as_deref().unwrap_or_default(), object),
        seen: Seen {
            stack: None,
            queues: None,
            endpoint: None,
        },
        made: None,
    };
    let before = object.status.clone().unwrap_or_default();
    write(object, context, &before, &status(&telling, context.now())).await?;
    Ok(Action::requeue(jittered(
        decision.look_in,
        &id(object),
        context.now(),
    )))
}

/// Packs and renders.
fn make(object: &EventSource, context: &Context, place: &Place<'_>, good: &Good) -> Result<Made, String> {
    let folder = context.config.lambda.artefacts.as_ref();
    let folder = folder.ok_or("lambda.artefacts is not set in the operator's configuration")?;
    let path = folder.join(format!("bootstrap-{}.zip", place.architecture().as_str()));
    let program = context
        .programs
        .read(&path)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let written = as_it_serves(object, good);
    let good = written.as_ref().unwrap_or(good);
    let (name, content) = match &good.encoded().text {
        Text::Plain(text) => ("definition.json", text.as_bytes()),
        Text::Zipped(bytes) => ("definition.json.gz", bytes.as_slice()),
    };
    let package = pack(&program, name, content).map_err(|error| format!("{}: {error}", path.display()))?;
    let wanted = place.wanted(object, &methods(good), &package.key);
    let (documents, hashes) = documents(&wanted, &place.owner(object)).map_err(|error| error.to_string())?;
    Ok(Made {
        documents,
        hashes,
        package,
        generation: good.definition().generation,
    })
}

/// The definition as it is written in the package that serves, where it is the same. A definition holds the generation of its
/// source: were that always the newest, a change of anything else would be another package, and a revert no way back.
fn as_it_serves(object: &EventSource, good: &Good) -> Option<Good> {
    let status = object.status.as_ref()?;
    let serving = status.definition.as_ref()?.serving.as_deref()?;
    let mut definition = good.definition().clone();
    definition.generation = status.aws.as_ref()?.definition_generation?;
    validate::recall(definition).filter(|_| serving == good.digest())
}

/// What the endpoint answers.
pub(super) fn methods(good: &Good) -> Vec<String> {
    let (source, _) = Source::compile(good.definition().clone());
    source.map(|source| source.methods()).unwrap_or_default()
}

struct Look<'a> {
    object: &'a EventSource,
    context: &'a Context,
    place: Place<'a>,
    judged: &'a Judged,
    made: Option<&'a Made>,
    /// Why there is no package.
    unpacked: Option<String>,
}

impl Look<'_> {
    async fn go(&self, client: &Client) -> Result<Action, Error> {
        let object = self.object;
        let memory = recall(object.status.as_ref().and_then(|status| status.aws.as_ref()));
        let (caller, sight) = self.see(client, &memory).await; // IO
        let stack = match &sight {
            Sight::There(stack) => Some(stack.as_ref()),
            _ => None,
        };
        let owner = self.place.owner(object);
        let queues = queues::look(object, self.context, client, stack, &owner).await; // IO
        let leaving = self.leaving(queues.as_ref());
        let view = View {
            owner: &owner,
            account: &self.place.account.account_id,
            region: &self.place.runtime.region,
            caller: caller
                .as_deref()
                .map(|account| (account, self.place.runtime.region.as_str())),
            sight: &sight,
            desired: self.made.map(|made| &made.hashes),
            memory: &memory,
            notes: &notes(object),
            leaving: leaving.as_ref(),
            suspended: object.spec.suspend,
            now: self.context.now(),
        };
        let mut decision = decide(&view); // pure
        if decision.call.is_some() && leaving.is_none() && !has_finalizer(object) {
            // Before anything is made outside the cluster; the change of the object calls us again.
            apply::add_finalizer(&self.context.client, object).await?;
            return Ok(Action::await_change());
        }
        let before = object.status.clone().unwrap_or_default();
        let endpoint = self.endpoint(client, &decision, stack).await; // IO
        if endpoint
            .as_ref()
            .is_some_and(|endpoint| endpoint.holds == Some(false))
        {
            decision.look_in = decision.look_in.min(ASKED_AGAIN);
        }
        let seen = Seen {
            stack,
            queues: queues.as_ref(),
            endpoint: endpoint.as_ref(),
        };
        let written = self.tell(&decision, &seen, &before).await?; // IO: before the call
        if decision.release {
            apply::remove_finalizer(&self.context.client, object).await?;
            self.context.back_off.reset(&id(object));
            self.context.metrics.forget(&id(object));
            self.context.remember(&id(object), None);
            tracing::info!(source = id(object), "the source is gone");
            return Ok(Action::await_change());
        }
        if let Some(call) = decision.call.clone() {
            let tags = stack.map(|stack| stack.tags.clone()).unwrap_or_default();
            if let Err(refusal) = self.carry_out(client, &call, &tags).await {
                tracing::warn!(
                    source = id(object),
                    kind = refusal.kind.as_str(),
                    refusal.message,
                    "AWS refused a call"
                );
                if refusal.kind == Kind::Throttled {
                    self.context.slow_down(&self.place.site()).await;
                }
                decision = refused(&view, &decision, &refusal); // pure
                self.tell(&decision, &seen, &written).await?;
            }
        }
        let look_in = jittered(decision.look_in, &id(object), self.context.now());
        Ok(Action::requeue(look_in))
    }

    /// Who is asking, and what is there.
    async fn see(&self, client: &Client, memory: &Memory) -> (Option<String>, Sight) {
        let now = self.context.now();
        self.context.wait_for_budget(&self.place.site()).await;
        let caller = match client.caller(now).await {
            Ok(caller) => caller,
            Err(refusal) => return (None, Sight::Unseen(refusal)),
        };
        let name = self.place.names(self.object);
        let sight = match look_up(client, memory.stack_id.as_deref(), name.stack(), now).await {
            Ok(Some(stack)) => Sight::There(Box::new(stack)),
            Ok(None) => Sight::Absent,
            Err(refusal) => Sight::Unseen(refusal),
        };
        (Some(caller), sight)
    }

    fn leaving(&self, queues: Option<&Result<Queues, String>>) -> Option<Leaving> {
        self.object.metadata.deletion_timestamp.as_ref()?;
        let annotation = self.object.annotations().get(FORCE_DELETE_ANNOTATION);
        Some(Leaving {
            policy: self.object.spec.deletion_policy.unwrap_or_default(),
            forced: annotation.map(String::as_str) == Some("all"),
            messages: match queues {
                None => Err("the stack names no queues".to_owned()),
                Some(Ok(queues)) => Ok(queues.events + queues.dead),
                Some(Err(why)) => Err(why.clone()),
            },
        })
    }

    async fn carry_out(
        &self,
        client: &Client,
        call: &Call,
        tags: &std::collections::BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let now = self.context.now();
        let nothing = Documents::default();
        let documents = self.made.map_or(&nothing, |made| &made.documents);
        if let (Call::Create { .. } | Call::Update { .. }, Some(made)) = (call, self.made) {
            let package = Package {
                bucket: self.place.bucket.to_owned(),
                key: made.package.key.clone(),
            };
            client
                .put(&package, || Bytes::from(made.package.bytes.clone()), now)
                .await?;
        }
        let names = self.place.names(self.object);
        let subject = Subject {
            name: names.stack(),
            role: self.place.service_role,
            open: &documents.open,
            closed: &documents.closed,
            tags,
        };
        let request = request(call, &subject);
        tracing::info!(
            source = id(self.object),
            action = request.action,
            "asking CloudFormation"
        );
        client.ask(request, now).await.map(drop)
    }

    async fn tell(
        &self,
        decision: &Decision,
        seen: &Seen<'_>,
        before: &EventSourceStatus,
    ) -> Result<EventSourceStatus, Error> {
        let names = self.place.names(self.object);
        let mut decision = decision.clone();
        if let Some(why) = &self.unpacked {
            decision.told.provisioned = Aspect::no(Reason::ArtefactUnavailable, why.clone());
            decision.told.ready = decision.told.provisioned.clone();
        }
        let after = status(
            &Telling {
                object: self.object,
                judged: self.judged,
                decision: &decision,
                names: &names,
                seen: *seen,
                made: self.made.map(|made| (made.package.key.as_str(), made.generation)),
            },
            self.context.now(),
        ); // pure
        write(self.object, self.context, before, &after).await?;
        Ok(after)
    }
}

/// By its ARN where that is known, because a name stops resolving; by name where the ARN finds nothing that stands.
async fn look_up(
    client: &Client,
    known: Option<&str>,
    name: &str,
    now: jiff::Timestamp,
) -> Result<Option<Stack>, Refusal> {
    let mut found = match known {
        Some(id) => client
            .describe(id, now)
            .await?
            .filter(|stack| stack.status != Status::DeleteComplete),
        None => None,
    };
    if found.is_none() {
        found = client.describe(name, now).await?;
    }
    if let Some(stack) = &mut found
        && stack.status.tells_a_failure()
    {
        // Its events are a help, not a need.
        stack.failure = client.cause(&stack.id, now).await.unwrap_or_default();
    }
    Ok(found)
}

pub(super) fn notes(object: &EventSource) -> Notes {
    let of = |name: &str| object.annotations().get(name).cloned();
    Notes {
        reconcile: of(RECONCILE_ANNOTATION),
        adopt: of(ADOPT_ANNOTATION),
        recreate: of(RECREATE_ANNOTATION),
        continue_skip: of(CONTINUE_SKIP_ANNOTATION),
        force_rollback: of(FORCE_ROLLBACK_ANNOTATION),
        delete_retain: of(DELETE_RETAIN_ANNOTATION),
        force_delete: of(FORCE_DELETE_ANNOTATION),
    }
}
