#!/usr/bin/env python3
"""Makes test vectors for presets, signed the way each vendor's documentation describes it and not by our own signer.

Each `table_NAME.py` beside this file lists senders; their vectors go into ../data/vectors-NAME.json, one per line, in the
format of ../data/webhook-vectors.json. Secrets, times and keys are fixed, so the output never changes by itself.

  make.py           writes the files
  make.py --check   writes nothing; exits with 1 and names the files that differ

A sender gives one request that must be accepted, and the requests that must be refused are made of it: the body altered
after signing, the proof altered, made with another secret, left out, and, where time is judged, too old and too new.

Needs Python 3.9, its standard library and `cryptography`, the latter only for public-key signatures.
"""

import base64
import copy
import hashlib
import hmac
import importlib.util
import json
import pathlib
import sys
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"

# 2026-01-02T03:04:05Z, when everything here is signed.
AT = 1767323045
URL = "https://hooks.example.org/hook"


# What senders' tables are written with.


def mac(hash_name, key, *parts):
    """HMAC (RFC 2104) over the parts, one after the other. Text is UTF-8."""
    return hmac.new(octets(key), b"".join(octets(part) for part in parts), hash_name).digest()


def plain_hash(hash_name, *parts):
    return hashlib.new(hash_name, b"".join(octets(part) for part in parts)).digest()


def octets(text):
    return text.encode() if isinstance(text, str) else text


def b64(data):
    return base64.b64encode(octets(data)).decode()


def whsec(name):
    """A secret in the form of Standard Webhooks, made of a name."""
    return "whsec_" + b64(hashlib.sha256(f"mef test vector {name}".encode()).digest())


def whsec_key(secret):
    return base64.b64decode(secret.split("_", 1)[1])


def iso(seconds):
    import datetime

    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Request:
    """A request in the making. `sign` puts the proof into it: into headers, mostly, else into body or url."""

    body: str
    at: int
    secret: object
    method: str = "POST"
    url: str = URL
    headers: dict = field(default_factory=dict)


@dataclass
class Sender:
    """One vendor's way to prove its requests."""

    preset: str
    # Where the vendor, or who else, describes it: a page or the name of a standard.
    doc: str
    # sign(request): puts the proof into the request, from request.secret, request.body and request.at.
    sign: object
    body: str = '{"hello":"world"}'
    # What the vendor and the receiver share, or the sender's private key.
    secret: object = None
    # Another one, with which nothing must be accepted.
    wrong: object = None
    # What the receiver has of it; for key pairs the public key. Default: the secret itself.
    configured: object = None
    # Headers that are the proof; altered and left out one by one.
    proof: list = field(default_factory=list)
    # Whether the proof covers the body, and the time where there is one.
    covers_body: bool = True
    # How far the time may be off, in seconds, where it is judged.
    tolerance: object = None
    # Further headers, as `content-type`.
    headers: dict = field(default_factory=dict)
    # Tells several senders of one preset apart.
    variant: str = ""
    method: str = "POST"
    url: str = URL
    # allowlist and config of the vector, as {"allowlist": [...]}.
    more: dict = field(default_factory=dict)
    # Further requests that must be refused: name -> change(request), made after signing.
    refuse: dict = field(default_factory=dict)
    # Further requests that must be accepted: name -> change(request), made after signing.
    accept: dict = field(default_factory=dict)

    def vectors(self):
        name = self.preset + (f"-{self.variant}" if self.variant else "")
        secret = self.secret if self.secret is not None else f"mef-test-vector-{name}-3f9c0d71"
        wrong = self.wrong if self.wrong is not None else f"mef-test-vector-wrong-{name}-a4"
        configured = self.configured if self.configured is not None else secret
        configured = configured if isinstance(configured, list) else [configured]

        def made(what, expect, change=None, by=secret, now=AT):
            request = Request(self.body, AT, by, self.method, self.url, dict(self.headers))
            self.sign(request)
            if change:
                change(request)
            vector = {"name": f"{name}-{what}", "preset": self.preset, "src": "derived", "doc": self.doc}
            vector["secrets"] = configured
            if request.method != "POST":
                vector["method"] = request.method
            if request.url != URL:
                vector["url"] = request.url
            vector["headers"] = {key.lower(): value for key, value in request.headers.items()}
            vector["body"] = request.body
            vector.update(copy.deepcopy(self.more))
            if not self.covers_body:
                vector["unsigned_body"] = True
            vector["now"] = now
            vector["expect"] = expect
            return vector

        yield made("made", "accept")
        for what, change in self.accept.items():
            yield made(what, "accept", change)
        if self.covers_body:
            yield made("altered-body", "reject", lambda request: setattr(request, "body", request.body + " "))
        yield made("wrong-secret", "reject", by=wrong)
        for header in self.proof:
            suffix = f"-{header.lower()}" if len(self.proof) > 1 else ""
            yield made("altered-proof" + suffix, "reject", lambda request: alter(request.headers, header))
            yield made("missing-header" + suffix, "reject", lambda request: request.headers.pop(header))
            yield made("empty-header" + suffix, "reject", lambda request: request.headers.update({header: ""}))
        if self.tolerance is not None:
            yield made("oldest", "accept", now=AT + self.tolerance)
            yield made("stale", "reject", now=AT + self.tolerance + 1)
            yield made("from-the-future", "reject", now=AT - self.tolerance - 1)
        for what, change in self.refuse.items():
            yield made(what, "reject", change)


def alter(headers, name):
    """Another character in the middle, one that is a digit of base64 and of hexadecimal too."""
    value = headers[name]
    middle = min(len(value) // 2 + 1, len(value) - 1)
    headers[name] = value[:middle] + ("1" if value[middle] == "0" else "0") + value[middle + 1 :]


# Making the files.


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    sys.dont_write_bytecode = True
    # The tables import this module by its name, wherever it was started.
    sys.modules["make"] = sys.modules["__main__"]
    different = []
    for table in sorted(HERE.glob("table_*.py")):
        name = table.stem.removeprefix("table_").replace("_", "-")
        target = DATA / f"vectors-{name}.json"
        text = vectors_of(table)
        if check:
            if not target.is_file() or target.read_text(encoding="utf-8") != text:
                different.append(target.name)
        else:
            target.write_text(text, encoding="utf-8")
            print(f"{target.name}: {text.count(chr(10)) - 4} vectors")
    if different:
        sys.exit(f"differ from what make.py makes, so run it: {', '.join(different)}")


def vectors_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    verify = [vector for sender in table.SENDERS for vector in sender.vectors()]
    # Handshakes are written out in the table, in the format of the file.
    challenge = getattr(table, "CHALLENGES", [])
    names = [vector["name"] for vector in verify + challenge]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sys.exit(f"{path.name}: names that stand twice: {', '.join(twice)}")
    return f'{{"verify":[\n{lines(verify)}],"challenge":[\n{lines(challenge)}]}}\n'


def lines(vectors):
    text = ",\n".join(json.dumps(vector, ensure_ascii=True, separators=(",", ":")) for vector in vectors)
    return text + "\n" if text else ""


if __name__ == "__main__":
    main()
