"""What vendors' Python libraries sign and accept, asked through JSON lines.

Each entry wraps one library: how it signs (where it can), how it verifies, and what our engine needs to know to judge the
same requests. The requests of vendors who alone hold the private key are signed here with `cryptography`, after the
library's own tests or documentation; `signed_by` says so. Questions come in on standard input, one answer each goes out:

  {"op": "libraries"}                                  -> [{"name", "version", "preset", "secret", …}]
  {"op": "sign", "library", "secret", "at", "request"} -> {"request": {…}}      at: Unix seconds
  {"op": "verify", "library", "secret", "request"}     -> {"accepted": true|false, "said": "…"}

The clock of the process stands at the instant that is its only argument (Unix seconds).
"""

import base64
import datetime
import hashlib
import importlib.metadata
import json
import sys
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

URL = "https://hooks.example.org/hook"
WHSEC = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + base64.b64encode(b"another secret of 24 byte").decode()]
TEXT = ["a shared secret, as text", "another shared secret"]
ENTRIES = {}


def entry(cls):
    ENTRIES[cls.name] = cls
    return cls


def with_headers(request, headers, **changed):
    return {**request, "headers": {**request["headers"], **headers}, **changed}


@entry
class StandardWebhooks:
    name, distribution, preset = "standardwebhooks (PyPI)", "standardwebhooks", "standard-webhooks"
    secret, other_secret = WHSEC
    prefix = "webhook"
    # What a sender who rotates its secret sends: several signatures, of which any may be the one.
    variants = {
        "another signature before it": ("webhook-signature", f"v1,{'A' * 43}= {{}}"),
        "another signature behind it": ("webhook-signature", f"{{}} v1,{'A' * 43}="),
        "a signature of another version before it": ("webhook-signature", "v9,abc {}"),
        "a signature of another version alone": ("webhook-signature", "v9,abc"),
    }

    @staticmethod
    def library():
        from standardwebhooks.webhooks import Webhook

        return Webhook

    @classmethod
    def sign(cls, secret, request, at):
        time = datetime.datetime.fromtimestamp(at, tz=datetime.timezone.utc)
        signature = cls.library()(secret).sign("msg_1", time, request["body"])
        values = {"id": "msg_1", "timestamp": str(at), "signature": signature}
        return with_headers(request, {f"{cls.prefix}-{name}": value for name, value in values.items()})

    @classmethod
    def verify(cls, secret, request):
        cls.library()(secret).verify(request["body"], request["headers"])


@entry
class Svix(StandardWebhooks):
    name, distribution, preset = "svix (PyPI)", "svix", "svix"
    prefix = "svix"
    variants = {what: (f"svix-{header[8:]}", value) for what, (header, value) in StandardWebhooks.variants.items()}

    @staticmethod
    def library():
        from svix.webhooks import Webhook

        return Webhook


@entry
class Stripe:
    name, distribution, preset = "stripe (PyPI)", "stripe", "stripe"
    secret, other_secret = "whsec_one", "whsec_two"
    variants = {
        "another signature before it": ("stripe-signature", f"v1={'0' * 64},{{}}"),
        "another signature behind it": ("stripe-signature", f"{{}},v1={'0' * 64}"),
        "a signature of the test scheme behind it": ("stripe-signature", f"{{}},v0={'0' * 64}"),
        "a part without a value": ("stripe-signature", "{},x"),
    }

    @staticmethod
    def sign(secret, request, at):
        import stripe

        header = stripe.WebhookSignature.generate_signature_header(request["body"], secret, at)
        return with_headers(request, {"stripe-signature": header})

    @staticmethod
    def verify(secret, request):
        import stripe

        stripe.WebhookSignature.verify_header(
            request["body"].encode(), request["headers"].get("stripe-signature"), secret, stripe.Webhook.DEFAULT_TOLERANCE
        )


class Twilio:
    distribution = "twilio"
    secret, other_secret = "12345678901234567890123456789012", "another token"

    @staticmethod
    def validator(secret):
        from twilio.request_validator import RequestValidator

        return RequestValidator(secret)


@entry
class TwilioForm(Twilio):
    name, preset = "twilio, form (PyPI)", "twilio-form"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    bodies = ["CallSid=CA1&Caller=%2B15550001&Body=mark", "Z=mark&A=Z%C3%BCrich+%F0%9F%94%91&B=&AA=1&a=2", "Body=mark%26+%3D+%25"]

    @classmethod
    def sign(cls, secret, request, at):
        signature = cls.validator(secret).compute_signature(request["url"], cls.parameters_of(request))
        return with_headers(request, {"x-twilio-signature": signature})

    @classmethod
    def verify(cls, secret, request):
        signature = request["headers"]["x-twilio-signature"]
        return cls.validator(secret).validate(request["url"], cls.parameters_of(request), signature)

    @staticmethod
    def parameters_of(request):
        return dict(urllib.parse.parse_qsl(request["body"], keep_blank_values=True))


@entry
class TwilioJson(Twilio):
    name, preset = "twilio, JSON (PyPI)", "twilio-json"
    headers = {"content-type": "application/json"}

    @classmethod
    def sign(cls, secret, request, at):
        digest = hashlib.sha256(request["body"].encode()).hexdigest()
        url = f"{request['url']}?bodySHA256={digest}"
        signature = cls.validator(secret).compute_signature(url, {})
        return with_headers(request, {"x-twilio-signature": signature}, url=url)

    @classmethod
    def verify(cls, secret, request):
        return cls.validator(secret).validate(request["url"], request["body"], request["headers"]["x-twilio-signature"])


@entry
class Slack:
    name, distribution, preset = "slack-sdk (PyPI)", "slack_sdk", "slack"
    secret, other_secret = TEXT

    @staticmethod
    def verifier(secret):
        from slack_sdk.signature import SignatureVerifier

        return SignatureVerifier(secret)

    @classmethod
    def sign(cls, secret, request, at):
        signature = cls.verifier(secret).generate_signature(timestamp=str(at), body=request["body"])
        return with_headers(request, {"x-slack-request-timestamp": str(at), "x-slack-signature": signature})

    @classmethod
    def verify(cls, secret, request):
        return cls.verifier(secret).is_valid_request(request["body"], request["headers"])


@entry
class WorkOs:
    name, distribution, preset = "workos (PyPI)", "workos", "workos"
    secret, other_secret = TEXT

    @staticmethod
    def sign(secret, request, at):
        from workos.actions import _compute_signature

        signature = _compute_signature(f"{at * 1000}.{request['body']}", secret)
        return with_headers(request, {"workos-signature": f"t={at * 1000}, v1={signature}"})

    @staticmethod
    def verify(secret, request):
        from workos.webhooks._verification import verify_header

        header = request["headers"].get("workos-signature")
        verify_header(event_body=request["body"].encode(), event_signature=header, secret=secret)


def spki(private):
    return base64.b64encode(
        private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).decode()


@entry
class SendGrid:
    name, distribution, preset = "sendgrid (PyPI)", "sendgrid", "sendgrid"
    signed_by = "cryptography"
    keys = {spki(key): key for key in (ec.derive_private_key(number, ec.SECP256R1()) for number in (7, 11))}
    secret, other_secret = keys
    HEADERS = ("x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp")
    bodies = ['[{"email":"ada@example.org","event":"mark"}]\r\n', '[{"event":"mark","text":"Zürich \\u00fc"}]']

    @classmethod
    def sign(cls, secret, request, at):
        # The same signature each time: its length, and with it the padding, depends on it.
        algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
        signature = cls.keys[secret].sign(f"{at}{request['body']}".encode(), algorithm)
        return with_headers(request, dict(zip(cls.HEADERS, (base64.b64encode(signature).decode(), str(at)))))

    @classmethod
    def verify(cls, secret, request):
        from sendgrid.helpers.eventwebhook import EventWebhook

        signature, time = (request["headers"][name] for name in cls.HEADERS)
        return EventWebhook(secret).verify_signature(request["body"], signature, time)


def rsa_keys():
    return [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)]


def key_set(private, key_id):
    from jwt.algorithms import RSAAlgorithm

    public = json.loads(RSAAlgorithm.to_jwk(private.public_key()))
    return {"keys": [{**public, "kid": key_id, "use": "sig", "alg": "RS256"}]}


@entry
class PyJwt:
    """The receiver of a security event token, as PyJWT's documentation writes it for RS256 and an audience."""

    name, distribution, preset = "PyJWT (PyPI)", "PyJWT", "ssf-set"
    ISSUER, AUDIENCE = "https://issuer.example.org", "https://hooks.example.org"
    headers = {"content-type": "application/secevent+jwt", "accept": "application/json"}
    private = dict(zip(("key-1", "another key"), rsa_keys()))
    secret, other_secret = private
    keyless = True
    parameters = {"issuer": ISSUER, "audience": AUDIENCE}
    network = {f"{ISSUER}/oauth2/v1/keys": key_set(private[secret], "1")}
    bodies = [""]
    claims = {
        "jti": "mark",
        "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {"reason": "Zürich"}},
    }

    @classmethod
    def sign(cls, secret, request, at):
        import jwt

        claims = {"iss": cls.ISSUER, "aud": cls.AUDIENCE, "iat": at, **cls.claims}
        header = {"typ": "secevent+jwt", "kid": "1"}
        token = jwt.encode(claims, cls.private[secret], algorithm="RS256", headers=header)
        return {**request, "body": token}

    @classmethod
    def verify(cls, secret, request):
        import jwt

        key = cls.private[secret].public_key()
        jwt.decode(request["body"], key, algorithms=["RS256"], audience=cls.AUDIENCE, issuer=cls.ISSUER)


@entry
class GoogleAuth:
    """The token of a push subscription, verified as Google's documentation for Pub/Sub shows with this library."""

    name, distribution, preset = "google-auth (PyPI)", "google-auth", "google-pubsub"
    ISSUER, SENDER = "https://accounts.google.com", "push@example.iam.gserviceaccount.com"
    headers = {"content-type": "application/json"}
    private = dict(zip(("key-1", "another key"), rsa_keys()))
    secret, other_secret = private
    keyless = True
    body_is_signed = False
    parameters = {"audience": URL, "senders": [SENDER]}
    network = {"https://www.googleapis.com/oauth2/v3/certs": key_set(private[secret], "1")}
    bodies = ['{"message":{"data":"bWFyaw==","messageId":"1","text":"mark"},"subscription":"s"}']

    @classmethod
    def sign(cls, secret, request, at):
        import google.auth.crypt
        import google.auth.jwt

        pem = cls.private[secret].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        signer = google.auth.crypt.RSASigner.from_string(pem.decode(), key_id="1")
        claims = {
            "iss": cls.ISSUER,
            "aud": URL,
            "iat": at,
            "exp": at + 3600,
            "email": cls.SENDER,
            "email_verified": True,
            "sub": "1",
        }
        return with_headers(request, {"authorization": f"Bearer {google.auth.jwt.encode(signer, claims).decode()}"})

    @classmethod
    def verify(cls, secret, request):
        from google.oauth2 import id_token

        scheme, token = request["headers"]["authorization"].split(" ")
        if scheme != "Bearer":
            raise ValueError("no bearer token")
        claims = id_token.verify_oauth2_token(token, cls.certificates, audience=URL)
        return claims["email"] == cls.SENDER and claims["email_verified"] is True

    @classmethod
    def certificates(cls, url, method="GET", **_):
        """In place of the network: the key under its id, in the form of the older of Google's two lists."""
        pem = cls.private[cls.secret].public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

        class Response:
            status = 200
            data = json.dumps({"1": pem.decode()}).encode()

        return Response


class HttpMessageSignatures:
    distribution, preset = "http-message-signatures", "rfc9421"
    headers = {"content-type": "application/json"}
    covered = ("@method", "@authority", "@path", "content-type", "content-digest")

    class Message:
        def __init__(self, request):
            self.method, self.url, self.headers = request["method"], request["url"], dict(request["headers"])

    @classmethod
    def resolver(cls, secret):
        from http_message_signatures import HTTPSignatureKeyResolver

        class Resolver(HTTPSignatureKeyResolver):
            def resolve_public_key(self, key_id):
                return cls.public(secret)

            def resolve_private_key(self, key_id):
                return cls.private(secret)

        return {"signature_algorithm": cls.algorithm(), "key_resolver": Resolver()}

    @classmethod
    def sign(cls, secret, request, at):
        from http_message_signatures import HTTPMessageSigner

        message = cls.Message(request)
        HTTPMessageSigner(**cls.resolver(secret)).sign(
            message,
            key_id="key-1",
            created=datetime.datetime.fromtimestamp(at, tz=datetime.timezone.utc),
            label="sig1",
            covered_component_ids=cls.covered,
            body=request["body"].encode(),
        )
        return {**request, "headers": {name.lower(): value for name, value in message.headers.items()}}

    @classmethod
    def verify(cls, secret, request):
        from http_message_signatures import HTTPMessageVerifier

        HTTPMessageVerifier(**cls.resolver(secret)).verify(
            cls.Message(request),
            max_age=datetime.timedelta(seconds=300),
            require_components=("@method", "content-digest"),
            body=request["body"].encode(),
        )


@entry
class HttpMessageSignaturesHmac(HttpMessageSignatures):
    name = "http-message-signatures, HMAC (PyPI)"
    uses = ["signing"]
    secret, other_secret = TEXT

    @staticmethod
    def algorithm():
        from http_message_signatures.algorithms import HMAC_SHA256

        return HMAC_SHA256

    @staticmethod
    def private(secret):
        return secret.encode()

    public = private


@entry
class HttpMessageSignaturesEd25519(HttpMessageSignatures):
    name = "http-message-signatures, Ed25519 (PyPI)"
    uses = ["public-key"]
    keys = {
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(): key
        for key in (ed25519.Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (7, 11))
    }
    secret, other_secret = keys

    @staticmethod
    def algorithm():
        from http_message_signatures.algorithms import ED25519

        return ED25519

    @classmethod
    def private(cls, secret):
        return cls.keys[secret]

    @classmethod
    def public(cls, secret):
        return cls.keys[secret].public_key()


OPTIONAL = ["headers", "bodies", "parameters", "network", "variants", "uses", "keyless", "body_is_signed", "signed_by"]


def libraries(_):
    return [
        {
            "name": name,
            "version": importlib.metadata.version(cls.distribution),
            "preset": cls.preset,
            "secret": cls.secret,
            "other_secret": cls.other_secret,
            "signs": hasattr(cls, "sign"),
            **{key: getattr(cls, key) for key in OPTIONAL if hasattr(cls, key)},
        }
        for name, cls in ENTRIES.items()
    ]


def sign(question):
    return {"request": ENTRIES[question["library"]].sign(question["secret"], question["request"], question["at"])}


def verify(question):
    try:
        accepted = ENTRIES[question["library"]].verify(question["secret"], question["request"])
    except Exception as error:  # Libraries refuse by exceptions of every kind, those of a missing header among them.
        return {"accepted": False, "said": f"{type(error).__name__}: {error}"}
    return {"accepted": accepted is not False, "said": f"{accepted}"}


def main():
    import freezegun

    answers, sys.stdout = sys.stdout, sys.stderr  # What a library prints is no answer.
    now = datetime.datetime.fromtimestamp(int(sys.argv[1]), tz=datetime.timezone.utc)
    with freezegun.freeze_time(now):
        for line in sys.stdin:
            question = json.loads(line)
            answer = {"libraries": libraries, "sign": sign, "verify": verify}[question["op"]](question)
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
