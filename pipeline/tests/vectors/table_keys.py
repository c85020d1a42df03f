"""Senders that sign with a key of their own: the receiver has the public half, or fetches it. Keys are fixed, so that the
output is; they are used nowhere else."""

import base64
import hashlib
import json
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.x509.oid import NameOID

from make import AT, URL, Sender, b64

PEM = (pathlib.Path(__file__).resolve().parent / "rsa_keys.pem").read_bytes()
END = b"-----END RSA PRIVATE KEY-----\n"
RSA_ONE, RSA_TWO = (
    serialization.load_pem_private_key(part + END, None) for part in PEM.split(END) if part.strip()
)
JSON = {"content-type": "application/json"}


def number(name):
    return int.from_bytes(hashlib.sha256(f"mef test vector {name}".encode()).digest(), "big") >> 1


def ec_key(name):
    return ec.derive_private_key(number(name), ec.SECP256R1())


def ed_key(name):
    return ed25519.Ed25519PrivateKey.from_private_bytes(number(name).to_bytes(32, "big"))


def spki(key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return b64(key.public_key().public_bytes(serialization.Encoding.DER, form))


def ecdsa(key, message):
    return key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def rsa(key, message, hash_function=None):
    return key.sign(message, padding.PKCS1v15(), hash_function or hashes.SHA256())


# Signed tokens (RFC 7515).


def part(data):
    if not isinstance(data, bytes):
        data = json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(key, header, claims):
    signed = f"{part(header)}.{part(claims)}"
    algorithm = header.get("alg")
    if algorithm == "none":
        return signed + "."
    if algorithm == "HS256":
        # The confusion of algorithms: the public key, which everybody has, as a shared one.
        code = hmac.HMAC(base64.b64decode(spki(key)), hashes.SHA256())
        code.update(signed.encode())
        return f"{signed}.{part(code.finalize())}"
    return f"{signed}.{part(rsa(key, signed.encode()))}"


def without(claims, name):
    return {key: value for key, value in claims.items() if key != name}


def jwk(key):
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "n": part(numbers.n.to_bytes(256, "big")), "e": "AQAB"}


def hostile(put, header, claims):
    """What every verification by token must refuse. put(request, token) puts it where the sender does."""

    def case(head=None, body=None, key=RSA_ONE):
        made = token(key, head or header, body or claims)
        return lambda request: put(request, made)

    jku = {"jku": "https://keys.attacker.example/jwks", "x5u": "https://keys.attacker.example/cert"}
    good = token(RSA_ONE, header, claims)
    return {
        "alg-none": case({**header, "alg": "none"}),
        "alg-none-in-capitals": lambda request: put(
            request, f"{part({**header, 'alg': 'NONE'})}.{part(claims)}."
        ),
        "public-key-as-shared-key": case({**header, "alg": "HS256"}),
        "foreign-jku": case({**header, **jku}, key=RSA_TWO),
        "own-jwk": case({**header, "jwk": jwk(RSA_TWO)}, key=RSA_TWO),
        "unknown-kid": case({**header, "kid": "another"}),
        "kid-that-is-no-text": case({**header, "kid": 1}),
        "critical-extension": case({**header, "crit": ["b64"], "b64": False}),
        "no-algorithm": lambda request: put(request, f"{part(without(header, 'alg'))}.{good.split('.', 1)[1]}"),
        "other-audience": case(body={**claims, "aud": "https://other.example.org"}),
        "other-audiences": case(body={**claims, "aud": ["https://other.example.org"]}),
        "no-audience": case(body=without(claims, "aud")),
        "empty-audience": case(body={**claims, "aud": ""}),
        "no-audiences": case(body={**claims, "aud": []}),
        "other-issuer": case(body={**claims, "iss": claims["iss"] + ".attacker.example"}),
        "no-issuer": case(body=without(claims, "iss")),
        "expired": case(body={**claims, "iat": AT - 7200, "exp": AT - 3600}),
        "issued-an-hour-ahead": case(body={**claims, "iat": AT + 3600, "exp": AT + 7200}),
        "not-valid-before-an-hour": case(body={**claims, "nbf": AT + 3600}),
        "expiry-that-is-no-number": case(body={**claims, "exp": "never"}),
        "claims-that-are-no-object": case(body=[claims]),
        "four-parts": lambda request: put(request, good + ".AAAA"),
        "two-parts": lambda request: put(request, good.rsplit(".", 1)[0]),
        "padded": lambda request: put(request, good + "=="),
        "no-signature": lambda request: put(request, good.rsplit(".", 1)[0] + "."),
        "longer-than-64-kB": case({**header, "pad": "a" * 50_000}, {**claims, "pad": "a" * 20_000}),
    }


def welcome(put, header, claims):
    """What every verification by token must accept."""

    def case(head=None, body=None):
        made = token(RSA_ONE, head or header, body or claims)
        return lambda request: put(request, made)

    return {
        "several-audiences": case(body={**claims, "aud": ["https://other.example.org", claims["aud"]]}),
        # The set holds one key only.
        "no-kid": case(without(header, "kid")),
        # It is not looked at: the keys come from where they always do.
        "jku-beside-the-right-signature": case({**header, "jku": "https://keys.attacker.example/jwks"}),
        "type-with-its-tree": case({**header, "typ": "Application/" + header["typ"]}),
        "clocks-a-minute-apart": case(body={**claims, "iat": AT + 60}),
    }


def bearer(request, made):
    request.headers["authorization"] = f"Bearer {made}"


def whole_body(request, made):
    request.body = made


GOOGLE_HEADER = {"alg": "RS256", "kid": "one", "typ": "JWT"}
GOOGLE = {
    "aud": URL,
    "azp": "113774264463038321964",
    "email": "push@example.iam.gserviceaccount.com",
    "email_verified": True,
    "exp": AT + 3600,
    "iat": AT,
    "iss": "https://accounts.google.com",
    "sub": "113774264463038321964",
}
TENANT = "https://sts.windows.net/11111111-1111-1111-1111-111111111111/"
ENTRA = {
    "aud": "22222222-2222-2222-2222-222222222222",
    "appid": "4962773b-9cdb-44cf-a8bf-237846a00ab7",
    "exp": AT + 3600,
    "iat": AT,
    "nbf": AT,
    "iss": TENANT,
}
SET_HEADER = {"alg": "RS256", "kid": "one", "typ": "secevent+jwt"}
SET = {
    "aud": "https://hooks.example.org",
    "events": {
        "https://schemas.openid.net/secevent/caep/event-type/session-revoked": {
            "event_timestamp": AT,
            "subject": {"format": "iss_sub", "iss": "https://example.okta.com", "sub": "00u1"},
        }
    },
    "iat": AT,
    "iss": "https://example.okta.com",
    "jti": "24c63fb56e5a2d77a6b512616ca9fa24",
}
ONE = {"keys": {"one": spki(RSA_ONE)}}


def with_claim(key, header, claims, put, **changed):
    return lambda request: put(request, token(key, header, {**claims, **changed}))


# Certificates and messages of Amazon SNS.

HOST = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:security-findings"


def certificate(name, start=AT - 86400, end=AT + 86400, key=RSA_ONE):
    import datetime

    moment = lambda second: datetime.datetime.fromtimestamp(second, datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(moment(start))
        .not_valid_after(moment(end))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def pem_url(digit):
    return f"{HOST}{digit * 32}.pem"


CERTIFICATES = {
    pem_url("0"): certificate("sns.amazonaws.com"),
    pem_url("1"): certificate("sns-signing.eu-west-1.amazonaws.com"),
    pem_url("2"): certificate("sns.amazonaws.com.attacker.example"),
    pem_url("3"): certificate("sns.amazonaws.com", AT - 172800, AT - 86400),
    pem_url("4"): certificate("sns.amazonaws.com", AT + 86400, AT + 172800),
    # One key signs for all: only the address tells them apart.
    "https://sns.attacker.example/SimpleNotificationService-" + "0" * 32 + ".pem": certificate("sns.amazonaws.com"),
}


def message(key, version="2", url=None, signed_with=None, **fields):
    fields = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": "{\"AlarmName\":\"root login\"}",
        "Timestamp": "2026-01-02T03:04:05.655Z",
        **fields,
    }
    order = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{fields[name]}\n" for name in order if name in fields)
    function = hashes.SHA1() if (signed_with or version) == "1" else hashes.SHA256()
    return json.dumps(
        {
            **fields,
            "SignatureVersion": version,
            "Signature": b64(rsa(key, text.encode(), function)),
            "SigningCertURL": url or pem_url("0"),
        }
    )


def sns(**how):
    return lambda request: setattr(request, "body", message(request.secret, **how))


def signed_body(header, encode, sign, stamp=None):
    """A signature over the time, where there is one, and the body."""

    def put(request):
        text = request.body
        if stamp:
            request.headers[stamp] = str(request.at)
            text = request.headers[stamp] + text
        request.headers[header] = encode(sign(request.secret, text.encode()))

    return put


def github(request):
    signed_body("github-public-key-signature", b64, ecdsa)(request)
    request.headers["github-public-key-identifier"] = "key-1"


def with_header(name, value):
    return lambda request: request.headers.update({name: value})


SENDERS = [
    Sender(
        "google-pubsub",
        "https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions",
        lambda request: bearer(request, token(request.secret, GOOGLE_HEADER, GOOGLE)),
        body='{"message":{"data":"aGVsbG8=","messageId":"1","publishTime":"2026-01-02T03:04:05Z"},"subscription":"s"}',
        secret=RSA_ONE,
        wrong=RSA_TWO,
        configured=[],
        proof=["authorization"],
        covers_body=False,
        headers=JSON,
        more={**ONE, "config": {"aud": URL, "senders": ["push@example.iam.gserviceaccount.com"]}},
        accept=welcome(bearer, GOOGLE_HEADER, GOOGLE),
        refuse={
            **hostile(bearer, GOOGLE_HEADER, GOOGLE),
            "no-expiry": lambda request: bearer(
                request, token(RSA_ONE, GOOGLE_HEADER, without(GOOGLE, "exp"))
            ),
            "other-account": with_claim(
                RSA_ONE, GOOGLE_HEADER, GOOGLE, bearer, email="push@attacker.iam.gserviceaccount.com"
            ),
            "account-not-verified": with_claim(
                RSA_ONE, GOOGLE_HEADER, GOOGLE, bearer, email_verified=False
            ),
            "other-scheme": lambda request: request.headers.update(
                authorization=request.headers["authorization"].replace("Bearer", "Basic")
            ),
        },
    ),
    Sender(
        "eventgrid",
        "https://learn.microsoft.com/en-us/azure/event-grid/security-authentication",
        lambda request: setattr(request, "url", f"{URL}?code={request.secret}"),
        body='[{"id":"1","eventType":"a.b","eventTime":"2026-01-02T03:04:05Z","data":{}}]',
        covers_body=False,
        headers=JSON,
        refuse={
            "no-code": lambda request: setattr(request, "url", URL),
            "empty-code": lambda request: setattr(request, "url", URL + "?code="),
            "code-twice": lambda request: setattr(request, "url", request.url + "&code=1"),
        },
    ),
    Sender(
        "eventgrid",
        "https://learn.microsoft.com/en-us/azure/event-grid/secure-webhook-delivery",
        lambda request: bearer(request, token(request.secret, GOOGLE_HEADER, ENTRA)),
        variant="entra",
        body='[{"id":"1","eventType":"a.b","eventTime":"2026-01-02T03:04:05Z","data":{}}]',
        secret=RSA_ONE,
        wrong=RSA_TWO,
        configured=[],
        proof=["authorization"],
        covers_body=False,
        headers=JSON,
        more={**ONE, "config": {"aud": ENTRA["aud"], "iss": TENANT}},
        refuse={
            "other-application": with_claim(
                RSA_ONE, GOOGLE_HEADER, ENTRA, bearer, appid="33333333-3333-3333-3333-333333333333"
            ),
            "other-tenant": with_claim(
                RSA_ONE, GOOGLE_HEADER, ENTRA, bearer, iss=TENANT.replace("1", "4")
            ),
        },
    ),
    Sender(
        "ssf-set",
        "https://www.rfc-editor.org/rfc/rfc8935",
        lambda request: whole_body(request, token(request.secret, SET_HEADER, SET)),
        secret=RSA_ONE,
        wrong=RSA_TWO,
        configured=[],
        headers={"content-type": "application/secevent+jwt"},
        more={**ONE, "config": {"aud": SET["aud"], "iss": SET["iss"]}},
        accept=welcome(whole_body, SET_HEADER, SET),
        refuse={
            **hostile(whole_body, SET_HEADER, SET),
            # An access token of the same issuer for the same audience is no event.
            "other-type": lambda request: whole_body(
                request, token(RSA_ONE, {**SET_HEADER, "typ": "JWT"}, SET)
            ),
            "no-type": lambda request: whole_body(
                request, token(RSA_ONE, without(SET_HEADER, "typ"), SET)
            ),
            "claims-alone": lambda request: whole_body(request, json.dumps(SET)),
            "no-body": lambda request: whole_body(request, ""),
        },
    ),
    Sender(
        "sns",
        "https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html",
        sns(),
        secret=RSA_ONE,
        wrong=RSA_TWO,
        configured=[],
        # What stands behind the JSON is not signed, and is no JSON.
        headers={"content-type": "text/plain; charset=UTF-8"},
        more={"keys": CERTIFICATES, "allowlist": [TOPIC]},
        covers_body=False,
        accept={
            "version-1": sns(version="1"),
            "subject": sns(Subject="ALARM"),
            "certificate-of-an-opt-in-region": sns(url=pem_url("1")),
            "line-breaks-and-beyond-ascii": sns(Message="caf\u00e9\n\u2603"),
        },
        refuse={
            "altered-message": lambda request: setattr(
                request, "body", request.body.replace("root login", "no login")
            ),
            "foreign-topic": sns(TopicArn="arn:aws:sns:eu-west-1:999999999999:attacker"),
            "other-certificate-name": sns(url=pem_url("2")),
            "expired-certificate": sns(url=pem_url("3")),
            "certificate-of-tomorrow": sns(url=pem_url("4")),
            "foreign-certificate-host": sns(
                url="https://sns.attacker.example/SimpleNotificationService-" + "0" * 32 + ".pem"
            ),
            "certificate-without-https": sns(url=pem_url("0").replace("https", "http")),
            "certificate-with-a-user": sns(url=pem_url("0").replace("https://", "https://a@")),
            "certificate-nobody-has": sns(url=pem_url("9")),
            "other-hash-than-it-says": sns(signed_with="1"),
            "unknown-version": sns(version="3"),
            "no-signature": lambda request: setattr(
                request, "body", request.body.replace('"Signature":', '"NoSignature":')
            ),
        },
    ),
    Sender(
        "sendgrid",
        "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features",
        signed_body(
            "x-twilio-email-event-webhook-signature", b64, ecdsa, "x-twilio-email-event-webhook-timestamp"
        ),
        body='[{"email":"ada@example.org","event":"delivered","sg_event_id":"1","timestamp":1767323045}]\r\n',
        secret=ec_key("sendgrid"),
        wrong=ec_key("sendgrid wrong"),
        configured=spki(ec_key("sendgrid")),
        proof=["x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"],
        headers=JSON,
    ),
    Sender(
        "discord",
        "https://docs.discord.com/developers/events/webhook-events",
        signed_body(
            "x-signature-ed25519", lambda made: made.hex(), lambda key, text: key.sign(text), "x-signature-timestamp"
        ),
        body='{"version":1,"type":1,"event":{"type":"APPLICATION_AUTHORIZED","data":{}}}',
        secret=ed_key("discord"),
        wrong=ed_key("discord wrong"),
        configured=ed_key("discord").public_key().public_bytes_raw().hex(),
        proof=["x-signature-ed25519", "x-signature-timestamp"],
        headers=JSON,
    ),
    Sender(
        "github-secret-scanning",
        "https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program/secret-scanning-partner-program",
        github,
        body='[{"token":"NMIfyYncKcRALEXAMPLE","type":"example_token","url":"","source":"content"}]',
        secret=ec_key("github"),
        wrong=ec_key("github wrong"),
        configured=[],
        proof=["github-public-key-signature", "github-public-key-identifier"],
        headers=JSON,
        more={"keys": {"key-1": spki(ec_key("github"))}},
        refuse={
            "unknown-key": with_header("github-public-key-identifier", "key-2"),
            "long-key-id": with_header("github-public-key-identifier", "k" * 65_536),
        },
    ),
]

CHALLENGES = []
