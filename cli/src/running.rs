//! The running `mef dev`, as other commands find it: `dev.json` in the data folder, readable for its owner alone.

use std::io::ErrorKind;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::data::{DataFolder, write_private};
use crate::failure::{Failure, Outcome};
use crate::files;

/// How long the process may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// What `dev.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Running {
    /// Its process id.
    pub(crate) pid: u32,
    /// Where the sources listen, as `127.0.0.1:8080`.
    pub(crate) listen: String,
    /// Where probes, metrics and control endpoints listen, as `127.0.0.1:8081`.
    pub(crate) page: String,
    /// What the control endpoints ask for.
    pub(crate) token: String,
    /// When it started (RFC 3339).
    pub(crate) started_at: String,
    /// The URL under which senders know it, where the user gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<String>,
    /// Where the pull interface listens, where the user asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sqs: Option<String>,
}

impl Running {
    /// Leaves word for other commands.
    pub(crate) fn announce(&self, data: &DataFolder) -> Outcome {
        let text = serde_json::to_vec(self)
            .map_err(|error| Failure::Unreachable(format!("cannot write the answer as JSON: {error}")))?;
        write_private(&data.dev_file(), &text)
    }

    /// Takes the word back, where it is still this process's.
    pub(crate) fn withdraw(&self, data: &DataFolder) {
        let own = matches!(read(data), Ok(Some(found)) if found.pid == self.pid && found.token == self.token);
        if own {
            let _ = std::fs::remove_file(data.dev_file());
        }
    }

    /// The process that serves this data folder, if it answers.
    pub(crate) fn find(data: &DataFolder) -> Outcome<Option<Self>> {
        Ok(read(data)?.filter(Self::answers))
    }

    /// A process that was killed leaves its word behind, and its number may be another's by now; the page knows.
    fn answers(&self) -> bool {
        let url = format!("http://{}/control", self.page);
        let authorization = format!("Bearer {}", self.token);
        let answer = client(Some(PATIENCE))
            .get(&url)
            .header("authorization", &authorization)
            .call();
        answer.is_ok_and(|answer| answer.status().is_success())
    }
}

/// A client for this machine and for `mef send`: no proxy, no redirects, every status is an answer.
pub(crate) fn client(patience: Option<Duration>) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .allow_non_standard_methods(true)
        .user_agent(concat!("mef/", env!("CARGO_PKG_VERSION")))
        .timeout_global(patience)
        .build()
        .into()
}

fn read(data: &DataFolder) -> Outcome<Option<Running>> {
    let path = data.dev_file();
    match std::fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(files::unreadable(&path, &error)),
    }
}
