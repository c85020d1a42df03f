//! One guarded GET: https only, only addresses where a sender can be, no redirects, bounded bytes and time, no proxy from
//! the environment, nothing kept between calls. A URL that passed what the preset allows comes in, the answer goes out.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, HOST, USER_AGENT};
use hyper::{HeaderMap, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::address::{Place, place};

/// Headers of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1_024;
const MAX_HEADERS: usize = 100;
const HTTPS: u16 = 443;

/// Makes calls.
pub(super) struct Caller {
    pub(super) tls: TlsConnector,
    /// Addresses of private networks and this machine may be called.
    pub(super) private: bool,
    /// Names that are not looked up.
    pub(super) hosts: BTreeMap<String, SocketAddr>,
}

/// A complete answer of status 200 to 299.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) body: Bytes,
    /// How long it says that it is fresh.
    pub(super) max_age: Option<Duration>,
}

/// Why a call came to nothing. The sentences hold no query: a token may stand in it.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("its address is no URL of a server that is called by https")]
    Url,
    #[error("the name {host} cannot be looked up: {why}")]
    Lookup { host: String, why: String },
    #[error("the name {host} leads to {address}, which is {what}, and that is not called")]
    Address {
        host: String,
        address: IpAddr,
        what: &'static str,
    },
    #[error("{host} cannot be connected to: {why}")]
    Connect { host: String, why: String },
    #[error("{host} did not prove who it is: {why}")]
    Tls { host: String, why: String },
    #[error("{host} did not speak HTTP: {why}")]
    Http { host: String, why: String },
    #[error("{host} answered {status}{}", note(.status))]
    Status { host: String, status: StatusCode },
    #[error("{host} answered more than {limit} bytes")]
    TooLarge { host: String, limit: usize },
    #[error("{host} answered in a content encoding, which was not asked for")]
    Encoded { host: String },
    #[error("{host} did not answer within {seconds} s")]
    Timeout { host: String, seconds: u64 },
}

impl CallError {
    /// A word for a metric.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Url | Self::Address { .. } => "refused",
            Self::Lookup { .. } | Self::Connect { .. } => "unreachable",
            Self::Tls { .. } => "untrusted",
            Self::Http { .. } | Self::Encoded { .. } => "malformed",
            Self::Status { .. } => "status",
            Self::TooLarge { .. } => "too-large",
            Self::Timeout { .. } => "timeout",
        }
    }
}

fn note(status: &StatusCode) -> &'static str {
    if status.is_redirection() {
        ", and a redirect is not followed"
    } else {
        ""
    }
}

/// Ends the connection's task with the call.
struct Running(JoinHandle<()>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Caller {
    /// Gets a URL: at most `limit` bytes, within `time`.
    pub(super) async fn get(&self, url: &str, limit: usize, time: Duration) -> Result<Answered, CallError> {
        let target = Target::of(url)?;
        let host = target.host.clone();
        tokio::time::timeout(time, self.get_from(target, limit))
            .await
            .unwrap_or(Err(CallError::Timeout {
                host,
                seconds: time.as_secs(),
            }))
    }

    async fn get_from(&self, target: Target, limit: usize) -> Result<Answered, CallError> {
        let host = target.host.as_str();
        let stream = self.connect(&target).await?;
        let not_http = |why: hyper::Error| CallError::Http {
            host: host.to_owned(),
            why: why.to_string(),
        };
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(not_http)?;
        let _running = Running(tokio::spawn(async move {
            // What goes wrong is told to the call as well.
            let _ = connection.await;
        }));
        let request = target.request().ok_or(CallError::Url)?;
        let (head, body) = sender.send_request(request).await.map_err(not_http)?.into_parts();
        if !head.status.is_success() {
            return Err(CallError::Status {
                host: host.to_owned(),
                status: head.status,
            });
        }
        if head
            .headers
            .get(CONTENT_ENCODING)
            .is_some_and(|encoding| encoding != "identity")
        {
            return Err(CallError::Encoded {
                host: host.to_owned(),
            });
        }
        let body = Limited::new(body, limit).collect().await.map_err(|error| {
            let host = host.to_owned();
            if error.is::<LengthLimitError>() {
                CallError::TooLarge { host, limit }
            } else {
                let why = error.to_string();
                CallError::Http { host, why }
            }
        })?;
        Ok(Answered {
            body: body.to_bytes(),
            max_age: max_age(&head.headers),
        })
    }

    async fn connect(&self, target: &Target) -> Result<TlsStream<TcpStream>, CallError> {
        let host = || target.host.clone();
        let name = ServerName::try_from(target.host.clone()).map_err(|_| CallError::Url)?;
        let tcp = self.connect_tcp(target).await?;
        self.tls.connect(name, tcp).await.map_err(|error| CallError::Tls {
            host: host(),
            why: error.to_string(),
        })
    }

    /// Every address is looked at before the first is called: one that is refused is a sign that somebody tries us.
    async fn connect_tcp(&self, target: &Target) -> Result<TcpStream, CallError> {
        let addresses = self.look_up(target).await?;
        for address in &addresses {
            let what = match place(address.ip()) {
                Place::Public => continue,
                Place::Private if self.private => continue,
                Place::Private => "an address of this machine or of a private network",
                Place::Nobody => "no address of a sender",
            };
            return Err(CallError::Address {
                host: target.host.clone(),
                address: address.ip(),
                what,
            });
        }
        TcpStream::connect(addresses.as_slice())
            .await
            .map_err(|error| CallError::Connect {
                host: target.host.clone(),
                why: error.to_string(),
            })
    }

    async fn look_up(&self, target: &Target) -> Result<Vec<SocketAddr>, CallError> {
        if let Some(address) = self.hosts.get(&target.host) {
            return Ok(vec![*address]);
        }
        let failed = |why: String| CallError::Lookup {
            host: target.host.clone(),
            why,
        };
        let found: Vec<_> = tokio::net::lookup_host((target.host.as_str(), target.port))
            .await
            .map_err(|error| failed(error.to_string()))?
            .collect();
        if found.is_empty() {
            return Err(failed("it has no address".to_owned()));
        }
        Ok(found)
    }
}

/// A URL taken apart.
struct Target {
    host: String,
    port: u16,
    uri: Uri,
}

impl Target {
    fn of(url: &str) -> Result<Self, CallError> {
        let uri: Uri = url.parse().map_err(|_| CallError::Url)?;
        let authority = uri.authority().ok_or(CallError::Url)?;
        if uri.scheme_str() != Some("https") || authority.as_str().contains('@') {
            return Err(CallError::Url);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            host: host.to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(HTTPS),
            uri,
        })
    }

    fn request(&self) -> Option<Request<Empty<Bytes>>> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        Request::get(path)
            .header(HOST, self.uri.authority()?.as_str())
            .header(USER_AGENT, concat!("mef/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "*/*")
            .header(CONNECTION, "close")
            .body(Empty::new())
            .ok()
    }
}

/// What `Cache-Control` says, in seconds; whoever forbids keeping the answer says zero.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut found = None;
    let texts = headers.get_all(CACHE_CONTROL).iter();
    for word in texts
        .filter_map(|text| text.to_str().ok())
        .flat_map(|text| text.split(','))
    {
        let word = word.trim().to_ascii_lowercase();
        if matches!(word.as_str(), "no-store" | "no-cache") {
            return Some(Duration::ZERO);
        }
        if let Some(seconds) = word.strip_prefix("max-age=") {
            found = seconds.parse().ok().map(Duration::from_secs);
        }
    }
    found
}

/// A URL as it may be logged: without its query.
pub(super) fn without_query(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control_is_read_leniently() {
        for (text, expected) in [
            ("public, max-age=19845, must-revalidate", Some(19_845)),
            ("Max-Age=60", Some(60)),
            ("max-age=60, no-store", Some(0)),
            ("no-cache", Some(0)),
            ("max-age=soon", None),
            ("public", None),
            ("max-age=99999999999999999999999", None),
        ] {
            let headers = [(CACHE_CONTROL, text.parse().unwrap())].into_iter().collect();
            assert_eq!(max_age(&headers), expected.map(Duration::from_secs), "{text}");
        }
        assert_eq!(max_age(&HeaderMap::new()), None);
    }

    #[test]
    fn only_https_is_called() {
        for url in [
            "http://a.example/",
            "a.example",
            "https://u@a.example/",
            "ftp://a.example/",
            "",
        ] {
            assert!(Target::of(url).is_err(), "{url}");
        }
        let target = Target::of("https://A.example:8443/keys?x=1").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("a.example", 8_443));
        assert_eq!(without_query("https://a.example/?Token=1"), "https://a.example/");
    }
}
