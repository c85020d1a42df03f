//! A vendor's web server with a certificate authority of its own. It serves one document in the manner it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mef_receiver::CallSettings;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

/// How it answers.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// With this body, and these lines of headers.
    Body(String, &'static str),
    /// As with a body, once a permit is there.
    When(Arc<tokio::sync::Semaphore>, String),
    /// With this status and these headers, without a body.
    Status(&'static str, &'static str),
    /// With a body without an end.
    Endless,
    /// One byte at a time, for ever.
    Trickle,
    /// Not at all.
    Silence,
    /// With what is no HTTP.
    Garbage,
    /// By closing the connection.
    Close,
}

/// The vendor.
pub(crate) struct Vendor {
    pub(crate) address: SocketAddr,
    /// Its certificate authority as PEM.
    authority: String,
    manner: Arc<Mutex<Manner>>,
    calls: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Vendor {
    /// A server for these names.
    pub(crate) async fn new(names: &[&str], manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (authority, acceptor) = certified(names);
        let vendor = Self {
            address: listener.local_addr().expect("its address"),
            authority,
            manner: Arc::new(Mutex::new(manner)),
            calls: Arc::default(),
            heads: Arc::default(),
        };
        let (manner, calls, heads) = (vendor.manner.clone(), vendor.calls.clone(), vendor.heads.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let manner = manner.lock().expect("no panic").clone();
                let (acceptor, calls, heads) = (acceptor.clone(), calls.clone(), heads.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let head = read_head(&mut stream).await;
                    calls.fetch_add(1, Ordering::SeqCst);
                    heads.lock().expect("no panic").push(head);
                    // A caller that has had enough closes.
                    let _ = answer(&mut stream, manner).await;
                });
            }
        });
        vendor
    }

    pub(crate) fn behaves(&self, manner: Manner) {
        *self.manner.lock().expect("no panic") = manner;
    }

    /// Requests it has read.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Request lines and headers.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }

    /// Settings that find it under these names and believe its authority.
    pub(crate) fn settings(&self, names: &[&str]) -> CallSettings {
        CallSettings {
            roots: Some(self.authority.clone().into_bytes()),
            private_addresses: true,
            hosts: names
                .iter()
                .map(|name| ((*name).to_owned(), self.address))
                .collect::<BTreeMap<_, _>>(),
            given: None,
        }
    }
}

fn certified(names: &[&str]) -> (String, TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "an authority of a test");
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(params, key).expect("an authority");
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(names)
        .expect("names")
        .signed_by(&key, &authority)
        .expect("a certificate");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a configuration");
    (authority.pem(), TlsAcceptor::from(Arc::new(config)))
}

async fn read_head(stream: &mut TlsStream<TcpStream>) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).expect("text")
}

async fn answer(stream: &mut TlsStream<TcpStream>, manner: Manner) -> std::io::Result<()> {
    let ok = |headers: &str, body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
    };
    match manner {
        Manner::Body(body, headers) => stream.write_all(ok(headers, &body).as_bytes()).await?,
        Manner::When(permits, body) => {
            permits.acquire().await.expect("it stays open").forget();
            stream.write_all(ok("", &body).as_bytes()).await?;
        }
        Manner::Status(status, headers) => {
            let text = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n{headers}\r\n");
            stream.write_all(text.as_bytes()).await?;
        }
        Manner::Endless => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .await?;
            loop {
                stream.write_all(b"400\r\n").await?;
                stream.write_all(&[b' '; 1_024]).await?;
                stream.write_all(b"\r\n").await?;
            }
        }
        Manner::Trickle => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
                .await?;
            loop {
                stream.write_all(b" ").await?;
                stream.flush().await?;
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        Manner::Silence => std::future::pending().await,
        Manner::Garbage => stream.write_all(b"\x00\x01\x02 no HTTP\r\n\r\n").await?,
        Manner::Close => {}
    }
    stream.shutdown().await
}
