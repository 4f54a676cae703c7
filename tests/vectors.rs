//! Known answers, one in each file of `vectors/`.
//!
//! `vectors/confirm.py` computes every one of them again, apart from this code.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    collections::{BTreeMap, VecDeque},
    fmt, fs,
    path::Path,
    sync::{Arc, LazyLock, Mutex},
};

use counterfoil::{
    Alphabet, Argon2Bounds, Argon2Cost, CheckError, Checksum, Circumstances, Denial, Digest, Environment, Expiry,
    Families, Grant, Import, Keyring, Lifetime, Owner, Record, Row, Timestamp, TokenFormat, TokenId, check,
    check::selectors,
    digest::{ImportedDigests, Over},
    entropy::{Entropy, NoEntropy},
    record::{MarkRow, SlotRow},
    token::{Malformed, ParseError},
    verify,
};
use regex::{Captures, Regex};

#[test]
fn accepted_tokens_are_read_found_verified_and_minted() {
    judge("tokens", 24, accepted);
}

#[test]
fn digests_are_of_the_stated_input() {
    judge("digests", 19, accepted);
}

#[test]
fn refused_tokens_are_refused_for_the_stated_reason() {
    judge("refused", 75, refused);
}

#[test]
fn digests_of_other_software_are_read_and_verified_or_refused_as_stated() {
    judge("imported", 75, imported);
}

#[test]
fn rows_are_read_or_refused_as_stated() {
    judge("rows", 215, row);
}

fn accepted(vector: &Vector) -> Result<(), String> {
    let (format, keyring, text) = (vector.format(), vector.keyring(), vector.need("token"));
    let presented = format.parse(text).map_err(|error| error.to_string())?;
    same("public", presented.public(), vector.need("public"))?;
    same("environment", presented.environment(), vector.get("environment"))?;
    same("routing", presented.routing(), vector.get("routing"))?;
    same("printed selector", presented.selector().as_ref().map(|selector| selector.as_str()), vector.get("printed"))?;

    let selector = vector.get("selector").unwrap_or_else(|| vector.need("printed"));
    let candidates = selectors(&presented, &keyring).map_err(|error| error.to_string())?;
    let found = candidates.as_slice().iter().any(|candidate| candidate.as_str() == selector);
    same("selector among the candidates", found, true)?;

    let digest: Digest = vector.need("digest").parse().map_err(|error| format!("digest: {error}"))?;
    same("digest written back", digest.to_text().as_str(), vector.need("digest"))?;
    let mut row = vector.bare_row();
    row.current = SlotRow {
        selector: selector.into(),
        digest: vector.need("digest").into(),
        key: vector.get("key").map_or_else(|| keyring.minting_key().to_string(), str::to_owned),
    };
    let record = Arc::new(Record::from_row(row).map_err(|error| error.to_string())?);
    let checked = match check(presented, Some(&record), &keyring) {
        Err(CheckError::Unsupported) if cfg!(not(feature = "argon2")) && vector.is_argon2() => return Ok(()),
        checked => checked.map_err(|error| error.to_string())?,
    };
    let environments = vector.environment();
    let mut at = Circumstances::at(record.created_at());
    at.environments = environments.as_slice();
    verify(checked, Some(record.clone()), &at).map_err(|denial| format!("denied: {denial}"))?;

    if vector.get("key").is_none() && vector.id().as_bytes()[6] >> 4 == 7 {
        let minted = vector.grant().mint_with(&format, &keyring, record.created_at(), &vector.script());
        let minted = minted.map_err(|error| error.to_string())?;
        same("minted token", minted.token.expose(), text)?;
        same("minted public", minted.record.public(), vector.need("public"))?;
        let row = minted.record.to_row();
        same("minted id", row.id, vector.id())?;
        same("minted digest", row.current.digest.as_str(), vector.need("digest"))?;
        same("minted selector", row.current.selector.as_str(), selector)?;
    }
    Ok(())
}

fn refused(vector: &Vector) -> Result<(), String> {
    let format = vector.format();
    let keyring = vector.get("keyring").map(|text| text.parse::<Keyring>().unwrap());
    let read = |text: &str| -> Result<(), ParseError> {
        let presented = format.parse(text)?;
        keyring.as_ref().map_or(Ok(()), |keyring| selectors(&presented, keyring).map(|_| ()))
    };
    if let Some(near) = vector.get("near") {
        read(near).map_err(|error| format!("the near token is refused: {error}"))?;
    }
    let text = vector.need("token");
    let Err(error) = read(text) else { return Err("accepted".into()) };
    match vector.need("refused") {
        "not ours" => same("not ours", error.is_not_ours(), true)?,
        reason => same("reason", error.to_string().as_str(), reason)?,
    }
    same("not ours", error.is_not_ours(), vector.need("refused") == "not ours")?;
    match (Families::minting(format.clone()).parse(text), &keyring) {
        // Beyond their own cap, families do not look at the text, and say theirs.
        (Err(ParseError::Malformed(Malformed::TooLong { limit: Families::MAX_LEN, .. })), _)
            if text.len() > Families::MAX_LEN => {}
        (Err(by_families), _) => same("reason of the families", &by_families, &error)?,
        (Ok(presented), Some(keyring)) => {
            let checked = check(presented, None, keyring).map_err(|error| error.to_string())?;
            same("verdict", verify(checked, None, &Circumstances::at(now())).err(), Some(Denial::Unknown))?;
        }
        (Ok(_), None) => return Err("the families accept it".into()),
    }
    Ok(())
}

fn imported(vector: &Vector) -> Result<(), String> {
    let over = match vector.need("over") {
        "secret" => Over::Secret,
        "text" => Over::Text,
        other => panic!("unknown {other}"),
    };
    let stored = vector.need("stored");
    let shown = if stored.starts_with("$argon2") { "argon2id" } else { "sha256" };
    let algorithm = vector.get("stated").unwrap_or(shown).parse().unwrap();
    let digest = Digest::imported(algorithm, stored, over);
    if let Some(reason) = vector.get("refused") {
        let Err(error) = digest else { return Err("the digest is read".into()) };
        return same("reason", error.to_string().as_str(), reason);
    }
    let digest = digest.map_err(|error| error.to_string())?;
    same("digest", digest.to_text().as_str(), vector.need("digest"))?;

    let (format, keyring, owner) = (vector.format(), vector.keyring(), vector.grant().owner);
    let import = Import::new(owner, vector.need("public"), digest, now(), Expiry::Never).id(vector.id());
    let record = import.into_record(&Families::minting(format.clone())).map_err(|error| error.to_string())?;
    let selector = vector.get("selector").unwrap_or_else(|| vector.need("printed"));
    let slot = SlotRow { selector: selector.into(), digest: vector.need("digest").into(), key: String::new() };
    let row = record.to_row();
    same("slot", &row.current, &slot)?;
    let record = Arc::new(Record::from_row(row.clone()).map_err(|corrupt| corrupt.to_string())?);
    same("row written back", record.to_row(), row)?;

    let presented = format.parse(vector.need("token")).map_err(|error| error.to_string())?;
    same("public", presented.public(), vector.need("public"))?;
    same("environment", record.environment().map(Environment::as_str), vector.get("environment"))?;
    same("routing", record.routing(), vector.get("routing"))?;
    let candidates = selectors(&presented, &keyring).map_err(|error| error.to_string())?;
    let found = candidates.as_slice().iter().any(|candidate| candidate.as_str() == selector);
    same("selector among the candidates", found, true)?;
    let checked = match check(presented, Some(&record), &keyring) {
        Err(CheckError::Unsupported) if cfg!(not(feature = "argon2")) && slot.digest.contains("$argon2id$") => {
            return Ok(());
        }
        checked => checked.map_err(|error| error.to_string())?,
    };
    let environments = vector.environment();
    let mut at = Circumstances::at(now());
    at.environments = environments.as_slice();
    verify(checked, Some(record), &at).map(drop).map_err(|denial| format!("denied: {denial}"))
}

fn row(vector: &Vector) -> Result<(), String> {
    let row = vector.row();
    if let Some(column) = vector.get("corrupt") {
        let Err(corrupt) = Record::from_row(row) else { return Err("the row is read".into()) };
        same("column", corrupt.column, column)?;
        return same("id", corrupt.id, vector.id());
    }
    let record = Record::from_row(row.clone()).map_err(|corrupt| corrupt.to_string())?;
    same("row written back", record.to_row(), row.clone())?;
    if let Some(member) = vector.get("kept") {
        return same("member of the body", record.to_row().body.contains(&format!("\"{member}\":")), true);
    }
    let format = vector.format();
    let token = vector.get("retiring.token").unwrap_or_else(|| vector.need("current.token"));
    let presented = format.parse(token).map_err(|error| error.to_string())?;
    let checked = check(presented, Some(&record), &vector.keyring());
    if let Some(column) = vector.get("check") {
        let Err(CheckError::Corrupt(corrupt)) = checked else { return Err(format!("found {checked:?}")) };
        same("column", corrupt.column, column)?;
        return same("id", corrupt.id, vector.id());
    }
    if let Some(key) = vector.get("unverifiable") {
        let Err(CheckError::Unverifiable(unknown)) = checked else { return Err(format!("found {checked:?}")) };
        return same("key", unknown.id.as_str(), key);
    }
    if vector.get("unaccepted").is_some() {
        return same("kind", checked.err(), Some(CheckError::NotAccepted));
    }
    if cfg!(not(feature = "argon2")) && row.current.digest.contains("$argon2id$") {
        return same("kind", checked.err(), Some(CheckError::Unsupported));
    }
    let verdict =
        verify(checked.map_err(|error| error.to_string())?, Some(Arc::new(record)), &Circumstances::at(now()));
    same("code", verdict.err().map(Denial::code), vector.get("denied"))
}

/// Judges every vector of a kind and reports all that fail.
#[track_caller]
fn judge(kind: &str, at_least: usize, judge: fn(&Vector) -> Result<(), String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(kind);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= at_least, "found {} files, expected at least {at_least}", paths.len());
    let judge = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy();
        judge(&Vector::read(path)).err().map(|reason| format!("\n{kind}/{name}: {reason}"))
    };
    let failed: String = paths.iter().filter_map(|path| judge(path)).collect();
    assert!(failed.is_empty(), "{failed}");
}

fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:?}, expected {expected:?}")) }
}

fn now() -> Timestamp {
    Timestamp::from_unix_millis(1_767_225_600_000).unwrap()
}

/// The fields of one file.
struct Vector(BTreeMap<String, String>);

impl Vector {
    #[track_caller]
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let mut lines = text.lines();
        assert!(lines.next().unwrap().starts_with("# "), "{path:?}: no comment first");
        let field = |line: &str| {
            let (key, value) = line.split_once(": ").unwrap_or_else(|| panic!("{path:?}: no field: {line}"));
            (key.to_owned(), plain(value))
        };
        Self(lines.map(field).collect())
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    #[track_caller]
    fn need(&self, key: &str) -> &str {
        self.get(key).unwrap_or_else(|| panic!("no `{key}`"))
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.get(key).map(|text| text.parse().unwrap())
    }

    fn id(&self) -> TokenId {
        self.need("id").parse().unwrap()
    }

    fn is_argon2(&self) -> bool {
        self.get("algorithm").is_some()
    }

    fn format(&self) -> TokenFormat {
        let words = |key: &str| self.get(key).map(|text| text.split(' ').collect::<Vec<_>>());
        let alphabet = |name: &str| match name {
            "base62" => Alphabet::Base62,
            "hex" => Alphabet::Hex,
            _ => panic!("unknown alphabet {name}"),
        };
        let mut format = TokenFormat::builder(self.need("format.prefix"));
        if let Some(names) = words("format.environments") {
            format = format.environments(names);
        }
        if let Some(range) = words("format.routing") {
            format = format.routing(range[0].parse().unwrap(), range[1].parse().unwrap());
        }
        match words("format.selector").as_deref() {
            None => {}
            Some(["none"]) => format = format.without_selector(),
            Some(selector) => format = format.selector(alphabet(selector[0]), selector[1].parse().unwrap()),
        }
        if let Some(secret) = words("format.secret") {
            format = format.secret(alphabet(secret[0]), secret[1].parse().unwrap());
        }
        match self.get("format.checksum") {
            None => {}
            Some("none") => format = format.checksum(Checksum::None),
            Some("crc32-of-secret") => format = format.checksum(Checksum::Crc32OfSecret),
            Some("crc32-of-text") => format = format.checksum(Checksum::Crc32OfText),
            Some("keyed") => format = format.checksum(Checksum::Keyed),
            Some(other) => panic!("unknown checksum {other}"),
        }
        if let Some(imports) = words("format.imports") {
            format = format.accepts_imported(imports_of(&imports));
        }
        if let Some(hint) = self.get("format.hint") {
            format = format.hint(hint.parse().unwrap());
        }
        format.build().unwrap()
    }

    fn keyring(&self) -> Keyring {
        let keyring: Keyring = self.need("keyring").parse().unwrap();
        let Some(algorithm) = self.get("algorithm") else { return keyring };
        let cost: Vec<u32> =
            algorithm.strip_prefix("argon2id ").unwrap().split(' ').map(|word| word.parse().unwrap()).collect();
        keyring.with_argon2id(Argon2Cost::new(cost[0], cost[1], cost[2]).unwrap()).unwrap()
    }

    fn environment(&self) -> Vec<Environment> {
        self.get("environment").map(|name| Environment::new(name).unwrap()).into_iter().collect()
    }

    fn grant(&self) -> Grant {
        let owner = match self.get("tenant") {
            None => Owner::new(self.need("owner")),
            Some(tenant) => Owner::in_tenant(tenant, self.need("owner")),
        };
        let mut grant = Grant::new(owner.unwrap(), Lifetime::Forever);
        if let Some(environment) = self.environment().pop() {
            grant = grant.environment(environment);
        }
        if let Some(routing) = self.get("routing") {
            grant = grant.routing(routing);
        }
        grant
    }

    /// The random bytes that make this id, selector, secret and salt, in the order in which they are drawn.
    fn script(&self) -> Script {
        const DIGITS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        const HEX: &str = "0123456789abcdef";
        let value = |segment: &str, digit: char| {
            let is_hex = self.get(segment).is_some_and(|form| form.starts_with("hex"));
            (if is_hex { HEX } else { DIGITS }).find(digit).unwrap() as u8
        };
        let mut bytes: VecDeque<u8> = self.id().as_bytes()[6..].iter().copied().collect();
        bytes.extend(self.get("printed").unwrap_or_default().chars().map(|digit| value("format.selector", digit)));
        bytes.extend(self.need("secret").chars().map(|digit| value("format.secret", digit)));
        let salt = self.get("salt").unwrap_or_default();
        bytes.extend(hex::decode(salt).unwrap());
        Script(Mutex::new(bytes))
    }

    fn bare_row(&self) -> Row {
        let millis = self.id().as_bytes()[..6].iter().fold(0, |millis, byte| millis << 8 | i64::from(*byte));
        let environment = self.get("environment").map(|name| format!(r#","environment":"{name}""#));
        Row {
            id: self.id(),
            tenant: self.get("tenant").unwrap_or_default().into(),
            owner: self.need("owner").into(),
            version: 1,
            digest_version: 1,
            created_at: if self.id().as_bytes()[6] >> 4 == 7 { millis } else { now().unix_millis() },
            expires_at: None,
            revoked: None,
            suspended: None,
            blocked: None,
            current: SlotRow { selector: String::new(), digest: String::new(), key: String::new() },
            retiring: None,
            retiring_until: None,
            spent: None,
            body: format!(
                r#"{{"v":1,"public":"{}"{}}}"#,
                self.get("public").unwrap_or_default(),
                environment.unwrap_or_default()
            ),
        }
    }

    fn row(&self) -> Row {
        let mark = |column: &str| {
            let at = self.number(&format!("{column}.at"))?;
            Some(MarkRow { at, detail: self.need(&format!("{column}.detail")).into() })
        };
        let slot = |column: &str| {
            let selector = self.get(&format!("{column}.selector"))?.into();
            let digest = self.need(&format!("{column}.digest")).into();
            Some(SlotRow { selector, digest, key: self.need(&format!("{column}.key")).into() })
        };
        Row {
            version: self.number("version").unwrap(),
            digest_version: self.number("digest_version").unwrap(),
            created_at: self.number("created_at").unwrap(),
            expires_at: self.number("expires_at"),
            revoked: mark("revoked"),
            suspended: mark("suspended"),
            blocked: mark("blocked"),
            current: slot("current").unwrap(),
            retiring: slot("retiring"),
            retiring_until: self.number("retiring_until"),
            spent: slot("spent"),
            body: self.need("body").into(),
            ..self.bare_row()
        }
    }
}

/// Reads `sha256`, `sha512` and `argon2id`; the latter with the least and the greatest cost behind it, if they are not the
/// default ones.
fn imports_of(words: &[&str]) -> ImportedDigests {
    let numbers: Vec<u32> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let cost = |at: usize| Argon2Cost::new(numbers[at], numbers[at + 1], numbers[at + 2]).unwrap();
    let bounds = if numbers.is_empty() { Argon2Bounds::default() } else { Argon2Bounds::new(cost(0), cost(3)) };
    ImportedDigests {
        sha256: words.contains(&"sha256"),
        sha512: words.contains(&"sha512"),
        argon2id: words.contains(&"argon2id").then_some(bounds),
    }
}

/// Reads the escapes of a value: `\xNN`, `\u{N}`, `<N*c>`.
fn plain(value: &str) -> String {
    static ESCAPES: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"<([0-9]+)\*(.)>|\\x([0-9a-f]{2})|\\u\{([0-9a-f]+)\}").unwrap());
    let replaced = ESCAPES.replace_all(value, |found: &Captures<'_>| match (found.get(1), found.get(3)) {
        (Some(count), _) => found[2].repeat(count.as_str().parse().unwrap()),
        (None, code) => {
            let code = code.map_or_else(|| &found[4], |code| code.as_str());
            char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap().into()
        }
    });
    replaced.into_owned()
}

/// Gives these bytes in turn, then zeros.
#[derive(Debug)]
struct Script(Mutex<VecDeque<u8>>);

impl Entropy for Script {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let mut script = self.0.lock().unwrap();
        bytes.fill_with(|| script.pop_front().unwrap_or_default());
        Ok(())
    }
}
