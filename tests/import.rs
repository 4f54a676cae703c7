//! Tokens that another system has made: how they come in, and what becomes of them, on every kind of store.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{DAY, Events, Rig, at, format, grant, keyring, minting_k1, minting_k2, outcome_of, owner, stores};
use counterfoil::{
    Actor, Alphabet, Argon2Bounds, Argon2Cost, By, Checksum, Digest, Environment, Expiry, Families, FixedClock, Import,
    IssuePolicy, Keyring, Mark, Name, Registry, Rotation, Selector, SharedStore, Status, TokenFormat, TokenId,
    TokenStore, Usage,
    digest::{ImportedAlgorithm, ImportedDigests, Over},
    event::EventKind,
    import::ImportRefused,
    record::SlotKind,
    registry::ImportOutcome,
    store::{Filter, ListQuery},
    token::{Draft, Family, Head, InvalidDraft, Malformed, Needs, ParseError, Presented, TokenText},
};
use counterfoil_sqlx::SqliteStore;
use sqlx::sqlite::SqlitePoolOptions;

/// The token of the documentation of npm's `prefixed-api-key`, and the hash that stands there beside it.
const PREFIXED: &str = "mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG";
const PREFIXED_PUBLIC: &str = "mycompany_BRTRKFsL";
const PREFIXED_SHA256: &str = "d70d981d87b449c107327c2a2afbf00d4b58070d6ba571aac35d7ea3e7c79f37";

/// A token that prints no selector, and Python's `hashlib.sha256` of it.
const BARE: &str = "arka_9c1f0e63d2b84a7795e0c3fa6614b8d27f05ea91c46b3d88";
const BARE_PUBLIC: &str = "arka_9c1f";
const BARE_SHA256: &str = "pxoyWxs0/noNcOYSdnURcJ4JBqmqCmYt1dLS8t2SXcI=";
const BARE_SECRET_SHA256: &str = "08e8b51f8132b394ede2a2337877fb1ee7f2d306aaab4ed770cdf5c9194d87bd";

/// What npm's `argon2` 0.45.1 and `@phc/argon2` 1.0.9 make of the first token.
const ARGON2_NPM: &str =
    "$argon2id$v=19$m=8192,p=1,t=2$DJYqOWiJkdOimmvJRtUukA$ebRO6plmc+Gyiq2/G9ZXzoyoFkkBBe90VK7HzPPHR/0";
const ARGON2_NPM_PHC: &str =
    "$argon2id$v=19$t=2,m=8192,p=1$lgcRNEzaG7kA5KggUDRHXw$UKP5r4w+JLOfWtPB7NcYPt/bcTZNpr5rLnBEFLCcDeM";

/// What argon2-cffi 25.1.0 makes of the first token or its secret.
const ARGON2_DEFAULT: &str =
    "$argon2id$v=19$m=65536,t=3,p=4$5w1gCuLOEg+VebPyVlVBpQ$bP9ZhswaoEFyTpB/z3yYNHaojfTG1SMuga5ld0pFx64";
const ARGON2_SECRET: &str =
    "$argon2id$v=19$m=8192,t=1,p=1$4/OdAgjcm0uIinI2AeXahg$/MQuCa7UW5MtRA/rbOamH3+ScJgXammxJ+e9wf1wp+o";
const ARGON2_LONG: &str = "$argon2id$v=19$m=8192,t=1,p=1$M9QU0oiLMEmTZusAWVeuBtjILl63Hh7EfnW1QgsBolQ2D7flRjoa1D+hURXAKtVoCTkOPc2ejtz1JUG77+e9aQ$HywIw4M9Pj8N8XAtU+ibk5YVl3O/ZUfDknvoOgoyVGogIykAnKgAQJh1l3BgoLn5x838061/Bor9zA6FUfpmZw";
const ARGON2_SHORT: &str = "$argon2id$v=19$m=8192,t=1,p=1$1dy/oHMAcJ8$HnvqBkUu71WTwnvL6qm5jg";

fn accepting(sha256: bool, argon2id: bool) -> ImportedDigests {
    ImportedDigests { sha256, argon2id: argon2id.then(Argon2Bounds::default), ..ImportedDigests::default() }
}

fn prefixed(imports: ImportedDigests) -> TokenFormat {
    let format = TokenFormat::builder("mycompany").selector(Alphabet::Base62, 8).secret(Alphabet::Base62, 24);
    format.checksum(Checksum::None).accepts_imported(imports).build().unwrap()
}

fn bare(imports: ImportedDigests) -> TokenFormat {
    let format = TokenFormat::builder("arka").without_selector().secret(Alphabet::Hex, 48).hint(4);
    format.checksum(Checksum::None).accepts_imported(imports).build().unwrap()
}

fn families() -> Families {
    let families = Families::minting(format()).accepting(prefixed(accepting(true, true))).unwrap();
    families.accepting(bare(accepting(true, false))).unwrap()
}

fn rig(kind: &'static str, store: SharedStore, families: Families, keyring: Keyring) -> Rig {
    let (clock, events) = (FixedClock::new(at(Duration::ZERO)), Events::default());
    let builder = Registry::builder(families, keyring, store.clone()).clock(clock.clone()).sink(events.clone());
    Rig { registry: builder.build().unwrap(), store, clock, events, kind }
}

async fn rigs() -> Vec<Rig> {
    stores().await.into_iter().map(|(kind, store)| rig(kind, store, families(), minting_k1())).collect()
}

fn used_at_start() -> Usage {
    Usage { at: at(Duration::ZERO), address: None, agent: None }
}

/// The algorithm of a digest that stands in these tests.
fn algorithm_of(foreign: &str) -> ImportedAlgorithm {
    match foreign.len() {
        _ if foreign.starts_with("$argon2") => ImportedAlgorithm::Argon2id,
        86.. => ImportedAlgorithm::Sha512,
        _ => ImportedAlgorithm::Sha256,
    }
}

fn import(public: &str, foreign: &str, over: Over) -> Import {
    let digest = Digest::imported(algorithm_of(foreign), foreign, over).unwrap();
    Import::new(owner("user-42"), public, digest, at(Duration::ZERO), Expiry::Never)
}

async fn import_one(registry: &Registry, import: Import) -> ImportOutcome {
    registry.import([import], By::unknown()).await.unwrap().pop().unwrap()
}

#[track_caller]
fn id_of(outcome: ImportOutcome) -> TokenId {
    let ImportOutcome::Imported(id) = outcome else { panic!("{outcome:?}") };
    id
}

/// One word for each row: `imported`, `present`, `not tried`, or the reason.
fn words(outcomes: Vec<ImportOutcome>) -> Vec<String> {
    let word = |outcome| match outcome {
        ImportOutcome::Imported(_) => "imported".into(),
        ImportOutcome::AlreadyPresent => "present".into(),
        ImportOutcome::Refused(refused) => refused.to_string(),
        ImportOutcome::Failed(error) => error.to_string(),
        ImportOutcome::NotTried => "not tried".into(),
        other => format!("{other:?}"),
    };
    outcomes.into_iter().map(word).collect()
}

/// The selector and the algorithm of a slot, as they are stored.
async fn stored(rig: &Rig, id: TokenId, kind: SlotKind) -> (String, String) {
    let record = rig.record(id).await;
    let slot = record.slots().get(kind).unwrap();
    let digest = slot.digest.to_text();
    (slot.selector.to_string(), digest.split('$').nth(1).unwrap().to_owned())
}

#[tokio::test]
async fn a_token_verifies_and_is_bound_to_its_row_on_its_first_use() {
    let of_bare = "~sha256-HtDKBfRWoewzaxrnRtoH3g";
    for (text, public, foreign, over, selector) in [
        (PREFIXED, PREFIXED_PUBLIC, PREFIXED_SHA256, Over::Secret, "BRTRKFsL"),
        (PREFIXED, PREFIXED_PUBLIC, &PREFIXED_SHA256.to_uppercase(), Over::Secret, "BRTRKFsL"),
        (BARE, BARE_PUBLIC, BARE_SHA256, Over::Text, of_bare),
        (BARE, "arka_", &BARE_SHA256.replace('/', "_"), Over::Text, of_bare),
        (BARE, "arka_9c", BARE_SHA256.trim_end_matches('='), Over::Text, of_bare),
        (BARE, BARE_PUBLIC, BARE_SECRET_SHA256, Over::Secret, "~sha256-ZtD32_U_J-eUKi8-I-xrgw"),
        (PREFIXED, PREFIXED_PUBLIC, ARGON2_NPM, Over::Text, "BRTRKFsL"),
        (PREFIXED, PREFIXED_PUBLIC, ARGON2_NPM_PHC, Over::Text, "BRTRKFsL"),
        (PREFIXED, PREFIXED_PUBLIC, ARGON2_DEFAULT, Over::Text, "BRTRKFsL"),
        (PREFIXED, PREFIXED_PUBLIC, ARGON2_SECRET, Over::Secret, "BRTRKFsL"),
        (PREFIXED, PREFIXED_PUBLIC, ARGON2_LONG, Over::Text, "BRTRKFsL"),
        (PREFIXED, PREFIXED_PUBLIC, ARGON2_SHORT, Over::Text, "BRTRKFsL"),
    ] {
        if foreign.starts_with('$') && cfg!(not(feature = "argon2")) {
            continue;
        }
        for rig in rigs().await {
            let id = id_of(import_one(&rig.registry, import(public, foreign, over)).await);
            assert_eq!(stored(&rig, id, SlotKind::Current).await.0, selector);
            assert_eq!(rig.outcome(text).await, "ok", "{} {foreign}", rig.kind);
            assert_eq!(rig.events.take(), ["imported", "rehashed", "used"], "{} {foreign}", rig.kind);

            let record = rig.record(id).await;
            assert_eq!((record.version(), record.revision().digest_version), (1, 2));
            let (moved, algorithm) = stored(&rig, id, SlotKind::Current).await;
            assert_eq!(algorithm, "hmac-sha256");
            assert_eq!(record.slots().current.digest.key_id().unwrap().as_str(), "k1");
            if selector.starts_with('~') {
                assert!(moved.starts_with('~') && moved.len() == 23, "{moved}");
                let earlier: Selector = selector.parse().unwrap();
                assert!(rig.store.find(&[earlier]).await.unwrap().is_none(), "{}", rig.kind);
            } else {
                assert_eq!(moved, selector);
            }
            assert_eq!(rig.outcome(text).await, "ok");
            assert_eq!(rig.events.take(), ["used"]);
        }
    }
}

#[cfg(feature = "argon2")]
#[tokio::test]
async fn a_registry_that_mints_slowly_rehashes_an_import_slowly() {
    for (kind, store) in stores().await {
        let slow = minting_k1().with_argon2id(Argon2Cost::new(7168, 1, 1).unwrap()).unwrap();
        let rig = rig(kind, store, families(), slow);
        let id = id_of(import_one(&rig.registry, import(PREFIXED_PUBLIC, PREFIXED_SHA256, Over::Secret)).await);
        assert_eq!(rig.outcome(PREFIXED).await, "ok");
        assert_eq!(stored(&rig, id, SlotKind::Current).await.1, "argon2id");
        assert_eq!(rig.outcome(PREFIXED).await, "ok");
    }
}

#[tokio::test]
async fn another_secret_is_wrong_and_leaves_the_digest() {
    for rig in rigs().await {
        let id = id_of(import_one(&rig.registry, import(PREFIXED_PUBLIC, PREFIXED_SHA256, Over::Secret)).await);
        rig.registry.import([import(BARE_PUBLIC, BARE_SHA256, Over::Text)], By::unknown()).await.unwrap();
        let before = rig.record(id).await.to_row();
        for (text, outcome) in [
            ("mycompany_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgH", "wrong_secret"),
            ("mycompany_BRTRKFsM_51FwqftsmMDHHbJAMEXXHCgG", "unknown"),
            ("arka_9c1f0e63d2b84a7795e0c3fa6614b8d27f05ea91c46b3d89", "unknown"),
        ] {
            assert_eq!(rig.outcome(text).await, outcome, "{text}");
        }
        assert_eq!(rig.record(id).await.to_row(), before);
    }
}

#[tokio::test]
async fn what_is_stored_verifies_nothing_when_it_is_presented() {
    let hex: String = "a71a325b1b34fe7a0d70e612767511709e0906a9aa0a662dd5d2d2f2dd925dc2".into();
    let stored = [
        PREFIXED_SHA256.to_owned(),
        BARE_SHA256.to_owned(),
        hex.clone(),
        format!("$imported$over=secret$sha256${PREFIXED_SHA256}"),
        "$imported$over=text$sha256$pxoyWxs0_noNcOYSdnURcJ4JBqmqCmYt1dLS8t2SXcI".into(),
        ARGON2_SECRET.to_owned(),
        "~sha256-HtDKBfRWoewzaxrnRtoH3g".into(),
        // In the place of a secret, as far as it goes in.
        format!("mycompany_BRTRKFsL_{}", &PREFIXED_SHA256[..24]),
        format!("mycompany_BRTRKFsL_{}", &PREFIXED_SHA256[40..]),
        format!("arka_{}", &hex[..48]),
        format!("arka_{}", &BARE_SECRET_SHA256[..48]),
    ];
    for rig in rigs().await {
        for row in [
            import(PREFIXED_PUBLIC, PREFIXED_SHA256, Over::Secret),
            import(BARE_PUBLIC, BARE_SHA256, Over::Text),
            import(BARE_PUBLIC, BARE_SECRET_SHA256, Over::Secret),
        ] {
            id_of(import_one(&rig.registry, row).await);
        }
        for text in &stored {
            let outcome = rig.outcome(text).await;
            assert!(["not_ours", "malformed", "unknown", "wrong_secret"].contains(&&*outcome), "{text}: {outcome}");
        }
    }
}

/// The whole of a SHA-256 fits where a secret has 64 hex digits: the worst place for it.
#[tokio::test]
async fn a_digest_in_the_place_of_a_secret_of_its_own_shape_is_wrong() {
    let text = "hex_abcdef_00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    for (kind, store) in stores().await {
        let format = TokenFormat::builder("hex").selector(Alphabet::Hex, 6).secret(Alphabet::Hex, 64);
        let format = format.checksum(Checksum::None).accepts_imported(accepting(true, false)).build().unwrap();
        let rig = rig(kind, store, format.into(), minting_k1());
        // SHA-256 of the 64 digits, by Python's hashlib.
        let of_secret = "2a8abfa8cb9906290437854193ca6bca41d4d4e26d1d454bd66a35158095e737";
        let of_text = "3ae73626ce8018849249f13fd06a36d39321795e22afe8e355c370dc5488bf84";
        id_of(import_one(&rig.registry, import("hex_abcdef", of_secret, Over::Secret)).await);
        id_of(import_one(&rig.registry, import("hex_abcde0", of_text, Over::Text)).await);
        for (text, outcome) in [
            (format!("hex_abcdef_{of_secret}"), "wrong_secret"),
            (format!("hex_abcde0_{of_text}"), "wrong_secret"),
            (text.into(), "ok"),
            (text.replace("abcdef", "abcde0"), "ok"),
        ] {
            assert_eq!(rig.outcome(&text).await, outcome, "{text}");
        }
    }
}

/// A token of every segment, imported with a hash of its secret alone.
async fn imported_over_secret(store: SharedStore) -> (Registry, TokenId) {
    let format = TokenFormat::builder("ws").environments(["live", "test"]).routing(1, 8);
    let format = format.selector(Alphabet::Base62, 8).secret(Alphabet::Base62, 24).checksum(Checksum::None);
    let format = format.accepts_imported(accepting(true, false)).build().unwrap();
    let builder = Registry::builder(format, minting_k1(), store).clock(FixedClock::new(at(Duration::ZERO)));
    let served = ["live", "test"].map(|name| Environment::new(name).unwrap());
    let registry = builder.serving(served).build().unwrap();
    let row = import("ws_live_acme_BRTRKFsL", PREFIXED_SHA256, Over::Secret);
    let id = id_of(import_one(&registry, row).await);
    (registry, id)
}

#[tokio::test]
async fn a_hash_of_the_secret_alone_leaves_no_second_spelling() {
    for (kind, store) in stores().await {
        let (registry, id) = imported_over_secret(store).await;
        let record = registry.get(id).await.unwrap().unwrap().record;
        assert_eq!(record.environment().map(Environment::as_str), Some("live"));
        assert_eq!(record.routing(), Some("acme"));
        for (text, outcome) in [
            ("ws_test_acme_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG", "wrong_secret"),
            ("ws_live_umbrella_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG", "wrong_secret"),
            ("ws_live_acme_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG", "ok"),
            ("ws_live_umbrella_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG", "wrong_secret"),
        ] {
            assert_eq!(outcome_of(&registry, text).await, outcome, "{kind} {text}");
        }
    }
}

#[tokio::test]
async fn a_hash_of_a_secret_that_retires_leaves_no_second_spelling_either() {
    for (kind, store) in stores().await {
        let (registry, id) = imported_over_secret(store).await;
        registry.rotate(id, &Rotation::with_overlap(DAY)).await.map(drop).unwrap();
        for (text, outcome) in [
            ("ws_test_acme_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG", "wrong_secret"),
            ("ws_live_umbrella_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG", "wrong_secret"),
            ("ws_live_acme_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG", "ok"),
        ] {
            assert_eq!(outcome_of(&registry, text).await, outcome, "{kind} {text}");
        }
    }
}

#[tokio::test]
async fn a_row_whose_format_accepts_no_such_digest_is_neither_good_nor_wrong() {
    let not_accepted = "the digest was imported, and the token's format does not accept it";
    let dear = Argon2Bounds::new(Argon2Cost::new(16, 2, 1).unwrap(), Argon2Cost::new(8192, 2, 1).unwrap());
    for (foreign, over, imports, outcome) in [
        (PREFIXED_SHA256, Over::Secret, accepting(false, false), not_accepted),
        (PREFIXED_SHA256, Over::Secret, accepting(false, true), not_accepted),
        (ARGON2_SECRET, Over::Secret, accepting(true, false), not_accepted),
        (ARGON2_SECRET, Over::Secret, ImportedDigests { argon2id: Some(dear), ..accepting(true, false) }, "corrupt"),
    ] {
        for rig in rigs().await {
            let id = id_of(import_one(&rig.registry, import(PREFIXED_PUBLIC, foreign, over)).await);
            let before = rig.record(id).await.to_row();
            let later = self::rig(rig.kind, rig.store.clone(), prefixed(imports).into(), minting_k2());
            assert_eq!(later.outcome(PREFIXED).await, outcome, "{} {foreign}", rig.kind);
            assert!(!later.registry.verify(PREFIXED).await.unwrap_err().is_refusal());
            assert_eq!(rig.record(id).await.to_row(), before);
        }
    }
}

#[tokio::test]
async fn a_format_without_selector_looks_for_imports_only_if_it_accepts_them() {
    for rig in rigs().await {
        id_of(import_one(&rig.registry, import(BARE_PUBLIC, BARE_SHA256, Over::Text)).await);
        let later = self::rig(rig.kind, rig.store.clone(), bare(accepting(false, false)).into(), minting_k1());
        assert_eq!(later.outcome(BARE).await, "unknown");
        assert_eq!(rig.outcome(BARE).await, "ok");
        assert_eq!(later.outcome(BARE).await, "ok", "bound to a key by now");
    }
}

#[tokio::test]
async fn what_could_never_verify_is_refused_row_by_row() {
    let public = "public part: expected the beginning of a token of an accepted family, up to its secret";
    let not_accepted = "digest: the token's family does not accept its algorithm";
    let with = |public: &str| import(public, PREFIXED_SHA256, Over::Secret);
    let minted = grant().mint(&format(), &minting_k1(), at(Duration::ZERO)).unwrap().record;
    let cost = |cost: &str| ARGON2_SECRET.replace("m=8192,t=1,p=1", cost);
    let slow = |cost_text: &str| import(PREFIXED_PUBLIC, &cost(cost_text), Over::Secret);
    for rig in rigs().await {
        for (row, refused) in [
            (with("mycompany"), public),
            (with("mycompany_"), public),
            (
                with("mycompany_BRTRKFs"),
                "public part: found 17 characters, expected 18; a fixed width also loses tokens",
            ),
            (with("mycompany_BRTRK"), "public part: found 15 characters, expected 18"),
            (with("mycompany_BRTRKFsLL"), "public part: found 19 characters, expected 18"),
            (with("mycompany_BRTRKFs-"), public),
            (with("mycompany_BRTRKFsL_"), "public part: found 19 characters, expected 18"),
            (with("mycompany_live_BRTRKFsL"), public),
            (with(PREFIXED), public),
            (with("ghp_BRTRKFsL"), public),
            (with(""), public),
            (with("mycompany_BRTRKFs\u{e9}"), public),
            (with(&"m".repeat(2000)), public),
            (with("arka_9c1f0"), public),
            (with("arka_9C"), public),
            (with("arka"), public),
            (with(&format!("arka_{}", "9".repeat(60))), public),
            (with("acme_dXt8q2RbLm3k"), not_accepted),
            (import(BARE_PUBLIC, ARGON2_SECRET, Over::Text), not_accepted),
            (slow("m=4194304,t=1,p=1"), "m=4194304 KiB, t=1, p=1"),
            (slow("m=65536,t=9,p=1"), "m=65536 KiB, t=9, p=1"),
            (slow("m=65536,t=1,p=5"), "m=65536 KiB, t=1, p=5"),
            (slow("m=8,t=1,p=1"), "m=8 KiB, t=1, p=1"),
            (
                Import { digest: minted.slots().current.digest.clone(), ..with(PREFIXED_PUBLIC) },
                "digest: expected one that other software made",
            ),
        ] {
            let name = row.public.clone();
            let outcome = import_one(&rig.registry, row).await;
            let ImportOutcome::Refused(reason) = outcome else { panic!("{name}: {outcome:?}") };
            assert!(reason.to_string().contains(refused), "{name}: {reason}");
        }
        let page = rig.registry.list(&ListQuery::new(Filter::all())).await.unwrap();
        assert!(page.tokens.is_empty() && rig.events.take().is_empty(), "{}", rig.kind);
    }
}

#[test]
fn only_what_other_software_writes_is_read_as_its_digest() {
    let sha256 = PREFIXED_SHA256;
    let argon2 = |from: &str, to: &str| {
        assert!(ARGON2_SECRET.contains(from), "{from}");
        ARGON2_SECRET.replace(from, to)
    };
    let salted =
        |salt: usize, hash: usize| format!("$argon2id$v=19$m=8192,t=1,p=1${}${}", "A".repeat(salt), "A".repeat(hash));
    let sha256_form = "64 hex digits, or base64 of 32 bytes";
    let foreign = |found: &str| format!("sha256 digest: found {found}, expected {sha256_form}");
    let phc =
        |found: &str| format!("argon2id digest: found {found}, expected a phc string that begins with $argon2id$v=19$");
    let other = foreign("another text");
    let version =
        |found: &str| format!("argon2id {found} cannot be imported: expected sha256, sha512 or argon2id v=19");
    let malformed = |what: &str| format!("malformed digest: {what}");
    for (text, error) in [
        (String::new(), foreign("an empty text")),
        (sha256[..63].into(), other.clone()),
        (format!("{sha256}0"), other.clone()),
        (format!("D70D{}", &sha256[4..]), foreign("hex digits of both cases")),
        (sha256.replace('d', "g"), other.clone()),
        (format!("+{}", &sha256[1..]), other.clone()),
        (format!("sha256:{sha256}"), foreign("sha256 behind a label")),
        (format!("{sha256} "), other.clone()),
        (format!("{sha256}{sha256}"), foreign("128 hex digits")),
        (BARE_SHA256.replacen('/', "-", 1).replacen('x', "/", 1), other.clone()),
        (BARE_SHA256.replace("cI=", "cJ="), other.clone()),
        (BARE_SHA256.replace('=', "A"), other.clone()),
        (BARE_SHA256.replace('=', "=="), other.clone()),
        (PREFIXED.into(), other),
        ("$2b$12$LQv3c1yqBWVHxkd0LHAkCOYz6TtxMQJqhN8/LewdBPj3bp.Lw8zQK".into(), foreign("bcrypt")),
        (argon2("argon2id", "argon2i"), phc("argon2i")),
        (argon2("argon2id", "argon2d"), phc("argon2d")),
        (argon2("v=19", "v=16"), version("of another version")),
        (argon2("$v=19", ""), version("v=16 (no version in the text)")),
        (argon2("t=1", "m=8192"), malformed("parameter m is given twice")),
        (argon2("m=8192,t=1", "m=8192,m=8192,t=1"), malformed("parameter m is given twice")),
        (argon2(",p=1", ""), malformed("parameter p is missing")),
        (argon2("m=8192,", ""), malformed("parameter m is missing")),
        (argon2(",t=1", ""), malformed("parameter t is missing")),
        (argon2("p=1", "p=1,p=1"), malformed("parameter p is given twice")),
        (argon2("p=1", "p=1,keyid=azE"), malformed("parameter keyid cannot be imported")),
        (argon2("m=8192", "keyid=azE,m=8192"), malformed("parameter keyid cannot be imported")),
        (argon2("p=1", "p=1,data=AAAA"), malformed("parameter data cannot be imported")),
        (argon2("p=1", "p=1,x=1"), malformed("unreadable parameters")),
        (argon2("p=1", "p=1,"), malformed("unreadable parameters")),
        (argon2("m=8192", "M=8192"), malformed("unreadable parameters")),
        (argon2("m=8192", "m=08192"), malformed("unreadable m")),
        (argon2("m=8192", "m=+8192"), malformed("unreadable m")),
        (argon2("m=8192", "m="), malformed("unreadable m")),
        (argon2("m=8192", "m= 8192"), malformed("unreadable m")),
        (argon2("m=8192", "m=4294967296"), malformed("unreadable m")),
        (argon2("m=8192", "m=7"), malformed("unreadable cost")),
        (argon2("t=1", "t=0"), malformed("unreadable cost")),
        (argon2("p=1", "p=0"), malformed("unreadable cost")),
        (argon2("p=1", "p=16777216"), malformed("unreadable cost")),
        (argon2("p=1$", "p=1$$"), malformed("unreadable sections")),
        (format!("{ARGON2_SECRET}$"), malformed("unreadable sections")),
        (format!("{ARGON2_SECRET}="), malformed("unreadable hash")),
        (argon2("+o", "+p"), malformed("unreadable hash")),
        (salted(10, 43), malformed("unreadable salt")), // 7 bytes
        (salted(87, 43), malformed("unreadable salt")), // 65 bytes
        (salted(22, 20), malformed("unreadable hash")), // 15 bytes
        (salted(22, 87), malformed("unreadable hash")), // 65 bytes
        (salted(600, 43), "digest too long: found 674 bytes, expected at most 256".into()),
    ] {
        let algorithm =
            if text.starts_with("$argon2") { ImportedAlgorithm::Argon2id } else { ImportedAlgorithm::Sha256 };
        let found = Digest::imported(algorithm, &text, Over::Text).expect_err(&text).to_string();
        assert_eq!(found, error, "{text}");
    }
}

/// The stated algorithm, what the other software stored, and the algorithm that the error names.
#[test]
fn algorithm_that_is_not_offered_is_refused_by_name() {
    use ImportedAlgorithm::{Argon2id, Sha256, Sha512};
    let hex = |digits: usize| "0123456789abcdef".repeat(digits / 16 + 1)[..digits].to_owned();
    for (stated, stored, named) in [
        (Sha256, "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy".into(), "bcrypt"),
        (Argon2id, "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy".into(), "bcrypt"),
        (Sha256, format!("bcrypt_sha256$$2b$12${}", hex(53)), "bcrypt"),
        (Sha256, format!("pbkdf2_sha256$870000$NaCl$kBEpLTGSVUQ/{}=", hex(28)), "pbkdf2"),
        (Sha512, format!("pbkdf2:sha256:260000$NaCl${}", hex(64)), "pbkdf2"),
        (Argon2id, format!("$pbkdf2-sha512$25000${}${}", hex(22), hex(86)), "pbkdf2"),
        (Sha256, format!("scrypt:32768:8:1$NaCl${}", hex(128)), "scrypt"),
        (Sha256, format!("$scrypt$ln=16,r=8,p=1${}${}", hex(22), hex(43)), "scrypt"),
        (Sha256, format!("$7$CU..../....{}", hex(43)), "scrypt"),
        (Sha256, format!("$y$j9T${}${}", hex(22), hex(43)), "yescrypt"),
        (Sha256, format!("$5$rounds=5000$NaCl${}", hex(43)), "sha256crypt"),
        (Sha512, format!("$6$NaCl${}", hex(86)), "sha512crypt"),
        (Sha256, format!("sha256${}${}", hex(8), hex(64)), "sha256 behind a label"),
        (Sha256, format!("sha512$${}", hex(128)), "sha512 behind a label"),
        (Sha256, format!("{{SSHA}}{}", hex(32)), "sha1"),
        (Sha256, format!("md5:{}", hex(32)), "md5"),
        (Sha256, format!("hmac-sha256:{}", hex(64)), "hmac-sha256"),
        (Sha256, format!("HMAC_SHA256${}", hex(64)), "hmac-sha256"),
        (Sha512, format!("hmac-sha512:{}", hex(128)), "hmac-sha512"),
        (Sha256, format!("blake3:{}", hex(64)), "blake3"),
        (Sha256, format!("blake2b-256:{}", hex(64)), "blake2"),
        (Sha256, format!("sha3-256:{}", hex(64)), "sha3"),
        (Sha256, hex(32), "32 hex digits (as md5 has)"),
        (Sha256, hex(40), "40 hex digits (as sha1 has)"),
        (Sha512, hex(96), "96 hex digits (as sha384 has)"),
        (Sha512, hex(64), "64 hex digits"),
        (Sha256, hex(128), "128 hex digits"),
        (Sha256, ARGON2_SECRET.into(), "argon2id"),
        (Sha512, PREFIXED_SHA256.into(), "64 hex digits"),
        (Argon2id, PREFIXED_SHA256.into(), "64 hex digits"),
        (Argon2id, ARGON2_SECRET.replace("argon2id", "argon2i"), "argon2i"),
        (Argon2id, ARGON2_SECRET.replace("argon2id", "argon2d"), "argon2d"),
    ] {
        let found = Digest::imported(stated, &stored, Over::Text).expect_err(&stored).to_string();
        assert!(found.starts_with(&format!("{stated} digest: found {named}, expected ")), "{stored}: {found}");
    }
    for (name, named) in [
        ("bcrypt", "bcrypt"),
        ("HMAC-SHA-256", "hmac-sha256"),
        ("hmac_sha512", "hmac-sha512"),
        ("BLAKE3", "blake3"),
        ("pbkdf2_sha256", "pbkdf2"),
        ("SHA-1", "sha1"),
        ("argon2i", "argon2i"),
        ("SHA3-256", "sha3"),
    ] {
        let expected = format!("{named} cannot be imported: expected sha256, sha512 or argon2id v=19");
        assert_eq!(name.parse::<ImportedAlgorithm>().unwrap_err().to_string(), expected);
    }
    for (name, algorithm) in
        [("sha256", Sha256), ("SHA-256", Sha256), ("sha_512", Sha512), ("SHA512", Sha512), ("Argon2id", Argon2id)]
    {
        assert_eq!(name.parse(), Ok(algorithm));
    }
    assert!("s3cret".parse::<ImportedAlgorithm>().is_err_and(|error| !error.to_string().contains("s3cret")));
}

/// Libraries write them in the order of their own maps; Django puts its own label before them.
#[test]
fn parameters_of_a_phc_string_are_read_in_any_order() {
    let canonical = format!("$imported$over=text{ARGON2_SECRET}");
    for order in
        ["m=8192,t=1,p=1", "m=8192,p=1,t=1", "t=1,m=8192,p=1", "t=1,p=1,m=8192", "p=1,m=8192,t=1", "p=1,t=1,m=8192"]
    {
        let written = ARGON2_SECRET.replace("m=8192,t=1,p=1", order);
        for written in [format!("argon2{written}"), written] {
            let digest = Digest::imported(ImportedAlgorithm::Argon2id, &written, Over::Text).unwrap();
            assert_eq!(digest.to_text(), canonical, "{written}");
        }
        // What is stored has one spelling.
        let stored = canonical.replace("m=8192,t=1,p=1", order);
        assert_eq!(stored.parse::<Digest>().is_ok(), stored == canonical, "{order}");
    }
}

#[tokio::test]
async fn what_is_given_is_kept_and_no_limit_is_asked() {
    let id: TokenId = "6b8b1f4e-3a53-4a57-9d3c-6f1f2f0a9b77".parse().unwrap(); // version 4
    let long_ago = counterfoil::Timestamp::from_unix_millis(1_300_000_000_000).unwrap();
    let usage = Usage { at: long_ago, address: Some("192.0.2.7".parse().unwrap()), agent: None };
    let mark = Mark { at: long_ago, by: Some(Actor::new("admin:7").unwrap()), claimed_by: None, reason: None };
    let mut restrictions = counterfoil::Restrictions::none();
    restrictions.add_network("192.0.2.0/24".parse().unwrap()).unwrap();
    for (kind, store) in stores().await {
        let (clock, events) = (FixedClock::new(at(DAY)), Events::default());
        let none_allowed = IssuePolicy { limit: Some(0), ..IssuePolicy::default() };
        let builder = Registry::builder(families(), minting_k1(), store).clock(clock).sink(events.clone());
        let registry = builder.issue_policy(none_allowed).build().unwrap();
        let row = Import {
            created_at: long_ago,
            created_by: Some(Actor::new("user-42").unwrap()),
            expiry: Expiry::At(at(Duration::ZERO)),
            suspended: Some(mark.clone()),
            ..import(PREFIXED_PUBLIC, PREFIXED_SHA256, Over::Secret)
        };
        let row = row.id(id).revoked(mark.clone()).usage(usage.clone()).name(Name::new("CI").unwrap());
        let row = row.scopes("parts:read anything:at-all".parse().unwrap()).restrictions(restrictions.clone());
        let by = By::actor(Actor::new("admin:1").unwrap());
        let outcomes = registry.import([row, import(BARE_PUBLIC, BARE_SHA256, Over::Text)], by.clone()).await;
        assert_eq!(words(outcomes.unwrap()), ["imported", "imported"]);

        let told = events.take_whole();
        assert_eq!(told.len(), 2);
        assert_eq!((&told[0].kind, told[0].token, &told[0].by), (&EventKind::Imported, Some(id), &by));
        assert_eq!(told[0].owner, Some(owner("user-42")));

        let found = registry.get(id).await.unwrap().unwrap();
        let record = &found.record;
        assert_eq!(found.usage, Some(usage.clone()), "{kind}");
        assert_eq!((record.created_at(), record.expiry()), (long_ago, Expiry::At(at(Duration::ZERO))));
        assert_eq!((record.revoked(), record.suspended(), record.blocked()), (Some(&mark), Some(&mark), None));
        assert_eq!(record.status(at(DAY)), Status::Revoked);
        assert_eq!(record.scopes(), &"parts:read anything:at-all".parse().unwrap());
        assert_eq!(record.restrictions(), &restrictions);
        assert_eq!(record.annotations().name, Some(Name::new("CI").unwrap()));
        assert_eq!(record.created_by(), Some(&Actor::new("user-42").unwrap()));
        assert_eq!((record.public(), record.version()), (PREFIXED_PUBLIC, 1));
        assert_eq!(outcome_of(&registry, PREFIXED).await, "revoked");
    }
}

#[tokio::test]
async fn a_row_without_id_gets_one_by_its_time_and_always_the_same() {
    let families = families();
    let record = |import: Import| import.into_record(&families).unwrap();
    let id = record(import(BARE_PUBLIC, BARE_SHA256, Over::Text)).id();
    assert_eq!(id.as_bytes()[..6], at(Duration::ZERO).unix_millis().to_be_bytes()[2..]);
    assert_eq!(id.as_bytes()[6] >> 4, 7);
    assert_eq!(record(import("arka_", &BARE_SHA256.replace('/', "_"), Over::Text)).id(), id, "as the row is spelt");
    assert_ne!(record(import(BARE_PUBLIC, BARE_SECRET_SHA256, Over::Secret)).id(), id);
}

#[tokio::test]
async fn a_batch_can_be_imported_again_whatever_has_become_of_it() {
    let earlier = used_at_start();
    let batch = || {
        let bare = import(BARE_PUBLIC, BARE_SHA256, Over::Text);
        let prefixed = import(PREFIXED_PUBLIC, PREFIXED_SHA256, Over::Secret).usage(earlier.clone());
        [bare, prefixed, import("mycompany_", PREFIXED_SHA256, Over::Secret)]
    };
    let refused = ImportRefused::Public.to_string();
    for rig in rigs().await {
        let outcomes = rig.registry.import(batch(), By::unknown()).await.unwrap();
        let ImportOutcome::Imported(prefixed) = outcomes[1] else { panic!("{outcomes:?}") };
        let ImportOutcome::Imported(bare) = outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!(words(outcomes), ["imported", "imported", &refused]);
        let again = || async { words(rig.registry.import(batch(), By::unknown()).await.unwrap()) };
        assert_eq!(again().await, ["present", "present", &refused], "{}", rig.kind);

        // Used: the digest is another, and so is the selector of the first.
        assert_eq!(rig.outcome(BARE).await, "ok");
        rig.events.take();
        assert_eq!(again().await, ["present", "present", &refused], "{}", rig.kind);
        // Rotated twice: the imported secret is forgotten altogether.
        for _ in 0..2 {
            let _ = rig.registry.rotate(prefixed, &Rotation::at_once()).await.unwrap();
        }
        rig.registry.revoke(bare, By::unknown()).await.unwrap();
        rig.wait(DAY);
        let later = counterfoil::record::Use { id: prefixed, usage: Usage { at: at(DAY), ..earlier.clone() } };
        rig.store.record_uses(&[later]).await.unwrap();
        let before = (rig.record(bare).await.to_row(), rig.record(prefixed).await.to_row());
        assert_eq!(again().await, ["present", "present", &refused], "{}", rig.kind);
        assert_eq!((rig.record(bare).await.to_row(), rig.record(prefixed).await.to_row()), before);
        assert_eq!((rig.outcome(BARE).await, rig.outcome(PREFIXED).await), ("revoked".into(), "unknown".into()));
        let usage = rig.registry.get(prefixed).await.unwrap().unwrap().usage.unwrap();
        assert_eq!(usage.at, at(DAY), "an earlier use replaces no later one");
        assert!(!rig.events.take().contains(&"imported".to_owned()), "{}", rig.kind);
    }
}

#[tokio::test]
async fn a_use_that_was_not_noted_is_noted_by_the_next_import() {
    let usage = used_at_start();
    for rig in rigs().await {
        let row = import(PREFIXED_PUBLIC, PREFIXED_SHA256, Over::Secret);
        let id = id_of(import_one(&rig.registry, row.clone()).await);
        assert_eq!(rig.registry.get(id).await.unwrap().unwrap().usage, None);
        assert_eq!(words(vec![import_one(&rig.registry, row.usage(usage.clone())).await]), ["present"]);
        assert_eq!(rig.registry.get(id).await.unwrap().unwrap().usage.as_ref(), Some(&usage), "{}", rig.kind);
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_asked_once() {
    let store = SqliteStore::in_memory().await.unwrap();
    let rig = rig("sqlite", SharedStore::new(store.clone()), families(), minting_k1());
    store.close().await;
    let batch = [
        import("mycompany_", PREFIXED_SHA256, Over::Secret),
        import(PREFIXED_PUBLIC, PREFIXED_SHA256, Over::Secret).usage(used_at_start()),
        import(BARE_PUBLIC, BARE_SHA256, Over::Text),
    ];
    let outcomes = words(rig.registry.import(batch, By::unknown()).await.unwrap());
    assert_eq!(
        outcomes,
        [
            &ImportRefused::Public.to_string(),
            "the store is unavailable: attempted to acquire a connection on a closed pool",
            "not tried"
        ]
    );
    assert!(rig.events.take().is_empty());
}

#[tokio::test]
async fn a_use_that_cannot_be_noted_is_told_and_the_token_is_in() {
    // A file, since a failed write may replace the connection.
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.db");
    let options = SqlitePoolOptions::new().max_connections(1);
    let pool = options.connect(&format!("sqlite://{}?mode=rwc", file.display())).await.unwrap();
    let store = SqliteStore::from_pool_or_create(pool.clone()).await.unwrap();
    let rig = rig("sqlite", SharedStore::new(store), families(), minting_k1());
    let refuses = "CREATE TRIGGER refuses BEFORE INSERT ON counterfoil_usage BEGIN SELECT RAISE(ABORT, 'full'); END";
    sqlx::query(refuses).execute(&pool).await.unwrap();
    let row = import(PREFIXED_PUBLIC, PREFIXED_SHA256, Over::Secret);
    id_of(import_one(&rig.registry, row.usage(used_at_start())).await);
    assert_eq!(rig.events.take(), ["imported", "uses_dropped"]);
    assert_eq!(rig.outcome(PREFIXED).await, "ok");
}

/// A host's own family: `key-` and 40 hex digits, the first 8 of which may be the selector.
#[derive(Debug, Clone, Copy)]
struct Host {
    prints_selector: bool,
    tells_secret: bool,
    completes: bool,
    imports: ImportedDigests,
}

impl Family for Host {
    fn heads(&self) -> Vec<Head> {
        vec![Head { text: "key-".into(), shortest: 44, longest: 44 }]
    }

    fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError> {
        let rest = text.strip_prefix("key-").ok_or(ParseError::NotOurs)?;
        if rest.len() != 40 || !rest.bytes().all(|byte| Alphabet::Hex.contains(byte)) {
            return Err(Malformed::Shape.into());
        }
        let selector = self.prints_selector.then(|| Selector::printed(&rest[..8]).unwrap());
        let secret = self.tells_secret.then_some(&rest[8..]);
        Ok(Presented::new(text, 12, selector).accepting(self.imports, secret))
    }

    fn needs(&self) -> Needs {
        let selector = self.prints_selector.then_some((Alphabet::Hex, 8));
        Needs { selector, secret: (Alphabet::Hex, 32), keyed_check: None }
    }

    fn write(&self, _: &Draft<'_>) -> Result<TokenText, InvalidDraft> {
        Err(InvalidDraft::Other("these tokens are no longer made".into()))
    }

    fn complete(&self, public: &str) -> Option<String> {
        // Whatever is asked for: what it is good for must not hang on the family alone.
        self.completes.then(|| if public.len() == 12 { format!("{public}{}", "0".repeat(32)) } else { HOST.into() })
    }
}

const HOST: &str = "key-0123456789abcdef0123456789abcdef01234567";
const HOST_SHA256: &str = "170fc6820caa9befe7fc56214bd7420abc27d7efae724eb308e9d738661d4a9c";
const HOST_SECRET_SHA256: &str = "f9b11b5dfe517866ac1079abe30087987efef2d8bf837daab006b928ce09f841";

#[tokio::test]
async fn a_family_of_the_host_takes_what_it_can_find_and_hash() {
    let all = Host { prints_selector: true, tells_secret: true, completes: true, imports: accepting(true, true) };
    let untold = Host { tells_secret: false, ..all };
    let unprinted = Host { prints_selector: false, ..all };
    let no_secret = "digest: it is over the secret, and the token's family does not tell the secret from the text";
    let not_found = "digest: it is salted, and tokens of this family print no selector, so nothing could find the row";
    let not_accepted = ImportRefused::NotAccepted.to_string();
    let public = ImportRefused::Public.to_string();
    let width = ImportRefused::Width { found: 14, expected: 12 }.to_string();
    let long = "k".repeat(Import::MAX_PUBLIC_LEN + 1);
    for (host, shown, foreign, over, word, outcome) in [
        (all, "key-01234567", HOST_SHA256, Over::Text, "imported", "ok"),
        (all, "key-01234567", HOST_SECRET_SHA256, Over::Secret, "imported", "ok"),
        (untold, "key-01234567", HOST_SHA256, Over::Text, "imported", "ok"),
        (untold, "key-01234567", HOST_SECRET_SHA256, Over::Secret, no_secret, "unknown"),
        (unprinted, "key-01234567", HOST_SHA256, Over::Text, "imported", "ok"),
        (unprinted, "key-01234567", HOST_SECRET_SHA256, Over::Secret, "imported", "ok"),
        (unprinted, "key-01234567", ARGON2_SECRET, Over::Secret, not_found, "unknown"),
        (Host { completes: false, ..all }, "key-01234567", HOST_SHA256, Over::Text, &public, "unknown"),
        (
            Host { imports: accepting(false, false), ..all },
            "key-01234567",
            HOST_SHA256,
            Over::Text,
            &not_accepted,
            "unknown",
        ),
        (all, "key-0123456789", HOST_SHA256, Over::Text, &width, "unknown"),
        (all, &long, HOST_SHA256, Over::Text, &public, "unknown"),
    ] {
        for (kind, store) in stores().await {
            let rig = rig(kind, store, host.into(), minting_k1());
            let imported = import_one(&rig.registry, import(shown, foreign, over)).await;
            assert_eq!(words(vec![imported]), [word], "{host:?}");
            assert_eq!(rig.outcome(HOST).await, outcome, "{host:?}");
        }
    }
}

#[tokio::test]
async fn a_family_that_has_changed_its_mind_verifies_no_import() {
    let before = Host { prints_selector: false, tells_secret: true, completes: true, imports: accepting(true, false) };
    let printed = Host { prints_selector: true, ..before };
    let not_accepted = "the digest was imported, and the token's format does not accept it";
    for (before, after, outcome) in [
        (before, Host { imports: accepting(false, true), ..before }, "unknown"),
        (before, Host { tells_secret: false, ..before }, "unknown"),
        (printed, Host { imports: accepting(false, true), ..printed }, not_accepted),
        (printed, Host { tells_secret: false, ..printed }, not_accepted),
    ] {
        for (kind, store) in stores().await {
            let rig = rig(kind, store, before.into(), minting_k1());
            id_of(import_one(&rig.registry, import("key-01234567", HOST_SECRET_SHA256, Over::Secret)).await);
            let later = self::rig(kind, rig.store.clone(), after.into(), minting_k1());
            assert_eq!(later.outcome(HOST).await, outcome, "{after:?}");
            assert_eq!(rig.outcome(HOST).await, "ok");
        }
    }
}

#[tokio::test]
async fn an_import_that_is_rotated_before_its_first_use_is_bound_in_its_overlap() {
    for (text, public, foreign, over) in
        [(PREFIXED, PREFIXED_PUBLIC, PREFIXED_SHA256, Over::Secret), (BARE, BARE_PUBLIC, BARE_SHA256, Over::Text)]
    {
        for rig in rigs().await {
            let id = id_of(import_one(&rig.registry, import(public, foreign, over)).await);
            let selector = rig.record(id).await.slots().current.selector;
            let rotated = rig.registry.rotate(id, &Rotation::with_overlap(DAY)).await.unwrap();
            assert_eq!(stored(&rig, id, SlotKind::Retiring).await.0, selector.to_string());
            assert_eq!(rig.outcome(text).await, "ok", "{}", rig.kind);
            let (moved, algorithm) = stored(&rig, id, SlotKind::Retiring).await;
            assert_eq!(algorithm, "hmac-sha256");
            assert_eq!(moved == selector.as_str(), !selector.as_str().starts_with('~'));
            assert_eq!(rig.outcome(rotated.token.expose()).await, "ok");
            rig.wait(DAY);
            assert_eq!(rig.outcome(text).await, "superseded");
            assert_eq!(rig.outcome(rotated.token.expose()).await, "ok");
        }
    }
}

#[tokio::test]
async fn an_import_that_is_rotated_away_unused_is_superseded() {
    for rig in rigs().await {
        for (text, public, foreign, over) in
            [(PREFIXED, PREFIXED_PUBLIC, PREFIXED_SHA256, Over::Secret), (BARE, BARE_PUBLIC, BARE_SHA256, Over::Text)]
        {
            let id = id_of(import_one(&rig.registry, import(public, foreign, over)).await);
            let _ = rig.registry.rotate(id, &Rotation::at_once()).await.unwrap();
            assert_eq!(rig.outcome(text).await, "superseded", "{}", rig.kind);
        }
    }
}

#[tokio::test]
async fn a_store_counts_imports_under_no_key() {
    for rig in rigs().await {
        let id = id_of(import_one(&rig.registry, import(BARE_PUBLIC, BARE_SHA256, Over::Text)).await);
        let key = "k1".parse().unwrap();
        assert_eq!(rig.store.count_by_key(key).await.unwrap(), 0);
        assert_eq!(rig.record(id).await.to_row().current.key, "");
        assert_eq!(rig.outcome(BARE).await, "ok");
        assert_eq!(rig.store.count_by_key(key).await.unwrap(), 1, "{}", rig.kind);
    }
}

#[tokio::test]
async fn every_key_and_both_parts_of_the_text_are_looked_under() {
    // As many keys as there can be, and two candidates more.
    let keys: Vec<_> =
        (0..Keyring::MAX_KEYS).map(|at| format!("k{at}:{}=", format!("{at}").repeat(42) + "A")).collect();
    let keyring = keyring(&format!("{}:mint", keys.join(",")));
    for (kind, store) in stores().await {
        for (foreign, over) in [(BARE_SHA256, Over::Text), (BARE_SECRET_SHA256, Over::Secret)] {
            let rig = rig(kind, store.clone(), families(), keyring.clone());
            let id = id_of(import_one(&rig.registry, import(BARE_PUBLIC, foreign, over)).await);
            assert_eq!(rig.outcome(BARE).await, "ok", "{kind}");
            // So that the other row is found by itself.
            rig.registry.rotate(id, &Rotation::at_once()).await.map(drop).unwrap();
            rig.registry.rotate(id, &Rotation::at_once()).await.map(drop).unwrap();
        }
    }
}

#[test]
fn formats_that_could_not_verify_an_import_are_not_built() {
    let format = || TokenFormat::builder("acme");
    for (builder, error) in [
        (format().accepts_imported(accepting(true, true)), None),
        (format().without_selector().accepts_imported(accepting(true, false)), None),
        (format().checksum(Checksum::Keyed).accepts_imported(accepting(false, false)), None),
        (
            format().without_selector().accepts_imported(accepting(true, true)),
            Some("imported argon2id digests in a format without a selector: nothing could find their rows"),
        ),
        (
            format().checksum(Checksum::Keyed).accepts_imported(accepting(true, false)),
            Some("imported digests in a format with a keyed checksum: no token of other software has one"),
        ),
    ] {
        assert_eq!(builder.build().err().map(|error| error.to_string()).as_deref(), error);
    }
}

#[tokio::test]
async fn a_public_part_is_as_long_as_a_record_can_hold() {
    /// `long-`, hex digits, and 32 more that are the secret.
    #[derive(Debug)]
    struct Long;

    impl Family for Long {
        fn heads(&self) -> Vec<Head> {
            vec![Head { text: "long-".into(), shortest: 45, longest: 4096 }]
        }

        fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError> {
            let selector = text.strip_prefix("long-").and_then(|rest| Selector::printed(rest.get(..8)?).ok());
            Ok(Presented::new(text, text.len() - 32, selector).accepting(accepting(true, false), None))
        }

        fn needs(&self) -> Needs {
            Needs { selector: Some((Alphabet::Hex, 8)), secret: (Alphabet::Hex, 32), keyed_check: None }
        }

        fn write(&self, _: &Draft<'_>) -> Result<TokenText, InvalidDraft> {
            Err(InvalidDraft::Other("these tokens are no longer made".into()))
        }

        fn complete(&self, public: &str) -> Option<String> {
            Some(format!("{public}{}", "0".repeat(32)))
        }
    }

    let refused = ImportRefused::Public.to_string();
    for (length, word) in [(Import::MAX_PUBLIC_LEN, "imported"), (Import::MAX_PUBLIC_LEN + 1, &refused)] {
        for (kind, store) in stores().await {
            let rig = rig(kind, store, Long.into(), minting_k1());
            let public = format!("long-{}", "a".repeat(length - 5));
            assert_eq!(
                words(vec![import_one(&rig.registry, import(&public, PREFIXED_SHA256, Over::Text)).await]),
                [word]
            );
            let page = rig.registry.list(&ListQuery::new(Filter::all())).await.unwrap();
            assert!(page.corrupt.is_empty(), "{kind}");
        }
    }
}

#[test]
fn a_digest_shows_its_algorithm_alone() {
    for (foreign, shown) in [
        (PREFIXED_SHA256, "Digest(imported sha256, key none, ..)"),
        (ARGON2_SECRET, "Digest(imported argon2id, key none, ..)"),
    ] {
        let row = import(PREFIXED_PUBLIC, foreign, Over::Secret);
        assert_eq!(format!("{:?}", row.digest), shown);
        assert!(format!("{row:?}").contains(shown));
    }
}
