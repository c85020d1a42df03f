//! Where a test delivery goes, and what is answered there.

use std::net::{IpAddr, ToSocketAddrs};
use std::time::Instant;

use super::delivery::Delivery;
use crate::data::DataFolder;
use crate::failure::{Failure, Outcome};
use crate::running::Running;

/// An endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    url: String,
    host: String,
}

/// What the endpoint said.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) request_id: Option<String>,
    pub(super) definition: Option<String>,
    pub(super) body: Vec<u8>,
    pub(super) milliseconds: u64,
}

impl Target {
    /// The URL that was given, or the source at the running `mef dev`.
    pub(super) fn find(
        to: Option<&str>,
        running: Option<&Running>,
        path: &str,
        data: &DataFolder,
    ) -> Outcome<Self> {
        match (to, running) {
            (Some(url), _) => Self::parse(url, path),
            (None, Some(running)) => Self::parse(&format!("http://{}", running.listen), path),
            (None, None) => Err(Failure::Unreachable(format!(
                "no `mef dev` runs with the data folder {}; start it, name its folder with --data, or give an endpoint with --to",
                data.root().display()
            ))),
        }
    }

    fn parse(url: &str, path: &str) -> Outcome<Self> {
        let Some(rest) = url.strip_prefix("http://") else {
            let why = if url.starts_with("https://") {
                "https is not spoken by `mef send`; give the http address behind the tunnel or the proxy"
            } else {
                "it must begin with http://"
            };
            return Err(Failure::Usage(format!("--to {url:?}: {why}")));
        };
        let (authority, given_path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let host = host_of(authority);
        if host.is_empty() {
            return Err(Failure::Usage(format!(
                "--to {url:?} names no host; write http://127.0.0.1:8080/zoom"
            )));
        }
        let path = if matches!(given_path, "" | "/") {
            path
        } else {
            given_path
        };
        Ok(Self {
            url: format!("http://{authority}{path}"),
            host,
        })
    }

    /// Refuses a host that is not this machine, unless the user insists.
    pub(super) fn allow(&self, insists: bool) -> Outcome {
        if insists || self.is_this_machine() {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "{} is not this machine: a test event would be in that system's queue as if the vendor had sent it, \
             signed with the real secret and sent without encryption. If that is meant, add --yes-send-there",
            self.host
        )))
    }

    fn is_this_machine(&self) -> bool {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return address.is_loopback();
        }
        // A name counts only where every address it stands for is of this machine.
        let found: Vec<_> = (self.host.as_str(), 80)
            .to_socket_addrs()
            .map(Iterator::collect)
            .unwrap_or_default();
        !found.is_empty() && found.iter().all(|address| address.ip().is_loopback())
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Posts a request once.
    pub(super) fn post(&self, agent: &ureq::Agent, delivery: Delivery) -> Outcome<Answer> {
        let url = match delivery.query.as_str() {
            "" => self.url.clone(),
            query => format!("{}?{query}", self.url),
        };
        // The reason of a failure may hold the URL, and a URL may hold a token.
        let unreachable = |error: ureq::Error| {
            let why = match error {
                ureq::Error::Io(error) => error.to_string(),
                ureq::Error::Timeout(_) => "no answer in time".to_owned(),
                ureq::Error::HostNotFound => "no such host".to_owned(),
                ureq::Error::ConnectionFailed => "nothing listens there".to_owned(),
                _ => "no answer".to_owned(),
            };
            Failure::Unreachable(format!("{} cannot be reached: {why}", self.url))
        };
        let mut builder = http::Request::builder()
            .method(delivery.method.as_str())
            .uri(&url);
        for (name, value) in &delivery.headers {
            builder = builder.header(name, value);
        }
        let unusable = |_| Failure::Wrong("a header of this event cannot be sent".to_owned());
        let prepared = builder.body(delivery.body).map_err(unusable)?;
        let begun = Instant::now();
        let mut answer = agent.run(prepared).map_err(unreachable)?;
        let header = |name: &str| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let (request_id, definition) = (header("x-request-id"), header("x-mef-definition"));
        let status = answer.status().as_u16();
        let body = answer
            .body_mut()
            .with_config()
            .limit(65_536)
            .read_to_vec()
            .map_err(unreachable)?;
        let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Answer {
            status,
            request_id,
            definition,
            body,
            milliseconds,
        })
    }
}

/// The host of `host`, `host:port`, `[::1]:port` or `user@host`.
fn host_of(authority: &str) -> String {
    let host = authority.rsplit('@').next().unwrap_or_default();
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default().to_owned(),
        None => host.split(':').next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[track_caller]
    fn check(to: &str, url: &str, this_machine: bool) {
        let target = Target::parse(to, "/zoom").unwrap();
        assert_eq!(
            (target.url(), target.is_this_machine()),
            (url, this_machine),
            "{to}"
        );
    }

    #[test]
    fn an_address_without_a_path_gets_the_source_s() {
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080/zoom", true);
        check("http://127.0.0.1:8080/", "http://127.0.0.1:8080/zoom", true);
        check("http://[::1]:8080/other", "http://[::1]:8080/other", true);
        check("http://192.0.2.1/x", "http://192.0.2.1/x", false);
        check(
            "http://127.0.0.1@192.0.2.1/x",
            "http://127.0.0.1@192.0.2.1/x",
            false,
        );
    }

    #[test]
    fn another_machine_must_be_meant() {
        let target = Target::parse("http://192.0.2.1", "/zoom").unwrap();
        assert!(
            target
                .allow(false)
                .unwrap_err()
                .to_string()
                .contains("--yes-send-there")
        );
        assert!(target.allow(true).is_ok());
    }

    #[test]
    fn what_is_no_http_url_is_refused() {
        for wrong in ["127.0.0.1:8080", "https://a.example", "http://", "ftp://a"] {
            assert!(Target::parse(wrong, "/zoom").is_err(), "{wrong}");
        }
    }
}
