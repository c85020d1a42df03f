//! The API server's own record of who asked for what: its audit log.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// The log's name in the server's folder.
pub(crate) const LOG: &str = "audit.log";

/// Every request but the server's own, without bodies, once it is answered (a watch: also once it begins).
pub(crate) const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: None, users: ['system:apiserver']}
  - {level: Metadata}
";

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asked, or in whose name.
    pub user: String,
    /// As RBAC calls it: `get`, `list`, `watch`, `create`, `patch`, `delete` …
    pub verb: String,
    /// As RBAC calls it: `eventsources/status`.
    pub resource: String,
    /// Its group; empty for the core.
    pub group: String,
    /// The object's namespace; empty where it has none.
    pub namespace: String,
    /// The object's name; empty for lists.
    pub name: String,
    /// The answer's status code.
    pub code: u16,
    /// Whether the authorizer said no.
    pub forbidden: bool,
    /// The path and query.
    pub uri: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    verb: String,
    #[serde(rename = "requestURI")]
    uri: String,
    user: User,
    impersonated_user: Option<User>,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    resource: String,
    subresource: String,
    api_group: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

/// Reads the lines of a log that hold a word; one that is still being written is left out.
pub(crate) fn read(log: &Path, word: &str) -> Vec<Request> {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n') && line.contains(word))
        .map(|line| serde_json::from_str::<Line>(line).expect("the audit log holds one JSON object a line"))
        .map(Request::from)
        .collect()
}

impl From<Line> for Request {
    fn from(line: Line) -> Self {
        let object = line.object_ref;
        let resource = match object.subresource.as_str() {
            "" => object.resource,
            subresource => format!("{}/{subresource}", object.resource),
        };
        let decision = line.annotations.get("authorization.k8s.io/decision");
        Self {
            user: line.impersonated_user.unwrap_or(line.user).username,
            verb: line.verb,
            resource,
            group: object.api_group,
            namespace: object.namespace,
            name: object.name,
            code: line.response_status.code,
            forbidden: decision.is_some_and(|decision| decision == "forbid"),
            uri: line.uri,
        }
    }
}
