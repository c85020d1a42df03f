//! One delivery: an example's or a sample's body, signed by the engine, and spoiled where that is asked for. Sends nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use mef_pipeline::secret::{Key, KeyRing, Secret};
use mef_pipeline::sign::{SignedRequest, UnsignedRequest, sign};
use mef_pipeline::source::Source;

use crate::failure::{Failure, Outcome};
use crate::secrets::{another, random_token};

/// How far in the past a delivery is signed that must be refused as old: beyond any tolerance one would set.
const OLD: SignedDuration = SignedDuration::from_hours(24 * 365);

/// An event that can be sent.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) name: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

/// A signed request on its way. A header of it may hold a token, so it cannot be printed.
pub(super) struct Delivery {
    pub(super) method: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl From<SignedRequest> for Delivery {
    fn from(request: SignedRequest) -> Self {
        Self {
            method: request.method().to_owned(),
            query: request.query().to_owned(),
            headers: request.headers().to_vec(),
            body: request.body().to_vec(),
        }
    }
}

/// What is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tamper {
    Body,
    Signature,
    Time,
}

impl Event {
    /// Without headers or body.
    pub(super) fn bare(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            headers: BTreeMap::new(),
            body: Vec::new(),
        }
    }
}

/// What can be sent: the preset's examples, then the source's samples.
pub(super) fn known(source: &Source) -> Vec<Event> {
    let examples = source.preset().examples.iter().map(|example| Event {
        name: example.event.clone(),
        headers: example.headers.clone(),
        body: example.body.clone().into_bytes(),
    });
    let samples = source.definition().spec.samples.iter().map(|sample| Event {
        name: sample.name.clone(),
        headers: sample.headers.clone(),
        body: sample.body.clone().into_bytes(),
    });
    examples.chain(samples).collect()
}

/// Signs the event, and spoils it.
pub(super) fn prepare(
    source: &Source,
    event: &Event,
    keys: &KeyRing,
    tamper: Option<Tamper>,
    now: Timestamp,
) -> Outcome<Delivery> {
    let unsigned = unsigned(source, event, now)?;
    let failed = |error: mef_pipeline::sign::SignError| {
        Failure::Wrong(format!("the delivery cannot be signed: {error}"))
    };
    let sign_at = |keys: &KeyRing, at| {
        sign(source.verifier(), keys, &unsigned, at)
            .map(Delivery::from)
            .map_err(failed)
    };
    match tamper {
        None => sign_at(keys, now),
        Some(Tamper::Signature) => sign_at(&other_keys(source, keys)?, now),
        Some(Tamper::Time) => {
            if source.preset().verification.timestamp.is_none() {
                return Err(Failure::Usage(format!(
                    "--tamper time: {} signs no time, so nothing it sends can be too old",
                    source.preset().title
                )));
            }
            // A secret that is valid only now must still sign.
            let always = KeyRing::new(
                keys.all()
                    .iter()
                    .cloned()
                    .map(|key| Key {
                        not_before: None,
                        ..key
                    })
                    .collect(),
            );
            sign_at(&always, now.checked_sub(OLD).unwrap_or(Timestamp::UNIX_EPOCH))
        }
        Some(Tamper::Body) => {
            let mut delivery = sign_at(keys, now)?;
            let middle = delivery.body.len() / 2;
            let byte = delivery.body.get_mut(middle).ok_or_else(|| {
                Failure::Usage("--tamper body: this event has no body; give one with --body".to_owned())
            })?;
            *byte ^= 1;
            Ok(delivery)
        }
    }
}

fn unsigned(source: &Source, event: &Event, now: Timestamp) -> Outcome<UnsignedRequest> {
    let mut headers = Vec::new();
    for (name, value) in &event.headers {
        headers.push((name.clone(), filled_in(value, now)?));
    }
    if !headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    Ok(UnsignedRequest {
        method: "POST".to_owned(),
        path: source.path(),
        query: String::new(),
        headers,
        body: Bytes::from(event.body.clone()),
    })
}

/// `{uuid}` becomes a new one, `{now}` the time in seconds.
fn filled_in(value: &str, now: Timestamp) -> Outcome<String> {
    if !value.contains('{') {
        return Ok(value.to_owned());
    }
    let random = random_token()?;
    let part = |from: usize, to: usize| random.get(from..to).unwrap_or_default().to_owned();
    // Version 4, variant 1 (RFC 9562, 5.4).
    let uuid = format!(
        "{}-{}-4{}-a{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    );
    Ok(value
        .replace("{uuid}", &uuid)
        .replace("{now}", &now.as_second().to_string()))
}

/// Secrets of the same shapes that nobody knows.
fn other_keys(source: &Source, keys: &KeyRing) -> Outcome<KeyRing> {
    let mut others = Vec::new();
    for key in keys.all() {
        let shape = source
            .preset()
            .secrets
            .iter()
            .find(|secret| secret.usage == key.usage);
        let secret = Secret::new(another(shape)?);
        others.push(Key {
            secret,
            ..key.clone()
        });
    }
    Ok(KeyRing::new(others))
}
