#!/usr/bin/env python3
"""Computes every value of the vectors again, from their inputs, apart from the Rust code.

    python3 tests/vectors/confirm.py            compares; exits with 1 on a difference
    python3 tests/vectors/confirm.py --write    fills in the computed values, for a new vector

Needs the standard library alone; vectors of Argon2id also need the package argon2-cffi and are skipped aloud without.

A vector is a file of `key: value` lines. In a value, `\\xNN` and `\\u{N}` stand for one character by its code, and
`<N*c>` for the character `c` N times. Computed keys:

    tokens/, digests/   token, public, selector (where none is printed), digest
    refused/            none; the text of `near` must be read, and the one of `token` must not
    imported/           token, public, selector, digest; `stored`, which other software made, must be of the token,
                        or be no digest that can be imported, where `refused` stands
    rows/               SLOT.selector, SLOT.digest, SLOT.key of every SLOT.token; a column named by `defect` must differ
"""

import base64
import hashlib
import hmac
import pathlib
import re
import string
import sys
import uuid
import zlib

try:
    from argon2.low_level import Type, hash_secret_raw
except ImportError:
    hash_secret_raw = None

HERE = pathlib.Path(__file__).resolve().parent
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
HEX = "0123456789abcdef"
ALPHABETS = {"base62": (BASE62, "[0-9A-Za-z]", 6), "hex": (HEX, "[0-9a-f]", 8)}


class NoArgon2(Exception):
    pass


# Files


def load(path):
    fields = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n")[:-1]):
        if line.startswith("#") and number == 0:
            continue
        key, separator, value = line.partition(": ")
        if not separator or key in fields:
            raise ValueError(f"line {number + 1} is no field, or one given twice: {line!r}")
        fields[key] = value
    return fields


def store(path, fields):
    comment = path.read_text(encoding="utf-8").split("\n", 1)[0]
    path.write_text("".join([comment + "\n"] + [f"{key}: {value}\n" for key, value in fields.items()]), "utf-8")


def plain(value):
    value = re.sub(r"<(\d+)\*(.)>", lambda found: found[2] * int(found[1]), value)
    return re.sub(r"\\x([0-9a-f]{2})|\\u\{([0-9a-f]+)\}", lambda found: chr(int(found[1] or found[2], 16)), value)


# Keys


def b64(data, url_safe=False):
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    return encode(data).decode().rstrip("=")


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


class Keyring:
    def __init__(self, text):
        self.keys = {}
        for entry in re.split(r"[,\s]+", text):
            name, key, *mark = entry.split(":")
            key = key.rstrip("=").replace("-", "+").replace("_", "/")
            self.keys[name] = base64.b64decode(key + "=" * (-len(key) % 4), validate=True)
            if mark:
                self.minting = name

    def sub(self, name, label):
        return mac(self.keys[name], f"counterfoil/1/{label}".encode())


# Tokens


class Format:
    def __init__(self, fields):
        of = lambda name, default: fields.get(f"format.{name}", default).split()
        self.prefix = fields["format.prefix"]
        self.environments = of("environments", "")
        self.routing = tuple(map(int, of("routing", "")))
        selector = of("selector", "base62 12")
        self.selector = None if selector == ["none"] else (selector[0], int(selector[1]))
        alphabet, width = of("secret", "base62 32")
        self.secret = (alphabet, int(width))
        self.checksum = of("checksum", "crc32-of-text")[0]
        self.hint = int(of("hint", "0")[0])

    def check(self, before, secret, keyring, key):
        digits, _, width = ALPHABETS[self.secret[0]]
        if self.checksum == "none":
            return ""
        if self.checksum == "keyed":
            value = int.from_bytes(mac(keyring.sub(key, "tag"), before.encode())[:4], "big")
        else:
            value = zlib.crc32((secret if self.checksum == "crc32-of-secret" else before).encode())
        text = ""
        while len(text) < width:
            value, digit = divmod(value, len(digits))
            text = digits[digit] + text
        return text

    def write(self, parts, keyring, key):
        """The token's text, and the part of it that may be shown."""
        segments = [self.prefix] + [parts[name] for name in ("environment", "routing") if name in parts]
        if self.selector:
            segments.append(parts["printed"])
        before = "_".join(segments + [parts["secret"]])
        shown = "_".join(segments) if self.selector else "_".join(segments) + "_" + parts["secret"][: self.hint]
        return before + self.check(before, parts["secret"], keyring, key), shown

    def reads(self, text, keyring):
        if len(text.encode()) > 512:
            return False
        pattern = re.escape(self.prefix) + "_"
        if self.environments:
            pattern += f"(?:{'|'.join(self.environments)})_"
        if self.routing:
            pattern += "[0-9A-Za-z-]{%d,%d}_" % self.routing
        if self.selector:
            pattern += f"{ALPHABETS[self.selector[0]][1]}{{{self.selector[1]}}}_"
        _, characters, width = ALPHABETS[self.secret[0]]
        width = 0 if self.checksum == "none" else width
        pattern = f"(?P<before>{pattern}(?P<secret>{characters}{{{self.secret[1]}}}))(?P<check>{characters}{{{width}}})"
        found = re.fullmatch(pattern, text, re.ASCII)
        keys = keyring.keys if keyring else [None]
        return bool(found) and any(
            found["check"] == self.check(found["before"], found["secret"], keyring, key) for key in keys
        )


# What is stored of them


def bound(fields, token):
    parts = [
        b"cf1",
        uuid.UUID(fields["id"]).bytes,
        fields.get("tenant", "").encode(),
        fields["owner"].encode(),
        token.encode(),
    ]
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def derived_selector(keyring, key, token):
    return "~" + b64(mac(keyring.sub(key, "selector"), token.encode())[:16], url_safe=True)


def digest(fields, keyring, key, token):
    algorithm, *cost = fields.get("algorithm", "hmac-sha256").split()
    message = bound(fields, token)
    if algorithm == "hmac-sha256":
        return f"$hmac-sha256$v=1$key={key}${b64(mac(keyring.sub(key, 'digest'), message), url_safe=True)}"
    if hash_secret_raw is None:
        raise NoArgon2
    m, t, p = map(int, cost)
    salt = bytes.fromhex(fields["salt"])
    value = hash_secret_raw(mac(keyring.sub(key, "argon2"), message), salt, t, m, p, 32, Type.ID, version=19)
    return f"$argon2id$v=19$m={m},t={t},p={p},keyid={b64(key.encode())}${b64(salt)}${b64(value)}"


# What other software has stored


def decoded(text, alphabet):
    """The bytes of base64 in this alphabet, unless it is written in another way than these bytes are."""
    if not re.fullmatch(f"[0-9A-Za-z{re.escape(alphabet)}]*", text) or len(text) % 4 == 1:
        return None
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=alphabet)
    return data if base64.b64encode(data, altchars=alphabet.encode()).decode().rstrip("=") == text else None


def foreign(text, algorithm):
    """The parameters and the value of a digest of this algorithm, or None if it is not one that can be imported."""
    if algorithm == "argon2id":
        text = text.removeprefix("argon2") if text.startswith("argon2$argon2") else text
        phc = re.fullmatch(r"\$argon2id\$v=19\$([^$]*)\$([^$]*)\$([^$]*)", text)
        pairs = [re.fullmatch("([mtp])=(0|[1-9][0-9]*)", pair) for pair in phc[1].split(",")] if phc else [None]
        if None in pairs or sorted(pair[1] for pair in pairs) != ["m", "p", "t"]:
            return None
        figures = dict(pair.groups() for pair in pairs)
        m, t, p = (int(figures[name]) for name in "mtp")
        salt, value = decoded(phc[2], "+/"), decoded(phc[3], "+/")
        fits = salt and value and 8 <= len(salt) <= 64 and 16 <= len(value) <= 64
        return ((m, t, p, salt), value) if fits and t and 0 < p < 1 << 24 and 8 * p <= m < 1 << 32 else None
    size = {"sha256": 32, "sha512": 64}[algorithm]
    if algorithm == "sha512":
        text = text.removeprefix("sha512$$")
    if re.fullmatch(f"[0-9a-f]{{{2 * size}}}|[0-9A-F]{{{2 * size}}}", text):
        return (), bytes.fromhex(text)
    plain, padding = text.rstrip("="), len(text) - len(text.rstrip("="))
    value = decoded(plain, "+/") or decoded(plain, "-_")
    return ((), value) if value and len(value) == size and padding in (0, -size % 3) else None


# The kinds of vectors: each gives what must stand in the file, and complaints


def minted(fields):
    keyring, form = Keyring(fields["keyring"]), Format(fields)
    key = fields.get("key", keyring.minting)
    token, shown = form.write(fields, keyring, key)
    right = {"token": token, "public": shown, "digest": digest(fields, keyring, key, token)}
    if not form.selector:
        right["selector"] = derived_selector(keyring, key, token)
    return right, [] if form.reads(token, keyring) else ["the token is not read back"]


def refused(fields):
    keyring, form = Keyring(fields["keyring"]) if "keyring" in fields else None, Format(fields)
    complaints = []
    if "near" in fields and not form.reads(fields["near"], keyring):
        complaints.append("the near token is refused")
    if form.reads(fields["token"], keyring):
        complaints.append("the token is not refused")
    return {}, complaints


def imported(fields):
    shown = "argon2id" if fields["stored"].startswith("$argon2") else "sha256"
    algorithm = fields.get("stated", shown)
    read = foreign(fields["stored"], algorithm)
    if "refused" in fields:
        return {}, ["the digest is not refused"] if read else []
    parameters, value = read
    form = Format(fields)
    token, shown = form.write(fields, None, None)
    hashed = {"text": token, "secret": fields["secret"]}[fields["over"]].encode()
    right, head = {"token": token, "public": shown}, f"$imported$over={fields['over']}"
    if parameters:
        if hash_secret_raw is None:
            raise NoArgon2
        m, t, p, salt = parameters
        found = hash_secret_raw(hashed, salt, t, m, p, len(value), Type.ID, version=19)
        right["digest"] = f"{head}$argon2id$v=19$m={m},t={t},p={p}${b64(salt)}${b64(value)}"
    else:
        found = hashlib.new(algorithm, hashed).digest()
        right["digest"] = f"{head}${algorithm}${b64(value, url_safe=True)}"
    if not form.selector:
        right["selector"] = f"~{algorithm}-" + b64(hashlib.sha256(b"counterfoil/1/imported-selector" + value).digest()[:16], url_safe=True)
    complaints = [] if form.reads(token, None) else ["the token is not read back"]
    return right, complaints + ([] if found == value else ["the digest is of another token"])


def row(fields):
    keyring, form = Keyring(fields["keyring"]), Format(fields)
    right, complaints, defects = {}, [], fields.get("defect", "").split()
    for slot in ("current", "retiring", "spent"):
        token = fields.get(f"{slot}.token")
        if token is None:
            continue
        key = fields.get(f"{slot}.made-with", keyring.minting)
        printed = form.selector and token.split("_")[-2]
        values = {
            "selector": printed or derived_selector(keyring, key, token),
            "digest": digest(fields, keyring, key, token),
            "key": key,
        }
        for column, value in values.items():
            name = f"{slot}.{column}"
            if name not in defects:
                right[name] = value
            elif fields[name] == value:
                complaints.append(f"{name} has no defect")
        if not form.reads(token, keyring):
            complaints.append(f"{slot}.token is not read")
    return right, complaints


KINDS = {"tokens": minted, "digests": minted, "refused": refused, "imported": imported, "rows": row}


def main():
    write, confirmed, skipped, wrong = "--write" in sys.argv[1:], 0, 0, 0
    for kind, compute in KINDS.items():
        for path in sorted((HERE / kind).glob("*.txt")):
            name = f"{kind}/{path.name}"
            try:
                fields = load(path)
                values = {key: plain(value) for key, value in fields.items()}
                right, complaints = compute(values)
            except NoArgon2:
                skipped += 1
                continue
            except Exception as error:
                print(f"{name}: {type(error).__name__}: {error}")
                wrong += 1
                continue
            different = {key: value for key, value in right.items() if values.get(key) != value}
            if write and different:
                store(path, fields | different)
            for key, value in different.items():
                complaints.append(f"{key}: found {values.get(key)!r}, computed {value!r}")
            for complaint in complaints:
                print(f"{name}: {complaint}")
            wrong += bool(complaints)
            confirmed += not complaints
    if skipped:
        print(f"{skipped} vectors of Argon2id skipped: argon2-cffi is not installed")
    print(f"{confirmed} vectors confirmed" + (f", {wrong} wrong" if wrong else ""))
    sys.exit(1 if wrong or not confirmed else 0)


if __name__ == "__main__":
    main()
