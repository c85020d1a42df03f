//! A captured request, taken through a preset that is being written. The engine judges; nothing is sent or kept, and no
//! secret is shown.

use jiff::Timestamp;
use mef_crds::Webhook;
use mef_pipeline::diagnostics::{Problem, has_errors};
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::RejectReason;
use mef_pipeline::received::Received;
use mef_pipeline::secret::{Key, KeyRing, Secret};
use mef_pipeline::verify::{Verifier, explain};

use super::guess::{Candidate, candidates, words};
use super::new::New;
use super::wanted::{Places, Proof, Wanted};
use crate::args::now;
use crate::failure::{Failure, Outcome};
use crate::files;
use crate::output::{Output, printable};
use crate::request::{self, Captured};
use crate::secrets::without_line_end;

/// A captured request with its secret.
pub(super) struct Capture {
    received: Received,
    secret: Secret,
    now: Timestamp,
}

impl New {
    pub(super) fn capture(&self) -> Outcome<Option<Capture>> {
        let (Some(request), Some(secret)) = (&self.request, &self.secret) else {
            return Ok(None);
        };
        let now = self.at.unwrap_or_else(now);
        let name = request.display();
        match request::read(&files::read_bytes(request)?, now) {
            Ok(Captured::Request(received)) => Ok(Some(Capture {
                received: *received,
                secret: Secret::new(without_line_end(files::read_bytes(&secret.0)?)),
                now,
            })),
            Ok(Captured::Letter(_)) => Err(Failure::Usage(format!(
                "{name}: a dead letter holds no signature any more; give a captured request"
            ))),
            Err(error) => Err(Failure::Usage(format!("{name}: {error}"))),
        }
    }

    pub(super) fn guessed(&self, capture: &Capture, output: Output) -> Outcome<(Proof, Places)> {
        let only = self.header.as_deref();
        let only = only.map(|header| header.strip_prefix("header:").unwrap_or(header));
        let secret = capture.secret.expose();
        let all = candidates(&capture.received, secret, only, self.public_url.is_some());
        let count = all.len();
        let fits = |candidate: &Candidate| self.judge(candidate, capture).is_ok();
        let mut fitting = all.into_iter().filter(fits);
        let Some(first) = fitting.next() else {
            let url = match &self.public_url {
                Some(_) => "",
                None => " Where the URL is signed too, give --public-url.",
            };
            return Err(Failure::Wrong(format!(
                "none of {count} combinations fits. Is it the secret of this very request, and is the body byte for byte what \
                 came in?{url} Else the sender signs in a way of its own: docs/presets.md has all words"
            )));
        };
        output.note(printable(&format!("found: {}", words(&first))));
        for other in fitting {
            output.note(printable(&format!("fits too: {}", words(&other))));
        }
        Ok((first.proof, first.places))
    }

    /// Whether the request is genuine by a candidate, whatever its age; the sentence why not shows no secret.
    fn judge(&self, candidate: &Candidate, capture: &Capture) -> Result<Option<String>, String> {
        let verification = candidate.proof.verification(&candidate.places);
        let webhook = Webhook {
            public_url: self.public_url.clone(),
            ..Webhook::default()
        };
        let sentence = |problems: Vec<Problem>| {
            let first = problems.into_iter().next();
            first.map(|problem| problem.to_string()).unwrap_or_default()
        };
        let verifier = Verifier::compile(&verification, &webhook).map_err(sentence)?;
        let keys = KeyRing::new(vec![Key {
            index: 0,
            usage: candidate.proof.usage().to_owned(),
            secret: capture.secret.clone(),
            not_before: None,
            not_after: None,
        }]);
        let unusable = verifier.check_keys(&keys);
        if has_errors(&unusable) {
            return Err(sentence(unusable));
        }
        let explained = explain(
            &verifier,
            &capture.received,
            &keys,
            &NetworkKeys::none(),
            capture.now,
        );
        match explained.verdict {
            Ok(_) => Ok(None),
            // The age is judged last.
            Err(why) if matches!(why.reason, RejectReason::Stale | RejectReason::Future) => {
                Ok(Some(why.detail))
            }
            Err(why) => Err(keys.redactor().text(&why.detail).into_owned()),
        }
    }

    pub(super) fn try_on(&self, wanted: &Wanted, capture: &Capture, output: Output) -> Outcome {
        let candidate = Candidate {
            proof: wanted.proof.clone(),
            places: wanted.places.clone(),
        };
        match self.judge(&candidate, capture) {
            Ok(None) => output.note("the captured request is genuine by this preset"),
            Ok(Some(age)) => output.note(format!(
                "the captured request is genuine by this preset, but for its age: {age}; give the time at which it came in with --at"
            )),
            Err(why) => {
                return Err(Failure::Wrong(printable(&format!(
                    "the captured request is refused by this preset: {why}; --guess tries other ways of signing"
                ))));
            }
        }
        Ok(())
    }
}
