"""Senders of everyday services: shops, mail, files, tickets, social networks."""

import hashlib
import json
import urllib.parse

from make import AT, Sender, b64, iso, mac, plain_hash

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
# Written out in the vectors, because it is signed.
SIGNED_URL = "https://hooks.example.org/signed?source=1"


def hmac_of_body(header, prefix="", encode=b64):
    """The HMAC-SHA256 of the body in one header, in base64 unless told otherwise."""

    def sign(request):
        request.headers[header] = prefix + encode(mac("sha256", request.secret, request.body))

    return sign


def hexadecimal(data):
    return data.hex()


def twilio_form(request):
    """URL, then every parameter's name and value in the order of the names."""
    pairs = sorted(urllib.parse.parse_qsl(request.body, keep_blank_values=True))
    content = request.url + "".join(name + value for name, value in pairs)
    request.headers["x-twilio-signature"] = b64(mac("sha1", request.secret, content))


def twilio_json(request):
    """The URL, which carries the hash of the body."""
    request.url = f"{request.url}&bodySHA256={hashlib.sha256(request.body.encode()).hexdigest()}"
    request.headers["x-twilio-signature"] = b64(mac("sha1", request.secret, request.url))


def mailgun(request):
    body = json.loads(request.body)
    token = "b62e8ab1a3af2f01bd51e35cd9c1e13f4c5a9d3d0c6bb1d0aa"
    body["signature"] = {
        "timestamp": str(request.at),
        "token": token,
        "signature": mac("sha256", request.secret, str(request.at), token).hex(),
    }
    request.body = json.dumps(body, separators=(",", ":"))


def hubspot_v1(request):
    request.headers["x-hubspot-signature"] = plain_hash("sha256", request.secret, request.body).hex()


def hubspot_v2(request):
    content = plain_hash("sha256", request.secret, request.method, request.url, request.body)
    request.headers["x-hubspot-signature"] = content.hex()


def hubspot_v3(request):
    stamp = str(request.at * 1000)
    # HubSpot decodes a few characters of the URL before it signs.
    url = request.url.replace("%3A", ":").replace("%2F", "/").replace("%40", "@")
    request.headers["x-hubspot-request-timestamp"] = stamp
    request.headers["x-hubspot-signature-v3"] = b64(mac("sha256", request.secret, request.method, url, request.body, stamp))


def zendesk(request):
    stamp = iso(request.at)
    request.headers["x-zendesk-webhook-signature-timestamp"] = stamp
    request.headers["x-zendesk-webhook-signature"] = b64(mac("sha256", request.secret, stamp, request.body))


def box(which):
    def sign(request):
        stamp = iso(request.at)
        request.headers.update(
            {
                "box-delivery-timestamp": stamp,
                "box-signature-version": "1",
                "box-signature-algorithm": "HmacSHA256",
                f"box-signature-{which}": b64(mac("sha256", request.secret, request.body, stamp)),
            }
        )

    return sign


def linear(request):
    """The time is a member of the signed body."""
    body = json.loads(request.body)
    body["webhookTimestamp"] = request.at * 1000
    request.body = json.dumps(body, separators=(",", ":"))
    request.headers["linear-signature"] = mac("sha256", request.secret, request.body).hex()


def altered_token(request):
    request.body = request.body.replace("b62e8ab1", "b62e8ab2")


def other_body(request):
    request.body = request.body.replace("delivered", "complained")


SENDERS = [
    Sender(
        "shopify",
        "https://shopify.dev/docs/apps/build/webhooks/subscribe/https",
        hmac_of_body("x-shopify-hmac-sha256"),
        proof=["x-shopify-hmac-sha256"],
        headers=JSON,
    ),
    Sender(
        "twilio-form",
        "https://www.twilio.com/docs/usage/webhooks/webhooks-security",
        twilio_form,
        body="To=%2B4930000001&From=%2B4930000002&Body=caf%C3%A9+%26+cake&SmsStatus=received",
        proof=["x-twilio-signature"],
        headers=FORM,
        url=SIGNED_URL,
        refuse={"parameter-added": lambda request: setattr(request, "body", request.body + "&Admin=1")},
    ),
    Sender(
        "twilio-json",
        "https://www.twilio.com/docs/usage/webhooks/webhooks-security",
        twilio_json,
        proof=["x-twilio-signature"],
        headers=JSON,
        url=SIGNED_URL,
    ),
    Sender(
        "mailgun",
        "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
        mailgun,
        body='{"event-data":{"event":"delivered"}}',
        covers_body=False,
        headers=JSON,
        # The signature covers time and token alone: another event under them is accepted, as Mailgun's scheme has it.
        accept={"other-event": other_body},
        refuse={"altered-token": altered_token},
    ),
    Sender(
        "hubspot-v1",
        "https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
        hubspot_v1,
        body='[{"eventId":1}]',
        proof=["x-hubspot-signature"],
        refuse={
            "hmac-instead": lambda request: request.headers.update(
                {"x-hubspot-signature": mac("sha256", request.secret, request.body).hex()}
            )
        },
    ),
    Sender(
        "hubspot-v2",
        "https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
        hubspot_v2,
        proof=["x-hubspot-signature"],
        url=SIGNED_URL,
    ),
    Sender(
        "hubspot-v3",
        "https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests",
        hubspot_v3,
        body='[{"eventId":1}]',
        proof=["x-hubspot-signature-v3", "x-hubspot-request-timestamp"],
        tolerance=300,
        url=SIGNED_URL,
    ),
    Sender(
        "zendesk",
        "https://developer.zendesk.com/documentation/webhooks/verifying/",
        zendesk,
        proof=["x-zendesk-webhook-signature"],
        headers=JSON,
        refuse={
            "other-time": lambda request: request.headers.update(
                {"x-zendesk-webhook-signature-timestamp": iso(AT + 1)}
            )
        },
    ),
    Sender(
        "docusign",
        "https://developers.docusign.com/platform/webhooks/connect/hmac/",
        hmac_of_body("x-docusign-signature-1"),
        proof=["x-docusign-signature-1"],
        headers=JSON,
    ),
    Sender(
        "docusign",
        "https://developers.docusign.com/platform/webhooks/connect/hmac/",
        lambda request: request.headers.update(
            {
                "x-docusign-signature-1": b64(mac("sha256", "a key that is not ours", request.body)),
                "x-docusign-signature-2": b64(mac("sha256", request.secret, request.body)),
            }
        ),
        variant="second-key",
        headers=JSON,
    ),
    Sender(
        "dropbox",
        "https://www.dropbox.com/developers/reference/webhooks",
        hmac_of_body("x-dropbox-signature", encode=hexadecimal),
        proof=["x-dropbox-signature"],
        headers=JSON,
    ),
    Sender(
        "box",
        "https://developer.box.com/guides/webhooks/v2/signatures-v2/",
        box("primary"),
        proof=["box-signature-primary"],
        tolerance=600,
        headers=JSON,
        refuse={
            "other-algorithm": lambda request: request.headers.update({"box-signature-algorithm": "HmacSHA1"}),
            "other-version": lambda request: request.headers.update({"box-signature-version": "2"}),
        },
    ),
    Sender(
        "box",
        "https://developer.box.com/guides/webhooks/v2/signatures-v2/",
        box("secondary"),
        variant="secondary",
        proof=["box-signature-secondary"],
        headers=JSON,
    ),
    Sender(
        "linear",
        "https://linear.app/developers/webhooks",
        linear,
        body='{"action":"create","type":"Issue"}',
        proof=["linear-signature"],
        tolerance=60,
        headers=JSON,
    ),
    Sender(
        "meta",
        "https://developers.facebook.com/docs/graph-api/webhooks/getting-started",
        hmac_of_body("x-hub-signature-256", "sha256=", hexadecimal),
        body='{"object":"page","entry":[{"id":"1","name":"caf\\u00e9"}]}',
        proof=["x-hub-signature-256"],
        headers=JSON,
        # Only the bytes as they came are signed.
        refuse={"unescaped": lambda request: setattr(request, "body", request.body.replace("\\u00e9", "é"))},
    ),
    Sender(
        "x",
        "https://docs.x.com/x-api/webhooks/introduction",
        hmac_of_body("x-twitter-webhooks-signature", "sha256="),
        proof=["x-twitter-webhooks-signature"],
        headers=JSON,
    ),
    Sender(
        "sentry",
        "https://docs.sentry.io/organization/integrations/integration-platform/webhooks/",
        hmac_of_body("sentry-hook-signature", encode=hexadecimal),
        proof=["sentry-hook-signature"],
        headers=JSON,
    ),
]

CHALLENGES = []
