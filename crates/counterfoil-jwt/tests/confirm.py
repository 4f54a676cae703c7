#!/usr/bin/env python3
"""Holds the JWT family against a second implementation, in both directions.

    python3 crates/counterfoil-jwt/tests/confirm.py OFFLINE

OFFLINE is the built example of that name. Needs the package pyjwt[crypto]. Exits with 1 if PyJWT does not verify what
is minted here, or if a token that PyJWT signs is not read, or if one that it forges is.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://id.example"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
failures = []


def expect(what, found, expected):
    if found != expected:
        failures.append(f"{what}: found {found!r}, expected {expected!r}")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def verify_ours(offline):
    made = json.loads(subprocess.run([offline, "mint"], check=True, capture_output=True, text=True).stdout)
    keys = jwt.PyJWKSet.from_dict(made["key_set"])
    for token, algorithm in zip(made["tokens"], ["EdDSA", "ES256"], strict=True):
        header = jwt.get_unverified_header(token)
        expect("typ", header["typ"], "pat+jwt")
        required = {"require": ["iss", "sub", "iat", "exp", "jti"]}
        claims = jwt.decode(token, keys[header["kid"]], [algorithm], issuer=made["issuer"], options=required)
        expect("sub", claims["sub"], "user-42")
        expect("tenant", claims["tenant"], "acme")
        expect("scope", claims["scope"], "parts:read collections:*")
        expect("lifetime", claims["exp"] - claims["iat"], 7 * 86400)
        other = keys["es" if algorithm == "EdDSA" else "ed"]
        try:
            jwt.decode(token, other, [algorithm])
            failures.append(f"{algorithm}: verified with another key")
        except (jwt.InvalidTokenError, jwt.InvalidKeyError, TypeError):
            pass


def jwk(key, kid, algorithm):
    implementation = jwt.algorithms.get_default_algorithms()[algorithm]
    return {**json.loads(implementation.to_jwk(key.public_key())), "kid": kid, "alg": algorithm, "use": "sig"}


def is_lower(token):
    return int.from_bytes(base64.urlsafe_b64decode(token.rsplit(".", 1)[1] + "==")[32:]) <= ORDER // 2


def sign_and_forge(offline):
    ed, es = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
    now = int(time.time())
    claims = {
        "jti": "0123456789abcdefABCDEF",
        "iss": ISSUER,
        "sub": "user-7",
        "iat": now,
        "exp": now + 600,
        "scope": "parts:read",
        "sec": "0123456789abcdefABCDEF0123456789",
    }

    def sign(key, algorithm, kid, claims=claims, **headers):
        return jwt.encode(claims, key, algorithm, headers={"typ": "pat+jwt", "kid": kid, **headers})

    def by_hand(header, payload, signature):
        message = f"{b64(json.dumps(header, separators=(',', ':')).encode())}.{b64(payload)}"
        return f"{message}.{b64(signature(message.encode()))}"

    def es_until(lower):
        while True:  # every signature is another, and half of them are the lower ones
            token = sign(es, "ES256", "es")
            if is_lower(token) == lower:
                return token

    good = "good: user-7 may parts:read"
    form, wrong, none = "not of the expected form", "signature is wrong", "not a personal access token"
    compact = json.dumps(claims, separators=(",", ":")).encode()
    header = {"alg": "EdDSA", "kid": "ed", "typ": "pat+jwt"}
    pem = ed.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    raw = ed.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    hs256 = lambda secret: lambda message: hmac.digest(secret, message, hashlib.sha256)
    twice = compact.replace(b'"sub":', b'"sub":"root","sub":')
    cases = [
        ("signed with ed25519", sign(ed, "EdDSA", "ed"), good),
        ("signed with p-256", es_until(True), good),
        ("by hand", by_hand(header, compact, ed.sign), good),
        ("the higher s", es_until(False), wrong),
        ("none", sign(None, "none", "ed"), form),
        ("hs256 with the public key in pem", by_hand({**header, "alg": "HS256"}, compact, hs256(pem)), form),
        ("hs256 with the public key", by_hand({**header, "alg": "HS256"}, compact, hs256(raw)), form),
        ("hs256 under our header", by_hand(header, compact, lambda m: 2 * hs256(raw)(m)), wrong),
        ("es256 under the name of the other key", sign(es, "ES256", "ed"), form),
        ("another key", sign(ed25519.Ed25519PrivateKey.generate(), "EdDSA", "ed"), wrong),
        ("no such key", sign(ed, "EdDSA", "new"), "no key with the name"),
        ("a session", jwt.encode(claims, ed, "EdDSA", headers={"kid": "ed"}), none),
        ("a critical header", sign(ed, "EdDSA", "ed", crit=["exp"], exp=1), form),
        ("a key in the header", sign(ed, "EdDSA", "ed", jwk=jwk(ed, "ed", "EdDSA")), form),
        ("a claim twice", by_hand(header, twice, ed.sign), form),
        ("another claim", sign(ed, "EdDSA", "ed", {**claims, "admin": True}), form),
        ("spaces", by_hand(header, json.dumps(claims).encode(), ed.sign), form),
        ("ended", sign(ed, "EdDSA", "ed", {**claims, "exp": now - 1}), "expired since"),
        ("another issuer", sign(ed, "EdDSA", "ed", {**claims, "iss": "https://evil.example"}), "another issuer"),
    ]
    with tempfile.TemporaryDirectory() as directory:
        keys = pathlib.Path(directory, "keys.json")
        keys.write_text(json.dumps({"keys": [jwk(ed, "ed", "EdDSA"), jwk(es, "es", "ES256")]}))
        run = [offline, "verify", keys, ISSUER]
        tokens = "".join(f"{token}\n" for _, token, _ in cases)
        answers = subprocess.run(run, input=tokens, check=True, capture_output=True, text=True).stdout.splitlines()
    for (what, _, expected), answer in zip(cases, answers, strict=True):
        if expected not in answer:
            failures.append(f"{what}: found {answer!r}, expected {expected!r}")
    return len(cases)


verify_ours(sys.argv[1])
count = sign_and_forge(sys.argv[1])
for failure in failures:
    print(failure, file=sys.stderr)
print(f"2 minted tokens and {count} foreign ones: {len(failures)} differences")
sys.exit(bool(failures))
