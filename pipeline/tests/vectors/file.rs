//! The format of the vector files.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
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
