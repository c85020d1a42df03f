//! What a sender signs is accepted, and is not with one more byte, with another query where the URL is signed, or after
//! its time.

use jiff::ToSpan as _;
use mef_crds::Primitive;
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::RejectReason;
use mef_pipeline::preset::Preset;
use mef_pipeline::received::Received;
use mef_pipeline::sign::sign;

use crate::requests::{Written, judge, now};
use crate::signatures::covers_body;

/// A request as [`Written`], to be signed for any preset.
pub fn target(data: &[u8]) {
    let written = Written::read(data);
    let subject = written.subject();
    let unsigned = written.unsigned();
    let Ok(signed) = sign(&subject.verifier, &subject.keys, &unsigned, now()) else {
        return;
    };
    let network = NetworkKeys::none();
    let received = signed.received(now(), "r1");
    match subject.judge(received.clone(), &network) {
        Ok(verified) => assert_eq!(verified.key_index(), Some(0)),
        // What the sender chose itself may be refused: its time, or a value that stands there twice.
        Err(RejectReason::Stale | RejectReason::Future | RejectReason::Malformed) => {
            let bare = unsigned.headers.is_empty() && unsigned.query.is_empty() && unsigned.body.is_empty();
            assert!(!bare, "what was signed is refused");
            return;
        }
        // A token that stands in the body is the caller's to write.
        Err(RejectReason::Mismatch) if reads_token_in_body(subject.preset) => return,
        Err(reason) => panic!("what was signed is refused: {reason:?}"),
    }
    if covers_body(subject.preset) {
        let body = [&received.body, b"x".as_slice()].concat().into();
        let longer = Received {
            body,
            ..received.clone()
        };
        assert!(
            subject.judge(longer, &network).is_err(),
            "accepted with another body"
        );
    }
    if covers_url(subject.preset) {
        let query = format!("{}&added=1", received.query);
        let other = Received {
            query,
            ..received.clone()
        };
        assert!(
            subject.judge(other, &network).is_err(),
            "accepted with another query"
        );
    }
    if let Some(tolerance) = signed_tolerance(subject.preset) {
        for second in [-2 * tolerance - 2, 2 * tolerance + 2] {
            let later = now() + second.seconds();
            let verdict = judge(
                &subject.verifier,
                received.clone(),
                &subject.keys,
                &network,
                later,
            );
            assert!(verdict.is_err(), "accepted {second} s later");
        }
    }
}

fn reads_token_in_body(preset: &Preset) -> bool {
    let mut primitives = preset
        .verification
        .any
        .iter()
        .flat_map(|alternative| &alternative.all);
    primitives.any(|primitive| {
        let token = primitive.token.as_ref();
        token.is_some_and(|token| token.from.starts_with("json:") || token.from.starts_with("form:"))
    })
}

/// Every primitive that signs anything does so with this in it.
fn all_sign(preset: &Preset, piece: &str) -> bool {
    let covers = |primitive: &Primitive| {
        let hmac = primitive.hmac.as_ref().map(|words| &words.sign);
        let digest = primitive.digest.as_ref().map(|words| &words.sign);
        hmac.or(digest).is_some_and(|sign| sign.contains(piece))
    };
    let alternatives = &preset.verification.any;
    alternatives
        .iter()
        .all(|alternative| alternative.all.iter().any(covers))
}

/// Whether the whole URL is signed and nothing else would do.
fn covers_url(preset: &Preset) -> bool {
    let variants = |primitive: &Primitive| {
        primitive
            .hmac
            .as_ref()
            .is_some_and(|hmac| !hmac.url_variants.is_empty())
    };
    let mut primitives = preset
        .verification
        .any
        .iter()
        .flat_map(|alternative| &alternative.all);
    all_sign(preset, "{url}") && !primitives.any(variants)
}

/// How far a signed time may be off, in seconds, where there is one.
fn signed_tolerance(preset: &Preset) -> Option<i64> {
    let rule = preset.verification.timestamp.as_ref()?;
    let tolerance = rule.tolerance.as_ref()?.to_duration().ok()?;
    all_sign(preset, "{ts}")
        .then_some(tolerance.as_secs())
        .and_then(|seconds| i64::try_from(seconds).ok())
}
