//! The published signature vectors once more, through `mef explain` as somebody with a captured request runs it: the same
//! verdicts as in process and over HTTP.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use mef_crds::Webhook;
use mef_e2e::{Run, mef, repository};
use mef_pipeline::preset::Preset;
use mef_pipeline::secret::{Key, KeyRing, Secret};
use mef_pipeline::sign::{SignedRequest, UnsignedRequest, sign};
use mef_pipeline::verify::Verifier;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A time for vectors that name none; no sender signed one there.
const NOW: i64 = 1_700_000_010;

#[derive(Deserialize)]
struct Vectors {
    verify: Vec<Vector>,
    challenge: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    preset: String,
    secrets: Vec<String>,
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
    expect: Option<String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    /// The request is to be taken as signed: somebody must sign it before it is a request.
    #[serde(default)]
    presigned: bool,
    expect_status: Option<u16>,
    expect_json: Option<Value>,
}

/// What the source says besides secrets.
#[derive(Default, Deserialize)]
struct Config {
    iss: Option<String>,
    aud: Option<String>,
    #[serde(default)]
    senders: Vec<String>,
    key_set_url: Option<String>,
}

impl Vector {
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
    fn published(&self) -> Value {
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

    /// A file with a source of this preset and the vector's secrets, each for each use the preset reads it for.
    fn manifests(&self, preset: &Preset) -> String {
        let mut entries = Vec::new();
        let mut data = BTreeMap::new();
        for (number, (secret, public)) in self.secrets().into_iter().enumerate() {
            data.insert(format!("s{number}"), secret.to_owned());
            for usage in preset.secrets.iter().map(|secret| &secret.usage) {
                // A key of one kind is no key of the other, and a source that says so is refused.
                let kinds = preset.secrets.iter().any(|secret| secret.usage == "public-key");
                if usage == "verify_token" && self.verify_token.is_some() {
                    continue;
                }
                let fits = !kinds || preset.secrets.len() == 1 || (usage == "public-key") == public;
                if fits {
                    entries.push(
                        json!({"use": usage, "secretRef": {"name": "keys", "key": format!("s{number}")}}),
                    );
                }
            }
        }
        if let Some(token) = &self.verify_token {
            data.insert("token".to_owned(), token.clone());
            entries.push(json!({"use": "verify_token", "secretRef": {"name": "keys", "key": "token"}}));
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
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "stringData": data});
        format!("{source}\n---\n{secret}\n")
    }

    fn request(&self, preset: &Preset) -> Value {
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
        let headers: BTreeMap<_, _> = request.headers.into_iter().collect();
        json!({
            "method": request.method,
            "url": format!("{}{query}{}", request.path, request.query),
            "headers": headers,
            "body": std::str::from_utf8(&request.body).expect("text"),
        })
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

    fn explain(&self, preset: &Preset) -> Run {
        let folder = TempDir::new().expect("a folder");
        fs::write(folder.path().join("source.yaml"), self.manifests(preset)).expect("written");
        fs::write(
            folder.path().join("request.json"),
            self.request(preset).to_string(),
        )
        .expect("written");
        fs::write(folder.path().join("keys.json"), self.published().to_string()).expect("written");
        let at = self.now.unwrap_or(NOW).to_string();
        mef(
            folder.path(),
            [
                "explain",
                "source.yaml",
                "--request",
                "request.json",
                "--keys",
                "keys.json",
                "--at",
                &at,
                "-o",
                "json",
            ],
        )
    }

    /// What is wrong with the verdict, if anything is.
    fn judge(&self, preset: &Preset) -> Result<(), String> {
        let run = self.explain(preset);
        if self.secrets.iter().any(String::is_empty) {
            let refused = run.code != 0 && run.stderr.contains("empty");
            return if refused {
                Ok(())
            } else {
                Err(format!("an empty secret is taken: {run:?}"))
            };
        }
        let explanation: Value = serde_json::from_str(&run.stdout)
            .map_err(|error| format!("{error}: {} {}", run.stdout, run.stderr))?;
        let outcome = explanation["outcome"].as_str().unwrap_or_default();
        match (self.expect.as_deref(), self.expect_status) {
            (Some("accept"), _) if outcome == "accepted" => Ok(()),
            (Some("reject"), _) if outcome == "rejected" => Ok(()),
            (None, Some(400)) if explanation["reason"] == "challenge-guard" => Ok(()),
            (None, Some(status)) if outcome == "challenged" => {
                let answer = &explanation["answer"];
                let body: Value =
                    serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
                let same =
                    answer["status"] == status && self.expect_json.as_ref().is_none_or(|json| *json == body);
                if same {
                    Ok(())
                } else {
                    Err(format!("answered {answer}"))
                }
            }
            _ => Err(format!("explained as {explanation}")),
        }
    }
}

#[test]
fn explain_judges_every_vector_as_the_vectors_say() {
    let mut files = vec![repository().join("pipeline/tests/data/webhook-vectors.json")];
    files.extend(
        std::env::var_os("MEF_VECTORS")
            .iter()
            .flat_map(std::env::split_paths)
            .collect::<Vec<PathBuf>>(),
    );
    let mut wrong = Vec::new();
    let mut judged = 0;
    for file in &files {
        let vectors: Vectors =
            serde_json::from_slice(&fs::read(file).expect("a file of vectors")).expect("vectors");
        for vector in vectors.verify.iter().chain(&vectors.challenge) {
            let Some(preset) = Preset::get(&vector.preset) else {
                continue;
            };
            judged += 1;
            if let Err(why) = vector.judge(preset) {
                wrong.push(format!("{}: {why}", vector.name));
            }
        }
    }
    println!("{judged} vectors explained");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(judged >= 95, "only {judged} vectors have a preset");
}
