//! The last good definitions, as ControllerRevisions: from them the children are repaired while the newest definition is not
//! sound, also after the operator was restarted.

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use mef_pipeline::definition::Definition;
use serde_json::{Value, json};

use super::config_map::{Encoded, Text};
use super::{DEFINITION_ANNOTATION, Names, Wanted};

/// What an unzipped definition may have; more was never written.
const LONGEST: u64 = 64 << 20;

pub(super) fn build(wanted: &Wanted<'_>, names: &Names) -> ControllerRevision {
    let Encoded { digest, text } = wanted.encoded;
    let data = match text {
        Text::Plain(text) => json!({"definition": text}),
        Text::Zipped(bytes) => json!({"definitionGzip": STANDARD.encode(bytes)}),
    };
    let mut metadata = names.metadata(&names.of_definition(digest));
    metadata.annotations = Some(BTreeMap::from([(
        DEFINITION_ANNOTATION.to_owned(),
        digest.clone(),
    )]));
    ControllerRevision {
        metadata,
        revision: Some(wanted.revision),
        data: RawExtension(data),
    }
}

/// The definition in a revision; none where it cannot be read, as one of another version of the program.
#[must_use]
pub fn decode(revision: &ControllerRevision) -> Option<Definition> {
    let RawExtension(Value::Object(data)) = &revision.data else {
        return None;
    };
    if let Some(Value::String(text)) = data.get("definition") {
        return serde_json::from_str(text).ok();
    }
    let Some(Value::String(text)) = data.get("definitionGzip") else {
        return None;
    };
    let zipped = STANDARD.decode(text).ok()?;
    let mut plain = Vec::new();
    GzDecoder::new(&zipped[..])
        .take(LONGEST)
        .read_to_end(&mut plain)
        .ok()?;
    serde_json::from_slice(&plain).ok()
}

/// The number a definition's revision gets: that of the newest, one more where it is another definition.
#[must_use]
pub fn revision_number(digest: &str, revisions: &[ControllerRevision]) -> i64 {
    let newest = revisions.iter().max_by_key(|revision| revision.revision);
    let number = newest.and_then(|newest| newest.revision).unwrap_or(0);
    match newest {
        Some(newest) if digest_of(newest) == Some(digest) => number,
        _ => number + 1,
    }
}

/// The digest of the definition in a revision.
#[must_use]
pub fn digest_of(revision: &ControllerRevision) -> Option<&str> {
    let annotations = revision.metadata.annotations.as_ref()?;
    annotations.get(DEFINITION_ANNOTATION).map(String::as_str)
}
