//! The format of the vector files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Default, Deserialize)]
pub struct Vectors {
    #[serde(default)]
    pub verify: Vec<VerifyVector>,
    #[serde(default)]
    pub challenge: Vec<ChallengeVector>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct VerifyVector {
    pub name: String,
    pub preset: String,
    /// Who signed it: `official`, `sdk-test` or `derived`.
    pub src: String,
    /// Where a derived one's way of signing is described.
    pub doc: Option<String>,
    /// The proof of this one covers nothing but itself, as a token, even if another way of its preset does.
    #[serde(default)]
    pub unsigned_body: bool,
    pub secrets: Vec<String>,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub method: Option<String>,
    pub url: Option<String>,
    pub now: Option<i64>,
    /// What a key resolver answers, by URL or key id; the format of a file of keys.
    #[serde(default)]
    pub keys: serde_json::Map<String, Value>,
    /// What the source configures besides secrets.
    #[serde(default)]
    pub config: Config,
    #[serde(default)]
    pub allowlist: Vec<String>,
    pub expect: Expect,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub iss: Option<String>,
    pub aud: Option<String>,
    #[serde(default)]
    pub senders: Vec<String>,
    pub key_set_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    Accept,
    Reject,
}

#[derive(Clone, Debug, Deserialize)]
pub struct ChallengeVector {
    pub name: String,
    pub preset: String,
    pub secrets: Vec<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub body: String,
    pub method: Option<String>,
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    #[serde(default)]
    pub presigned: bool,
    pub verify_token: Option<String>,
    #[serde(default)]
    pub allowlist: Vec<String>,
    pub expect_status: u16,
    pub expect_json: Option<Value>,
    pub expect_text: Option<String>,
    #[serde(default)]
    pub expect_headers: BTreeMap<String, String>,
}

impl Vectors {
    pub fn read(path: &Path) -> Self {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

pub fn committed() -> Vectors {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/webhook-vectors.json");
    Vectors::read(Path::new(path))
}

/// What `make.py` made.
pub fn made() -> Vectors {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"));
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("vectors-") && name.ends_with(".json")
        })
        .collect();
    paths.sort();
    let mut all = Vectors::default();
    for path in paths {
        let Vectors { verify, challenge } = Vectors::read(&path);
        all.verify.extend(verify);
        all.challenge.extend(challenge);
    }
    assert!(!all.verify.is_empty(), "no vectors in {}", folder.display());
    all
}
