//! SQS is called over TLS, and believed only where the system's roots vouch for it. The roots are the environment's, so a child
//! of the test sends.

use std::env;
use std::process::Command;
use std::sync::Arc;

use mef_queue::sqs::{QueueUrls, SqsQueue};
use mef_queue::{Lane, Queue, SendError, Settings};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::support::{QUICK, connection, event};
use crate::wire::Wire;

/// The server a child is to send to.
const SERVER: &str = "MEF_CHILD_SERVER";

/// Does nothing but in a child; says there what became of two messages.
#[tokio::test]
async fn a_child_of_the_tests_below() {
    let Ok(url) = env::var(SERVER) else { return };
    let urls = QueueUrls {
        events: format!("{url}/1/events"),
        dead: format!("{url}/1/dead"),
    };
    let queue = SqsQueue::with_scans(connection(&url), urls, Settings::default(), QUICK);
    for id in ["first", "second"] {
        for result in queue.send(Lane::Events, vec![event(id, "{}")]).await {
            match result {
                Ok(_) => println!("kept"),
                Err(SendError::Refused(why)) => println!("refused: {why}"),
                Err(SendError::Unavailable(why)) => println!("unavailable: {why}"),
            }
        }
    }
}

/// A server of its own authority, and the authority as PEM.
async fn server() -> (Wire, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate and its key");
    let wire = Wire::speaking(Vec::new(), Some(TlsAcceptor::from(Arc::new(config)))).await;
    (wire, made.cert.pem())
}

/// What a child says that trusts these certificates and no others.
fn said(wire: &Wire, roots: &str) -> String {
    let file = tempfile::NamedTempFile::new().expect("a writable folder");
    std::fs::write(file.path(), roots).expect("a writable file");
    let output = Command::new(env::current_exe().expect("a path"))
        .args(["--exact", "tls::a_child_of_the_tests_below", "--nocapture"])
        .env_clear()
        .env("SSL_CERT_FILE", file.path())
        .env(SERVER, &wire.url)
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("1 passed"), "{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_a_root_vouches_for_gets_the_messages() {
    let (wire, root) = server().await;
    let said = said(&wire, &root);
    assert_eq!(said.matches("kept").count(), 2, "{said}");
    assert_eq!(wire.actions().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_no_root_vouches_for_gets_nothing() {
    let (wire, _) = server().await;
    let (_, root) = server().await;
    let said = said(&wire, &root);
    assert_eq!(said.matches("unavailable: ").count(), 2, "{said}");
    assert!(said.contains("certificate"), "{said}");
    assert_eq!(wire.actions(), Vec::<String>::new());
}
