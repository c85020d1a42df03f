//! Letters of one source, from the failures of each stage.

use std::borrow::Cow;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;

use super::query::TokenParameters;
use super::{BodyEncoding, DeadReason, Detail, ItemPosition, Letter, Unit};
use crate::definition::Definition;
use crate::event_id::sha256_hex;
use crate::expression::{Event, Failed};
use crate::parse::{Item, Request, Unparsable};
use crate::redact::Redactor;
use crate::validate::{Invalid, Valid};

/// How many details a letter holds.
const MAX_DETAILS: usize = 20;

/// The longest sentence and path of a detail, in characters.
const MAX_DETAIL_CHARS: usize = 500;

/// The first bytes of gzip.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// How much of a gzip body is looked at for secrets (64 MiB): as much as a body may unpack to.
const MAX_UNPACKED_BYTES: u64 = 64 * 1024 * 1024;
/// How often gzip in gzip is unpacked in the search for secrets.
const MAX_LAYERS: usize = 4;

/// What all letters of a definition have in common.
#[derive(Clone, Debug)]
pub struct Frame {
    source: String,
    definition: String,
    generation: i64,
    token_parameters: TokenParameters,
}

/// Why an item is refused.
struct Refusal {
    stage: &'static str,
    reason: DeadReason,
    detail: Vec<Detail>,
}

/// Where the bytes stood, and where they re-enter.
#[derive(Clone, Copy)]
struct Place {
    unit: Unit,
    item: Option<ItemPosition>,
}

impl Frame {
    /// The frame of a definition; `digest` is its digest.
    #[must_use]
    pub fn new(definition: &Definition, digest: &str) -> Self {
        Self {
            source: format!("{}/{}", definition.namespace, definition.name),
            definition: digest.to_owned(),
            generation: definition.generation,
            token_parameters: TokenParameters::of(&definition.preset.verification),
        }
    }

    /// A request, or a part of one, that is no JSON, form or NDJSON.
    #[must_use]
    pub fn unparsable(
        &self,
        request: &Request,
        failure: &Unparsable,
        id: &str,
        redactor: &Redactor,
    ) -> Letter {
        let refusal = Refusal {
            stage: "parse",
            reason: DeadReason::Unparsable,
            detail: failure.detail().to_vec(),
        };
        let place = Place {
            unit: failure.unit(),
            item: failure.position(),
        };
        let clean = without_secrets(failure.bytes(), redactor);
        self.letter(request, place, &clean, refusal, id, redactor)
    }

    /// An item the schema refuses.
    #[must_use]
    pub fn invalid(&self, failure: &Invalid, id: &str, redactor: &Redactor) -> Letter {
        let refusal = Refusal {
            stage: "validate",
            reason: DeadReason::Schema,
            detail: failure.detail().to_vec(),
        };
        self.of_item(failure.item(), refusal, id, redactor)
    }

    /// An item on which the filter failed.
    #[must_use]
    pub fn filter_failed(&self, valid: &Valid, detail: Vec<Detail>, id: &str, redactor: &Redactor) -> Letter {
        let refusal = Refusal {
            stage: "filter",
            reason: DeadReason::Transform,
            detail,
        };
        self.of_item(valid.item(), refusal, id, redactor)
    }

    /// An item on which the transform failed.
    #[must_use]
    pub fn transform_failed(&self, failed: &Failed, id: &str, redactor: &Redactor) -> Letter {
        let refusal = Refusal {
            stage: "transform",
            reason: DeadReason::Transform,
            detail: failed.detail.clone(),
        };
        self.of_item(failed.valid.item(), refusal, id, redactor)
    }

    /// An event whose message is larger than the queue takes.
    #[must_use]
    pub fn oversize(&self, event: &Event, detail: Detail, id: &str, redactor: &Redactor) -> Letter {
        let refusal = Refusal {
            stage: "envelope",
            reason: DeadReason::Oversize,
            detail: vec![detail],
        };
        self.of_item(event.valid().item(), refusal, id, redactor)
    }

    /// An event whose message the queue does not take, or not in time. Why is filled in when it happens.
    #[must_use]
    pub fn undelivered(&self, event: &Event, id: &str, redactor: &Redactor) -> Letter {
        let refusal = Refusal {
            stage: "deliver",
            reason: DeadReason::Undelivered,
            detail: Vec::new(),
        };
        self.of_item(event.valid().item(), refusal, id, redactor)
    }

    fn of_item(&self, item: &Item, refusal: Refusal, id: &str, redactor: &Redactor) -> Letter {
        let place = Place {
            unit: Unit::Item,
            item: Some(item.position()),
        };
        let clean = redactor.json(item.bytes());
        self.letter(item.request(), place, &clean, refusal, id, redactor)
    }

    /// The bytes are those received, without secrets.
    fn letter(
        &self,
        request: &Request,
        place: Place,
        clean: &[u8],
        refusal: Refusal,
        id: &str,
        redactor: &Redactor,
    ) -> Letter {
        let (body, body_encoding) = match std::str::from_utf8(clean) {
            Ok(text) => (text.to_owned(), BodyEncoding::Text),
            Err(_) => (STANDARD.encode(clean), BodyEncoding::Base64),
        };
        let headers = request.headers().iter();
        let Refusal {
            stage,
            reason,
            detail,
        } = refusal;
        let Place { unit, item } = place;
        Letter {
            source: self.source.clone(),
            definition: self.definition.clone(),
            generation: self.generation,
            unit,
            event_id: id.to_owned(),
            item,
            stage: stage.to_owned(),
            reason,
            detail: bounded(detail, redactor),
            received_at: request.received_at().to_string(),
            attempts: 1,
            replay: None,
            request_id: request.request_id().to_owned(),
            method: request.method().to_owned(),
            query: self.token_parameters.redact(request.query(), redactor),
            content_type: request
                .content_type()
                .map(|kind| redactor.text(kind).into_owned()),
            headers: headers
                .map(|(name, value)| (name.clone(), redactor.text(value).into_owned()))
                .collect(),
            body,
            body_encoding,
            // Not of the bytes as received: who reads the rest could try secrets until one fits.
            body_sha256: sha256_hex(clean),
        }
    }
}

/// A body of unknown shape without secrets. One that is gzip and holds a secret is kept unpacked: packed again it would
/// be other bytes anyway, and a replay tells gzip by its first bytes. Nor does gzip in gzip hide one.
#[must_use]
pub fn without_secrets<'a>(bytes: &'a [u8], redactor: &Redactor) -> Cow<'a, [u8]> {
    clean(bytes, redactor, MAX_LAYERS)
}

fn clean<'a>(bytes: &'a [u8], redactor: &Redactor, layers: usize) -> Cow<'a, [u8]> {
    if layers == 0 || !bytes.starts_with(GZIP) {
        return redactor.bytes(bytes);
    }
    let mut unpacked = Vec::new();
    let read = MultiGzDecoder::new(bytes)
        .take(MAX_UNPACKED_BYTES)
        .read_to_end(&mut unpacked);
    match (read, clean(&unpacked, redactor, layers - 1)) {
        (Ok(_), Cow::Owned(clean)) => Cow::Owned(clean),
        // Damaged gzip stays as it is: what is left of a secret in it cannot be told from noise.
        _ => redactor.bytes(bytes),
    }
}

/// The details without secrets, few and short enough to leave the room to the body.
fn bounded(details: Vec<Detail>, redactor: &Redactor) -> Vec<Detail> {
    let short = |text: String| {
        let text = redactor.text(&text).into_owned();
        match text.char_indices().nth(MAX_DETAIL_CHARS) {
            Some((end, _)) => format!("{}…", text.split_at(end).0),
            None => text,
        }
    };
    let total = details.len();
    let mut kept: Vec<Detail> = details
        .into_iter()
        .take(MAX_DETAILS)
        .map(
            |Detail {
                 message,
                 instance_path,
                 schema_path,
                 line,
                 column,
             }| Detail {
                message: short(message),
                instance_path: instance_path.map(short),
                schema_path: schema_path.map(short),
                line,
                column,
            },
        )
        .collect();
    if total > MAX_DETAILS {
        kept.truncate(MAX_DETAILS - 1);
        kept.push(Detail::message(format!("and {} more", total - kept.len())));
    }
    kept
}
