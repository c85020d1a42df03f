use super::*;
use mef_crds::Webhook;

use crate::received::{ClientCertificate, Headers};

const FILE: &str = include_str!("../../../../tests/data/client-certificate.pem");
/// A proxy of ours, and somebody else.
const PROXY: &str = "10.0.0.7";
const STRANGER: &str = "192.0.2.66";

fn pem() -> &'static str {
    &FILE[FILE.find("-----BEGIN").unwrap()..]
}

/// The hash that stands in the file's line of this beginning.
fn hash(of: &str) -> Vec<u8> {
    let line = FILE.lines().find(|line| line.contains(of)).unwrap();
    crate::verify::encoding::decode(mef_crds::Encoding::Hex, line.rsplit(' ').next().unwrap()).unwrap()
}

fn mtls(from: CertificateFront) -> Mtls {
    Mtls {
        place: Place::new(from, None, None, false),
        common_name: Some("webhooks.example.com".to_owned()),
        dns_names: Vec::new(),
        issuer: None,
        certificates: Vec::new(),
        public_keys: Vec::new(),
        front: Front::compile(&Webhook {
            trusted_hops: Some(1),
            trusted_proxies: vec!["10.0.0.0/8".to_owned()],
            ..Webhook::default()
        })
        .unwrap(),
    }
}

fn request(peer: &str, headers: &[(&str, &str)]) -> Received {
    Received {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect::<Headers>(),
        body: bytes::Bytes::new().into(),
        peer: Some(peer.parse().unwrap()),
        trace: None,
        client_certificate: None,
        at: Timestamp::UNIX_EPOCH,
        request_id: "r1".to_owned(),
    }
}

fn judge_at(mtls: &Mtls, received: &Received, now: &str) -> Result<(), RejectReason> {
    mtls.check(received, now.parse().unwrap(), &mut Trace::off())
        .map_err(|unverified| unverified.reason)
}

fn judge(mtls: &Mtls, received: &Received) -> Result<(), RejectReason> {
    judge_at(mtls, received, "2026-11-25T12:00:00Z")
}

/// As nginx's `$ssl_client_escaped_cert`.
fn escaped() -> String {
    pem()
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// As an AWS load balancer: `+`, `=` and `/` stay.
fn escaped_by_alb() -> String {
    escaped()
        .replace("%2B", "+")
        .replace("%3D", "=")
        .replace("%2F", "/")
}

fn der() -> String {
    pem().lines().filter(|line| !line.starts_with('-')).collect()
}

#[test]
fn every_front_tells_the_certificate_in_its_own_way() {
    let gateway = Received {
        trace: None,
        client_certificate: Some(ClientCertificate {
            pem: pem().to_owned(),
        }),
        ..request(STRANGER, &[])
    };
    assert_eq!(judge(&mtls(CertificateFront::Gateway), &gateway), Ok(()));
    let chain = ClientCertificate {
        pem: format!("{}\n{}", pem(), pem()),
    };
    let gateway = Received {
        trace: None,
        client_certificate: Some(chain),
        ..gateway
    };
    assert_eq!(judge(&mtls(CertificateFront::Gateway), &gateway), Ok(()));
    let alb = escaped_by_alb();
    assert_eq!(
        judge(
            &mtls(CertificateFront::Alb),
            &request(PROXY, &[(ALB_CERTIFICATE, &alb)])
        ),
        Ok(())
    );
    let rfc9440 = format!(":{}:", der());
    for written in [&escaped(), &alb, &der(), &rfc9440] {
        let headers = [(NGINX_CERTIFICATE, written.as_str()), (NGINX_VERIFIED, "SUCCESS")];
        assert_eq!(
            judge(&mtls(CertificateFront::Header), &request(PROXY, &headers)),
            Ok(()),
            "{written}"
        );
    }
}

#[test]
fn a_header_counts_only_when_our_own_proxy_sets_it() {
    let nginx = mtls(CertificateFront::Header);
    let written = escaped();
    let good = [(NGINX_CERTIFICATE, written.as_str()), (NGINX_VERIFIED, "SUCCESS")];
    assert_eq!(judge(&nginx, &request(PROXY, &good)), Ok(()));
    assert_eq!(
        judge(&nginx, &request(STRANGER, &good)),
        Err(RejectReason::UntrustedFront)
    );
    let unknown = Received {
        peer: None,
        ..request(PROXY, &good)
    };
    assert_eq!(judge(&nginx, &unknown), Err(RejectReason::UntrustedFront));
    let direct = Mtls {
        front: Front::default(),
        ..nginx.clone()
    };
    assert_eq!(
        judge(&direct, &request(PROXY, &good)),
        Err(RejectReason::UntrustedFront)
    );
    // A header is no gateway's context.
    assert_eq!(
        judge(&mtls(CertificateFront::Gateway), &request(PROXY, &good)),
        Err(RejectReason::MissingSignature)
    );
    let twice = [good[0], good[0], good[1]];
    assert_eq!(
        judge(&nginx, &request(PROXY, &twice)),
        Err(RejectReason::Malformed)
    );
    for verified in ["FAILED:self signed certificate", "NONE", ""] {
        let headers = [good[0], (NGINX_VERIFIED, verified)];
        assert_eq!(
            judge(&nginx, &request(PROXY, &headers)),
            Err(RejectReason::Mismatch),
            "{verified}"
        );
    }
    assert_eq!(
        judge(&nginx, &request(PROXY, &good[..1])),
        Err(RejectReason::Mismatch)
    );
    assert_eq!(
        judge(&nginx, &request(PROXY, &[])),
        Err(RejectReason::MissingSignature)
    );
    let long = "a".repeat(MAX_TEXT_BYTES + 1);
    for broken in [
        "",
        "%",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----",
        ":a:",
        "MIIB",
        &long,
    ] {
        let headers = [(NGINX_CERTIFICATE, broken), good[1]];
        assert_eq!(
            judge(&nginx, &request(PROXY, &headers)),
            Err(RejectReason::Malformed),
            "{broken}"
        );
    }
}

#[test]
fn all_that_is_said_of_the_certificate_must_hold() {
    let received = Received {
        trace: None,
        client_certificate: Some(ClientCertificate {
            pem: pem().to_owned(),
        }),
        ..request(STRANGER, &[])
    };
    let all = Mtls {
        dns_names: vec!["other.example.com".to_owned(), "hooks.example.com".to_owned()],
        issuer: Some("Example Clients CA".to_owned()),
        certificates: vec![vec![0; 32], hash("certificate")],
        public_keys: vec![hash("public key")],
        ..mtls(CertificateFront::Gateway)
    };
    assert_eq!(judge(&all, &received), Ok(()));
    let wrong = |change: fn(&mut Mtls)| {
        let mut mtls = all.clone();
        change(&mut mtls);
        judge(&mtls, &received)
    };
    let mismatch = Err(RejectReason::Mismatch);
    assert_eq!(
        wrong(|mtls| mtls.common_name = Some("webhooks.example.co".to_owned())),
        mismatch
    );
    assert_eq!(wrong(|mtls| mtls.issuer = Some("Example".to_owned())), mismatch);
    // An address of mail is no DNS name, and a subject's name is none either way.
    assert_eq!(
        wrong(|mtls| mtls.dns_names = vec!["a@example.com".to_owned()]),
        mismatch
    );
    assert_eq!(
        wrong(|mtls| mtls.certificates = vec![hash("public key")]),
        mismatch
    );
    assert_eq!(
        wrong(|mtls| mtls.public_keys = vec![hash("certificate")]),
        mismatch
    );
    assert_eq!(
        judge_at(&all, &received, "2025-12-31T23:59:59Z"),
        Err(RejectReason::Future)
    );
    assert_eq!(
        judge_at(&all, &received, "2036-01-01T00:00:01Z"),
        Err(RejectReason::Stale)
    );
}
