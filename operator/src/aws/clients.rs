//! One client and one budget per account and region, made when a source first asks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::future::ProvideCredentials as Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::budget::Budget;
use super::edge::{Client, Http, Identity, NoTls};
use super::site::Site;
use crate::config::Config;

/// Characters of a session's name that AWS takes.
const SESSION: usize = 64;

/// Clients and budgets.
#[derive(Default)]
pub struct Clients {
    clients: Mutex<HashMap<(String, String), Arc<Client>>>,
    budgets: Mutex<HashMap<(String, String), Budget>>,
}

fn key(site: &Site<'_>) -> (String, String) {
    (site.name.to_owned(), site.region.to_owned())
}

impl Clients {
    /// The client of an account and region.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub async fn client(&self, config: &Config, site: &Site<'_>) -> Result<Arc<Client>, NoTls> {
        let mut clients = self.clients.lock().await;
        if let Some(client) = clients.get(&key(site)) {
            return Ok(client.clone());
        }
        let http = Http::new(config.aws_endpoint.clone())?;
        let region = site.region.to_owned();
        let mut session = format!("mef-{}", site.cluster);
        session.truncate(SESSION);
        let identity = Identity {
            base: own_credentials(&region),
            role_arn: site.account.role_arn.clone(),
            external_id: site.account.external_id.clone(),
            session,
        };
        let suffix = super::wanted::url_suffix(&site.account.partition);
        let client = Client::new(http, identity, region, suffix);
        clients.insert(key(site), client.clone());
        Ok(client)
    }

    /// Takes one call from the budget, and says how long to wait before it.
    pub async fn take(&self, site: &Site<'_>, now: Timestamp) -> Duration {
        let mut budgets = self.budgets.lock().await;
        budgets
            .entry(key(site))
            .or_insert_with(|| Budget::new(now))
            .take(now)
    }

    /// AWS says that it is asked too often.
    pub async fn slow_down(&self, site: &Site<'_>, now: Timestamp) {
        let mut budgets = self.budgets.lock().await;
        budgets
            .entry(key(site))
            .or_insert_with(|| Budget::new(now))
            .slow_down(now);
    }
}

/// Where the operator's own credentials come from is AWS's usual order: the environment, a profile, a web identity (IRSA), the
/// agent of EKS Pod Identity, the machine. Where STS is asked, it is that of `region`.
#[must_use]
pub fn own_credentials(region: &str) -> SharedCredentialsProvider {
    let http = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    SharedCredentialsProvider::new(Own {
        region: Region::new(region.to_owned()),
        http,
    })
}

/// The usual order. Nothing is kept here: whoever asks keeps what it was given.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) region: Region,
    pub(super) http: SharedHttpClient,
}

impl Own {
    /// A chain reads its profiles once and never again; made anew for each question, it sees a file that was changed.
    async fn chain(&self) -> DefaultCredentialsChain {
        let config = ProviderConfig::without_region().with_http_client(self.http.clone());
        // Here and not in `config`: the chain asks in its region alone, and else in that of the environment.
        DefaultCredentialsChain::builder()
            .configure(config)
            .region(self.region.clone())
            .build()
            .await
    }
}

impl ProvideCredentials for Own {
    fn provide_credentials<'a>(&'a self) -> Credentials<'a>
    where
        Self: 'a,
    {
        Credentials::new(async { self.chain().await.provide_credentials().await })
    }
}
