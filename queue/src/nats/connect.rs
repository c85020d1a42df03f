//! The connection to a NATS server: who we are is read anew at every attempt, so that credentials can be rotated.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Auth, AuthError, Client, ConnectOptions, Event};
use tokio::sync::watch;

/// Where the server is and how to prove who we are.
#[derive(Clone, Debug)]
pub struct Server {
    /// `nats://` or `tls://` URLs, separated by commas.
    pub url: String,
    /// A folder with the credentials, as a mounted Secret: `nats.creds`, or `nkey` (a seed), or `token`, or `username` and
    /// `password`; `ca.crt` for a private authority, `tls.crt` and `tls.key` for a client certificate. None: no proof.
    pub credentials: Option<PathBuf>,
    /// How we name ourselves in the server's lists.
    pub client_name: String,
    /// The prefix of inboxes, where the server allows only that one. Default: `_INBOX`.
    pub inbox_prefix: Option<String>,
}

/// A connection, and how often it was lost.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) client: Client,
    /// Counts losses. What was published before one and not acknowledged may never be: waiting on is of no use.
    pub(super) losses: watch::Receiver<u64>,
}

impl Connection {
    /// The client, for what is asked of the server beside the queue.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Connects anew, with the credentials that lie there now. What is in flight is told that the connection was lost.
    pub async fn reconnect(&self) {
        if let Err(error) = self.client.force_reconnect().await {
            tracing::warn!(%error, "the NATS connection cannot be renewed");
        }
    }

    /// Whether the server can be asked now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.client.connection_state() == State::Connected
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL or the credentials cannot be used.
    #[error("NATS: {0}")]
    Unusable(String),
}

/// Connects, in the background where the server does not answer yet: a receiver starts without its queue and says so.
///
/// # Errors
/// When the URL or the certificates cannot be used at all.
pub async fn connect(server: Server) -> Result<Connection, ConnectError> {
    let (lost, losses) = watch::channel(0_u64);
    let folder = server.credentials.clone();
    let mut options = ConnectOptions::with_auth_callback(move |nonce| {
        let folder = folder.clone();
        async move { auth(folder.as_deref(), &nonce) }
    })
    .name(&server.client_name)
    .retry_on_initial_connect()
    .connection_timeout(Duration::from_secs(5))
    .ping_interval(Duration::from_secs(10))
    // From a quarter of a second to four, so that a server that comes back is found at once.
    .reconnect_delay_callback(|attempts| Duration::from_millis(250 << attempts.min(4)))
    .event_callback(move |event| {
        if matches!(event, Event::Disconnected) {
            lost.send_modify(|count| *count += 1);
        }
        log(&event);
        std::future::ready(())
    });
    if let Some(prefix) = &server.inbox_prefix {
        options = options.custom_inbox_prefix(prefix);
    }
    if let Some(folder) = &server.credentials {
        options = certificates(options, folder);
    }
    let unusable = |error: async_nats::ConnectError| ConnectError::Unusable(error.to_string());
    let client = options.connect(server.url.as_str()).await.map_err(unusable)?;
    Ok(Connection { client, losses })
}

fn certificates(mut options: ConnectOptions, folder: &Path) -> ConnectOptions {
    let authority = folder.join("ca.crt");
    if authority.exists() {
        options = options.add_root_certificates(authority).require_tls(true);
    }
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    if certificate.exists() && key.exists() {
        options = options.add_client_certificate(certificate, key);
    }
    options
}

/// Who we are, by what lies in the folder now.
fn auth(folder: Option<&Path>, nonce: &[u8]) -> Result<Auth, AuthError> {
    let mut auth = Auth::new();
    let Some(folder) = folder else {
        return Ok(auth);
    };
    let read = |name: &str| -> Option<String> {
        let text = std::fs::read_to_string(folder.join(name)).ok()?;
        Some(text.trim().to_owned())
    };
    if let Some(credentials) = read("nats.creds") {
        let [jwt, seed] = ["NATS USER JWT", "USER NKEY SEED"].map(|title| block(&credentials, title));
        let (Some(jwt), Some(seed)) = (jwt, seed) else {
            return Err(AuthError::new("nats.creds has no user JWT or no seed"));
        };
        auth.signature = Some(sign(seed, nonce)?);
        auth.jwt = Some(jwt.to_owned());
    } else if let Some(seed) = read("nkey") {
        auth.signature = Some(sign(&seed, nonce)?);
        auth.nkey = Some(pair(&seed)?.public_key());
    } else if let Some(token) = read("token") {
        auth.token = Some(token);
    } else if let (Some(username), Some(password)) = (read("username"), read("password")) {
        auth.username = Some(username);
        auth.password = Some(password);
    }
    Ok(auth)
}

/// The text between `-----BEGIN <title>-----` and the next dashes.
fn block<'t>(credentials: &'t str, title: &str) -> Option<&'t str> {
    let begin = format!("BEGIN {title}");
    let after = credentials.split_once(&begin)?.1;
    after
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('-'))
}

fn pair(seed: &str) -> Result<nkeys::KeyPair, AuthError> {
    // The library's own words could hold a part of the seed.
    nkeys::KeyPair::from_seed(seed).map_err(|_| AuthError::new("the seed is no nkey"))
}

fn sign(seed: &str, nonce: &[u8]) -> Result<Vec<u8>, AuthError> {
    pair(seed)?
        .sign(nonce)
        .map_err(|_| AuthError::new("the seed cannot sign"))
}

fn log(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to the NATS server"),
        Event::Disconnected => tracing::warn!("the connection to the NATS server is gone; trying again"),
        Event::LameDuckMode => tracing::info!("the NATS server is about to stop; moving to another"),
        Event::ServerError(error) => tracing::warn!(%error, "the NATS server reports an error"),
        Event::ClientError(error) => tracing::warn!(%error, "the NATS connection reports an error"),
        Event::SlowConsumer(_) | Event::Draining | Event::Closed => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "-----BEGIN NATS USER JWT-----\neyJ0eXAi\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\nSUAABC\n------END USER NKEY SEED------\n";

    #[test]
    fn a_credentials_file_holds_a_token_and_a_seed() {
        assert_eq!(block(CREDENTIALS, "NATS USER JWT"), Some("eyJ0eXAi"));
        assert_eq!(block(CREDENTIALS, "USER NKEY SEED"), Some("SUAABC"));
    }

    #[test]
    fn a_seed_that_is_none_is_not_shown() {
        let error = sign("SUNOTASEED", b"nonce").unwrap_err();
        assert!(!error.to_string().contains("SUNOTASEED"));
    }
}
