//! What somebody says about a sender → a preset. It judges nothing: what is wrong is told when the preset is read again.

use std::collections::BTreeMap;

use mef_crds::{
    AllOf, DurationText, Encoding, Hash, Hmac, KeyEncoding, Primitive, SignatureSource, TimeUnit, Timestamp,
    Token, TokenDecode, TokenScheme, Verification,
};
use mef_pipeline::preset::{
    Ack, BodyRules, EventFacts, Example, GeneratedSecret, Issuer, Preset, PresetSecret, Retry,
};
use serde_json::{Value, json};

/// The longest age of a signed time: what most vendors recommend.
const TOLERANCE: &str = "300s";
/// How long an unknown sender is assumed to wait.
const DEADLINE_MILLISECONDS: u32 = 3_000;

/// How a request proves itself.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// A keyed MAC of what is signed.
    Hmac {
        hash: Hash,
        key: KeyEncoding,
        sign: String,
        signature: Box<SignatureSource>,
        encoding: Encoding,
    },
    /// The secret itself.
    Token {
        from: String,
        scheme: Option<TokenScheme>,
    },
}

/// Where the rest of what is signed stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// The time of sending, and how it is written.
    pub(super) timestamp: Option<(String, TimeUnit)>,
    /// What `{id}` stands for.
    pub(super) id: Option<String>,
}

/// A sender, as far as somebody knows it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) proof: Proof,
    pub(super) places: Places,
    /// A value source, as `json:/type`.
    pub(super) event_type: Option<String>,
    pub(super) issued_by: Issuer,
}

impl Proof {
    /// The use of its secret.
    pub(super) fn usage(&self) -> &'static str {
        match self {
            Self::Hmac { .. } => "signing",
            Self::Token { .. } => "token",
        }
    }

    /// The verification with this proof alone.
    pub(super) fn verification(&self, places: &Places) -> Verification {
        let primitive = match self.clone() {
            Self::Hmac {
                hash,
                key,
                sign,
                signature,
                encoding,
            } => Primitive {
                hmac: Some(Hmac {
                    hash,
                    key: Some(key).filter(|key| *key != KeyEncoding::Utf8),
                    key_template: None,
                    sign,
                    signature: *signature,
                    encoding,
                    url_variants: Vec::new(),
                    secret: None,
                }),
                ..Primitive::default()
            },
            Self::Token { from, scheme } => Primitive {
                token: Some(Token {
                    from,
                    scheme,
                    decode: (scheme == Some(TokenScheme::Basic)).then_some(TokenDecode::Base64),
                    each: false,
                    secret: None,
                }),
                ..Primitive::default()
            },
        };
        Verification {
            any: vec![AllOf { all: vec![primitive] }],
            timestamp: places.timestamp.as_ref().map(|(from, unit)| Timestamp {
                from: from.clone(),
                unit: *unit,
                tolerance: Some(DurationText(TOLERANCE.to_owned())),
            }),
            id: places.id.clone(),
            require: BTreeMap::new(),
        }
    }

    /// What a generated secret must look like.
    fn generate(&self) -> Option<GeneratedSecret> {
        match self {
            Self::Hmac {
                key: KeyEncoding::Whsec,
                ..
            } => Some(GeneratedSecret::Whsec),
            Self::Token {
                scheme: Some(TokenScheme::Basic),
                ..
            } => Some(GeneratedSecret::UserPassword),
            _ => None,
        }
    }
}

impl Wanted {
    /// The preset. What nobody was asked (answer, deadline, retries) is assumed with care, and says so.
    pub(super) fn preset(&self) -> Preset {
        let title = &self.title;
        let description = match self.issued_by {
            Issuer::Vendor => format!("{title} shows it where the webhook is set up."),
            Issuer::User => format!("A random text of your own that {title} knows too."),
        };
        Preset {
            name: self.name.clone(),
            title: title.clone(),
            description: format!("Events of {title}."),
            links: Vec::new(),
            setup: vec![format!(
                "At {title}, enter {{url}} as the webhook's URL, with the source's secret."
            )],
            secrets: vec![PresetSecret {
                usage: self.proof.usage().to_owned(),
                issued_by: self.issued_by,
                description,
                optional: false,
                generate: self.proof.generate(),
            }],
            parameters: Vec::new(),
            verification: self.proof.verification(&self.places),
            keep_headers: vec!["user-agent".to_owned()],
            event: EventFacts {
                kind: self.event_type.iter().cloned().collect(),
                time: Vec::new(),
            },
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
                source: "unverified".to_owned(),
            },
            retry: Retry {
                never: false,
                description: "Not known.".to_owned(),
                source: "unverified".to_owned(),
            },
            message_profile: None,
            examples: vec![self.example()],
        }
    }

    /// A made-up event; a captured one may hold what does not belong into a file that is shared.
    fn example(&self) -> Example {
        let event = "example.created";
        let mut headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        let mut body = json!({"example": true});
        match self
            .event_type
            .as_deref()
            .and_then(|source| source.split_once(':'))
        {
            Some(("json", pointer)) => body = nested(pointer, event),
            Some(("header", name)) => {
                headers.insert(name.to_owned(), event.to_owned());
            }
            _ => {}
        }
        Example {
            event: event.to_owned(),
            headers,
            body: body.to_string(),
        }
    }
}

/// An object in which a text stands at a pointer.
fn nested(pointer: &str, text: &str) -> Value {
    let tokens: Vec<&str> = pointer.split('/').skip(1).collect();
    tokens.into_iter().rev().fold(
        Value::from(text),
        |inner, token| json!({(token.replace("~1", "/").replace("~0", "~")): inner}),
    )
}
