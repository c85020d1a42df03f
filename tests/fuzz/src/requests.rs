//! Requests as corpora write them, so that people can read them, and the presets they are tried on.
//!
//! ```text
//! stripe POST /hook?a=1
//! stripe-signature: t=1700000010,v1=…
//!
//! {"id":"evt_1"}
//! ```
//!
//! Any bytes are some request: a preset that is not known is chosen by the bytes of its name, and a line that is no header
//! is one with an empty name.

use std::sync::LazyLock;

use bytes::Bytes;
use jiff::Timestamp;
use mef_crds::{Parameters, Webhook};
use mef_pipeline::challenge::Challenges;
use mef_pipeline::network_keys::NetworkKeys;
use mef_pipeline::pipeline::RejectReason;
use mef_pipeline::preset::Preset;
use mef_pipeline::received::{Headers, Received};
use mef_pipeline::secret::{Key, KeyRing, Secret};
use mef_pipeline::sign::UnsignedRequest;
use mef_pipeline::verify::{Verified, Verifier, explain, verify};

/// A secret in every encoding there is: as text, hexadecimal and base64.
pub(crate) const SECRET: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
/// The URL senders know.
pub(crate) const PUBLIC_URL: &str = "https://hooks.example.org/hook";
/// The time of every request, which most vectors were signed at.
pub(crate) const NOW: i64 = 1_700_000_010;

/// One request as it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written {
    /// The first word.
    pub(crate) preset: String,
    pub(crate) method: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// One preset with one secret for everything it reads.
pub(crate) struct Subject {
    pub(crate) preset: &'static Preset,
    pub(crate) verifier: Verifier,
    pub(crate) challenges: Challenges,
    pub(crate) keys: KeyRing,
}

static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(|| Preset::all().iter().map(Subject::new).collect());

impl Written {
    pub(crate) fn read(data: &[u8]) -> Self {
        let (first, mut rest) = line(data);
        let first = String::from_utf8_lossy(first);
        let mut words = first.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (preset, method, target) = (word(), word(), word());
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let mut headers = Vec::new();
        loop {
            let (header, behind) = line(rest);
            rest = behind;
            if header.is_empty() {
                break;
            }
            let colon = header.iter().position(|byte| *byte == b':');
            let (name, value) = header.split_at(colon.unwrap_or(0));
            let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
            headers.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()));
        }
        Self {
            preset,
            method,
            query: query.to_owned(),
            headers,
            body: rest.to_vec(),
        }
    }

    /// The preset it is for.
    pub(crate) fn subject(&self) -> &'static Subject {
        let subjects = &*SUBJECTS;
        let named = subjects.iter().find(|subject| subject.preset.name == self.preset);
        let sum: usize = self.preset.bytes().map(usize::from).sum();
        named.unwrap_or_else(|| &subjects[sum % subjects.len()])
    }

    /// As it came in.
    pub(crate) fn received(&self) -> Received {
        Received {
            method: self.method.clone(),
            path: "/hook".to_owned(),
            query: self.query.clone(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| (name, value.clone()))
                .collect(),
            body: self.body.clone().into(),
            peer: None,
            trace: None,
            client_certificate: None,
            at: now(),
            request_id: "r1".to_owned(),
        }
    }

    /// As its sender has it before it is signed; a header that is no text is left out.
    pub(crate) fn unsigned(&self) -> UnsignedRequest {
        let text =
            |(name, value): &(String, Vec<u8>)| Some((name.clone(), String::from_utf8(value.clone()).ok()?));
        UnsignedRequest {
            method: self.method.clone(),
            path: "/hook".to_owned(),
            query: self.query.clone(),
            headers: self.headers.iter().filter_map(text).collect(),
            body: Bytes::from(self.body.clone()),
        }
    }
}

impl Subject {
    fn new(preset: &'static Preset) -> Self {
        let texts = |text: &str| vec![text.to_owned()];
        let parameters = Parameters {
            topics: texts("arn:aws:sns:eu-west-1:123456789012:security"),
            origins: texts("eventemitter.example.com"),
            audience: Some(PUBLIC_URL.to_owned()),
            issuer: Some("https://issuer.example.org".to_owned()),
            senders: texts("push@project.iam.gserviceaccount.com"),
            key_set_url: Some("https://issuer.example.org/keys".to_owned()),
        };
        let allowlist = parameters.allowlist();
        let webhook = Webhook {
            provider: Some(preset.name.clone()),
            public_url: Some(PUBLIC_URL.to_owned()),
            parameters: Some(parameters),
            ..Webhook::default()
        };
        let verifier = Verifier::compile(&preset.verification, &webhook).expect("embedded presets compile");
        let challenges = Challenges::compile(preset).expect("embedded presets compile");
        Self {
            preset,
            keys: key_ring(verifier.uses(), SECRET.as_bytes()),
            verifier,
            challenges: challenges.allowing(allowlist),
        }
    }

    /// Judges a request, and holds what is explained of it against that.
    pub(crate) fn judge(&self, received: Received, network: &NetworkKeys) -> Result<Verified, RejectReason> {
        judge(&self.verifier, received, &self.keys, network, now())
    }
}

/// Judges a request; what `mef explain` says of it is the same.
pub(crate) fn judge(
    verifier: &Verifier,
    received: Received,
    keys: &KeyRing,
    network: &NetworkKeys,
    now: Timestamp,
) -> Result<Verified, RejectReason> {
    let explained = explain(verifier, &received, keys, network, now).verdict;
    let verdict = verify(verifier, received, keys, network, now);
    let told = verdict.as_ref().map(Verified::key_index).map_err(Clone::clone);
    assert_eq!(told, explained, "what is explained is what is judged");
    verdict.map_err(|unverified| unverified.reason)
}

/// The same secret for each of these uses.
pub(crate) fn key_ring<'u>(uses: impl IntoIterator<Item = &'u str>, secret: &[u8]) -> KeyRing {
    let key = |usage: &str| Key {
        index: 0,
        usage: usage.to_owned(),
        secret: Secret::new(secret),
        not_before: None,
        not_after: None,
    };
    KeyRing::new(uses.into_iter().map(key).collect())
}

/// When every request comes in.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(NOW).expect("it is a time")
}

/// The same request with another header value.
pub(crate) fn with_header(received: &Received, name: &str, value: &[u8]) -> Received {
    let others = received.headers.iter().filter(|(other, _)| *other != name);
    let mut headers: Headers = others.map(|(other, value)| (other, value.to_vec())).collect();
    headers.push(name, value);
    Received {
        headers,
        ..received.clone()
    }
}

fn line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[]),
    }
}
