//! The way to the collector: OTLP, protobuf over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tokio_rustls::rustls::{self, ClientConfig};

/// The longest that one export may take, whatever the exporter was told; its own limit is `OTEL_EXPORTER_OTLP_TIMEOUT`.
const LONGEST_CALL: Duration = Duration::from_secs(30);

/// The variables that name a collector.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];

/// Spans cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// What the variables say.
    #[error("the variables OTEL_EXPORTER_OTLP_… cannot be used: {0}")]
    Exporter(#[from] ExporterBuildError),
    /// TLS cannot be set up.
    #[error("there is no TLS for the way to the collector: {0}")]
    Tls(#[from] rustls::Error),
    /// The system's certificates cannot be read.
    #[error("the system's root certificates cannot be read: {0}")]
    Roots(#[from] std::io::Error),
}

/// The exporter that the variables ask for, if they do.
pub(crate) fn provider(service: &'static str) -> Result<Option<SdkTracerProvider>, ExportError> {
    let says = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let disabled = says("OTEL_SDK_DISABLED").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    if disabled || ENDPOINTS.iter().all(|name| says(name).is_none()) {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(OnRuntime {
            runtime: Handle::current(),
            client: HyperClient::new(connector()?, LONGEST_CALL, None),
        })
        .build()?;
    let mut resource = Resource::builder();
    if says("OTEL_SERVICE_NAME").is_none() {
        resource = resource.with_service_name(service);
    }
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.build())
        .with_batch_exporter(exporter)
        .build();
    Ok(Some(provider))
}

fn connector() -> Result<HttpsConnector<HttpConnector>, ExportError> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_native_roots()?
        .with_no_client_auth();
    Ok(HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .build())
}

/// The batches are sent by a thread of the SDK's own, where no runtime is; hyper needs ours.
#[derive(Debug)]
struct OnRuntime {
    runtime: Handle,
    client: HyperClient<HttpsConnector<HttpConnector>>,
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        self.runtime
            .spawn(async move { client.send_bytes(request).await })
            .await?
    }
}
