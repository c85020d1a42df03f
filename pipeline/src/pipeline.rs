//! The driver: the event's path once, top to bottom. It sends nothing and answers nobody; it says what must be kept and
//! what the outcome is, and the edge does it.

mod outcome;
mod replay;

use std::sync::Arc;

use jiff::Timestamp;

use crate::event_id::{Delivery, Identity, event_ids, request_id};
use crate::expression::Event;
use crate::network_keys::NetworkKeys;
use crate::parse::{Item, Parsed, Unparsable, parse};
use crate::received::Received;
use crate::redact::Redactor;
use crate::secret::KeyRing;
use crate::source::Source;
use crate::validate::validate;
use crate::verify::verify;

pub use outcome::{Accepted, Action, Message, Outcome, Prepared, RejectReason, Rejection, Reply};
pub use replay::{Unusable, reprocess};

/// Takes a request through every stage. `network` holds the sender's published keys that [`Verifier::wanted_keys`] asked
/// for; it is empty for most sources.
///
/// [`Verifier::wanted_keys`]: crate::verify::Verifier::wanted_keys
///
/// `interrupted` is asked between the steps of an expression; when it says yes the event becomes a dead letter. It is how
/// the edge bounds time, since nothing here reads a clock.
#[must_use]
pub fn process(
    source: &Source,
    received: Received,
    keys: &KeyRing,
    network: &NetworkKeys,
    now: Timestamp,
    interrupted: &dyn Fn() -> bool,
) -> Outcome {
    if let Some(answer) = source
        .challenges
        .answer_unverified(&received, &source.verifier, keys, network, now)
    {
        return Outcome::of_challenge(answer);
    }
    if received.method != "POST" {
        // The method is there for handshakes only, and this is none.
        return Outcome::Rejected(Rejection {
            reason: RejectReason::NotAChallenge,
        });
    }
    let verified = match verify(&source.verifier, received, keys, network, now) {
        Ok(verified) => verified,
        Err(unverified) => {
            return Outcome::Rejected(Rejection {
                reason: unverified.reason,
            });
        }
    };
    if let Some(answer) = source.challenges.answer_verified(&verified, keys, now) {
        return Outcome::of_challenge(answer);
    }
    if is_what_a_handshake_signs(source, verified.received()) {
        return Outcome::Rejected(Rejection {
            reason: RejectReason::ChallengeGuard,
        });
    }
    let key_index = verified.key_index();
    let items = prepare_all(
        source,
        parse(&source.parse, verified),
        keys.redactor(),
        interrupted,
    );
    if items
        .iter()
        .any(|item| fits_nowhere(item, source.max_message_bytes()))
    {
        return Outcome::Rejected(Rejection {
            reason: RejectReason::TooLargeForQueue,
        });
    }
    Outcome::Accepted(Accepted { items, key_index })
}

/// Whether the request's signature is one that a handshake makes for anybody who asks. The guard keeps JSON out of that;
/// what is no JSON would still become a dead letter that no sender has sent.
fn is_what_a_handshake_signs(source: &Source, received: &Received) -> bool {
    let challenges = &source.challenges;
    challenges.sign_for_anybody()
        && source
            .verifier
            .signed_contents(received)
            .iter()
            .any(|content| challenges.would_sign(content))
}

/// What would become of a request if it were genuine: for samples of senders that alone can sign. It is a rehearsal, and
/// nothing that comes of it is kept.
pub(crate) fn rehearse(
    source: &Source,
    received: &Received,
    keys: &KeyRing,
    interrupted: &dyn Fn() -> bool,
) -> Vec<Prepared> {
    let parsed = Parsed::rehearsed(&source.parse, received);
    prepare_all(source, parsed, keys.redactor(), interrupted)
}

/// What must become of each event of a request.
fn prepare_all(
    source: &Source,
    parsed: Parsed,
    redactor: &Arc<Redactor>,
    interrupted: &dyn Fn() -> bool,
) -> Vec<Prepared> {
    let ids = ids(source, &parsed);
    let one = |(item, id): (Result<Item, Unparsable>, String)| match item {
        Ok(item) => prepare(source, item, id, redactor, interrupted),
        Err(failure) => Prepared::letter(
            source
                .frame
                .unparsable(failure.request(), &failure, &id, redactor),
        ),
    };
    parsed.into_items().into_iter().zip(ids).map(one).collect()
}

/// The stages after parse, for one event.
fn prepare(
    source: &Source,
    item: Item,
    id: String,
    redactor: &Arc<Redactor>,
    interrupted: &dyn Fn() -> bool,
) -> Prepared {
    let frame = &source.frame;
    let valid = match validate(&source.schemas, item) {
        Ok(valid) => valid,
        Err(invalid) => return Prepared::letter(frame.invalid(&invalid, &id, redactor)),
    };
    if let Some(filter) = &source.filter {
        match filter.keeps(&valid, &source.facts, interrupted) {
            Ok(true) => {}
            Ok(false) => return Prepared::Filtered,
            Err(detail) => return Prepared::letter(frame.filter_failed(&valid, detail, &id, redactor)),
        }
    }
    let event = match &source.transform {
        None => Event::unchanged(valid),
        Some(transform) => match transform.run(valid, &source.facts, interrupted) {
            Ok(event) => event,
            Err(failed) => return Prepared::letter(frame.transform_failed(&failed, &id, redactor)),
        },
    };
    match source.envelope.wrap(&event, &id, redactor) {
        Ok(body) => Prepared::Event(Message::new(
            id,
            body,
            event,
            Arc::clone(frame),
            Arc::clone(redactor),
        )),
        Err(detail) => Prepared::letter(frame.oversize(&event, detail, &id, redactor)),
    }
}

/// The ids of a request's events. What could not be read has one too: a line by its bytes, a request as one event.
fn ids(source: &Source, parsed: &Parsed) -> Vec<String> {
    let vendor_key = parsed.request().vendor_key();
    if let [Err(whole)] = parsed.items()
        && whole.position().is_none()
    {
        return vec![request_id(source.id(), vendor_key, whole.bytes())];
    }
    let identities: Vec<_> = parsed
        .items()
        .iter()
        .map(|item| match item {
            Ok(item) => Identity {
                vendor_key: item.vendor_key(),
                bytes: item.bytes(),
            },
            Err(failure) => Identity {
                vendor_key: None,
                bytes: failure.bytes(),
            },
        })
        .collect();
    let unique = source.preset().vendor_key.as_ref().is_some_and(|key| key.unique);
    let delivery = Delivery {
        source: source.id(),
        vendor_key,
        unique,
        splits: source.parse.splits(),
    };
    event_ids(delivery, &identities)
}

/// Whether a dead letter is too large for its queue in every way of writing it.
fn fits_nowhere(item: &Prepared, limit: usize) -> bool {
    matches!(item, Prepared::DeadLetter(letter) if letter.encode(limit).is_err())
}
