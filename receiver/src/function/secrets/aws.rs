//! Two calls of AWS: `GetSecretValue` and `GetParameter`. Values come out as secrets; no error holds one.

use std::time::{Duration, SystemTime};

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use mef_pipeline::secret::Secret;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::function::config::Config;
use crate::keys::tls;

/// One try; a sender may have three seconds of patience in all.
const ONE_TRY: Duration = Duration::from_millis(1_200);
const TRIES: u32 = 2;
/// The longest secret has 64 KiB; base64 and JSON make more of it.
const LONGEST_ANSWER: usize = 256 * 1_024;

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("{0} does not exist, or has no value")]
    Absent(String),
    #[error(
        "this function reads secretsManager and ssmParameter; a Secret of Kubernetes is not to be had here"
    )]
    NotHere,
    #[error("the function has no credentials: {0}")]
    Credentials(String),
    #[error("{0} cannot be called: {1}")]
    Unreachable(String, String),
    #[error("{0} did not answer in time")]
    Timeout(String),
    #[error("{host} answered {status}: {said}")]
    Refused {
        host: String,
        status: StatusCode,
        said: String,
    },
    #[error("{0} answered something else than a secret")]
    Malformed(String),
}

impl CallError {
    fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(..) | Self::Timeout(_) => true,
            Self::Refused { status, said, .. } => status.is_server_error() || said.starts_with("Throttling"),
            _ => false,
        }
    }
}

/// A service's endpoint.
struct Service {
    name: &'static str,
    region: String,
    endpoint: String,
}

pub(super) struct Caller {
    region: String,
    secrets_manager: Option<String>,
    ssm: Option<String>,
    /// Made when it is first needed: reading the system's roots takes a while.
    tls: OnceCell<TlsConnector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue {
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ParameterValue {
    parameter: Parameter,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    value: String,
}

/// What AWS says when it refuses.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

impl Caller {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            region: config.region.clone(),
            secrets_manager: config.secrets_manager_endpoint.clone(),
            ssm: config.ssm_endpoint.clone(),
            tls: OnceCell::new(),
        }
    }

    /// The text or the bytes of one version of a secret; `None` where there is no such version.
    pub(super) async fn secret(
        &self,
        arn: &str,
        stage: &str,
        now: Timestamp,
    ) -> Result<Option<Secret>, CallError> {
        // The secret's own region: it may be a replica's or another one's.
        let region = arn.split(':').nth(3).unwrap_or(&self.region);
        let service = Service::of("secretsmanager", region, self.secrets_manager.as_deref());
        let body = json!({"SecretId": arn, "VersionStage": stage}).to_string();
        let Some(answer) = self
            .call(&service, "secretsmanager.GetSecretValue", body, now)
            .await?
        else {
            return Ok(None);
        };
        let malformed = || CallError::Malformed(service.endpoint.clone());
        let value: SecretValue = serde_json::from_slice(&answer).map_err(|_| malformed())?;
        match (value.secret_string, value.secret_binary) {
            (Some(text), _) => Ok(Some(Secret::new(text.into_bytes()))),
            (None, Some(bytes)) => STANDARD
                .decode(bytes)
                .map(|bytes| Some(Secret::new(bytes)))
                .map_err(|_| malformed()),
            (None, None) => Err(malformed()),
        }
    }

    /// The value of a parameter, decrypted.
    pub(super) async fn parameter(&self, name: &str, now: Timestamp) -> Result<Option<Secret>, CallError> {
        let service = Service::of("ssm", &self.region, self.ssm.as_deref());
        let body = json!({"Name": name, "WithDecryption": true}).to_string();
        let Some(answer) = self.call(&service, "AmazonSSM.GetParameter", body, now).await? else {
            return Ok(None);
        };
        let value: ParameterValue =
            serde_json::from_slice(&answer).map_err(|_| CallError::Malformed(service.endpoint.clone()))?;
        Ok(Some(Secret::new(value.parameter.value.into_bytes())))
    }

    /// `None`: there is no such thing.
    async fn call(
        &self,
        service: &Service,
        target: &str,
        body: String,
        now: Timestamp,
    ) -> Result<Option<Bytes>, CallError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let one = tokio::time::timeout(ONE_TRY, self.call_once(service, target, body.clone(), now)).await;
            let result = one.unwrap_or_else(|_| Err(CallError::Timeout(service.endpoint.clone())));
            match result {
                Err(CallError::Refused { said, .. }) if is_absence(&said) => return Ok(None),
                Err(error) if error.is_passing() && tries < TRIES => {}
                other => return other.map(Some),
            }
        }
    }

    async fn call_once(
        &self,
        service: &Service,
        target: &str,
        body: String,
        now: Timestamp,
    ) -> Result<Bytes, CallError> {
        let request = signed(service, target, body, now).await?;
        let unreachable = |why: String| CallError::Unreachable(service.endpoint.clone(), why);
        let uri: Uri = service
            .endpoint
            .parse()
            .map_err(|_| unreachable("it is no URL".to_owned()))?;
        let host = uri.host().unwrap_or_default().to_owned();
        let is_plain = uri.scheme_str() == Some("http");
        let port = uri.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
        let tcp = TcpStream::connect((host.as_str(), port)).await;
        let tcp = tcp.map_err(|error| unreachable(error.to_string()))?;
        if is_plain {
            return exchange(service, tcp, request).await;
        }
        let tls = self.tls.get_or_try_init(|| async { tls::connector(None) }).await;
        let tls = tls.map_err(|error| unreachable(error.to_string()))?;
        let name = ServerName::try_from(host).map_err(|error| unreachable(error.to_string()))?;
        let stream = tls
            .connect(name, tcp)
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        exchange(service, stream, request).await
    }
}

impl Service {
    fn of(name: &'static str, region: &str, endpoint: Option<&str>) -> Self {
        // China's partition has a domain of its own; the others share one.
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        Self {
            name,
            region: region.to_owned(),
            endpoint: endpoint.map_or_else(|| format!("https://{name}.{region}.{domain}"), str::to_owned),
        }
    }
}

fn is_absence(said: &str) -> bool {
    said.starts_with("ResourceNotFoundException") || said.starts_with("ParameterNotFound")
}

async fn signed(
    service: &Service,
    target: &str,
    body: String,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, CallError> {
    let refused = |why: String| CallError::Credentials(why);
    let credentials = EnvironmentVariableCredentialsProvider::new()
        .provide_credentials()
        .await;
    let identity = credentials.map_err(|error| refused(error.to_string()))?.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(&service.region)
        .name(service.name)
        .time(time(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| refused(error.to_string()))?
        .into();
    let url = format!("{}/", service.endpoint.trim_end_matches('/'));
    let unreachable = |why: String| CallError::Unreachable(service.endpoint.clone(), why);
    let uri: Uri = url.parse().map_err(|_| unreachable("it is no URL".to_owned()))?;
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().to_owned())
        .unwrap_or_default();
    let headers = [
        ("host", authority.as_str()),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target),
    ];
    let signable = SignableRequest::new(
        "POST",
        &url,
        headers.into_iter(),
        SignableBody::Bytes(body.as_bytes()),
    );
    let signable = signable.map_err(|error| refused(error.to_string()))?;
    let (instructions, _) = sign(signable, &params)
        .map_err(|error| refused(error.to_string()))?
        .into_parts();
    let mut request = Request::builder().method("POST").uri("/");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| unreachable(error.to_string()))?;
    instructions.apply_to_request_http1x(&mut request);
    Ok(request)
}

fn time(now: Timestamp) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(now.as_millisecond()).unwrap_or(0));
    SystemTime::UNIX_EPOCH + since
}

async fn exchange<S>(service: &Service, stream: S, request: Request<Full<Bytes>>) -> Result<Bytes, CallError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let unreachable = |why: String| CallError::Unreachable(service.endpoint.clone(), why);
    let connected = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = connected.map_err(|error| unreachable(error.to_string()))?;
    let running = tokio::spawn(async move {
        // What goes wrong is told to the call as well.
        let _ = connection.await;
    });
    let response = sender.send_request(request).await;
    let (head, body) = response
        .map_err(|error| unreachable(error.to_string()))?
        .into_parts();
    let body = Limited::new(body, LONGEST_ANSWER).collect().await;
    running.abort();
    let body = body.map_err(|error| unreachable(error.to_string()))?.to_bytes();
    if head.status.is_success() {
        return Ok(body);
    }
    let refusal: Refusal = serde_json::from_slice(&body).unwrap_or_default();
    let kind = refusal.kind.rsplit('#').next().unwrap_or_default();
    Err(CallError::Refused {
        host: service.endpoint.clone(),
        status: head.status,
        said: format!("{kind}: {}", refusal.message),
    })
}
