//! `mef explain`: one captured request, and what every stage says of it. Keeps nothing, and sends nothing but the question for
//! the sender's published keys where a request needs some.

mod keys;
mod page;

use std::path::PathBuf;

use jiff::Timestamp;
use mef_pipeline::explain::{EventExplanation, Explanation, explain, explain_letter};
use mef_pipeline::pipeline::RejectReason;
use mef_pipeline::received::Received;
use mef_pipeline::secret::KeyRing;

use crate::args::{DataArg, PresetArg, SecretFile, now, timestamp};
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::output::Output;
use crate::request::{self, Captured};
use crate::secrets::Vault;
use crate::sources::{Compiled, Loaded, patience, tell};
use keys::KeyArgs;

/// Explain what becomes of a captured request, stage by stage
///
/// Prints which secret matched, or why none did and which bytes were signed; whether it is a handshake; what parse, schemas,
/// filter and transform say; the message that would be sent, or the dead letter that would be kept. Never a secret, and never
/// the signature that would have been right.
///
/// Where a request is signed with a key that its sender publishes, that key is fetched from the sender, as an endpoint would;
/// --keys and --offline say otherwise. What a handshake asks for beside its answer is not done.
///
/// REQUEST is one of: HTTP text (`POST /zoom HTTP/1.1`, headers, an empty line, the body); JSON {method, url, headers, body or
/// bodyBase64}; an API Gateway event, format 1.0 or 2.0; a dead letter.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  mef explain zoom.yaml --request captured.http
  mef explain zoom.yaml --request captured.json --at 2026-11-25T03:00:00Z
  mef dlq show 3fa1c0 -o json | mef explain zoom.yaml --request -
  mef explain sns.yaml --request captured.http --keys keys.json
  mef explain zoom.yaml --request event.json -o json | jq .verification.attempts

Exit codes: 1 the request is refused, or an event of it would be a dead letter.")]
pub(crate) struct Explain {
    /// Files or folders with the source
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    presets: PresetArg,
    /// The captured request; - for stdin
    #[arg(long, value_name = "REQUEST")]
    request: PathBuf,
    /// The time at which it is judged, RFC 3339 or Unix seconds; default: now
    #[arg(long, value_name = "TIME", value_parser = timestamp)]
    at: Option<Timestamp>,
    /// Which source, where the FILEs hold several; default: by the request's path
    #[arg(long)]
    source: Option<String>,
    /// A file that holds the value of a Secret's key, as zoom-webhook/secretToken=@token.txt
    #[arg(long, value_name = "NAME=@FILE")]
    secret: Vec<SecretFile>,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    data: DataArg,
}

/// What becomes of a dead letter, in the shape of an explanation without verification.
#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct LetterExplanation<'a> {
    source: &'a str,
    definition: &'a str,
    outcome: &'static str,
    events: &'a [EventExplanation],
}

fn all_usable(events: &[EventExplanation]) -> bool {
    events.iter().all(|event| event.dead_letter.is_none())
}

impl Explain {
    pub(crate) fn run(&self, output: Output) -> Outcome {
        output.text_or_json()?;
        let now = self.at.unwrap_or_else(now);
        let bytes = files::read_bytes(&self.request)?;
        let captured = request::read(&bytes, now)
            .map_err(|error| Failure::Usage(format!("{}: {error}", self.request.display())))?;
        let loaded = Loaded::read_sound(&self.presets.with(&self.files), None, output)?;
        let wanted = self.source.clone().or_else(|| by_request(&loaded, &captured));
        let (compiled, mut references) = loaded.choose(wanted.as_deref())?;
        let data = self.data.folder();
        let vault = Vault {
            data: &data,
            given: &self.secret,
            keeps: false,
        };
        vault.find(compiled.source.definition(), &mut references)?;
        // What a missing secret means is the explanation's business, so this is no reason to stop.
        let (keys, problems) = compiled.keys(&references);
        tell(&problems, output);
        let good = match captured {
            Captured::Request(received) => {
                let explanation = self.request(&compiled, *received, &keys, now, output)?;
                output.document_or(&explanation, || page::of_request(&explanation, output))?;
                explanation.outcome != "rejected" && all_usable(&explanation.events)
            }
            Captured::Letter(letter) => {
                let events = explain_letter(&compiled.source, &letter, &keys, &patience())
                    .map_err(|why| Failure::Wrong(format!("{}: {why}", self.request.display())))?;
                let (source, definition) = (compiled.source.id(), compiled.source.digest());
                let explanation = LetterExplanation {
                    source,
                    definition,
                    outcome: "accepted",
                    events: &events,
                };
                output.document_or(&explanation, || page::of_letter(&explanation, output))?;
                all_usable(&events)
            }
        };
        if good { Ok(()) } else { Err(Failure::Reported) }
    }

    fn request(
        &self,
        compiled: &Compiled,
        received: Received,
        keys: &KeyRing,
        now: Timestamp,
        output: Output,
    ) -> Outcome<Explanation> {
        let source = &compiled.source;
        if received.path != source.path() {
            output.note(format!(
                "the request is for {:?} and the source is at {:?}: an endpoint would answer 404; it is explained all the same",
                crate::output::printable(&received.path),
                source.path()
            ));
        }
        if !source.methods().contains(&received.method) {
            let methods = source.methods().join(", ");
            output.note(format!(
                "the source takes {methods}: an endpoint would answer 405 to {}",
                received.method
            ));
        }
        let network = self.keys.find(source, &received)?;
        let explanation = explain(source, received, keys, &network, now, &patience());
        let age = matches!(
            explanation.reason,
            Some(RejectReason::Stale | RejectReason::Future)
        );
        if age && self.at.is_none() {
            output
                .note("the request was judged at the time now; give the time at which it came in with --at");
        }
        if explanation.reason == Some(RejectReason::KeysUnavailable) {
            output.note("the sender's published keys are needed: let this machine reach them, or give them with --keys");
        }
        Ok(explanation)
    }
}

/// The source the request names: by its path, or as a dead letter's source.
fn by_request(loaded: &Loaded, captured: &Captured) -> Option<String> {
    let sources = loaded.sources.iter().map(|compiled| &compiled.source);
    let fits = |source: &&mef_pipeline::source::Source| match captured {
        Captured::Request(received) => source.path() == received.path,
        Captured::Letter(letter) => *source.id() == *letter.source,
    };
    sources
        .into_iter()
        .find(fits)
        .map(|source| source.id().to_owned())
}
