#!/usr/bin/env python3
"""Writes client-certificate.pem: a client certificate for tests, without its key. Needs the package `cryptography`."""

import datetime
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def name(common):
    return x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"), x509.NameAttribute(NameOID.COMMON_NAME, common),
    ])


key, authority = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
certificate = (
    x509.CertificateBuilder()
    .subject_name(name("webhooks.example.com"))
    .issuer_name(name("Example Clients CA"))
    .public_key(key.public_key())
    .serial_number(4711)
    .not_valid_before(datetime.datetime(2026, 1, 1))
    .not_valid_after(datetime.datetime(2036, 1, 1))
    .add_extension(x509.SubjectAlternativeName([
        x509.DNSName("webhooks.example.com"), x509.DNSName("Hooks.Example.com"), x509.RFC822Name("a@example.com"),
    ]), critical=False)
    .sign(authority, hashes.SHA256())
)
spki = certificate.public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
)
digest = hashes.Hash(hashes.SHA256())
digest.update(spki)
text = f"# SHA-256 of the certificate: {certificate.fingerprint(hashes.SHA256()).hex()}\n"
text += f"# SHA-256 of the public key: {digest.finalize().hex()}\n"
text += certificate.public_bytes(serialization.Encoding.PEM).decode()
pathlib.Path(__file__).with_name("client-certificate.pem").write_text(text)
