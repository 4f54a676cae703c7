//! No formatting of any public type shows a secret: neither a token's nor the server's.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    collections::BTreeSet,
    error::Error,
    fmt::{Debug, Display},
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use counterfoil::{
    Alphabet, Argon2Bounds, Argon2Cost, By, Caller, Checksum, Circumstances, Denial, Digest, Environment, Expiry,
    Families, Family, Grant, Import, Keyring, Lifetime, MemoryStore, Owner, Presented, Record, Registry, Rotation, Row,
    Timestamp, TokenFormat, check,
    check::selectors,
    digest::{ImportedAlgorithm, ImportedDigests, Over},
    entropy::{Entropy, NoEntropy},
    event::{Event, EventSink},
    mint::Minted,
    record::SlotRow,
    registry::Rotated,
    token::{Draft, Head, InvalidDraft, Needs, ParseError, TokenText},
    verify,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

#[test]
fn a_minted_token_shows_its_public_part_alone() {
    for (format, keyring) in every_kind() {
        let minted = mint(&format, &keyring);
        let hidden = Hidden::of(&minted);
        hidden.in_debug(&minted.token);
        hidden.in_debug(&minted);
        hidden.in_debug(&(&format, Families::minting(format.clone())));
        assert!(format!("{:?}", minted.token).contains(minted.token.public()), "{format:?}");
    }
}

#[test]
fn a_record_shows_neither_secret_nor_digest() {
    for (format, keyring) in every_kind() {
        let minted = mint(&format, &keyring);
        let hidden = Hidden::of(&minted);
        let (record, row) = (&minted.record, minted.record.to_row());
        hidden.in_debug(&row); // of the secret; what is stored of it is the row's to hold
        let stored = hidden.and_what_is_stored(&row);
        stored.in_debug(record);
        stored.in_debug(record.slots());
        stored.in_debug(&record.slots().current);
        stored.in_debug(&record.slots().current.digest);
        stored.in_debug(&row.current.digest.parse::<Digest>().unwrap());
    }
}

#[test]
fn an_import_shows_neither_its_digest_nor_what_finds_it_by_that() {
    let imports = ImportedDigests { sha256: true, ..ImportedDigests::default() };
    let sha256: [u8; 32] = std::array::from_fn(|at| 7 + 7 * at as u8);
    for (format, stored) in [
        (TokenFormat::builder("acme"), hex::encode(sha256)),
        (TokenFormat::builder("acme").without_selector(), hex::encode(sha256)),
        (TokenFormat::builder("acme").without_selector(), STANDARD.encode(sha256)),
        (
            TokenFormat::builder("acme"),
            format!(
                "$argon2id$v=19$m=8192,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA${}",
                STANDARD.encode(sha256).trim_end_matches('=')
            ),
        ),
    ] {
        let imports = if stored.starts_with('$') {
            ImportedDigests { argon2id: Some(Argon2Bounds::default()), ..imports }
        } else {
            imports
        };
        let families = Families::minting(format.accepts_imported(imports).build().unwrap());
        let hidden = Hidden::of_server().and_bytes(&sha256);
        let algorithm = if stored.starts_with('$') { ImportedAlgorithm::Argon2id } else { ImportedAlgorithm::Sha256 };
        let digest = Digest::imported(algorithm, &stored, Over::Text).unwrap();
        hidden.in_debug(&digest);
        let owner = Owner::new("user-42").unwrap();
        let public = if families.mint_family().needs().selector.is_some() { "acme_dXt8q2RbLm3k" } else { "acme_" };
        let import = Import::new(owner, public, digest, Timestamp::MIN, Expiry::Never);
        hidden.in_debug(&import);
        let record = import.into_record(&families).unwrap();
        hidden.in_debug(&record);
        hidden.in_display(&record.slots().current.selector);
        hidden.in_display(&record.id());
        hidden.in_debug(&record.to_row());
    }
    let hidden = Hidden::of_server().and_bytes(&sha256);
    for stored in [format!("{}x", hex::encode(sha256)), format!("${}", STANDARD.encode(sha256)), "x".repeat(300)] {
        for algorithm in [ImportedAlgorithm::Sha256, ImportedAlgorithm::Sha512, ImportedAlgorithm::Argon2id] {
            hidden.in_error(&Digest::imported(algorithm, &stored, Over::Secret).unwrap_err());
        }
    }
}

#[test]
fn a_verification_shows_nothing_at_any_step() {
    for (format, keyring) in every_kind() {
        let minted = mint(&format, &keyring);
        let hidden = Hidden::of(&minted).and_what_is_stored(&minted.record.to_row());
        let presented = format.parse(minted.token.expose()).unwrap();
        hidden.in_debug(&presented);
        hidden.in_debug(&selectors(&presented, &keyring).map(|found| format!("{:?}", found.as_slice())));
        let record = Arc::new(minted.record);
        let checked = check(presented, Some(&record), &keyring).unwrap();
        hidden.in_debug(&checked);
        let environments = format.environments().to_vec();
        let mut at = Circumstances::at(now());
        at.environments = &environments;
        hidden.in_debug(&at);
        hidden.in_debug(&verify(checked, Some(record), &at).unwrap());
        let unknown = check(presented, None, &keyring).unwrap();
        hidden.in_debug(&unknown);
        hidden.in_error(&verify(unknown, None, &at).unwrap_err());
    }
}

#[test]
fn a_near_miss_is_refused_without_being_shown() {
    for (format, keyring) in every_kind() {
        let minted = mint(&format, &keyring);
        let hidden = Hidden::of(&minted);
        let text = minted.token.expose();
        for near in near_misses(text) {
            let error = match format.parse(&near) {
                Err(error) => error,
                Ok(presented) => match selectors(&presented, &keyring) {
                    Err(error) => error,
                    Ok(_) => continue, // no checksum: another token of the right shape
                },
            };
            hidden.in_error(&error);
            hidden.in_debug(&Families::minting(format.clone()).parse(&near).err());
        }
    }
}

#[test]
fn a_wrong_record_is_refused_without_being_shown() {
    for (format, keyring) in every_kind() {
        let minted = mint(&format, &keyring);
        let row = minted.record.to_row();
        let hidden = Hidden::of(&minted).and_what_is_stored(&row);
        let digest = |digest: String| SlotRow { digest, ..row.current.clone() };
        for corrupt in [
            Row { current: digest(format!("{}$", row.current.digest)), ..row.clone() },
            Row { current: digest(row.current.digest.replace("=1", "=x")), ..row.clone() },
            Row { current: SlotRow { key: "other".into(), ..row.current.clone() }, ..row.clone() },
            Row { current: SlotRow { selector: "\n".into(), ..row.current.clone() }, ..row.clone() },
            Row { body: minted.token.expose().into(), ..row.clone() },
        ] {
            hidden.in_error(&Record::from_row(corrupt.clone()).unwrap_err());
            if let Err(error) = corrupt.current.digest.parse::<Digest>() {
                hidden.in_error(&error);
            }
        }
        let other: Keyring = "other:BpcAXdbP3VgqH2lQ2nN9ueEVpv8PPIWFHTgA0RkKVKk=:mint".parse().unwrap();
        if let Err(error) = check(format.parse(minted.token.expose()).unwrap(), Some(&minted.record), &other) {
            hidden.in_error(&error);
        }
    }
}

#[test]
fn a_family_at_work_shows_nothing() {
    let (_, keyring) = every_kind().swap_remove(0);
    let spy = Spy(TokenFormat::builder("spy").build().unwrap(), Mutex::default());
    let minted = grant(&spy.0).mint_with(&spy, &keyring, now(), &Seeded::new()).unwrap();
    let seen = spy.1.into_inner().unwrap();
    assert_eq!(seen.len(), 4);
    for shown in &seen {
        Hidden::of(&minted).in_text("a draft or a text", shown);
    }
}

#[test]
fn a_keyring_shows_its_ids_alone() {
    for keyring in [keyring(), keyring().with_argon2id(small_cost()).unwrap()] {
        Hidden::of_server().in_debug(&keyring);
        Hidden::of_server().in_debug(&keyring.clone());
        assert!(format!("{keyring:?}").contains("2026"));
    }
}

#[test]
fn a_keyring_that_is_none_is_refused_without_being_shown() {
    let key = STANDARD.encode(SERVER_KEY);
    for text in [
        key.clone(),
        format!("{key}:2026:mint"),
        format!("2026:{key}"),
        format!("2026:{key}:{key}"),
        format!("2026:{key}:mint:{key}"),
        format!("2026:{}:mint", &key[..20]),
        format!("2026:{key}{key}:mint"),
        format!("2026:{key}{key}{key}{key}:mint"),
        format!("2026:!{}:mint", &key[1..]),
        format!("2026:{}:mint", hex::encode(SERVER_KEY)),
        format!("2026:{key}:mint,2027:{key}"),
        format!("2026:{key}:mint,2026:{key}"),
        format!("2026:{key}:minted"),
        format!("2026={key}"),
        format!(":{key}:mint"),
        format!("{}:{}:mint", &key[..8], &key[8..]),
    ] {
        match text.parse::<Keyring>() {
            Ok(keyring) => Hidden::of_server().in_debug(&keyring),
            Err(error) => Hidden::of_server().in_error(&error),
        }
    }
}

#[test]
fn a_refusal_to_mint_shows_nothing() {
    let format = TokenFormat::builder("acme").environments(["live"]).routing(4, 4).build().unwrap();
    let grant = || Grant::new(Owner::new("user-42").unwrap(), Lifetime::Forever);
    let live = || Environment::new("live").unwrap();
    for refused in [
        grant(),
        grant().environment(Environment::new("test").unwrap()),
        grant().environment(live()),
        grant().environment(live()).routing("too-long"),
        grant().environment(live()).routing("eu_1"),
        Grant { lifetime: Lifetime::Until(now()), ..grant() },
    ] {
        Hidden::of_server().in_debug(&refused);
        Hidden::of_server().in_error(&refused.mint_with(&format, &keyring(), now(), &Seeded::new()).unwrap_err());
    }
    let failed = grant().mint_with(&format, &keyring(), now(), &NoRandomness).unwrap_err();
    Hidden::of_server().in_error(&failed);
}

#[test]
fn a_registry_shows_nothing_of_what_it_holds() {
    for (format, keyring) in every_kind() {
        let (sink, store) = (Recorder::default(), MemoryStore::new());
        let registry = Registry::builder(format.clone(), keyring, store.clone())
            .serving(format.environments().to_vec())
            .sink(sink.clone())
            .build()
            .unwrap();
        let (issued, shown) = pollster::block_on(async {
            let issued = registry.issue(grant(&format)).await.unwrap();
            let text = issued.token.expose();
            let mut shown = vec![format!("{:?}", registry.verify(text).await.unwrap())];
            for near in near_misses(text) {
                let error = registry.verify(&near).await.unwrap_err();
                shown.push(format!("{error} {error:?} {error:#?}"));
                let error = registry.revoke_presented(&near, By::unknown(), &Caller::unknown()).await.unwrap_err();
                shown.push(format!("{error} {error:?} {error:#?}"));
            }
            let rotated = registry.rotate(issued.record.id(), &Rotation::at_once()).await.unwrap();
            shown.push(format!("{:?}", registry.verify(text).await.unwrap_err()));
            shown.push(format!("{:?}", registry.get(issued.record.id()).await.unwrap()));
            shown.push(format!("{:?} {registry:?} {registry:#?} {store:?} {store:#?}", registry.store()));
            Hidden::of_text(rotated.token.expose(), rotated.token.public()).in_text("registry", &shown.concat());
            Hidden::of_text(rotated.token.expose(), rotated.token.public()).in_debug(&rotated);
            let request = counterfoil::store::RequestKey::new("rotate".parse().unwrap(), "a".parse().unwrap(), b"");
            let rotated = registry.rotate_once(issued.record.id(), &Rotation::at_once(), &request).await.unwrap();
            let Rotated::New(new) = &rotated else { panic!("not rotated") };
            let hidden = Hidden::of_text(new.token.expose(), new.token.public());
            hidden.in_debug(&rotated);
            let ended = registry.revoke_presented(new.token.expose(), By::unknown(), &Caller::unknown()).await.unwrap();
            hidden.in_debug(&ended);
            (issued, shown)
        });
        let hidden = Hidden::of_text(issued.token.expose(), issued.token.public());
        hidden.in_text("registry", &shown.concat());
        hidden.in_debug(&issued);
        let events = sink.0.lock().unwrap();
        assert!(events.len() >= 3, "{events:?}");
        hidden.in_text("events", &events.concat());
    }
}

#[test]
fn every_reason_reads_as_one_line() {
    for denial in [
        Denial::Unknown,
        Denial::WrongSecret,
        Denial::Superseded,
        Denial::Revoked,
        Denial::Expired,
        Denial::Suspended,
        Denial::Blocked,
        Denial::WrongEnvironment,
        Denial::NetworkRefused,
        Denial::WrongAudience,
        Denial::UnknownRestriction,
    ] {
        let text = denial.to_string();
        assert!(!text.contains('\n') && !text.is_empty());
        assert!(denial.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{denial:?}");
    }
}

/// What must not be shown: windows of 8 characters.
#[derive(Clone)]
struct Hidden(BTreeSet<String>);

impl Hidden {
    const WINDOW: usize = 8;

    fn of(minted: &Minted) -> Self {
        Self::of_text(minted.token.expose(), minted.token.public())
    }

    /// All of a token behind its public part, as it stands and in hex and base64, and the server's key.
    fn of_text(text: &str, public: &str) -> Self {
        let secret = text.strip_prefix(public).unwrap();
        assert!(secret.len() >= 22, "not much of a secret");
        Self::of_server().and(secret).and_bytes(secret.as_bytes())
    }

    /// The server's key and what is derived from it.
    fn of_server() -> Self {
        let mac = |label: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(&SERVER_KEY).unwrap();
            mac.update(format!("counterfoil/1/{label}").as_bytes());
            mac.finalize().into_bytes()
        };
        ["digest", "argon2", "selector", "tag"]
            .iter()
            .fold(Self(BTreeSet::new()).and_bytes(&SERVER_KEY), |hidden, label| hidden.and_bytes(&mac(label)))
    }

    fn and_what_is_stored(&self, row: &Row) -> Self {
        self.clone().and(row.current.digest.rsplit('$').next().unwrap())
    }

    fn and(mut self, text: &str) -> Self {
        assert!(text.len() >= Self::WINDOW, "too short to look for: {text}");
        self.0.extend((0..=text.len() - Self::WINDOW).map(|at| text[at..at + Self::WINDOW].to_owned()));
        self
    }

    /// Bytes in hex, in base64, and as Rust lists them.
    fn and_bytes(mut self, bytes: &[u8]) -> Self {
        let list = |sep: &str, four: &[u8]| four.iter().map(u8::to_string).collect::<Vec<_>>().join(sep);
        for four in bytes.windows(4) {
            self.0.insert(list(", ", four));
            self.0.insert(format!("{four:#?}").trim_matches(['[', ']', '\n', ' ']).to_owned());
        }
        let base64 = STANDARD.encode(bytes);
        let hex = hex::encode(bytes);
        self.and(&hex).and(&hex.to_uppercase()).and(&base64.replace('+', "-").replace('/', "_")).and(&base64)
    }

    #[track_caller]
    fn in_debug(&self, value: &impl Debug) {
        self.in_text("debug", &format!("{value:?}"));
        self.in_text("pretty debug", &format!("{value:#?}"));
    }

    #[track_caller]
    fn in_display(&self, value: &(impl Display + ?Sized)) {
        self.in_text("display", &format!("{value} {value:#}"));
    }

    #[track_caller]
    fn in_error(&self, error: &(impl Error + 'static)) {
        self.in_debug(error);
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            self.in_display(error);
            self.in_debug(&error);
            cause = error.source();
        }
    }

    #[track_caller]
    fn in_text(&self, what: &str, shown: &str) {
        if let Some(window) = self.0.iter().find(|window| shown.contains(window.as_str())) {
            panic!("{what} shows `{window}`: {shown}");
        }
    }
}

/// Formats of every shape, each with both ways of making digests.
fn every_kind() -> Vec<(TokenFormat, Keyring)> {
    let formats = [
        TokenFormat::builder("acme"),
        TokenFormat::builder("ak").environments(["live", "test"]).selector(Alphabet::Base62, 8),
        TokenFormat::builder("apt")
            .routing(4, 10)
            .without_selector()
            .secret(Alphabet::Hex, 40)
            .checksum(Checksum::None),
        TokenFormat::builder("gh")
            .without_selector()
            .secret(Alphabet::Base62, 30)
            .hint(8)
            .checksum(Checksum::Crc32OfSecret),
        TokenFormat::builder("hx").selector(Alphabet::Hex, 16).secret(Alphabet::Hex, 32),
        TokenFormat::builder("kt").checksum(Checksum::Keyed),
    ];
    let formats = formats.map(|format| format.build().unwrap());
    let keyed = formats.iter().map(|format| (format.clone(), keyring()));
    let slow = formats.iter().take(if cfg!(feature = "argon2") { 3 } else { 0 });
    keyed.chain(slow.map(|format| (format.clone(), keyring().with_argon2id(small_cost()).unwrap()))).collect()
}

fn small_cost() -> Argon2Cost {
    Argon2Cost::new(7 * 1024, 1, 1).unwrap()
}

const SERVER_KEY: [u8; 32] = [
    0x5d, 0x8e, 0x43, 0x7c, 0x2f, 0x15, 0x7d, 0xdd, 0x2d, 0x55, 0x35, 0x4b, 0xc0, 0x2a, 0x17, 0x95, 0x32, 0x36, 0x0e,
    0xc3, 0x2a, 0x90, 0xae, 0xe8, 0x86, 0x2f, 0x87, 0x51, 0xcc, 0xd9, 0x6d, 0x82,
];

fn keyring() -> Keyring {
    format!("2026:{}:mint", STANDARD.encode(SERVER_KEY)).parse().unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_unix_millis(1_767_225_600_000).unwrap()
}

fn grant(format: &TokenFormat) -> Grant {
    let mut grant = Grant::new(Owner::in_tenant("acme", "user-42").unwrap(), Lifetime::days(90));
    grant.environment = format.environments().first().cloned();
    grant.routing = format.prefix().eq("apt").then(|| "eu-1".into());
    grant
}

fn mint(format: &TokenFormat, keyring: &Keyring) -> Minted {
    grant(format).mint_with(format, keyring, now(), &Seeded::new()).unwrap()
}

/// Texts that are almost this token, and hold most of its secret.
fn near_misses(text: &str) -> Vec<String> {
    let (head, tail) = text.split_at(text.len() / 2);
    let last = if text.ends_with('a') { "b" } else { "a" };
    let mut texts = vec![
        format!("{text} "),
        format!(" {text}"),
        format!("{text}\n"),
        format!("Bearer {text}"),
        format!("{text}{text}"),
        format!("{head}_{tail}"),
        format!("{head}\u{430}{}", &tail[1..]),
        format!("{head}\0{}", &tail[1..]),
        format!("{}{last}", &text[..text.len() - 1]),
        format!("{text}{}", "x".repeat(600)),
        text.to_uppercase(),
        text[1..].to_owned(),
        text[..text.len() - 1].to_owned(),
    ];
    texts.extend(text.match_indices('_').map(|(at, _)| format!("{}{}", &text[..at], &text[at + 1..])));
    texts
}

/// Records how what it is given looks.
#[derive(Debug)]
struct Spy(TokenFormat, Mutex<Vec<String>>);

impl Family for Spy {
    fn heads(&self) -> Vec<Head> {
        self.0.heads()
    }

    fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError> {
        self.0.parse(text)
    }

    fn needs(&self) -> Needs {
        self.0.needs()
    }

    fn write(&self, draft: &Draft<'_>) -> Result<TokenText, InvalidDraft> {
        let text = self.0.write(draft)?;
        let seen = [format!("{draft:?}"), format!("{draft:#?}"), format!("{text:?}"), format!("{text:#?}")];
        self.1.lock().unwrap().extend(seen);
        Ok(text)
    }
}

#[derive(Debug, Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl EventSink for Recorder {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push(format!("{event:?} {event:#?}"));
    }
}

#[derive(Debug)]
struct NoRandomness;

impl Entropy for NoRandomness {
    fn fill(&self, _: &mut [u8]) -> Result<(), NoEntropy> {
        Err(NoEntropy::new())
    }
}

/// Random bytes, the same in every run.
#[derive(Debug)]
struct Seeded(Mutex<u32>);

impl Seeded {
    fn new() -> Self {
        Self(Mutex::new(0))
    }
}

impl Entropy for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let mut state = self.0.lock().unwrap();
        bytes.fill_with(|| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (*state >> 24) as u8
        });
        Ok(())
    }
}
