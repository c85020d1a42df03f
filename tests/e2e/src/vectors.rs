//! The published signature vectors as a user meets them: a source and its secrets as objects, a request as it is sent.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use mef_crds::Webhook;
use mef_pipeline::preset::Preset;
use mef_pipeline::secret::{Key, KeyRing, Secret};
use mef_pipeline::sign::{SignedRequest, UnsignedRequest, sign};
use mef_pipeline::verify::Verifier;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A time for vectors that name none; no sender signed one there.
const NOW: i64 = 1_700_000_010;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    verify: Vec<Vector>,
    #[serde(default)]
    challenge: Vec<Vector>,
}

/// One vector.
#[derive(Clone, Deserialize)]
pub struct Vector {
    /// Its name.
    pub name: String,
    /// The preset it is for.
    pub preset: String,
    /// The secrets of the source.
    pub secrets: Vec<String>,
    /// What the sender publishes, by URL or key id; keys of HTTP signatures are secrets here.
    #[serde(default)]
    keys: Map<String, Value>,
    #[serde(default)]
    config: Config,
    #[serde(default)]
    allowlist: Vec<String>,
    verify_token: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    method: Option<String>,
    url: Option<String>,
    now: Option<i64>,
    /// The verdict of a verification: accept or reject.
    pub expect: Option<String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    /// The request is to be taken as signed: somebody must sign it before it is a request.
    #[serde(default)]
    presigned: bool,
    /// The status of a handshake.
    pub expect_status: Option<u16>,
    /// The body of a handshake.
    pub expect_json: Option<Value>,
}

/// What the source says besides secrets.
#[derive(Clone, Default, Deserialize)]
struct Config {
    iss: Option<String>,
    aud: Option<String>,
    #[serde(default)]
    senders: Vec<String>,
    key_set_url: Option<String>,
}

/// A request as it goes over the wire, or into a file.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Its method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Its headers; the host is among them only where the vector says so.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Vector {
    /// The vectors of a file.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn read(path: &Path) -> Vec<Self> {
        let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file: File =
            serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        file.verify.into_iter().chain(file.challenge).collect()
    }

    /// The second at which it holds.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.now.unwrap_or(NOW)
    }

    /// The secrets, and of each whether it is a public key.
    fn secrets(&self) -> Vec<(&str, bool)> {
        let secrets = self
            .secrets
            .iter()
            .map(|secret| (secret.as_str(), secret.starts_with("whpk_")));
        let keys = self.keys.values().filter_map(|key| {
            let shared = key["alg"].as_str()?.starts_with("hmac");
            Some((key["k"].as_str()?, !shared))
        });
        secrets.chain(keys).collect()
    }

    /// What the sender publishes, as a file of keys.
    #[must_use]
    pub fn published(&self) -> Value {
        let published = self.keys.iter().filter(|(_, key)| key["k"].is_null());
        json!(published.collect::<BTreeMap<_, _>>())
    }

    fn parameters(&self) -> Value {
        let allowed = if self.expect.is_some() {
            "topics"
        } else {
            "origins"
        };
        let mut parameters = json!({});
        for (name, list) in [(allowed, &self.allowlist), ("senders", &self.config.senders)] {
            if !list.is_empty() {
                parameters[name] = json!(list);
            }
        }
        for (name, value) in [
            ("issuer", &self.config.iss),
            ("audience", &self.config.aud),
            ("keySetUrl", &self.config.key_set_url),
        ] {
            if let Some(value) = value {
                parameters[name] = json!(value);
            }
        }
        parameters
    }

    /// The URL that the sender knows, and its path.
    fn endpoint(&self) -> (&str, String) {
        let url = self.url.as_deref().unwrap_or("https://hooks.example.org/hook");
        let base = url.split('?').next().unwrap_or_default();
        (
            base,
            format!("/{}", base.splitn(4, '/').nth(3).unwrap_or_default()),
        )
    }

    /// A source of this preset and a Secret of this name with the vector's secrets, each for each use the preset reads it for.
    #[must_use]
    pub fn objects(&self, preset: &Preset, secret: &str) -> [Value; 2] {
        let mut entries = Vec::new();
        let mut data = BTreeMap::new();
        for (number, (value, public)) in self.secrets().into_iter().enumerate() {
            data.insert(format!("s{number}"), value.to_owned());
            for usage in preset.secrets.iter().map(|known| &known.usage) {
                // A key of one kind is no key of the other, and a source that says so is refused.
                let kinds = preset.secrets.iter().any(|known| known.usage == "public-key");
                if usage == "verify_token" && self.verify_token.is_some() {
                    continue;
                }
                let fits = !kinds || preset.secrets.len() == 1 || (usage == "public-key") == public;
                if fits {
                    entries.push(
                        json!({"use": usage, "secretRef": {"name": secret, "key": format!("s{number}")}}),
                    );
                }
            }
        }
        if let Some(token) = &self.verify_token {
            data.insert("token".to_owned(), token.clone());
            entries.push(json!({"use": "verify_token", "secretRef": {"name": secret, "key": "token"}}));
        }
        let (base, path) = self.endpoint();
        let mut webhook = json!({"provider": self.preset, "path": path, "publicUrl": base});
        if !entries.is_empty() {
            webhook["secrets"] = json!(entries);
        }
        let parameters = self.parameters();
        if parameters != json!({}) {
            webhook["parameters"] = parameters;
        }
        let source = json!({
            "apiVersion": "events.mozdef.io/v1alpha1", "kind": "EventSource", "metadata": {"name": "vector"},
            "spec": {"webhook": webhook}
        });
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}, "stringData": data});
        [source, secret]
    }

    /// The request, signed where the vector leaves that to us.
    ///
    /// # Panics
    /// When it cannot be signed.
    #[must_use]
    pub fn request(&self, preset: &Preset) -> Captured {
        let query: Vec<_> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace('+', "%2B").replace(' ', "%20")))
            .collect();
        let given = self.url.as_ref().and_then(|url| url.split_once('?'));
        let mut request = UnsignedRequest {
            method: self.method.clone().unwrap_or_else(|| "POST".to_owned()),
            path: self.endpoint().1,
            query: given.map_or(query.join("&"), |(_, query)| query.to_owned()),
            headers: self.headers.clone().into_iter().collect(),
            body: self.body.clone().into_bytes().into(),
        };
        if self.presigned {
            let signed = self.sign(preset, &request);
            request.headers = signed.headers().to_vec();
            request.query = signed.query().to_owned();
            request.body = signed.body().clone();
        }
        let query = if request.query.is_empty() { "" } else { "?" };
        Captured {
            method: request.method,
            target: format!("{}{query}{}", request.path, request.query),
            headers: request.headers,
            body: request.body.to_vec(),
        }
    }

    fn sign(&self, preset: &Preset, request: &UnsignedRequest) -> SignedRequest {
        let verifier =
            Verifier::compile(&preset.verification, &Webhook::default()).expect("a preset compiles");
        let key = |(index, secret): (usize, &String)| Key {
            index,
            usage: preset.secrets[0].usage.clone(),
            secret: Secret::new(secret.as_bytes()),
            not_before: None,
            not_after: None,
        };
        let keys = KeyRing::new(self.secrets.iter().enumerate().map(key).collect());
        let now = Timestamp::from_second(self.now.unwrap_or(NOW)).expect("a time");
        sign(&verifier, &keys, request, now).expect("it can be signed")
    }
}

impl Captured {
    /// As the JSON that `mef explain` takes.
    ///
    /// # Panics
    /// When the body is no text.
    #[must_use]
    pub fn json(&self) -> Value {
        let headers: BTreeMap<_, _> = self.headers.iter().cloned().collect();
        json!({
            "method": self.method,
            "url": self.target,
            "headers": headers,
            "body": std::str::from_utf8(&self.body).expect("text"),
        })
    }

    /// As the bytes of HTTP/1.1.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let length = self.body.len().to_string();
        let usual = [
            ("host", "hooks.example.org"),
            ("content-length", &length),
            ("connection", "close"),
        ];
        let given = |name: &str| {
            self.headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
        };
        let missing = usual.into_iter().filter(|(name, _)| !given(name));
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in headers.chain(missing) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        [text.as_bytes(), &self.body].concat()
    }
}
