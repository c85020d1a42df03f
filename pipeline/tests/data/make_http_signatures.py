#!/usr/bin/env python3
"""Writes http-signatures.json: requests signed by RFC 9421 with code that shares nothing with the project.

The first ones are those of RFC 9421, appendix B.2. Needs the package `cryptography` and nothing else. Keys are made anew
at each run; only public ones are written.
"""

import base64
import copy
import hashlib
import hmac
import json
import pathlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CREATED = 1618884473
NOW = CREATED + 7
URL = "https://example.com/foo?param=Value&Pet=dog"
BODY = '{"hello": "world"}'
SHARED = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
# The public key test-key-rsa-pss of RFC 9421, appendix B.1.2.
RSA_PSS = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28"
    "Rw3Ry53mm+oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+"
    "bJ9cvSKADYdUAAN5WUtzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNC"
    "N48V2pnDOkFV6+U9nV5oyc6XI2wIDAQAB"
)
ED25519 = "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="


def b64(data):
    return base64.b64encode(data).decode()


def digest(body, name="sha-512"):
    algorithm = hashlib.sha512 if name == "sha-512" else hashlib.sha256
    return f"{name}=:{b64(algorithm(body.encode()).digest())}:"


HEADERS = {
    "host": "example.com",
    "date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "content-type": "application/json",
    "content-digest": digest(BODY),
    "content-length": "18",
}

ed = ed25519.Ed25519PrivateKey.generate()
p256 = ec.generate_private_key(ec.SECP256R1())
rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def jwk(key, **members):
    numbers = key.public_key().public_numbers()
    size = lambda number: (number.bit_length() + 7) // 8
    url = lambda number: base64.urlsafe_b64encode(number.to_bytes(size(number), "big")).decode().rstrip("=")
    return json.dumps({"kty": "RSA", "n": url(numbers.n), "e": url(numbers.e), **members})


def sign(algorithm, base):
    if algorithm == "hmac-sha256":
        return hmac.new(base64.b64decode(SHARED), base, hashlib.sha256).digest()
    if algorithm == "ed25519":
        return ed.sign(base)
    if algorithm == "ecdsa-p256-sha256":
        r, s = decode_dss_signature(p256.sign(base, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if algorithm == "rsa-v1_5-sha256":
        return rsa_key.sign(base, padding.PKCS1v15(), hashes.SHA256())
    return rsa_key.sign(base, padding.PSS(padding.MGF1(hashes.SHA512()), 64), hashes.SHA512())


def signed(algorithm, lines, parameters, label="sig1", headers=None):
    """`lines` are pairs of identifier and value, written out by hand: that is the point."""
    params = f"({' '.join(name for name, _ in lines)}){parameters}"
    base = "".join(f"{name}: {value}\n" for name, value in lines) + f'"@signature-params": {params}'
    headers = copy.deepcopy(HEADERS if headers is None else headers)
    headers["signature-input"] = f"{label}={params}"
    headers["signature"] = f"{label}=:{b64(sign(algorithm, base.encode()))}:"
    return headers


def vector(name, words, secret, headers, expect="accept", **more):
    return {
        "name": name, "httpSig": words, "secret": secret, "headers": headers,
        "method": "POST", "url": URL, "body": BODY, "now": NOW, "expect": expect, **more,
    }


METHOD, PATH = ('"@method"', "POST"), ('"@path"', "/foo")
DIGEST = ('"content-digest"', HEADERS["content-digest"])
AGE = f";created={CREATED}"
HMAC = {"algorithms": ["HmacSha256"], "key": "Base64", "maxAge": "300s"}
ANY = {"algorithms": ["Ed25519", "EcdsaP256Sha256", "RsaPssSha512", "RsaV15Sha256"], "maxAge": "300s"}


def official():
    def with_signature(label, params, signature):
        return {**HEADERS, "signature-input": f"{label}={params}", "signature": f"{label}=:{signature}:"}

    b21 = with_signature(
        "sig-b21", f'();created={CREATED};keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"',
        "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxyk"
        "JeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8"
        "jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==",
    )
    b25 = with_signature(
        "sig-b25", f'("date" "@authority" "content-type");created={CREATED};keyid="test-shared-secret"',
        "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
    )
    b26 = with_signature(
        "sig-b26",
        f'("date" "@method" "@path" "@authority" "content-type" "content-length");created={CREATED};keyid="test-key-ed25519"',
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
    )
    yield vector("rfc9421-b21", ANY, RSA_PSS, b21)
    yield vector("rfc9421-b25", HMAC, SHARED, b25)
    yield vector("rfc9421-b26", ANY, ED25519, b26)
    # Appendix B.4: what a proxy may do, and what it may not.
    yield vector("rfc9421-b4-added-header", HMAC, SHARED, {**b25, "accept": "application/json"})
    yield vector("rfc9421-b4-other-host", HMAC, SHARED, b25, "Mismatch", url="https://example.org/foo?param=Value&Pet=dog")
    yield vector("rfc9421-b4-other-method", ANY, ED25519, b26, "Mismatch", method="PUT")
    # A Host header is never looked at.
    yield vector("host-does-not-count", HMAC, SHARED, {**b25, "host": "attacker.example"})
    yield vector("no-public-url", HMAC, SHARED, b25, "Malformed", publicUrl=None)


def algorithms():
    lines = [METHOD, PATH, DIGEST]
    for algorithm, secret in [
        ("ed25519", pem(ed)), ("ecdsa-p256-sha256", pem(p256)), ("rsa-pss-sha512", pem(rsa_key)),
    ]:
        yield vector(algorithm, ANY, secret, signed(algorithm, lines, AGE))
        named = signed(algorithm, lines, f'{AGE};alg="{algorithm}";keyid="k1"')
        yield vector(f"{algorithm}-named", ANY, secret, named)
        wrong = signed(algorithm, lines, f'{AGE};alg="hmac-sha256"')
        yield vector(f"{algorithm}-named-as-hmac", ANY, secret, wrong, "Malformed")
    v15 = signed("rsa-v1_5-sha256", lines, AGE)
    yield vector("rsa-v1_5-sha256", {**ANY, "algorithms": ["RsaV15Sha256"]}, pem(rsa_key), v15)
    yield vector("rsa-v1_5-sha256-by-jwk", ANY, jwk(rsa_key, alg="RS256"), v15)
    # A key of RSA without a name stands for the first algorithm that fits it.
    yield vector("rsa-pinned-to-pss", ANY, pem(rsa_key), v15, "Mismatch")
    yield vector("alg-of-another-key", ANY, pem(rsa_key), signed("rsa-v1_5-sha256", lines, f'{AGE};alg="rsa-v1_5-sha256"'), "Mismatch")
    yield vector("public-key-as-shared-secret", {**HMAC, "key": "Utf8"}, pem(ed), signed("hmac-sha256", lines, AGE), "NoValidSecret")
    yield vector("hmac", HMAC, SHARED, signed("hmac-sha256", lines, AGE))
    yield vector("hmac-other-secret", HMAC, b64(b"x" * 32), signed("hmac-sha256", lines, AGE), "Mismatch")
    by_id = signed("rsa-pss-sha512", lines, f'{AGE};keyid="k1"')
    yield vector("keyid", ANY, jwk(rsa_key, kid="k1"), by_id)
    yield vector("keyid-unknown", ANY, jwk(rsa_key, kid="k2"), by_id, "UnknownKey")
    yield vector("keyid-in-set", ANY, json.dumps({"keys": [json.loads(jwk(rsa_key, kid=kid)) for kid in ("k0", "k1")]}), by_id)
    yield vector("alg-as-token", HMAC, SHARED, signed("hmac-sha256", lines, f"{AGE};alg=hmac-sha256"), "Malformed")


def components():
    derived = [
        METHOD, ('"@target-uri"', URL), ('"@authority"', "example.com"), ('"@scheme"', "https"),
        ('"@request-target"', "/foo?param=Value&Pet=dog"), PATH, ('"@query"', "?param=Value&Pet=dog"),
        ('"@query-param";name="Pet"', "dog"), ('"@query-param";name="param"', "Value"),
    ]
    yield vector("every-derived-component", HMAC, SHARED, signed("hmac-sha256", derived, AGE))
    yield vector("derived-port-and-case", HMAC, SHARED, signed("hmac-sha256", [('"@authority"', "example.com")], AGE),
                 url="https://EXAMPLE.com:443/foo")
    yield vector("derived-other-port", HMAC, SHARED, signed("hmac-sha256", [('"@authority"', "example.com:8443")], AGE),
                 url="https://example.com:8443/foo")
    yield vector("no-path-no-query", HMAC, SHARED, signed("hmac-sha256", [PATH[:1] + ("/",), ('"@query"', "?")], AGE),
                 url="https://example.com")
    encoded = [('"@query-param";name="var"', "this%20is%20a%20big%0Amultiline%20value"),
               ('"@query-param";name="bar"', "with%20plus%20whitespace"),
               ('"@query-param";name="fa%C3%A7ade%22%3A%20"', "something")]
    yield vector("query-params-of-section-2.2.8", HMAC, SHARED, signed("hmac-sha256", encoded, AGE),
                 url="https://example.com/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something")
    twice = signed("hmac-sha256", [('"@query-param";name="a"', "1")], AGE)
    yield vector("query-param-twice", HMAC, SHARED, twice, "Malformed", url="https://example.com/foo?a=1&a=2")
    fields = {**HEADERS, "priority": "  u=1,  i ", "x-dict": " a=1,    b=2;x=1;y=2,   c=(a   b   c)", "x-odd": "a\u00e9"}
    structured = [
        ('"priority";sf', "u=1, i"), ('"x-dict";key="a"', "1"), ('"x-dict";key="b"', "2;x=1;y=2"),
        ('"x-dict";key="c"', "(a b c)"), ('"date";bs', f":{b64(HEADERS['date'].encode())}:"),
        ('"x-odd";bs', f":{b64(chr(97).encode() + chr(233).encode())}:"), ('"priority"', "u=1,  i"),
    ]
    yield vector("structured-fields", HMAC, SHARED, signed("hmac-sha256", structured, AGE, headers=fields))
    for name, identifier in [
        ("status", '"@status"'), ("unknown-derived", '"@age"'), ("of-the-request", '"date";req'), ("trailer", '"date";tr'),
        ("upper-case", '"Date"'), ("sf-and-bs", '"priority";sf;bs'), ("unknown-parameter", '"date";x'),
        ("unknown-structure", '"x-dict";sf'), ("absent", '"x-absent"'), ("absent-member", '"priority";key="z"'),
        ("not-structured", '"date";key="a"'), ("derived-with-parameter", '"@method";sf'), ("param-without-name", '"@query-param"'),
    ]:
        yield vector(f"component-{name}", HMAC, SHARED, signed("hmac-sha256", [(identifier, "x")], AGE, headers=fields), "Malformed")
    yield vector("component-twice", HMAC, SHARED, signed("hmac-sha256", [METHOD, METHOD], AGE), "Malformed")


def requirements():
    strict = {**HMAC, "components": ["@method", "@path", "content-digest"]}
    lines = [METHOD, PATH, DIGEST]
    yield vector("required-covered", strict, SHARED, signed("hmac-sha256", lines, AGE))
    yield vector("required-by-target-uri", strict, SHARED, signed("hmac-sha256", [METHOD, ('"@target-uri"', URL), DIGEST], AGE))
    for missing in range(3):
        rest = [line for index, line in enumerate(lines) if index != missing]
        yield vector(f"required-{missing}-not-covered", strict, SHARED, signed("hmac-sha256", rest, AGE), "Malformed")
    only = signed("hmac-sha256", [METHOD, PATH, ('"content-digest";key="sha-512"', HEADERS["content-digest"][8:])], AGE)
    yield vector("digest-by-key", HMAC, SHARED, only)
    yield vector("digest-other-body", HMAC, SHARED, signed("hmac-sha256", lines, AGE), "Mismatch", body=BODY + " ")
    yield vector("digest-by-key-other-body", HMAC, SHARED, only, "Mismatch", body=BODY + " ")
    yield vector("digest-not-covered-other-body", HMAC, SHARED, signed("hmac-sha256", [METHOD], AGE), body=BODY + " ")
    for name, value, expect in [
        ("sha-256", digest(BODY, "sha-256"), "accept"),
        ("both", digest(BODY, "sha-256") + ", " + digest(BODY), "accept"),
        ("one-of-two-wrong", digest(BODY, "sha-256") + ", " + digest("x"), "Mismatch"),
        ("unknown-beside-known", "md5=:AAAA:, " + digest(BODY), "accept"),
        ("unknown-alone", "unixsum=30637", "Malformed"),
        ("not-bytes", "sha-256=abc", "Malformed"),
        ("not-a-dictionary", "\"", "Malformed"),
    ]:
        headers = {**HEADERS, "content-digest": value}
        yield vector(f"digest-{name}", HMAC, SHARED, signed("hmac-sha256", [('"content-digest"', value)], AGE, headers=headers), expect)


def times_and_labels():
    lines = [METHOD]
    fresh = signed("hmac-sha256", lines, AGE)
    for name, now, expect in [
        ("at-tolerance", CREATED + 300, "accept"), ("stale", CREATED + 301, "Stale"),
        ("ahead-at-tolerance", CREATED - 300, "accept"), ("future", CREATED - 301, "Future"),
    ]:
        yield vector(name, HMAC, SHARED, fresh, expect, now=now)
    expiring = signed("hmac-sha256", lines, f"{AGE};expires={CREATED + 10}")
    yield vector("not-expired", HMAC, SHARED, expiring, now=CREATED + 10)
    yield vector("expired", HMAC, SHARED, expiring, "Stale", now=CREATED + 11)
    yield vector("no-created", HMAC, SHARED, signed("hmac-sha256", lines, ""), "Malformed")
    yield vector("no-created-no-max-age", {k: v for k, v in HMAC.items() if k != "maxAge"}, SHARED, signed("hmac-sha256", lines, ""))
    yield vector("created-as-text", HMAC, SHARED, signed("hmac-sha256", lines, f';created="{CREATED}"'), "Malformed")
    yield vector("created-huge", HMAC, SHARED, signed("hmac-sha256", lines, ";created=999999999999999"), "Future")
    two = copy.deepcopy(fresh)
    other = signed("hmac-sha256", [PATH], f'{AGE};tag="mine"', label="sig2")
    two["signature-input"] += ", " + other["signature-input"]
    two["signature"] += ", " + other["signature"]
    yield vector("two-signatures", HMAC, SHARED, two)
    yield vector("label", {**HMAC, "label": "sig2", "components": ["@path"]}, SHARED, two)
    yield vector("label-of-another", {**HMAC, "label": "sig2", "components": ["@method"]}, SHARED, two, "Malformed")
    yield vector("label-absent", {**HMAC, "label": "sig3"}, SHARED, two, "MissingSignature")
    yield vector("tag", {**HMAC, "tag": "mine", "components": ["@path"]}, SHARED, two)
    yield vector("tag-absent", {**HMAC, "tag": "yours"}, SHARED, two, "MissingSignature")
    broken = {**two, "signature-input": two["signature-input"].replace('sig1=("@method")', 'sig1=("@status")')}
    yield vector("one-broken-of-two", HMAC, SHARED, broken)
    swapped = {**two, "signature": two["signature"].replace("sig1", "x").replace("sig2", "sig1").replace("x=", "sig2=", 1)}
    yield vector("signatures-swapped", HMAC, SHARED, swapped, "Mismatch")
    yield vector("no-signature", HMAC, SHARED, HEADERS, "MissingSignature")
    yield vector("input-without-signature", HMAC, SHARED, {k: v for k, v in fresh.items() if k != "signature"}, "MissingSignature")
    hundred = ", ".join(f'l{n}=("@method"){AGE}' for n in range(100))
    yield vector("hundred-labels", HMAC, SHARED, {**fresh, "signature-input": hundred}, "Malformed")
    yield vector("nine-kilobytes", HMAC, SHARED, {**fresh, "signature-input": fresh["signature-input"] + ';x="' + "a" * 9000 + '"'}, "Malformed")
    many = "(" + " ".join(f'"x-{n}"' for n in range(200)) + ")"
    yield vector("two-hundred-components", HMAC, SHARED, {**fresh, "signature-input": f"sig1={many}{AGE}"}, "Malformed")
    for name, value in [("nested", "sig1=((\"@method\"))"), ("item", "sig1=1"), ("no-dictionary", "(("), ("not-ascii", "sig1=(\"\u00e9\")")]:
        yield vector(f"input-{name}", HMAC, SHARED, {**fresh, "signature-input": value}, "Malformed")
    yield vector("signature-no-bytes", HMAC, SHARED, {**fresh, "signature": "sig1=\"a\""}, "Malformed")


def main():
    vectors = [*official(), *algorithms(), *components(), *requirements(), *times_and_labels()]
    lines = ",\n".join(json.dumps(one) for one in vectors)
    path = pathlib.Path(__file__).with_name("http-signatures.json")
    path.write_text(f"[\n{lines}\n]\n")
    print(f"{path.name}: {len(vectors)} requests")


if __name__ == "__main__":
    main()
