//! One signed request, one answer.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, HOST, HeaderValue, USER_AGENT};
use hyper::http::response::Parts;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use mef_crds::{DEFINITION_HEADER, PROBE_HEADER};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::aws::probe::{self, Answer};
use crate::aws::refusal::{Kind, Refusal};

/// How long a call may take. AWS answers within a second; an upload of some megabytes takes longer.
const WITHIN: Duration = Duration::from_secs(30);
/// A page of events has some hundred kilobytes.
const LONGEST_ANSWER: usize = 8 * 1_024 * 1_024;
/// How long the answer of a source may take: a function that starts first takes seconds.
const PROBED_WITHIN: Duration = Duration::from_secs(10);
/// Whoever answers at a source's URL is not known, so little of it is read.
const LONGEST_PROBED: usize = 64 * 1_024;

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct NoTls(#[from] rustls::Error);

/// The way to AWS.
#[derive(Clone)]
pub struct Http {
    tls: TlsConnector,
    /// Another address than AWS's own, for every service.
    endpoint: Option<String>,
}

/// What is asked.
pub(super) struct Ask<'a> {
    pub(super) service: &'static str,
    pub(super) region: &'a str,
    /// The host's address, where it is AWS's own.
    pub(super) own: String,
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: Bytes,
}

impl Http {
    /// The way to AWS, or to another `endpoint` that speaks its protocols.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(endpoint: Option<String>) -> Result<Self, NoTls> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            endpoint,
        })
    }

    /// Status and body of the answer.
    pub(super) async fn send(
        &self,
        ask: Ask<'_>,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<(u16, Bytes), Refusal> {
        let service = ask.service;
        let away = |why: String| Refusal {
            kind: Kind::Unreachable,
            message: format!("{service} cannot be reached: {why}"),
        };
        let base = self
            .endpoint
            .as_deref()
            .unwrap_or(&ask.own)
            .trim_end_matches('/')
            .to_owned();
        let uri: Uri = format!("{base}{}", ask.path)
            .parse()
            .map_err(|_| away(format!("{base} is no URL")))?;
        let request = signed(&uri, ask, credentials, now).map_err(|why| Refusal {
            kind: Kind::Credentials,
            message: format!("the request to {service} cannot be signed: {why}"),
        })?;
        let answered = timeout(WITHIN, self.exchange(&uri, request, LONGEST_ANSWER)).await;
        answered
            .unwrap_or_else(|_| Err("no answer within 30 s".to_owned()))
            .and_then(|(head, body)| Ok((head.status.as_u16(), body?)))
            .map_err(away)
    }

    /// Asks a source's own URL whether it is the source's.
    pub(super) async fn probe(&self, url: &str, method: &str) -> Result<Answer, String> {
        let address = probe::address(url, self.endpoint.as_deref());
        let uri: Uri = address.parse().map_err(|_| format!("{address} is no URL"))?;
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, host)
            .header(USER_AGENT, "mef-operator")
            .header(PROBE_HEADER, "1")
            .header(CONTENT_LENGTH, "0")
            .body(Full::default())
            .map_err(|error| error.to_string())?;
        let answered = timeout(PROBED_WITHIN, self.exchange(&uri, request, LONGEST_PROBED)).await;
        // What the body says does not count, nor whether it is whole.
        let (head, _) = answered.unwrap_or_else(|_| Err("no answer within 10 s".to_owned()))?;
        let header = head.headers.get(DEFINITION_HEADER);
        Ok(Answer {
            status: head.status.as_u16(),
            definition: probe::definition(header.map(HeaderValue::as_bytes)),
        })
    }

    async fn exchange(
        &self,
        uri: &Uri,
        request: Request<Full<Bytes>>,
        longest: usize,
    ) -> Result<(Parts, Result<Bytes, String>), String> {
        let host = uri.host().unwrap_or_default().to_owned();
        let is_plain = uri.scheme_str() == Some("http");
        let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
        let tcp = TcpStream::connect((host.as_str(), port))
            .await
            .map_err(|error| error.to_string())?;
        if is_plain {
            return exchange(tcp, request, longest).await;
        }
        let name = ServerName::try_from(host).map_err(|error| error.to_string())?;
        let stream = self
            .tls
            .connect(name, tcp)
            .await
            .map_err(|error| error.to_string())?;
        exchange(stream, request, longest).await
    }
}

fn signed(
    uri: &Uri,
    ask: Ask<'_>,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, String> {
    let identity = credentials.clone().into();
    let mut settings = SigningSettings::default();
    if ask.service == "s3" {
        // S3 wants the body's digest in a header, and the path as it is.
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        settings.percent_encoding_mode = aws_sigv4::http_request::PercentEncodingMode::Single;
    }
    let since_1970 = Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(ask.region)
        .name(ask.service)
        .time(SystemTime::UNIX_EPOCH + since_1970)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?
        .into();
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().to_owned())
        .unwrap_or_default();
    let mut headers = vec![("host", authority)];
    if let Some(kind) = ask.content_type {
        headers.push(("content-type", kind.to_owned()));
    }
    let url = uri.to_string();
    let signable = SignableRequest::new(
        ask.method,
        &url,
        headers.iter().map(|(name, value)| (*name, value.as_str())),
        SignableBody::Bytes(&ask.body),
    )
    .map_err(|error| error.to_string())?;
    let (instructions, _) = sign(signable, &parameters)
        .map_err(|error| error.to_string())?
        .into_parts();
    let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let mut request = Request::builder().method(ask.method).uri(path);
    for (name, value) in &headers {
        request = request.header(*name, value);
    }
    for (name, value) in instructions.headers() {
        request = request.header(name, value);
    }
    request
        .body(Full::new(ask.body))
        .map_err(|error| error.to_string())
}

async fn exchange<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    longest: usize,
) -> Result<(Parts, Result<Bytes, String>), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let running = tokio::spawn(async move {
        // What goes wrong is told to the call as well.
        let _ = connection.await;
    });
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, longest).collect().await;
    running.abort();
    let body = body
        .map(|body| body.to_bytes())
        .map_err(|error| error.to_string());
    Ok((head, body))
}
