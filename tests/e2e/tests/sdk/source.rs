//! The engine's side: a source of the library's preset, which signs and judges.

use bytes::Bytes;
use jiff::Timestamp;
use mef_crds::Webhook;
use mef_pipeline::network_keys::{KeysFile, NetworkKeys};
use mef_pipeline::preset::Preset;
use mef_pipeline::received::{Headers, Received};
use mef_pipeline::secret::{Key, KeyRing, Secret};
use mef_pipeline::sign::{SignError, UnsignedRequest, sign};
use mef_pipeline::verify::{Verifier, verify};

use crate::oracle::{Library, Request};

pub const URL: &str = "https://hooks.example.org/hook";

pub struct Source {
    verifier: Verifier,
    keys: KeyRing,
    other_keys: KeyRing,
    published: KeysFile,
}

impl Source {
    pub fn new(library: &Library) -> Self {
        let presets = Preset::all();
        let preset = presets.iter().find(|preset| preset.name == library.preset);
        let preset = preset.unwrap_or_else(|| panic!("no preset {}", library.preset));
        let webhook = Webhook {
            provider: Some(preset.name.clone()),
            public_url: Some(URL.to_owned()),
            parameters: Some(library.parameters.clone()),
            ..Webhook::default()
        };
        let verifier = Verifier::compile(&preset.verification, &webhook).expect("a verifier");
        let uses: Vec<String> = match &library.uses {
            Some(uses) => uses.clone(),
            None => verifier.uses().into_iter().map(str::to_owned).collect(),
        };
        let ring = |secret: &str| {
            let key = |usage: &String| Key {
                index: 0,
                usage: usage.clone(),
                secret: Secret::new(secret),
                not_before: None,
                not_after: None,
            };
            KeyRing::new(if library.keyless {
                Vec::new()
            } else {
                uses.iter().map(key).collect()
            })
        };
        let published = serde_json::to_vec(&library.network).expect("JSON");
        Self {
            keys: ring(&library.secret),
            other_keys: ring(&library.other_secret),
            published: KeysFile::parse(&published).expect("keys"),
            verifier,
        }
    }

    /// `None` when only the sender can sign.
    pub fn sign(&self, with_its_secret: bool, request: &Request, at: Timestamp) -> Option<Request> {
        let (path, query) = target(&request.url);
        let unsigned = UnsignedRequest {
            method: request.method.clone(),
            path,
            query,
            headers: request.headers.clone().into_iter().collect(),
            body: Bytes::from(request.body.clone()),
        };
        let keys = if with_its_secret {
            &self.keys
        } else {
            &self.other_keys
        };
        let signed = match sign(&self.verifier, keys, &unsigned, at) {
            Ok(signed) => signed,
            Err(SignError::PublicKey) => return None,
            Err(error) => panic!("{error}"),
        };
        let query = match signed.query() {
            "" => String::new(),
            query => format!("?{query}"),
        };
        Some(Request {
            method: signed.method().to_owned(),
            url: format!("{URL}{query}"),
            headers: signed
                .headers()
                .iter()
                .map(|(name, value)| (name.to_lowercase(), value.clone()))
                .collect(),
            body: String::from_utf8(signed.body().to_vec()).expect("text"),
        })
    }

    /// The reason of a refusal.
    pub fn verify(&self, request: &Request, now: Timestamp) -> Result<(), String> {
        let (path, query) = target(&request.url);
        let received = Received {
            method: request.method.clone(),
            path,
            query,
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (name, value.as_bytes()))
                .collect::<Headers>(),
            body: request.body.clone().into(),
            peer: None,
            trace: None,
            client_certificate: None,
            at: now,
            request_id: "request".to_owned(),
        };
        let wanted = self.verifier.wanted_keys(&received);
        let network = if wanted.is_empty() {
            NetworkKeys::none()
        } else {
            self.published.answer(&wanted)
        };
        verify(&self.verifier, received, &self.keys, &network, now)
            .map(|_| ())
            .map_err(|unverified| unverified.to_string())
    }
}

/// Path and query.
fn target(url: &str) -> (String, String) {
    let (url, query) = url.split_once('?').unwrap_or((url, ""));
    let path = url.splitn(4, '/').nth(3).unwrap_or_default();
    (format!("/{path}"), query.to_owned())
}
