//! The answer to a handshake: pieces of the request into a status, headers and a body. JSON is serialised, text is
//! marked as text, and a header is only made of characters that cannot end it.

use std::collections::BTreeMap;

use mef_crds::KeyEncoding;
use ring::hmac;

use super::{Piece, Signing};
use crate::pipeline::{RejectReason, Reply};
use crate::verify::value::View;
use crate::verify::{encode, mac_key};

/// A checked answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Body,
    pub(super) headers: Vec<(String, Vec<Piece>)>,
}

/// Its body.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Empty,
    Json(BTreeMap<String, Vec<Piece>>),
    Text(Vec<Piece>),
}

impl Answer {
    pub(super) fn render(&self, view: &View<'_>, signing: &Signing<'_>) -> Result<Reply, RejectReason> {
        let mut reply = Reply {
            status: self.status,
            ..Reply::default()
        };
        let content_type = match &self.body {
            Body::Empty => None,
            Body::Json(fields) => {
                let fields = fields
                    .iter()
                    .map(|(key, pieces)| Ok((key, text(pieces, view, signing)?)))
                    .collect::<Result<BTreeMap<_, _>, RejectReason>>()?;
                reply.body = serde_json::to_vec(&fields).map_err(|_| RejectReason::ChallengeGuard)?;
                Some("application/json")
            }
            Body::Text(pieces) => {
                reply.body = text(pieces, view, signing)?.into_bytes();
                Some("text/plain; charset=utf-8")
            }
        };
        if let Some(content_type) = content_type {
            for (name, value) in [
                ("content-type", content_type),
                ("x-content-type-options", "nosniff"),
            ] {
                reply.headers.push((name.to_owned(), value.to_owned()));
            }
        }
        for (name, pieces) in &self.headers {
            let value = text(pieces, view, signing)?;
            if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
                return Err(RejectReason::ChallengeGuard);
            }
            reply.headers.push((name.clone(), value));
        }
        Ok(reply)
    }
}

/// A value the answer needs and the request has not makes it a handshake that is not answered.
fn text(pieces: &[Piece], view: &View<'_>, signing: &Signing<'_>) -> Result<String, RejectReason> {
    let mut text = String::new();
    let read = |source| match view.read(source) {
        Ok(Some(value)) => Ok(value),
        Ok(None) | Err(_) => Err(RejectReason::ChallengeGuard),
    };
    for piece in pieces {
        match piece {
            Piece::Literal(literal) => text.push_str(literal),
            Piece::Value(source) => text.push_str(&read(source)?),
            Piece::Hmac(encoding, source) => {
                let key = signing.key().ok_or(RejectReason::NoValidSecret)?;
                let key = mac_key(KeyEncoding::Utf8, key.secret.expose())
                    .map_err(|_| RejectReason::NoValidSecret)?;
                let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
                let tag = hmac::sign(&key, read(source)?.as_bytes());
                text.push_str(&encode(*encoding, tag.as_ref()));
            }
        }
    }
    Ok(text)
}
