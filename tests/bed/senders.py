"""The servers of senders that publish keys, as a bed's pods meet them: every name leads here (DNS), and here is whoever was
called (TLS for any name, certified by an authority of the bed's own).

    senders.py ADDRESS FOLDER NAMESERVER…     answers HTTPS on ADDRESS, and names on each NAMESERVER

FOLDER/keys.json says what is published, for each caller by its address, or "" for everybody else: what a vector's `keys` say,
by URL or by key id. FOLDER/ca.pem is written: the authority. Keys are a base64 SubjectPublicKeyInfo or a PEM certificate.
"""

import base64
import datetime
import http.server
import json
import pathlib
import socket
import ssl
import struct
import sys
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

ADDRESS, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
NAMESERVERS = sys.argv[3:]
LONG_AGO, LATE = datetime.datetime(1990, 1, 1), datetime.datetime(2100, 1, 1)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, names=(), authority=False):
    builder = x509.CertificateBuilder(
        name("the bed"), name(subject), key, x509.random_serial_number(), LONG_AGO, LATE
    ).add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
    return builder.sign(CA_KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


CA_KEY = ec.generate_private_key(ec.SECP256R1())
(FOLDER / "ca.pem").write_bytes(certificate("the bed", CA_KEY.public_key(), authority=True))
TLS_KEY = ec.generate_private_key(ec.SECP256R1())
TLS_PEM = TLS_KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


def context_for(host):
    """A TLS context that is whoever was called."""
    file = FOLDER / f"{host}.pem"
    if not file.exists():
        file.write_bytes(certificate("a sender", TLS_KEY.public_key(), [host]) + TLS_PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def called(connection, host, _context):
    if host:
        connection.context = context_for(host)


def public(text):
    return serialization.load_der_public_key(base64.b64decode(text))


def number(value):
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


def jwk(kid, text):
    key = public(text)
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "kid": kid, "use": "sig", "n": number(numbers.n), "e": number(numbers.e)}
    if isinstance(key, ec.EllipticCurvePublicKey):
        numbers = key.public_numbers()
        point = [base64.urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode() for value in (numbers.x, numbers.y)]
        return {"kty": "EC", "crv": "P-256", "kid": kid, "x": point[0], "y": point[1]}
    assert isinstance(key, ed25519.Ed25519PublicKey)
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64.urlsafe_b64encode(raw).rstrip(b"=").decode()}


def document(url, keys):
    """What stands at a URL; none where nothing does."""
    if url in keys:
        text = keys[url]
        if text.startswith("-----"):
            return text.encode()
        return certificate("sns.amazonaws.com", public(text))
    by_id = {kid: text for kid, text in keys.items() if not kid.startswith("https://")}
    if not by_id:
        return None
    if url.startswith("https://api.github.com/"):
        pem = lambda text: public(text).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()
        return json.dumps(
            {"public_keys": [{"key_identifier": kid, "key": pem(text), "is_current": True} for kid, text in by_id.items()]}
        ).encode()
    return json.dumps({"keys": [jwk(kid, text) for kid, text in by_id.items()]}).encode()


class Sender(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        published = json.loads((FOLDER / "keys.json").read_text())
        keys = published.get(self.client_address[0], published.get("", {}))
        body = document(f"https://{self.headers['host']}{self.path}", keys)
        self.send_response(404 if body is None else 200)
        self.send_header("content-length", str(len(body or b"")))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(body or b"")
        print(self.client_address[0], self.headers["host"], self.path, None if body is None else len(body), flush=True)

    def log_message(self, *_):
        pass


def answer_names(address):
    """Every name has ADDRESS, and no other kind of address."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind((address, 53))
    while True:
        query, caller = listener.recvfrom(512)
        end = query.index(b"\0", 12) + 5
        (kind,) = struct.unpack("!H", query[end - 4 : end - 2])
        found = 1 if kind == 1 else 0
        reply = query[:2] + struct.pack("!HHHHH", 0x8580, 1, found, 0, 0) + query[12:end]
        if found:
            reply += struct.pack("!HHHIH", 0xC00C, 1, 1, 5, 4) + socket.inet_aton(ADDRESS)
        listener.sendto(reply, caller)


for nameserver in NAMESERVERS:
    threading.Thread(target=answer_names, args=(nameserver,), daemon=True).start()
server = http.server.ThreadingHTTPServer((ADDRESS, 443), Sender)
context = context_for("nobody.invalid")
context.sni_callback = called
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("ready", flush=True)
server.serve_forever()
