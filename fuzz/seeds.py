#!/usr/bin/env python3
"""Writes the seeds of the corpora: fuzz/corpus/<target>/<name>.

They are made of the test data of the pipeline and of the lists here, so that a new preset or vector becomes a seed by
running this again. Files it does not know are left alone: they are findings, kept so that they stay mended.
"""

import base64
import gzip
import json
import pathlib
import re
import struct

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
DATA = ROOT / "pipeline/tests/data"

JSON = {
    "object": b'{"event":"user.created","n":1.50,"nested":{"list":[1,2,{"a":null}]},"on":true,"off":false}',
    "empty-object": b"{}",
    "empty-array": b"[]",
    "whitespace-everywhere": b' \t\r\n{ "a" :\n[ 1 ,\t2 ] } \n',
    "string": b'"text"',
    "escapes": rb'"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\udd11"',
    "surrogate-half-high": rb'{"a":"\ud800x"}',
    "surrogate-half-low": rb'{"a":"\udc00\ud83d\udd11"}',
    "surrogates-in-names": rb'{"\ud800":1,"\ufffd":2,"\udfff":3}',
    "beyond-ascii": '{"näme":"schön 🔑 \u007f \u2028"}'.encode(),
    "names-twice": b'{"a":1,"b":{"c":1,"c":2},"a":[{"d":1,"d":{"e":1,"e":2}}],"\\u0061":3}',
    "names-with-pointer-characters": b'{"a/b":1,"m~n":2,"":3," ":4,"0":[5]}',
    "numbers": b"[0,-0,1,-1,1.0,1e5,1E+5,1e-5,0.1,123456789012345678901234567890,18446744073709551615,-9223372036854775808]",
    "number-at-the-edge-of-doubles": b"[1.7976931348623157e308,1.7976931348623159e308,5e-324,2e-324,1e-400]",
    "number-beyond-doubles": b"1e400",
    "number-of-400-digits": b"1" + b"0" * 400,
    "number-with-leading-zero": b"01",
    "number-without-fraction": b"1.",
    "number-without-exponent": b"1e+",
    "minus-alone": b"-",
    "depth-127": b"[" * 127 + b"]" * 127,
    "depth-128": b"[" * 128 + b"]" * 128,
    "depth-129": b"[" * 129 + b"]" * 129,
    "depth-128-of-objects": b'{"a":' * 127 + b"{}" + b"}" * 127,
    "byte-order-mark": b"\xef\xbb\xbf{}",
    "not-utf-8": b'{"a":"\xff"}',
    "cut-utf-8": b'"\xe2\x82"',
    "control-character-in-a-string": b'"a\x01b"',
    "newline-in-a-string": b'"a\nb"',
    "unknown-escape": rb'"\x41"',
    "short-unicode-escape": rb'"\u12"',
    "string-without-end": b'{"a":"b',
    "comma-at-the-end": b"[1,2,]",
    "comma-missing": b'{"a":1 "b":2}',
    "name-without-quotes": b"{a:1}",
    "nan": b"NaN",
    "infinity": b"[-Infinity]",
    "word-cut-off": b"[tru",
    "comment": b"/* a */ {}",
    "something-behind": b"{} x",
    "nothing": b"",
    "whitespace-only": b" \n\t ",
    "sequence-of-objects": b'{"a":1}{"b":2}\n{"c":3}',
    "sequence-of-scalars": b'1 "a" true\nnull [1][2]{}',
    "sequence-broken-at-the-end": b'{"a":1}\n{"b":',
    "string-behind-a-number": b'1""',
    "strings-side-by-side": b'"a""b"',
    "number-behind-an-array": b"[1]2",
    "array-behind-a-word": b"true[]",
    "long-plain-string": b'"' + b"abcdefghijklmnop" * 20 + b'"',
    "quote-at-every-offset": b'["a","ab","abc","abcd","abcde","abcdef","abcdefg","abcdefgh","abcdefghi"]',
}

EVENTS = {
    "event": b'{"event":"user.created","payload":{"id":1.0,"name":"J\xc3\xb6rg","big":12345678901234567890123}}',
    "event-number": b'{"event":1.50}',
    "event-boolean": b'{"event":true}',
    "event-empty": b'{"event":""}',
    "mef-inside": b'{"mef":{"id":"theirs"},"a":1}',
    "mef-alone": b'{"mef":1}',
    "mef-twice": b'{"mef":1,"a":2,"\\u006def":3}',
    "no-object": b"[1,2,3]",
    "scalar": b'"text"',
    "null": b"null",
    "empty-object": b"{ \n }",
    "names-twice": b'{"a":1,"b":{"c":1,"c":2},"a":3}',
    "surrogate-half": b'{"a":"\\ud800","\\udc00":1}',
    "line-breaks-between": b'{\n\t"a": 1,\r\n "b" :\t[ 2 ]\n}',
    "cloudevent": b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1}}',
    "cloudevent-without-type": b'{"specversion":"1.0","id":"1","source":"/s"}',
    "secret": b'{"a":"the swordfish-42 here","swordfish-42":1}',
    "secret-escaped": b'{"a":"\\u0073wordfish\\u002d42"}',
    "secret-in-base64": b'{"a":"c3dvcmRmaXNoLTQy"}',
    "secret-in-broken-json": b'{"a":"\\u0073wordfish-42" "swordfish-42"',
    "secret-percent-encoded": b"a=%73wordfish-42&b=1",
    "broken": b'{"event":"user.created"',
    "nothing": b"",
    "items": b'{"items":[{"event":"a"},2,"x",{"mef":1}]}',
    "items-empty": b'{"items":[],"a":1}',
    "lines": b'{"event":"a"}\n\n  {"event":"b"}  \r\n{broken\n4\n',
    "lines-all-broken": b"{a\n{b\n",
    "stream": b'{"event":"a"}{"event":"b"} 3 [4]',
    "stream-without-space": b'1"a"',
}


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def request(first, headers, body):
    """As tests/fuzz/src/requests.rs reads it."""
    lines = [first, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\n".join(lines).encode() + body.encode()


def vectors():
    """Accepted vectors, the first of each preset."""
    seen = set()
    for path in sorted(DATA.glob("*vectors*.json")):
        for vector in json.loads(path.read_text())["verify"]:
            if vector["expect"] == "accept" and vector["preset"] not in seen:
                seen.add(vector["preset"])
                yield vector


def first_line(vector):
    query = vector.get("url", "").partition("?")[2]
    return f"{vector['preset']} {vector.get('method', 'POST')} /hook" + (f"?{query}" if query else "")


def signature_headers(preset):
    path = ROOT / f"pipeline/presets/{preset}.yaml"
    text = path.read_text() if path.exists() else ""
    return set(re.findall(r'signature: *\{[^}]*"header:([^"]+)"', text)) | set(
        re.findall(r'token: *\{? *\n? *from: "?header:([^"\n]+)"?', text)
    )


def signatures():
    for vector in vectors():
        name = vector["preset"]
        write("signatures", name, request(first_line(vector), vector["headers"], vector["body"]))
        marked = dict(vector["headers"])
        for header in signature_headers(name) & set(marked):
            marked[header] = "{signature}"
        if marked != vector["headers"]:
            write("signatures", f"{name}-marked", request(first_line(vector), marked, vector["body"]))
    lists = {
        "pagerduty-list": ("pagerduty POST /hook", {"x-pagerduty-signature": "v1=00,{signature},v2=,v1=zz"}),
        "standard-webhooks-list": (
            "standard-webhooks POST /hook",
            {"webhook-id": "msg_1", "webhook-timestamp": "1700000010", "webhook-signature": "v1a,AA v1,AAAA {signature}"},
        ),
        "stripe-keyed": ("stripe POST /hook", {"stripe-signature": "t=1700000010,v0=00,{signature},v1=00"}),
        "zoom-challenge": ("zoom POST /hook", {}),
        "x-challenge": ("x GET /hook?crc_token=abcdefgh", {}),
        "meta-challenge": ("meta GET /hook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=x", {}),
        "cloudevents-handshake": ("cloudevents-http OPTIONS /hook", {"webhook-request-origin": "eventemitter.example.com"}),
    }
    bodies = {"zoom-challenge": '{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}'}
    for name, (first, headers) in lists.items():
        write("signatures", name, request(first, headers, bodies.get(name, '{"a":1}')))


def templates():
    for vector in vectors():
        form = "form" in vector["headers"].get("content-type", "")
        headers = {"content-type": vector["headers"]["content-type"]} if form else {}
        write("templates", vector["preset"], request(first_line(vector), headers, vector["body"]))
    bodies = {
        "body-not-utf-8": b"github POST /hook\n\n\xff\xfe",
        "body-escaped": b'box POST /hook\n\n{"a":"\\/ \xc3\xbc \\\\ /"}\r\n\t',
        "form-values-twice": b"twilio-form POST /hook\ncontent-type: application/x-www-form-urlencoded\n\na=2&a=1&b=%20+&a=2&=x&c",
        "url-with-encoded-query": b"hubspot-v3 POST /hook?a=%3F&b=%2F%20+c\n\n{}",
        "url-of-json": b"twilio-json POST /hook?bodySHA256=00&a=1\n\n{}",
        "time-of-the-sender": b"slack POST /hook\nx-slack-request-timestamp: 1700000000\n\n{}",
        "time-that-is-none": b"slack POST /hook\nx-slack-request-timestamp: 17e8\n\n{}",
        "id-of-the-sender": b"svix POST /hook\nsvix-id: msg.1\n\n{}",
        "proof-in-the-body": b'linear POST /hook\n\n{"webhookTimestamp":null}',
        "proof-in-the-form": b'mailgun POST /hook\n\n{"signature":{"token":null,"timestamp":null,"signature":null}}',
    }
    for name, data in bodies.items():
        write("templates", name, data)


def http_signatures():
    for vector in json.loads((DATA / "http-signatures.json").read_text()):
        if vector["expect"] != "accept":
            continue
        components = "|".join(vector["httpSig"].get("components", []))
        query = vector.get("url", "").partition("?")[2]
        first = f"x {vector.get('method', 'POST')} /hook" + (f"?{query}" if query else "")
        text = request(first, vector["headers"], vector.get("body", ""))
        write("http-signatures", vector["name"], components.encode() + b"\n" + text)
    asked = {
        "nothing-asked": "",
        "everything-asked": '@method|@target-uri|@authority|@scheme|@request-target|@path|@query|content-digest',
        "query-parameters": '@query-param;name="a"|@query-param;name="b%20c"',
        "headers": 'content-type|date|"x-list";sf|"x-dictionary";key="a"|"x-bytes";bs',
    }
    headers = {
        "content-type": "application/json",
        "date": "Tue, 20 Apr 2021 02:07:55 GMT",
        "x-list": "a;b=1, (c d);e",
        "x-dictionary": "a=1, b=?0, c=:AAAA:",
        "x-bytes": "\u00fc",
    }
    for name, components in asked.items():
        first = "x POST /hook?a=1&b%20c=2&a=3"
        write("http-signatures", name, components.encode() + b"\n" + request(first, headers, "{}"))
    forged = {
        "signature-input": 'sig1=("@method" "@path");created=1700000010;keyid="k";alg="hmac-sha256";nonce="n";tag="t", sig2=()',
        "signature": "sig1=:AAAA:, sig2=:AA==:",
    }
    write("http-signatures", "two-labels", b"@method|@path\n" + request("x POST /hook", forged, "{}"))


def tokens():
    right = {"iss": "https://issuer.example.org", "aud": "https://hooks.example.org/hook", "sub": "security", "exp": 1700000100}
    header = {"alg": "HS256", "typ": "JWT"}
    cases = {
        "shared": (header, right),
        "published": ({"alg": "EdDSA", "kid": "one"}, right),
        "published-unnamed": ({"alg": "EdDSA"}, right),
        "key-unknown": ({"alg": "EdDSA", "kid": "three"}, right),
        "none": ({"alg": "none"}, right),
        "foreign-key": ({"alg": "EdDSA", "kid": "one", "jku": "https://evil.example.org", "jwk": {"kty": "OKP"}}, right),
        "extension": ({"alg": "HS256", "crit": ["exp"], "exp": 1}, right),
        "audiences": (header, right | {"aud": ["a", "https://hooks.example.org/hook"]}),
        "audience-of-others": (header, right | {"aud": ["a"]}),
        "issuer-of-others": (header, right | {"iss": "https://evil.example.org"}),
        "subject-of-others": (header, right | {"sub": "securityx"}),
        "expired": (header, right | {"exp": 1699999900}),
        "expired-within-tolerance": (header, right | {"exp": 1699999960}),
        "without-expiry": (header, {name: value for name, value in right.items() if name != "exp"}),
        "not-yet": (header, right | {"nbf": 1700000200}),
        "issued-in-the-future": (header, right | {"iat": 1700000200}),
        "times-all": (header, right | {"nbf": 1700000000, "iat": 1700000000.5}),
        "time-as-text": (header, right | {"exp": "1700000100"}),
        "time-out-of-range": (header, right | {"exp": 1e300}),
    }
    for name, (header, claims) in cases.items():
        write("tokens", name, json.dumps(header).encode() + b"\n" + json.dumps(claims).encode())
    write("tokens", "claims-twice", json.dumps(header).encode() + b'\n{"aud":"a","aud":"https://hooks.example.org/hook","exp":1,"exp":1700000100}')
    write("tokens", "a-whole-token", b"eyJhbGciOiJub25lIn0.e30.")
    write("tokens", "no-json", b"{\n[")


def packed():
    for name in ("object", "not-utf-8", "nothing", "secret", "broken"):
        plain = JSON.get(name, EVENTS.get(name))
        write("gzip", f"{name}-plain", plain)
        write("gzip", f"{name}-packed", gzip.compress(plain, mtime=0))
    whole = gzip.compress(JSON["object"], mtime=0)
    write("gzip", "cut", whole[:-5])
    write("gzip", "checksum-wrong", whole[:-8] + b"\0" * 8)
    write("gzip", "two-members", whole + gzip.compress(b" ", mtime=0))
    write("gzip", "something-behind", whole + b"x")
    write("gzip", "twice", gzip.compress(whole, mtime=0))
    write("gzip", "bomb", gzip.compress(b" " * 1_000_000, mtime=0))
    write("gzip", "header-only", whole[:10])
    write("gzip", "with-name-and-comment", b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x01\0anamec\0" + whole[10:])


def letters():
    letter = {
        "source": "security/fuzz", "definition": "0123456789ab", "generation": 1, "unit": "item", "eventId": "ab" * 32,
        "item": {"index": 0, "count": 1}, "stage": "transform", "reason": "transform",
        "detail": [{"message": "aborted", "line": 1, "column": 1}], "receivedAt": "2026-01-02T03:04:05.678Z", "attempts": 1,
        "requestId": "r1", "method": "POST", "query": "", "contentType": "application/json", "headers": {"x-trace": "t-1"},
        "body": '{"a":1}', "bodyEncoding": "text", "bodySha256": "cd" * 32,
    }
    packed_body = base64.b64encode(gzip.compress(b'{"a":1}', mtime=0)).decode()
    variants = {
        "letter": letter,
        "letter-of-a-request": {**letter, "unit": "request", "stage": "parse", "reason": "unparsable", "body": "{"},
        "letter-packed": {**letter, "body": packed_body, "bodyEncoding": "gzip+base64"},
        "letter-in-base64": {**letter, "body": "eyJhIjoxfQ==", "bodyEncoding": "base64"},
        "letter-not-base64": {**letter, "body": "{", "bodyEncoding": "base64"},
        "letter-replayed": {**letter, "attempts": 4294967295, "replay": "uid"},
        "letter-place-wrong": {**letter, "item": {"index": 7, "count": 2}},
        "letter-time-wrong": {**letter, "receivedAt": "yesterday"},
        "letter-unknown-reason": {**letter, "reason": "weather"},
    }
    for name, value in variants.items():
        write("letters", name, json.dumps(value).encode())
    for choice in "abc":
        for name in ("event", "names-twice", "surrogate-half", "secret", "secret-in-broken-json", "broken", "lines"):
            write("letters", f"body-{choice}-{name}", choice.encode() + b"\x40" + EVENTS[name])
    write("letters", "body-a-long", b"a\x5a" + b'{"a":"' + b"abc" * 1000 + b'"}')
    write("letters", "body-a-not-utf-8", b"a\xff\xff\xfe")
    write("letters", "body-c-elements", b'c\xff[{"keep":true},{"keep":1},3,null]')


def queue():
    flip, cut, insert, extend, overwrite, remove = range(6)
    deeds = {
        "whole": [],
        "journal-removed": [(0, remove, 0, 0)],
        "journal-cut": [(0, cut, 30, 0)],
        "journal-flipped": [(0, flip, 40, 1)],
        "first-segment-flipped": [(1, flip, 60, 0x10)],
        "first-segment-removed": [(1, remove, 0, 0)],
        "second-segment-cut": [(2, cut, 50, 0)],
        "last-segment-cut": [(3, cut, 100, 0)],
        "last-segment-cut-to-nothing": [(3, cut, 0, 0)],
        "last-segment-overwritten": [(3, overwrite, 70, 0)],
        "last-segment-extended": [(3, extend, 40, 0xFF)],
        "last-segment-extended-by-zeros": [(3, extend, 63, 0)],
        "last-segment-cut-and-extended": [(3, cut, 100, 0), (3, extend, 40, 0)],
        "byte-inserted": [(2, insert, 10, 7)],
        "length-flipped": [(3, flip, 8, 0xFF)],
        "version-of-tomorrow": [(3, flip, 4, 3)],
        "journal-removed-and-segment-cut": [(0, remove, 0, 0), (2, cut, 100, 0)],
    }
    for name, done in deeds.items():
        write("queue", name, b"".join(struct.pack(">BBHB", *deed) for deed in done))


def definitions():
    for path in sorted(ROOT.glob("examples/**/*.yaml")):
        write("definitions", f"example-{path.parent.name}-{path.stem}", path.read_bytes())
    for path in sorted(ROOT.glob("pipeline/tests/bad/*/*.yaml")):
        name = path.parent.name if path.stem == "source" else f"{path.parent.name}-{path.stem}"
        write("definitions", f"bad-{name}", path.read_bytes())
    small = {
        "nothing": "",
        "documents": "---\n---\n# nothing\n---\n{}\n",
        "anchors": "a: &a [1, 2]\nb: *a\nc: {<<: {d: 1}}\n",
        "alias-bomb": "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c]\n",
        "tags": "apiVersion: !!str v1\nkind: !thing Secret\n",
        "numbers": "apiVersion: 1.0\nkind: 0x10\nmetadata: .inf\nspec: 1e999\n",
        "deep": "{a: " * 60 + "1" + "}" * 60,
        "carriage-returns": "apiVersion: v1\r\nkind: Secret\r\nmetadata: {name: a}\r\n",
        "beyond-ascii": "apiVersion: v1\nkind: Secret\nmetadata: {name: \u00fc\U0001f511}\n",
    }
    for name, text in small.items():
        write("definitions", name, text.encode())


def public_keys():
    certificate = (ROOT / "tests/fuzz/data/certificate.pem").read_bytes()
    public = (ROOT / "tests/fuzz/data/p256-public.pem").read_bytes()
    der = base64.b64decode(b"".join(public.splitlines()[1:-1]))
    write("public-keys", "certificate", certificate)
    write("public-keys", "certificate-of-a-client", (DATA / "client-certificate.pem").read_bytes())
    write("public-keys", "certificate-twice", certificate * 2)
    write("public-keys", "certificate-cut", certificate[:-60])
    write("public-keys", "public-key", public)
    write("public-keys", "public-key-in-base64", base64.b64encode(der))
    write("public-keys", "public-key-in-hex", der[-65:].hex().encode())
    write("public-keys", "public-key-of-webhooks", b"whpk_" + base64.b64encode(bytes(32)))
    write("public-keys", "private-key", b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAA\n-----END PRIVATE KEY-----\n")
    octets = base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")
    modulus = base64.urlsafe_b64encode(b"\xc1" + bytes(range(255))).decode().rstrip("=")
    keys = [
        {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": octets, "alg": "EdDSA"},
        {"kty": "EC", "crv": "P-256", "kid": "b", "x": octets, "y": octets, "use": "sig"},
        {"kty": "RSA", "kid": "c", "n": modulus, "e": "AQAB", "key_ops": ["verify"]},
        {"kty": "oct", "k": octets},
        {"kty": "EC", "crv": "P-521", "x": octets, "y": octets},
    ]
    write("public-keys", "key-set", json.dumps({"keys": keys}).encode())
    write("public-keys", "key-set-empty", b'{"keys":[]}')
    github = [{"key_identifier": "a", "key": public.decode(), "is_current": True}, {"key_identifier": "b", "key": "x"}]
    write("public-keys", "keys-of-github", json.dumps({"public_keys": github}).encode())
    named = {"https://a.example.org/keys": {"keys": keys}, "a": public.decode(), "https://b.example.org/c.pem": certificate.decode()}
    write("public-keys", "file-of-keys", json.dumps(named).encode())
    for name, value in {
        "signed": "{signature}", "signed-in-a-list": "v1,AAAA v1a,AAAA v1a,{signature} v1a,", "signed-with-prefix": "v1a,{signature}",
    }.items():
        headers = {"x-time": "1700000010", "x-signature": value}
        write("public-keys", name, request("x POST /hook", headers, '{"a":1}'))


def parse():
    for name, text in JSON.items():
        write("parse", name, text)


def splice():
    # The letter chooses one of three formats and one of four readings.
    formats, readings = ["mozdef", "cloudevents", "raw"], ["json", "split", "ndjson", "stream"]
    for choice in range(12):
        form, reading = formats[choice // 4], readings[choice % 4]
        for name, text in EVENTS.items():
            fits = {
                "split": name.startswith("items") or name == "event",
                "ndjson": name.startswith("lines") or name.startswith("secret"),
                "stream": name.startswith("stream") or name == "mef-inside",
                "json": not name.startswith(("items", "lines", "stream")),
            }
            if fits[reading]:
                write("splice", f"{form}-{reading}-{name}", bytes([ord("a") + choice]) + text)


if __name__ == "__main__":
    for make in (
        definitions, http_signatures, letters, packed, parse, public_keys, queue, signatures, splice, templates, tokens
    ):
        make()
