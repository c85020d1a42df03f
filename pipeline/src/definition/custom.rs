//! The preset that stands for a verification of the user's own.
//!
//! A verification in, a preset named `custom` out. Nothing is known of the sender, so nothing is assumed: no headers are
//! kept but the content type, an event id is made of the bytes, and success is 200 with an empty body within 3 seconds.

use std::collections::BTreeSet;

use mef_crds::{ParameterName, Primitive, Verification};

use crate::preset::{Ack, BodyRules, EventFacts, Issuer, Preset, PresetParameter, PresetSecret, Retry};
use crate::verify::{reads_allowlist, token_parameters};

/// The name of the preset that stands for a verification of the user's own.
pub(crate) const NAME: &str = "custom";

/// How long an unknown sender is assumed to wait. The shortest time among the presets.
const DEADLINE_MILLISECONDS: u32 = 3_000;

pub(super) fn preset(verification: &Verification) -> Preset {
    let uses: BTreeSet<&str> = primitives(verification).filter_map(usage).collect();
    // With alternatives any one of the secrets may be enough; which, only the user knows.
    let optional = verification.any.len() > 1;
    Preset {
        name: NAME.to_owned(),
        title: "Custom verification".to_owned(),
        description: "A sender described in the source itself, under spec.webhook.verification.".to_owned(),
        links: Vec::new(),
        setup: vec![
            "Enter {url} as the endpoint at the sender.".to_owned(),
            "Make sure that the sender and the source's Secret hold the same secret.".to_owned(),
        ],
        secrets: uses
            .into_iter()
            .map(|usage| PresetSecret {
                usage: usage.to_owned(),
                issued_by: Issuer::User,
                description: format!("The secret that spec.webhook.verification uses as {usage:?}."),
                optional,
                generate: None,
            })
            .collect(),
        parameters: parameters(verification),
        verification: verification.clone(),
        keep_headers: vec!["content-type".to_owned()],
        event: EventFacts::default(),
        vendor_key: None,
        body: BodyRules::default(),
        challenges: Vec::new(),
        ack: Ack {
            status: 200,
            body: None,
            content_type: None,
            deadline_milliseconds: DEADLINE_MILLISECONDS,
            unverified_status: None,
            invalid: None,
            source: "nothing is known of the sender; the shortest deadline among the presets".to_owned(),
        },
        retry: Retry {
            never: false,
            description: "Not known.".to_owned(),
            source: "unverified".to_owned(),
        },
        message_profile: None,
        examples: Vec::new(),
    }
}

/// What the verification's words need of the source besides secrets.
fn parameters(verification: &Verification) -> Vec<PresetParameter> {
    let of_tokens = token_parameters(verification)
        .into_iter()
        .map(|(name, needed)| PresetParameter {
            name,
            description: format!(
                "What the tokens of spec.webhook.verification are held against as {}.",
                name.as_str()
            ),
            optional: !needed,
        });
    let allowlist = reads_allowlist(verification).then(|| PresetParameter {
        name: ParameterName::Topics,
        description: "The values that spec.webhook.verification.require accepts where it says allowlist."
            .to_owned(),
        optional: false,
    });
    of_tokens.chain(allowlist).collect()
}

/// Every primitive of a verification.
fn primitives(verification: &Verification) -> impl Iterator<Item = &Primitive> {
    verification.any.iter().flat_map(|all_of| &all_of.all)
}

/// Which of the source's secrets a primitive needs; a digest of the body, a published key and the connection need none.
fn usage(primitive: &Primitive) -> Option<&str> {
    if let Some(http_sig) = &primitive.http_sig {
        return Some(http_sig.secret.as_deref().unwrap_or("signing"));
    }
    if let Some(token) = &primitive.token {
        return Some(token.secret.as_deref().unwrap_or("token"));
    }
    let secret = primitive
        .hmac
        .as_ref()
        .map(|hmac| &hmac.secret)
        .or_else(|| primitive.digest.as_ref().map(|digest| &digest.secret))
        .or_else(|| {
            let held = primitive.pubkey.as_ref().filter(|pubkey| pubkey.key.is_some());
            held.map(|pubkey| &pubkey.secret)
        })
        .or_else(|| {
            let held = primitive.jwt.as_ref().filter(|jwt| jwt.key_set_url.is_none());
            held.map(|jwt| &jwt.secret)
        })?;
    Some(secret.as_deref().unwrap_or("signing"))
}
