//! A compiled source: everything of a definition that can be prepared before the first request.

use std::sync::Arc;
use std::time::Duration;

use mef_crds::Parameters;

use crate::challenge::Challenges;
use crate::dead_letter::{Frame, redact_values};
use crate::definition::Definition;
use crate::diagnostics::{Problem, has_errors};
use crate::envelope::{Envelope, Facts};
use crate::expression::{Filter, Transform};
use crate::parse::ParseRules;
use crate::preset::Preset;
use crate::redact::Redactor;
use crate::validate::Schemas;
use crate::verify::{Proofs, Verifier};

/// The largest request body where the source does not say: 1 MiB.
const DEFAULT_MAX_BODY_BYTES: u32 = 1_048_576;

/// A compiled source. Its stages are the crate's alone; what surrounds it asks for facts.
pub struct Source {
    id: String,
    digest: String,
    definition: Definition,
    pub(crate) verifier: Verifier,
    pub(crate) challenges: Challenges,
    pub(crate) parse: ParseRules,
    pub(crate) schemas: Schemas,
    pub(crate) filter: Option<Filter>,
    pub(crate) transform: Option<Transform>,
    pub(crate) facts: Facts,
    pub(crate) envelope: Envelope,
    pub(crate) frame: Arc<Frame>,
    proofs: Proofs,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({} {})", self.id, self.digest)
    }
}

/// Collects what went wrong, so that all problems are told at once.
#[derive(Default)]
struct Collected(Vec<Problem>);

impl Collected {
    fn take<T>(&mut self, result: Result<T, Vec<Problem>>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(problems) => {
                self.0.extend(problems);
                None
            }
        }
    }

    /// For a program: its problems know their place in the text, not the field.
    fn take_program<T>(&mut self, field: &str, result: Option<Result<T, Vec<Problem>>>) -> Option<Option<T>> {
        let Some(result) = result else { return Some(None) };
        let named = |problems: Vec<Problem>| {
            let name = |problem: Problem| Problem {
                field: field.to_owned(),
                ..problem
            };
            problems.into_iter().map(name).collect()
        };
        self.take(result.map_err(named)).map(Some)
    }
}

impl Source {
    /// Compiles a definition; all problems at once. A source comes back when none of them is an error.
    #[must_use]
    pub fn compile(definition: Definition) -> (Option<Self>, Vec<Problem>) {
        let mut problems = Collected::default();
        let spec = &definition.spec;
        let preset = &definition.preset;
        let verifier = problems.take(Verifier::compile(&preset.verification, &spec.webhook));
        let allowlist = spec.webhook.parameters.as_ref().map(Parameters::allowlist);
        let challenges = problems
            .take(Challenges::compile(preset))
            .map(|challenges| challenges.allowing(allowlist.unwrap_or_default()));
        let parse = problems.take(ParseRules::compile(&definition));
        let schemas = problems.take(Schemas::compile(&definition));
        let filter = problems.take_program("spec.filter", spec.filter.as_deref().map(Filter::compile));
        let transform = problems.take_program(
            "spec.transform",
            spec.transform.as_deref().map(Transform::compile),
        );
        let facts = problems.take(Facts::compile(preset));
        let envelope = problems.take(Envelope::compile(&definition));
        let Collected(mut problems) = problems;
        let compiled = (|| {
            Some((
                verifier?,
                challenges?,
                parse?,
                schemas?,
                filter?,
                transform?,
                facts?,
                envelope?,
            ))
        })();
        let Some((verifier, challenges, parse, schemas, filter, transform, facts, envelope)) = compiled
        else {
            return (None, problems);
        };
        problems.extend_from_slice(verifier.warnings());
        let warnings = |field: &str, warnings: &[Problem]| -> Vec<Problem> {
            warnings
                .iter()
                .map(|problem| Problem {
                    field: field.to_owned(),
                    ..problem.clone()
                })
                .collect()
        };
        problems.extend(
            filter
                .iter()
                .flat_map(|filter| warnings("spec.filter", filter.warnings())),
        );
        problems.extend(
            transform
                .iter()
                .flat_map(|transform| warnings("spec.transform", transform.warnings())),
        );
        if has_errors(&problems) {
            return (None, problems);
        }
        let digest = definition.digest();
        let source = Self {
            id: format!("{}/{}", definition.namespace, definition.name),
            frame: Arc::new(Frame::new(&definition, &digest)),
            proofs: Proofs::of(&definition.preset.verification),
            digest,
            verifier,
            challenges,
            parse,
            schemas,
            filter,
            transform,
            facts,
            envelope,
            definition,
        };
        (Some(source), problems)
    }

    /// `namespace/name`, as logs, metrics and dead letters name it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it was compiled from.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The first 12 hex digits of the definition's digest.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The preset in use.
    #[must_use]
    pub fn preset(&self) -> &Preset {
        &self.definition.preset
    }

    /// How its requests prove themselves; for signing and explaining.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Whether a header of this name (in lower case) holds a token, which would prove other requests too: its value is shown
    /// to nobody, also where no secret of the source is in it.
    #[must_use]
    pub fn is_credential_header(&self, name: &str) -> bool {
        self.proofs.is_credential_header(name)
    }

    /// A query without tokens and secrets. Signatures stay: they prove this one request.
    #[must_use]
    pub fn query_without_credentials(&self, query: &str, redactor: &Redactor) -> String {
        redact_values(query, redactor, &|name| self.proofs.is_credential_parameter(name))
    }

    /// The endpoint's path.
    #[must_use]
    pub fn path(&self) -> String {
        let given = self.definition.spec.webhook.path.clone();
        given.unwrap_or_else(|| format!("/{}", self.definition.name))
    }

    /// The methods the endpoint answers: POST, and what its challenges need. Everything else is 405.
    #[must_use]
    pub fn methods(&self) -> Vec<String> {
        let mut methods = vec!["POST".to_owned()];
        methods.extend(
            self.challenges
                .methods()
                .into_iter()
                .filter(|method| *method != "POST")
                .map(str::to_owned),
        );
        methods
    }

    /// The largest request body in bytes.
    #[must_use]
    pub fn max_body_bytes(&self) -> usize {
        self.definition
            .spec
            .webhook
            .max_body_bytes
            .unwrap_or(DEFAULT_MAX_BODY_BYTES) as usize
    }

    /// The largest message in bytes.
    #[must_use]
    pub fn max_message_bytes(&self) -> usize {
        self.envelope.max_message_bytes()
    }

    /// How long the sender waits for an answer.
    #[must_use]
    pub fn ack_budget(&self) -> Duration {
        Duration::from_millis(u64::from(self.preset().ack.deadline_milliseconds))
    }

    /// The queue's name.
    #[must_use]
    pub fn queue_name(&self) -> String {
        let given = self
            .definition
            .spec
            .queue
            .as_ref()
            .and_then(|queue| queue.name.clone());
        given.unwrap_or_else(|| format!("mef-{}-{}", self.definition.namespace, self.definition.name))
    }
}

/// Whether a receiver of this source calls its sender: for keys that are published, or because a handshake asks for it. False
/// for a definition that does not compile.
#[must_use]
pub fn calls_senders(definition: &Definition) -> bool {
    let preset = &definition.preset;
    let fetches = Verifier::compile(&preset.verification, &definition.spec.webhook)
        .is_ok_and(|verifier| verifier.reads_published_keys());
    fetches || Challenges::compile(preset).is_ok_and(|challenges| challenges.ask_for_calls())
}
