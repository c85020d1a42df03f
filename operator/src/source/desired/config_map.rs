//! The definition as a receiver reads it: an immutable ConfigMap named by its digest.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use mef_pipeline::definition::Definition;

use super::{DEFINITION_ANNOTATION, Names, Wanted};

/// The file a receiver reads.
const PLAIN: &str = "definition.json";
/// The same, where the plain text would not fit.
const ZIPPED: &str = "definition.json.gz";

/// Above this the text is zipped; a ConfigMap holds a mebibyte, and people read the plain one.
const PLAIN_BYTES: usize = 256 * 1_024;
/// What a ConfigMap takes, less room for its metadata. A revision holds the same in base64 and has room for it: etcd takes 1.5
/// MiB.
const LONGEST: usize = 768 * 1_024;

/// A definition written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The first 12 hex digits of its digest.
    pub digest: String,
    /// The text.
    pub text: Text,
}

/// How it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// As JSON.
    Plain(String),
    /// As zipped JSON.
    Zipped(Vec<u8>),
}

/// The definition is too large, zipped too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the definition has {0} bytes when it is compressed, a ConfigMap takes {LONGEST}: use smaller schemas, or point into them with `pointer`"
)]
pub struct NotEncoded(usize);

impl Encoded {
    /// Writes a definition out.
    ///
    /// # Errors
    /// When it fits no ConfigMap.
    pub fn of(definition: &Definition) -> Result<Self, NotEncoded> {
        // A definition is made of strings, numbers and maps with string keys, which always serialise.
        let text = serde_json::to_string(definition).unwrap_or_default();
        let digest = definition.digest();
        if text.len() <= PLAIN_BYTES {
            return Ok(Self {
                digest,
                text: Text::Plain(text),
            });
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let zipped = encoder
            .write_all(text.as_bytes())
            .and_then(|()| encoder.finish())
            .unwrap_or_default();
        if zipped.is_empty() || zipped.len() > LONGEST {
            return Err(NotEncoded(zipped.len()));
        }
        Ok(Self {
            digest,
            text: Text::Zipped(zipped),
        })
    }
}

pub(super) fn build(wanted: &Wanted<'_>, names: &Names) -> ConfigMap {
    let Encoded { digest, text } = wanted.encoded;
    let mut metadata = names.metadata(&names.of_definition(digest));
    metadata.annotations = Some(BTreeMap::from([(
        DEFINITION_ANNOTATION.to_owned(),
        digest.clone(),
    )]));
    let (data, binary_data) = match text {
        Text::Plain(text) => (Some(BTreeMap::from([(PLAIN.to_owned(), text.clone())])), None),
        Text::Zipped(bytes) => (
            None,
            Some(BTreeMap::from([(ZIPPED.to_owned(), ByteString(bytes.clone()))])),
        ),
    };
    ConfigMap {
        metadata,
        immutable: Some(true),
        data,
        binary_data,
    }
}
