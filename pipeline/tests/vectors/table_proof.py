"""Senders whose proof is more than a signature of the body: HTTP message signatures (RFC 9421), the URL, a captured secret."""

import hashlib

from make import URL, Sender, b64, mac

JSON = {"content-type": "application/json"}


def notion(request):
    request.headers["x-notion-signature"] = "sha256=" + mac("sha256", request.secret, request.body).hex()


def trello(request):
    request.headers["x-trello-webhook"] = b64(mac("sha1", request.secret, request.body, request.url))


def bearer(request):
    request.headers["authorization"] = f"Bearer {request.secret}"


def access_token(request):
    request.url = f"{URL}?access_token={request.secret}"


def http_signature(sign, *components):
    """RFC 9421, 2.5, written out for the few components that are used here."""

    def put(request):
        digest = b64(hashlib.sha256(request.body.encode()).digest())
        request.headers["content-digest"] = f"sha-256=:{digest}:"
        values = {"@method": request.method, "@path": "/hook", "@authority": "hooks.example.org"}
        values["content-digest"] = request.headers["content-digest"]
        listed = " ".join(f'"{name}"' for name in components)
        parameters = f"({listed});created={request.at}"
        base = "".join(f'"{name}": {values[name]}\n' for name in components)
        base += f'"@signature-params": {parameters}'
        request.headers["signature-input"] = f"sig1={parameters}"
        request.headers["signature"] = f"sig1=:{b64(sign(request.secret, base))}:"

    return put


def shared(secret, base):
    return mac("sha256", secret, base)


def ed25519(name):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"mef test vector {name}".encode()).digest())


def pem(key):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def by_key(key, base):
    return key.sign(base.encode())


def with_header(name, value):
    return lambda request: request.headers.update({name: value})


def http_senders(preset, components):
    common = {
        "doc": "RFC 9421, 2.5 and 3.1",
        "proof": ["signature", "signature-input", "content-digest"],
        "tolerance": 300,
        "headers": JSON,
        "refuse": {
            "other-method": lambda request: setattr(request, "method", "PUT"),
            "named-as-another-algorithm": lambda request: request.headers.update(
                {"signature-input": request.headers["signature-input"] + ';alg="rsa-v1_5-sha256"'}
            ),
        },
    }
    yield Sender(preset, sign=http_signature(shared, *components), variant="hmac", **common)
    key = ed25519(preset)
    yield Sender(
        preset, sign=http_signature(by_key, *components), variant="ed25519", secret=key,
        wrong=ed25519(f"{preset} wrong"), configured=pem(key), **common,
    )


SENDERS = [
    Sender(
        "notion",
        "https://developers.notion.com/reference/webhooks",
        notion,
        body='{"id":"367cba44-b6f3-4c92-81e7-6a2e9659efd4","type":"page.created"}',
        proof=["x-notion-signature"],
        headers=JSON,
        # A second verification_token is no handshake once there is a secret: it must be signed with that.
        refuse={"token-again": lambda request: setattr(request, "body", '{"verification_token":"secret_another0123456789"}')},
    ),
    Sender(
        "trello",
        "https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/",
        trello,
        body='{"action":{"id":"51f9424bcd6e040f3c002412","type":"updateCard"}}',
        proof=["x-trello-webhook"],
        headers=JSON,
        refuse={"other-url": lambda request: setattr(request, "url", "https://hooks.example.com/hook")},
    ),
    Sender(
        "cloudevents-http",
        "https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md",
        bearer,
        variant="bearer",
        proof=["authorization"],
        covers_body=False,
        headers={**JSON, "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "b"},
        refuse={"other-scheme": lambda request: request.headers.update(
            {"authorization": request.headers["authorization"].replace("Bearer", "Basic")}
        )},
    ),
    Sender(
        "cloudevents-http",
        "https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md",
        access_token,
        variant="query",
        covers_body=False,
        headers={"content-type": "application/cloudevents+json"},
        body='{"specversion":"1.0","id":"1","source":"/a","type":"b"}',
        refuse={
            "token-twice": lambda request: setattr(request, "url", request.url + "&access_token=a"),
            "no-token": lambda request: setattr(request, "url", URL),
        },
    ),
    *http_senders("rfc9421", ["@method", "@authority", "content-digest"]),
    *http_senders("rfc9421-strict", ["@method", "@path", "content-digest"]),
    Sender(
        "rfc9421-strict",
        "RFC 9421, 2.5 and 3.1",
        http_signature(shared, "@method", "@path", "content-digest"),
        variant="uncovered",
        proof=["signature"],
        headers=JSON,
        refuse={
            f"without-{name.strip('@')}": http_signature(
                shared, *[other for other in ("@method", "@path", "content-digest") if other != name]
            )
            for name in ("@method", "@path", "content-digest")
        },
    ),
]

CHALLENGES = []
