//! What is tested: presets by name, each with its verifier and handshakes.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use mef_crds::{Parameters, Webhook};
use mef_pipeline::challenge::Challenges;
use mef_pipeline::network_keys::{KeysFile, NetworkKeys};
use mef_pipeline::pipeline::{RejectReason, Rejection, Reply};
use mef_pipeline::preset::Preset;
use mef_pipeline::received::{Headers, Received};
use mef_pipeline::secret::{Key, KeyRing, Secret};
use mef_pipeline::sign::{UnsignedRequest, sign};
use mef_pipeline::verify::{Verified, Verifier, verify};
use serde_json::{Map, Value};

use crate::convert;
use crate::file::{ChallengeVector, Expect, VerifyVector};

/// A time for vectors that name none; no sender signed one there.
pub const NOW: i64 = 1_700_000_010;

pub struct Catalogue(BTreeMap<String, Preset>);

pub enum Verdict {
    NoPreset,
    AsExpected,
    Wrong(String),
}

/// One preset for one endpoint.
pub struct Subject {
    pub preset: Preset,
    pub verifier: Verifier,
    pub challenges: Challenges,
}

/// A request that somebody signed, with all that judges it.
pub struct Signed {
    pub subject: Subject,
    pub received: Received,
    pub keys: KeyRing,
    pub network: NetworkKeys,
    pub now: Timestamp,
}

impl Catalogue {
    pub fn embedded() -> Self {
        Self(
            Preset::all()
                .iter()
                .map(|preset| (preset.name.clone(), preset.clone()))
                .collect(),
        )
    }

    /// Those of `webhook-presets.json` that our words take today.
    pub fn converted() -> Self {
        let presets = convert::all().into_iter();
        Self(
            presets
                .filter_map(|(name, preset)| Some((name, preset.ok()?)))
                .collect(),
        )
    }

    pub fn presets(&self) -> impl Iterator<Item = &Preset> {
        self.0.values()
    }

    pub fn signed(&self, vector: &VerifyVector) -> Option<Signed> {
        let (public_url, query) = split(vector.url.as_deref());
        let parameters = Parameters {
            topics: vector.allowlist.clone(),
            origins: Vec::new(),
            audience: vector.config.aud.clone(),
            issuer: vector.config.iss.clone(),
            senders: vector.config.senders.clone(),
            key_set_url: vector.config.key_set_url.clone(),
        };
        let subject = Subject::with(self.0.get(&vector.preset)?, &public_url, parameters);
        let mut received = request(
            vector.method.as_deref(),
            &public_url,
            query,
            &vector.headers,
            &vector.body,
        );
        let now = second(vector.now.unwrap_or(NOW));
        received.at = now;
        Some(Signed {
            keys: subject.keys(&secrets(vector)),
            network: network(&subject.verifier, &received, &vector.keys),
            subject,
            received,
            now,
        })
    }

    pub fn verify(&self, vector: &VerifyVector) -> Verdict {
        let Some(signed) = self.signed(vector) else {
            return Verdict::NoPreset;
        };
        match (signed.verdict(), vector.expect) {
            (Ok(_), Expect::Accept) | (Err(_), Expect::Reject) => Verdict::AsExpected,
            (Ok(_), Expect::Reject) => Verdict::Wrong("accepted, but must be rejected".to_owned()),
            (Err(reason), Expect::Accept) => {
                Verdict::Wrong(format!("rejected as {reason:?}, but must be accepted"))
            }
        }
    }

    pub fn challenge(&self, vector: &ChallengeVector) -> Verdict {
        let Some(preset) = self.0.get(&vector.preset) else {
            return Verdict::NoPreset;
        };
        let url = "https://hooks.example.org/hook";
        let mut subject = Subject::new(preset, url);
        subject.challenges = subject.challenges.allowing(vector.allowlist.clone());
        let mut keys = subject.keys(&vector.secrets).all().to_vec();
        if let Some(token) = &vector.verify_token {
            keys.push(key(keys.len(), "verify_token", token));
        }
        let keys = KeyRing::new(keys);
        let now = second(NOW);
        let query = query_text(&vector.query);
        let received = request(
            vector.method.as_deref(),
            url,
            query,
            &vector.headers,
            &vector.body,
        );
        let answer = if vector.presigned {
            subject.answer_signed(&received, &keys, now)
        } else {
            subject.challenges.answer_unverified(
                &received,
                &subject.verifier,
                &keys,
                &NetworkKeys::none(),
                now,
            )
        };
        match answer {
            None => Verdict::Wrong("not taken for a handshake".to_owned()),
            Some(answer) => compare(answer, vector),
        }
    }
}

impl Subject {
    pub fn new(preset: &Preset, public_url: &str) -> Self {
        Self::with(preset, public_url, Parameters::default())
    }

    pub fn with(preset: &Preset, public_url: &str, parameters: Parameters) -> Self {
        let webhook = Webhook {
            provider: Some(preset.name.clone()),
            public_url: Some(public_url.to_owned()),
            parameters: Some(parameters),
            ..Webhook::default()
        };
        Self {
            preset: preset.clone(),
            verifier: Verifier::compile(&preset.verification, &webhook).unwrap(),
            challenges: Challenges::compile(preset).unwrap(),
        }
    }

    /// Each text as a secret for each use the preset reads.
    pub fn keys(&self, secrets: &[String]) -> KeyRing {
        let mut keys = Vec::new();
        for (index, secret) in secrets.iter().enumerate() {
            for usage in self.verifier.uses() {
                keys.push(key(index, usage, secret));
            }
        }
        KeyRing::new(keys)
    }

    /// The request as if its sender had signed it, through verification and both kinds of handshakes.
    fn answer_signed(
        &self,
        received: &Received,
        keys: &KeyRing,
        now: Timestamp,
    ) -> Option<Result<Reply, Rejection>> {
        let unsigned = UnsignedRequest {
            method: received.method.clone(),
            path: received.path.clone(),
            query: received.query.clone(),
            headers: received
                .headers
                .iter()
                .map(|(name, value)| (name.to_owned(), String::from_utf8(value.to_vec()).unwrap()))
                .collect(),
            body: received.body.bytes().clone(),
        };
        let received = sign(&self.verifier, keys, &unsigned, now)
            .unwrap()
            .received(now, "r1");
        let answer =
            self.challenges
                .answer_unverified(&received, &self.verifier, keys, &NetworkKeys::none(), now);
        answer.or_else(|| {
            let verified = verify(&self.verifier, received, keys, &NetworkKeys::none(), now).unwrap();
            self.challenges.answer_verified(&verified, keys, now)
        })
    }
}

impl Signed {
    pub fn verdict(&self) -> Result<Verified, RejectReason> {
        self.judge(self.received.clone(), self.now)
    }

    pub fn judge(&self, received: Received, now: Timestamp) -> Result<Verified, RejectReason> {
        verify(&self.subject.verifier, received, &self.keys, &self.network, now)
            .map_err(|unverified| unverified.reason)
    }
}

/// What a fetcher would bring of the keys a vector comes with. A key of a kind we do not know is nobody's.
pub fn network(verifier: &Verifier, received: &Received, keys: &Map<String, Value>) -> NetworkKeys {
    let wanted = verifier.wanted_keys(received);
    if wanted.is_empty() {
        return NetworkKeys::none();
    }
    let text = serde_json::to_string(keys).unwrap();
    KeysFile::parse(text.as_bytes()).unwrap().answer(&wanted)
}

/// The secrets, and the keys of HTTP signatures, which stand beside them in the vectors and are secrets here.
fn secrets(vector: &VerifyVector) -> Vec<String> {
    let keys = vector.keys.values().filter_map(|key| key["k"].as_str());
    vector
        .secrets
        .iter()
        .map(String::as_str)
        .chain(keys)
        .map(str::to_owned)
        .collect()
}

pub fn key(index: usize, usage: &str, secret: &str) -> Key {
    Key {
        index,
        usage: usage.to_owned(),
        secret: Secret::new(secret),
        not_before: None,
        not_after: None,
    }
}

pub fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn split(url: Option<&str>) -> (String, String) {
    let url = url.unwrap_or("https://hooks.example.org/hook");
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    (base.to_owned(), query.to_owned())
}

fn query_text(query: &BTreeMap<String, String>) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish()
}

fn request(
    method: Option<&str>,
    public_url: &str,
    query: String,
    headers: &BTreeMap<String, String>,
    body: &str,
) -> Received {
    let path = public_url.splitn(4, '/').nth(3).unwrap_or_default();
    Received {
        method: method.unwrap_or("POST").to_owned(),
        path: format!("/{path}"),
        query,
        headers: headers
            .iter()
            .map(|(name, value)| (name, value.as_bytes()))
            .collect::<Headers>(),
        body: Bytes::copy_from_slice(body.as_bytes()).into(),
        peer: None,
        trace: None,
        client_certificate: None,
        at: second(NOW),
        request_id: "r1".to_owned(),
    }
}

fn compare(answer: Result<Reply, Rejection>, vector: &ChallengeVector) -> Verdict {
    let reply = answer.unwrap_or_else(|rejection| Reply {
        status: match rejection.reason {
            RejectReason::ChallengeGuard => 400,
            _ => 401,
        },
        ..Reply::default()
    });
    let body = String::from_utf8(reply.body).unwrap();
    let header = |name: &str| {
        let found = reply
            .headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    };
    let mut wrong = Vec::new();
    if reply.status != vector.expect_status {
        wrong.push(format!(
            "status {}, expected {}",
            reply.status, vector.expect_status
        ));
    }
    if let Some(expected) = &vector.expect_json {
        if serde_json::from_str::<serde_json::Value>(&body).ok().as_ref() != Some(expected) {
            wrong.push(format!("body {body:?}, expected {expected}"));
        }
        if header("content-type") != Some("application/json") {
            wrong.push("not marked as JSON".to_owned());
        }
    }
    if let Some(expected) = &vector.expect_text {
        if body != *expected {
            wrong.push(format!("body {body:?}, expected {expected:?}"));
        }
        if header("content-type") != Some("text/plain; charset=utf-8")
            || header("x-content-type-options") != Some("nosniff")
        {
            wrong.push("not marked as plain text with nosniff".to_owned());
        }
    }
    for (name, expected) in &vector.expect_headers {
        if header(name) != Some(expected) {
            wrong.push(format!(
                "header {name} is {:?}, expected {expected:?}",
                header(name)
            ));
        }
    }
    if wrong.is_empty() {
        Verdict::AsExpected
    } else {
        Verdict::Wrong(wrong.join("; "))
    }
}
