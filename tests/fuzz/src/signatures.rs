//! Signature headers: whatever stands in them, nobody who does not know the secret is believed, and who knows it is
//! believed for the body that was signed.

use mef_crds::Primitive;
use mef_pipeline::preset::Preset;
use mef_pipeline::received::Received;
use mef_pipeline::sign::sign;

use crate::published::network;
use crate::requests::{SECRET, Written, now};

/// Stands for the value that the sender would put into this header.
const GOOD: &[u8] = b"{signature}";

/// A request as [`Written`], to any preset.
pub fn target(data: &[u8]) {
    let written = Written::read(data);
    let subject = written.subject();
    let received = written.received();
    let keys = network(&subject.verifier, &received);
    let (challenges, verifier) = (&subject.challenges, &subject.verifier);
    if let Some(Ok(reply)) = challenges.answer_unverified(&received, verifier, &subject.keys, &keys, now()) {
        assert!(!shows(&reply.body), "the answer to a handshake shows the secret");
    }
    let knows = shows(data);
    let verdict = subject.judge(received, &keys);
    assert!(verdict.is_err() || knows, "accepted from nobody");

    let Some(received) = completed(&written) else {
        return;
    };
    if subject.judge(received.clone(), &keys).is_ok() && covers_body(subject.preset) {
        let longer = [&received.body, b"x".as_slice()].concat().into();
        let longer = Received {
            body: longer,
            ..received
        };
        assert!(
            subject.judge(longer, &keys).is_err(),
            "accepted with another body"
        );
    }
}

/// The request with the sender's own values where the mark stands, if it stands anywhere and the preset can be signed.
fn completed(written: &Written) -> Option<Received> {
    let marked = |value: &[u8]| value.windows(GOOD.len()).position(|part| part == GOOD);
    written.headers.iter().find_map(|(_, value)| marked(value))?;
    let mut unsigned = written.clone();
    unsigned.headers.retain(|(_, value)| marked(value).is_none());
    let subject = written.subject();
    let signed = sign(&subject.verifier, &subject.keys, &unsigned.unsigned(), now()).ok()?;
    let mut complete = written.clone();
    for (name, value) in &mut complete.headers {
        let good = signed.headers().iter().find(|(other, _)| other == name);
        if let (Some(at), Some((_, good))) = (marked(value), good) {
            value.splice(at..at + GOOD.len(), good.bytes());
        }
    }
    let known = |name: &str| complete.headers.iter().any(|(other, _)| other == name);
    let others = signed.headers().iter().filter(|(name, _)| !known(name));
    let others: Vec<_> = others
        .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
        .collect();
    complete.headers.extend(others);
    signed.query().clone_into(&mut complete.query);
    complete.body = signed.body().to_vec();
    Some(complete.received())
}

/// Whether each way of proof of a preset covers each byte of the body.
pub(crate) fn covers_body(preset: &Preset) -> bool {
    let covers = |primitive: &Primitive| {
        let signs = [
            primitive.hmac.as_ref().map(|words| &words.sign),
            primitive.digest.as_ref().map(|words| &words.sign),
            primitive.pubkey.as_ref().map(|words| &words.sign),
        ];
        signs.into_iter().flatten().any(|sign| sign.contains("{body}"))
            || primitive.body_digest.is_some()
            || primitive.jwt.as_ref().is_some_and(|jwt| jwt.from == "body")
    };
    let alternatives = &preset.verification.any;
    alternatives
        .iter()
        .all(|alternative| alternative.all.iter().any(covers))
}

fn shows(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
}
