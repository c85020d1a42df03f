//! The signatures a request offers: `Signature-Input` and `Signature` in, what each label claims out, bounded and not yet
//! believed.

use sfv::{BareItem, Dictionary, InnerList, ListEntry, ListSerializer, Parser, Version};

use super::component::Component;
use crate::pipeline::RejectReason;
use crate::received::Received;
use crate::verify::Unverified;

pub(super) const SIGNATURE_INPUT: &str = "signature-input";
pub(super) const SIGNATURE: &str = "signature";

/// More than a sender and its proxies need; bounds on what a forger can make us compute.
const MAX_BYTES: usize = 8_192;
const MAX_SIGNATURES: usize = 16;
const MAX_COMPONENTS: usize = 32;

/// What one label claims.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(super) label: String,
    pub(super) components: Vec<Component>,
    /// The value of `@signature-params`.
    pub(super) parameters: String,
    pub(super) created: Option<i64>,
    pub(super) expires: Option<i64>,
    pub(super) key_id: Option<String>,
    pub(super) algorithm: Option<String>,
    pub(super) signature: Vec<u8>,
}

/// The signatures of a request, of one label or tag where they are given. Where some cannot be read the others still count;
/// where none can, the first reason is told.
pub(super) fn read(
    received: &Received,
    label: Option<&str>,
    tag: Option<&str>,
) -> Result<Vec<Offer>, Unverified> {
    let inputs = field(received, SIGNATURE_INPUT)?;
    let signatures = field(received, SIGNATURE)?;
    let (Some(inputs), Some(signatures)) = (inputs, signatures) else {
        return Err(Unverified::new(
            RejectReason::MissingSignature,
            "the request needs the headers signature-input and signature",
        ));
    };
    let (mut offers, mut first) = (Vec::new(), None);
    for (name, entry) in &inputs {
        let name = name.as_str();
        let ListEntry::InnerList(list) = entry else {
            first = first.or(Some(malformed(name, "is no list of components")));
            continue;
        };
        if label.is_some_and(|label| label != name) || tag.is_some_and(|tag| tag_of(list) != Some(tag)) {
            continue;
        }
        match offer(name, list, signatures.get(name)) {
            Ok(offer) => offers.push(offer),
            Err(unverified) => first = first.or(Some(unverified)),
        }
    }
    match (offers.is_empty(), first) {
        (false, _) => Ok(offers),
        (true, Some(unverified)) => Err(unverified),
        (true, None) => Err(Unverified::new(
            RejectReason::MissingSignature,
            "no signature has the label or tag that is asked for",
        )),
    }
}

/// A field as a dictionary; several lines of it are one.
fn field(received: &Received, name: &str) -> Result<Option<Dictionary>, Unverified> {
    let lines: Vec<&[u8]> = received.headers.all(name).collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let joined = lines.join(&b", "[..]);
    if joined.len() > MAX_BYTES {
        return Err(Unverified::malformed(format!(
            "{name} is longer than {MAX_BYTES} bytes"
        )));
    }
    let dictionary: Dictionary = Parser::new(&joined)
        .with_version(Version::Rfc8941)
        .parse()
        .map_err(|error| {
            Unverified::malformed(format!(
                "{name} is no dictionary of structured fields (RFC 8941): {error}"
            ))
        })?;
    if dictionary.len() > MAX_SIGNATURES {
        return Err(Unverified::malformed(format!(
            "{name} has {} entries; at most {MAX_SIGNATURES} are looked at",
            dictionary.len()
        )));
    }
    Ok(Some(dictionary))
}

fn offer(label: &str, list: &InnerList, signature: Option<&ListEntry>) -> Result<Offer, Unverified> {
    let signature = match signature {
        Some(ListEntry::Item(item)) => item.bare_item.as_byte_sequence(),
        Some(ListEntry::InnerList(_)) | None => None,
    };
    let signature = signature.ok_or_else(|| malformed(label, "has no signature in the header signature"))?;
    if list.items.len() > MAX_COMPONENTS {
        return Err(malformed(
            label,
            &format!("covers more than {MAX_COMPONENTS} components"),
        ));
    }
    let mut components: Vec<Component> = Vec::with_capacity(list.items.len());
    for item in &list.items {
        let component =
            Component::of(item).map_err(|error| malformed(label, &format!("is unreadable: {error}")))?;
        if components.contains(&component) {
            return Err(malformed(
                label,
                &format!("covers {} more than once", component.identifier()),
            ));
        }
        components.push(component);
    }
    let mut serializer = ListSerializer::new();
    serializer.members([&ListEntry::InnerList(list.clone())]);
    Ok(Offer {
        label: label.to_owned(),
        components,
        parameters: serializer.finish().unwrap_or_default(),
        created: second(label, list, "created")?,
        expires: second(label, list, "expires")?,
        key_id: text(label, list, "keyid")?,
        algorithm: text(label, list, "alg")?,
        signature: signature.to_vec(),
    })
}

fn tag_of(list: &InnerList) -> Option<&str> {
    Some(list.params.get("tag")?.as_string()?.as_str())
}

fn text(label: &str, list: &InnerList, name: &str) -> Result<Option<String>, Unverified> {
    match list.params.get(name) {
        None => Ok(None),
        Some(BareItem::String(text)) => Ok(Some(text.as_str().to_owned())),
        Some(_) => Err(malformed(label, &format!("has a {name} that is no string"))),
    }
}

fn second(label: &str, list: &InnerList, name: &str) -> Result<Option<i64>, Unverified> {
    match list.params.get(name) {
        None => Ok(None),
        Some(BareItem::Integer(second)) => Ok(Some((*second).into())),
        Some(_) => Err(malformed(label, &format!("has a {name} that is no whole number"))),
    }
}

fn malformed(label: &str, what: &str) -> Unverified {
    Unverified::malformed(format!("the signature {label:?} {what}"))
}
