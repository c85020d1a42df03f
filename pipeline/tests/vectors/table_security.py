"""Sources of security and audit events."""

import hashlib

from make import AT, Sender, b64, mac, whsec, whsec_key

JSON = {"content-type": "application/json"}


def hub(header, prefix="sha256=", hash_name="sha256"):
    """The hexadecimal HMAC of the body in one header."""

    def sign(request):
        request.headers[header] = prefix + mac(hash_name, request.secret, request.body).hex()

    return sign


def token(header, before=""):
    """The secret itself in one header."""

    def sign(request):
        request.headers[header] = before + request.secret

    return sign


def keyed(header, between=".", milliseconds=False, space=""):
    """`t=<time>,v1=<hex>` over time and body."""

    def sign(request):
        stamp = str(request.at * 1000 if milliseconds else request.at)
        signature = mac("sha256", request.secret, stamp, between, request.body).hex()
        request.headers[header] = f"t={stamp},{space}v1={signature}"

    return sign


def standard(prefix):
    """Standard Webhooks v1, under a prefix of header names."""

    def sign(request):
        identity, stamp = "msg_mef0000000000000000000001", str(request.at)
        content = f"{identity}.{stamp}.{request.body}"
        signature = b64(mac("sha256", whsec_key(request.secret), content))
        request.headers[f"{prefix}-id"] = identity
        request.headers[f"{prefix}-timestamp"] = stamp
        request.headers[f"{prefix}-signature"] = f"v1,{signature}"

    return sign


def ed25519(name):
    """The private key whose seed is the hash of a name."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"mef test vector {name}".encode()).digest())


def whpk(private):
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return "whpk_" + b64(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def standard_ed25519(prefix):
    """Standard Webhooks v1a."""

    def sign(request):
        identity, stamp = "msg_mef0000000000000000000002", str(request.at)
        signature = b64(request.secret.sign(f"{identity}.{stamp}.{request.body}".encode()))
        request.headers[f"{prefix}-id"] = identity
        request.headers[f"{prefix}-timestamp"] = stamp
        request.headers[f"{prefix}-signature"] = f"v1a,{signature}"

    return sign


def set_header(name, change):
    """What a vector does to one header after signing."""

    def apply(request):
        request.headers[name] = change(request.headers[name])

    return apply


GITHUB = "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"
GITLAB = "https://docs.gitlab.com/user/project/integrations/webhooks/"
STANDARD = "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"
SVIX = "https://docs.svix.com/receiving/verifying-payloads/how-manual"
# A secondary source: the vendor's own page was not at hand when the sender was described.
ATLASSIAN = "secondary source for Atlassian's documentation (X-Hub-Signature: sha256=<hex> over the body)"

CHECKMARX = "secondary source: an open-source consumer of Checkmarx One's webhooks"
GRAPH = "https://learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks"

# preset, document, header, word before the token, body
EVENT = '{"hello":"world"}'
TOKENS = [
    (
        "cloudflare-notify",
        "https://developers.cloudflare.com/notifications/get-started/configure-webhooks/",
        "cf-webhook-auth",
        "",
        EVENT,
    ),
    (
        "cloudflare-logpush",
        "https://developers.cloudflare.com/logs/logpush/logpush-job/enable-destinations/http/",
        "authorization",
        "Bearer ",
        '{"content":"tests"}\n',
    ),
    (
        "splunk-hec",
        "https://docs.splunk.com/Documentation/Splunk/latest/Data/HECExamples",
        "authorization",
        "Splunk ",
        '{"event":"one"}{"event":"two"}',
    ),
    (
        "auth0-events",
        "https://auth0.com/docs/customize/events/create-an-event-stream",
        "authorization",
        "Bearer ",
        EVENT,
    ),
    ("wiz", "secondary source: an open-source consumer of Wiz's webhooks", "authorization", "Bearer ", EVENT),
    ("datadog", "https://docs.datadoghq.com/integrations/webhooks/", "authorization", "Bearer ", EVENT),
    ("crowdstrike", "RFC 6750 section 2.1; the preset's own set-up steps", "authorization", "Bearer ", EVENT),
]

SENDERS = [
    # Those of the first presets that no suite signs for.
    Sender(
        "generic-hmac",
        "RFC 2104; the preset's own description",
        hub("x-signature", ""),
        proof=["x-signature"],
    ),
    Sender("github", GITHUB, hub("x-hub-signature-256"), proof=["x-hub-signature-256"], headers=JSON),
    Sender(
        "gitlab-token", GITLAB, token("x-gitlab-token"), proof=["x-gitlab-token"], covers_body=False, headers=JSON
    ),
    Sender(
        "okta",
        "https://developer.okta.com/docs/concepts/event-hooks/",
        token("authorization"),
        proof=["authorization"],
        covers_body=False,
    ),
    Sender(
        "auth0-logs",
        "https://auth0.com/docs/customize/log-streams/custom-log-streams",
        token("authorization"),
        proof=["authorization"],
        covers_body=False,
    ),
    Sender(
        "bearer",
        "RFC 6750 section 2.1",
        token("authorization", "Bearer "),
        proof=["authorization"],
        covers_body=False,
        refuse={"other-scheme": set_header("authorization", lambda value: value.replace("Bearer", "Basic"))},
    ),
    Sender(
        "pagerduty",
        "https://developer.pagerduty.com/docs/verifying-webhook-signatures",
        hub("x-pagerduty-signature", "v1="),
        proof=["x-pagerduty-signature"],
    ),
    Sender(
        "zoom",
        "https://developers.zoom.us/docs/api/webhooks/",
        lambda request: request.headers.update(
            {
                "x-zm-request-timestamp": str(request.at),
                "x-zm-signature": "v0=" + mac("sha256", request.secret, f"v0:{request.at}:{request.body}").hex(),
            }
        ),
        proof=["x-zm-signature", "x-zm-request-timestamp"],
        tolerance=300,
    ),
    Sender(
        "mozdef-event-framework",
        "https://github.com/mozilla/mozdef-event-framework",
        token("authorization"),
        # The ancestor answers 400 where there is no payload.
        body='{"payload":{"hello":"world"}}',
        proof=["authorization"],
        covers_body=False,
    ),
    # Standard Webhooks under other names of headers.
    Sender(
        "svix",
        SVIX,
        standard("svix"),
        secret=whsec("svix"),
        wrong=whsec("svix wrong"),
        proof=["svix-signature", "svix-id", "svix-timestamp"],
        tolerance=300,
        accept={
            "rotated": set_header("svix-signature", lambda value: "v1,bm9ib2R5 " + value),
            "with-v1a": set_header("svix-signature", lambda value: value + " v1a,bm9ib2R5"),
        },
        refuse={"other-version": set_header("svix-signature", lambda value: value.replace("v1,", "v2,"))},
    ),
    Sender(
        "svix",
        STANDARD,
        standard_ed25519("svix"),
        variant="v1a",
        secret=ed25519("svix"),
        wrong=ed25519("svix wrong"),
        configured=whpk(ed25519("svix")),
        proof=["svix-signature", "svix-id", "svix-timestamp"],
        tolerance=300,
    ),
    # Hexadecimal HMAC of the body.
    Sender(
        "bitbucket",
        "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/",
        hub("x-hub-signature"),
        proof=["x-hub-signature"],
        refuse={"sha1": lambda request: hub("x-hub-signature", "sha1=", "sha1")(request)},
    ),
    Sender(
        "jira-admin",
        ATLASSIAN,
        hub("x-hub-signature"),
        proof=["x-hub-signature"],
        refuse={"sha1": lambda request: hub("x-hub-signature", "sha1=", "sha1")(request)},
    ),
    Sender(
        "snyk",
        "https://docs.snyk.io/snyk-api/using-specific-snyk-apis/webhooks-apis/validation-and-versioning-of-payloads",
        hub("x-hub-signature"),
        proof=["x-hub-signature"],
    ),
    Sender(
        "terraform-cloud",
        "https://developer.hashicorp.com/terraform/cloud-docs/api-docs/notification-configurations",
        hub("x-tfe-notification-signature", "", "sha512"),
        proof=["x-tfe-notification-signature"],
        refuse={"sha256": lambda request: hub("x-tfe-notification-signature", "")(request)},
    ),
    # HMAC over a time and the body.
    Sender(
        "tailscale",
        "https://tailscale.com/kb/1213/webhooks",
        keyed("tailscale-webhook-signature"),
        body='[{"timestamp":"2026-01-02T03:04:05Z","version":1,"type":"test","tailnet":"example.org"}]',
        proof=["tailscale-webhook-signature"],
        tolerance=300,
    ),
    Sender(
        "workos",
        "https://workos.com/docs/events/data-syncing/webhooks",
        keyed("workos-signature", milliseconds=True, space=" "),
        proof=["workos-signature"],
        tolerance=180,
    ),
    Sender(
        "gitguardian",
        "https://docs.gitguardian.com/platform/configure-alerting/notifiers-integrations/custom-webhook",
        lambda request: request.headers.update(
            {
                "timestamp": str(request.at),
                "gitguardian-signature": "sha256="
                + mac("sha256", str(request.at) + request.secret, request.body).hex(),
            }
        ),
        proof=["gitguardian-signature", "timestamp"],
        tolerance=300,
        refuse={
            "secret-before-time": lambda request: request.headers.update(
                {
                    "gitguardian-signature": "sha256="
                    + mac("sha256", request.secret + str(request.at), request.body).hex()
                }
            ),
        },
    ),
    Sender(
        "convoy-advanced",
        "https://docs.getconvoy.io/product-manual/signatures",
        keyed("x-convoy-signature", between=","),
        proof=["x-convoy-signature"],
        tolerance=300,
        refuse={"dot-for-comma": keyed("x-convoy-signature")},
    ),
    Sender(
        "gitlab",
        STANDARD + "; " + GITLAB,
        standard("webhook"),
        secret=whsec("gitlab"),
        wrong=whsec("gitlab wrong"),
        proof=["webhook-signature", "webhook-id", "webhook-timestamp"],
        tolerance=300,
        headers={"x-gitlab-event": "Push Hook"},
    ),
    Sender(
        "gitlab",
        GITLAB,
        token("x-gitlab-token"),
        variant="by-token",
        proof=["x-gitlab-token"],
        covers_body=False,
        headers={"x-gitlab-event": "Push Hook"},
    ),
    Sender(
        "aikido",
        "https://apidocs.aikido.dev/reference/verirfying-webhooks",
        hub("x-aikido-webhook-signature", ""),
        body='{"event_type":"issue.open.created","dispatched_at":%d}' % AT,
        proof=["x-aikido-webhook-signature"],
        tolerance=300,
    ),
    Sender(
        "sonarqube",
        "https://docs.sonarsource.com/sonarqube-server/discovering/integrations/webhooks",
        hub("x-sonar-webhook-hmac-sha256", ""),
        proof=["x-sonar-webhook-hmac-sha256"],
    ),
    Sender(
        "launchdarkly",
        "https://launchdarkly.com/docs/home/infrastructure/webhooks",
        hub("x-ld-signature", ""),
        proof=["x-ld-signature"],
    ),
    Sender("checkmarx", CHECKMARX, hub("x-cx-webhook-signature"), proof=["x-cx-webhook-signature"]),
    Sender(
        "checkmarx", CHECKMARX, hub("x-cx-webhook-signature", ""), variant="bare", proof=["x-cx-webhook-signature"]
    ),
    Sender(
        "checkmarx",
        CHECKMARX,
        lambda request: request.headers.update(
            {"x-cx-webhook-signature": b64(mac("sha256", request.secret, request.body))}
        ),
        variant="base64",
        proof=["x-cx-webhook-signature"],
    ),
    # A secret in a header, which signs nothing.
    *(
        Sender(preset, doc, token(header, before), proof=[header], covers_body=False, body=body)
        for preset, doc, header, before, body in TOKENS
    ),
    # The secret in the body, once in each notification.
    Sender(
        "graph",
        GRAPH,
        lambda request: setattr(request, "body", request.body.replace("CLIENTSTATE", request.secret)),
        body='{"value":[{"clientState":"CLIENTSTATE","changeType":"updated"},{"clientState":"CLIENTSTATE"}]}',
        covers_body=False,
        refuse={
            "one-of-two": lambda request: setattr(request, "body", request.body.replace("mef", "fem", 1)),
            "one-missing": lambda request: setattr(
                request, "body", request.body.replace(',{"clientState"', ',{"clientstate"')
            ),
            "no-notification": lambda request: setattr(request, "body", '{"value":[]}'),
        },
    ),
]

CHALLENGES = [
    {
        "name": "graph-made-validation",
        "preset": "graph",
        "src": "derived",
        "doc": GRAPH,
        "secrets": ["mef-test-vector-graph-3f9c0d71"],
        "query": {"validationToken": "Validation: Testing client application reachability for subscription 1+2"},
        "expect_status": 200,
        "expect_text": "Validation: Testing client application reachability for subscription 1+2",
    },
    {
        "name": "graph-made-validation-with-markup",
        "preset": "graph",
        "src": "derived",
        "doc": GRAPH,
        "secrets": ["mef-test-vector-graph-3f9c0d71"],
        "query": {"validationToken": "<script>alert(1)</script>"},
        "expect_status": 400,
    },
]
