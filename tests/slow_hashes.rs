//! Slow hashes through a registry: how many at once, and what is remembered of them.
#![cfg(feature = "argon2")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{
    future::Future,
    num::NonZero,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::{Receiver, Sender, channel},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use common::{DAY, Events, K1, K2, at, grant, keyring, outcome_of, stores};
use counterfoil::{
    Argon2Bounds, Argon2Cost, By, Checksum, Digest, FixedClock, Keyring, MemoryStore, Record, Registry, Rotation,
    SharedStore, TokenFormat, TokenId, TokenStore,
    digest::ImportedDigests,
    entropy::{Entropy, NoEntropy, SystemEntropy},
    event::EventKind,
    registry::{Issued, RegistryBuilder},
    token::FormatBuilder,
};

const OVERLOADED: &str = "too many slow hashes at once";

/// A keyring that mints the cheapest slow hashes there are.
fn slow(keys: &str) -> Keyring {
    keyring(keys).with_argon2_bounds(bounds()).unwrap().with_argon2id(Argon2Cost::new(8, 1, 1).unwrap()).unwrap()
}

fn bounds() -> Argon2Bounds {
    let cost = |memory_kib| Argon2Cost::new(memory_kib, 1, 1).unwrap();
    Argon2Bounds::new(cost(8), cost(64))
}

fn minting_k1() -> Keyring {
    slow(&format!("{K1}:mint"))
}

fn number(number: usize) -> NonZero<usize> {
    NonZero::new(number).unwrap()
}

/// Without a checksum, so that a wrong secret is any other secret.
fn format() -> TokenFormat {
    format_builder().build().unwrap()
}

fn format_builder() -> FormatBuilder {
    TokenFormat::builder("acme").checksum(Checksum::None)
}

fn wrong(text: &str) -> String {
    let (head, last) = text.split_at(text.len() - 1);
    head.to_owned() + if last == "0" { "1" } else { "0" }
}

/// A registry with one thread, where nobody may wait.
fn narrow(store: &SharedStore, keyring: Keyring) -> RegistryBuilder {
    Registry::builder(format(), keyring, store.clone()).slow_hash_threads(number(1)).slow_hash_queue(0)
}

fn remembering(store: &SharedStore, keyring: Keyring) -> Registry {
    narrow(store, keyring).remember_slow_hashes(number(8)).build().unwrap()
}

fn memory() -> SharedStore {
    SharedStore::new(MemoryStore::new())
}

fn issue(registry: &Registry) -> Issued {
    pollster::block_on(registry.issue(grant())).unwrap()
}

fn outcome(registry: &Registry, text: &str) -> String {
    pollster::block_on(outcome_of(registry, text))
}

/// The outcome where no slow hash can be made: from memory, if at all.
fn from_memory(registry: &Registry, text: &str) -> String {
    let busy = Busy::new(registry, 1);
    let outcome = outcome(registry, text);
    busy.end();
    outcome
}

type Outcome = Pin<Box<dyn Future<Output = String> + Send>>;

/// A registry of one thread with as much to do as it takes: the thread is held by a waker of ours.
struct Busy {
    release: Sender<()>,
    all: Vec<Outcome>,
}

struct Holds {
    woken: Sender<()>,
    released: Mutex<Receiver<()>>,
}

impl Wake for Holds {
    fn wake(self: Arc<Self>) {
        self.woken.send(()).unwrap();
        let _ = self.released.lock().unwrap().recv();
    }
}

impl Busy {
    /// Holds the thread, and lets `then` more come.
    fn new(registry: &Registry, then: usize) -> Self {
        // Of no record: a slow hash every time.
        let unknown = pollster::block_on(remembering(&memory(), minting_k1()).issue(grant())).unwrap();
        let verify = || -> Outcome {
            let (registry, text) = (registry.clone(), unknown.token.expose().to_owned());
            Box::pin(async move { outcome_of(&registry, &text).await })
        };
        let ((woken, was_woken), (release, released)) = (channel(), channel());
        let waker = Waker::from(Arc::new(Holds { woken, released: Mutex::new(released) }));
        let mut held = verify();
        // A hash may be made before anybody waits for it: then another is asked for.
        while held.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            held = verify();
        }
        was_woken.recv().unwrap();
        let mut all = vec![held];
        for _ in 0..then {
            let mut more = verify();
            assert!(more.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending(), "it is let wait");
            all.push(more);
        }
        Self { release, all }
    }

    /// Lets the thread go on, and sees all to their end.
    fn end(self) {
        drop(self.release);
        for outcome in self.all {
            assert_eq!(pollster::block_on(outcome), "unknown");
        }
    }
}

#[test]
fn beyond_threads_and_queue_all_are_refused_and_later_callers_are_served() {
    for waiting in [0, 1, 5] {
        let store = memory();
        let registry = narrow(&store, minting_k1()).slow_hash_queue(waiting).build().unwrap();
        let issued = issue(&registry);
        let busy = Busy::new(&registry, 1 + waiting);
        for text in [issued.token.expose(), &wrong(issued.token.expose())] {
            assert_eq!(outcome(&registry, text), OVERLOADED, "{waiting} may wait");
        }
        let refused = pollster::block_on(registry.issue(grant())).unwrap_err();
        assert_eq!(refused.to_string(), OVERLOADED);
        busy.end();
        assert_eq!(outcome(&registry, issued.token.expose()), "ok");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_of_many_at_once_are_answered() {
    let store = memory();
    for builder in [
        Registry::builder(format(), minting_k1(), store.clone()),
        Registry::builder(format(), minting_k1(), store.clone()).slow_hash_threads(number(3)).slow_hash_queue(128),
        Registry::builder(format(), minting_k1(), store.clone()).remember_slow_hashes(number(2)),
    ] {
        let registry = builder.build().unwrap();
        let text = registry.issue(grant()).await.unwrap().token.expose().to_owned();
        let verifying: Vec<_> = (0..64)
            .map(|at| {
                let (registry, text) = (registry.clone(), if at % 2 == 0 { text.clone() } else { wrong(&text) });
                tokio::spawn(async move { outcome_of(&registry, &text).await })
            })
            .collect();
        for (at, outcome) in verifying.into_iter().enumerate() {
            assert_eq!(outcome.await.unwrap(), ["ok", "wrong_secret"][at % 2]);
        }
    }
}

#[test]
fn refusals_are_told_in_one_event_a_second() {
    let (clock, events) = (FixedClock::new(at(Duration::ZERO)), Events::default());
    let registry = narrow(&memory(), minting_k1()).clock(clock.clone()).sink(events.clone()).build().unwrap();
    let issued = issue(&registry);
    let busy = Busy::new(&registry, 1);
    events.take();
    // Milliseconds, refusals → the counts told.
    for (millis, refusals, told) in
        [(0, 5, vec![1]), (999, 2, vec![]), (1000, 1, vec![7]), (1500, 3, vec![]), (60_000, 2, vec![4])]
    {
        let now = at(Duration::from_millis(millis));
        clock.set(now);
        for _ in 0..refusals {
            assert_eq!(outcome(&registry, issued.token.expose()), OVERLOADED);
        }
        let mut counts = Vec::new();
        for event in events.take_whole() {
            assert_eq!((event.at, event.token, &event.owner), (now, None, &None), "of nobody alone");
            match event.kind {
                EventKind::Overloaded { count, .. } => counts.push(count),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(counts, told, "at {millis} ms");
    }
    busy.end();
}

#[test]
fn only_a_secret_that_was_right_is_remembered() {
    let store = memory();
    let registry = remembering(&store, minting_k1());
    let (used, unused) = (issue(&registry), issue(&registry));
    let (used, unused) = (used.token.expose(), unused.token.expose());
    assert_eq!(outcome(&registry, used), "ok");
    assert_eq!(outcome(&registry, &wrong(unused)), "wrong_secret");
    assert_eq!(outcome(&registry, &wrong(used)), "wrong_secret");
    for (text, expected) in
        [(used, "ok"), (&wrong(used), OVERLOADED), (unused, OVERLOADED), (&wrong(unused), OVERLOADED)]
    {
        assert_eq!(from_memory(&registry, text), expected);
    }
    for (text, expected) in [(used, "ok"), (&wrong(used), "wrong_secret"), (unused, "ok")] {
        assert_eq!(outcome(&registry, text), expected);
        assert_eq!(outcome(&registry, text), expected);
    }

    let forgetful = narrow(&store, minting_k1()).build().unwrap();
    assert_eq!(outcome(&forgetful, used), "ok");
    assert_eq!(from_memory(&forgetful, used), OVERLOADED, "off by default");
    let another = remembering(&store, minting_k1());
    assert_eq!(from_memory(&another, used), OVERLOADED, "each registry remembers its own");
}

#[test]
fn what_is_remembered_is_not_shown() {
    let store = memory();
    let registry = remembering(&store, minting_k1());
    let issued = issue(&registry);
    assert_eq!(outcome(&registry, issued.token.expose()), "ok");
    let stored = pollster::block_on(digest_of(&store, issued.record.id()));
    let shown = format!("{registry:?}");
    assert!(shown.contains("Memo(at most 8, ..)"), "{shown}");
    for hidden in [issued.token.expose(), stored.rsplit('$').next().unwrap()] {
        assert!(!shown.contains(hidden));
    }
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_verification() {
    // A change → the outcome, and the outcome where no slow hash can be made.
    for (change, expected, from_memory_alone) in [
        ("nothing", "ok", "ok"),
        ("block", "blocked", "blocked"),
        ("block and unblock", "ok", "ok"),
        ("suspend", "suspended", "suspended"),
        ("revoke", "revoked", "revoked"),
        ("expire", "expired", "expired"),
        ("rotate", "superseded", OVERLOADED),
        ("rotate and overlap", "ok", OVERLOADED),
        ("rotate twice", "unknown", OVERLOADED),
    ] {
        for (kind, store) in stores().await {
            let clock = FixedClock::new(at(Duration::ZERO));
            let builder = narrow(&store, minting_k1()).remember_slow_hashes(number(4));
            let registry = builder.clock(clock.clone()).build().unwrap();
            let issued = registry.issue(grant()).await.unwrap();
            let (id, text, by) = (issued.record.id(), issued.token.expose(), By::unknown);
            assert_eq!(outcome_of(&registry, text).await, "ok");
            let rotate = async |rotation| drop(registry.rotate(id, &rotation).await.unwrap());
            match change {
                "block" => drop(registry.block(id, by()).await.unwrap()),
                "block and unblock" => {
                    registry.block(id, by()).await.unwrap();
                    assert_eq!(outcome_of(&registry, text).await, "blocked");
                    registry.unblock(id, by()).await.unwrap();
                }
                "suspend" => drop(registry.suspend(id, by()).await.unwrap()),
                "revoke" => registry.revoke(id, by()).await.unwrap(),
                "expire" => clock.set(at(90 * DAY)),
                "rotate" => rotate(Rotation::at_once()).await,
                "rotate and overlap" => rotate(Rotation::with_overlap(DAY)).await,
                "rotate twice" => {
                    rotate(Rotation::at_once()).await;
                    rotate(Rotation::at_once()).await;
                }
                _ => {}
            }
            if kind == "memory" {
                assert_eq!(from_memory(&registry, text), from_memory_alone, "{change}");
            }
            for _ in 0..2 {
                assert_eq!(outcome_of(&registry, text).await, expected, "{change}, {kind}");
                assert_ne!(outcome_of(&registry, &wrong(text)).await, "ok", "{change}, {kind}");
            }
        }
    }
}

#[tokio::test]
async fn a_digest_that_was_replaced_in_the_store_is_the_one_that_counts() {
    let parts = |text: &str| -> [String; 5] {
        let parts: Vec<_> = text.split('$').skip(1).map(str::to_owned).collect();
        parts.try_into().unwrap() // algorithm, version, cost, salt, value
    };
    let same = |text: &str, part: usize, anew: &dyn Fn(&str) -> String| {
        let mut parts = parts(text);
        parts[part] = anew(&parts[part]);
        format!("${}", parts.join("$"))
    };
    // The digest after it was remembered → the outcome, and the outcome where no slow hash can be made.
    for (replaced, expected, from_memory_alone) in [
        ("by itself", "ok", "ok"),
        ("value", "wrong_secret", "wrong_secret"),
        ("salt", "wrong_secret", OVERLOADED),
        ("cost", "wrong_secret", OVERLOADED),
        ("cost out of bounds", "corrupt", "corrupt"),
        ("key", "wrong_secret", OVERLOADED),
        ("key that is unknown", "unverifiable", "unverifiable"),
        ("by another token's", "wrong_secret", OVERLOADED),
        ("by a keyed one of another token", "wrong_secret", "wrong_secret"),
    ] {
        for (kind, store) in stores().await {
            let registry = remembering(&store, slow(&format!("{K1}:mint,{K2}")));
            let issued = registry.issue(grant()).await.unwrap();
            let other = registry.issue(grant()).await.unwrap();
            let by_hmac = Registry::builder(format(), common::minting_k1(), store.clone()).build().unwrap();
            let by_hmac = by_hmac.issue(grant()).await.unwrap();
            let (id, text) = (issued.record.id(), issued.token.expose());
            assert_eq!(outcome_of(&registry, text).await, "ok");
            let stored = digest_of(&store, id).await;
            let tampered = match replaced {
                "value" => same(&stored, 4, &|value| other_base64(value)),
                "salt" => same(&stored, 3, &|salt| other_base64(salt)),
                "cost" => same(&stored, 2, &|cost| cost.replace("m=8,", "m=16,")),
                "cost out of bounds" => same(&stored, 2, &|cost| cost.replace("m=8,", "m=128,")),
                "key" => same(&stored, 2, &|cost| cost.replace("azE", "azI")),
                "key that is unknown" => same(&stored, 2, &|cost| cost.replace("azE", "azM")),
                "by another token's" => digest_of(&store, other.record.id()).await,
                "by a keyed one of another token" => digest_of(&store, by_hmac.record.id()).await,
                _ => stored.clone(),
            };
            assert_eq!(replaced == "by itself", tampered == stored);
            replace_digest(&store, id, &tampered).await;
            if kind == "memory" {
                assert_eq!(from_memory(&registry, text), from_memory_alone, "{replaced}");
            }
            for _ in 0..2 {
                assert_eq!(outcome_of(&registry, text).await, expected, "{replaced}, {kind}");
            }
            replace_digest(&store, id, &stored).await;
            assert_eq!(outcome_of(&registry, text).await, "ok", "{replaced} and put back, {kind}");
        }
    }
}

/// Base64 of other bytes.
fn other_base64(text: &str) -> String {
    (if text.starts_with('A') { "B" } else { "A" }).to_owned() + &text[1..]
}

async fn digest_of(store: &SharedStore, id: TokenId) -> String {
    store.get(id).await.unwrap().unwrap().record.to_row().current.digest
}

/// As by somebody with the database's password.
async fn replace_digest(store: &SharedStore, id: TokenId, digest: &str) {
    let earlier = store.get(id).await.unwrap().unwrap().record;
    let mut row = earlier.to_row();
    row.current.key = digest.parse::<Digest>().unwrap().key_id().map(|key| key.to_string()).unwrap_or_default();
    row.current.digest = digest.to_owned();
    row.digest_version += 1;
    let next = Record::from_row(row).unwrap();
    store.update(&next, earlier.revision(), None, at(Duration::ZERO)).await.unwrap();
}

/// The only thread is busy and nobody may wait: whoever asks for a hash is told that there are too many, at once.
#[test]
fn stored_cost_out_of_bounds_is_refused_before_a_hash_is_asked_for() {
    let cost = |memory_kib, passes, lanes| Argon2Cost::new(memory_kib, passes, lanes).unwrap();
    let bounds = Argon2Bounds::new(cost(16, 2, 1), cost(64, 3, 2));
    let format =
        format_builder().accepts_imported(ImportedDigests { argon2id: Some(bounds), ..ImportedDigests::default() });
    let keyring = keyring(&format!("{K1}:mint")).with_argon2_bounds(bounds).unwrap();
    let keyring = keyring.with_argon2id(cost(16, 2, 1)).unwrap();
    let store = memory();
    let registry = Registry::builder(format.build().unwrap(), keyring.clone(), store.clone())
        .slow_hash_threads(number(1))
        .slow_hash_queue(0)
        .build()
        .unwrap();
    let issued = issue(&registry);
    let ours = pollster::block_on(digest_of(&store, issued.record.id()));
    assert!(ours.contains("m=16,t=2,p=1"), "{ours}");
    let (salt, hash) = ("A".repeat(22), "A".repeat(43));
    let foreign = format!("$imported$over=text$argon2id$v=19$m=16,t=2,p=1${salt}${hash}");
    for (found, outcome) in [
        ("m=16,t=2,p=1", OVERLOADED),
        ("m=64,t=3,p=2", OVERLOADED),
        ("m=15,t=2,p=1", "corrupt"),
        ("m=65,t=2,p=1", "corrupt"),
        ("m=16,t=1,p=1", "corrupt"),
        ("m=16,t=4,p=1", "corrupt"),
        ("m=64,t=2,p=3", "corrupt"),
        ("m=4194304,t=2,p=1", "corrupt"),
        ("m=64,t=4294967295,p=1", "corrupt"),
        ("m=4294967295,t=4294967295,p=1", "corrupt"),
    ] {
        for digest in [&ours, &foreign] {
            let digest = digest.replace("m=16,t=2,p=1", found);
            pollster::block_on(replace_digest(&store, issued.record.id(), &digest));
            assert_eq!(from_memory(&registry, issued.token.expose()), outcome, "{digest}");
        }
    }
    for (memory_kib, passes, lanes) in [(15, 2, 1), (65, 2, 1), (16, 1, 1), (16, 4, 1), (64, 2, 3)] {
        let out_of_bounds = cost(memory_kib, passes, lanes);
        assert!(bounds.check(out_of_bounds).is_err());
        let error = keyring.clone().with_argon2id(out_of_bounds).unwrap_err().to_string();
        let found = format!("argon2id cost: found m={memory_kib} KiB, t={passes}, p={lanes}, expected ");
        assert!(error.starts_with(&found), "{error}");
        assert!(keyring.clone().with_argon2_bounds(Argon2Bounds::new(out_of_bounds, out_of_bounds)).is_err());
    }
}

#[test]
fn what_is_remembered_of_a_digest_does_not_serve_for_the_one_that_replaced_it() {
    let dearer = Argon2Cost::new(16, 1, 1).unwrap();
    for (name, anew) in [
        ("another key", slow(&format!("{K1},{K2}:mint"))),
        ("another cost", minting_k1().with_argon2id(dearer).unwrap()),
        ("another algorithm and key", keyring(&format!("{K1},{K2}:mint"))),
    ] {
        let store = memory();
        let staged = remembering(&store, slow(&format!("{K1}:mint,{K2}")));
        let rehashing = remembering(&store, anew.with_argon2_bounds(bounds()).unwrap());
        let issued = issue(&staged);
        let text = issued.token.expose();
        assert_eq!(outcome(&staged, text), "ok");
        assert_eq!(outcome(&rehashing, text), "ok");
        assert_eq!(
            pollster::block_on(store.get(issued.record.id())).unwrap().unwrap().record.revision().digest_version,
            2
        );

        // A keyed digest needs no memory; and a registry that mints them has no slow hash to be kept busy by.
        let is_slow = name != "another algorithm and key";
        for registry in [&staged, &rehashing].into_iter().take(if is_slow { 2 } else { 1 }) {
            assert_eq!(from_memory(registry, text), if is_slow { OVERLOADED } else { "ok" }, "{name}");
            for _ in 0..2 {
                assert_eq!(outcome(registry, text), "ok", "{name}");
                assert_eq!(outcome(registry, &wrong(text)), "wrong_secret", "{name}");
            }
            assert_eq!(from_memory(registry, text), "ok", "{name}");
        }
    }
}

#[test]
fn as_many_are_remembered_as_was_said() {
    let registry = narrow(&memory(), minting_k1()).remember_slow_hashes(number(2)).build().unwrap();
    let tokens = [(); 4].map(|()| issue(&registry).token);
    for token in &tokens {
        assert_eq!(outcome(&registry, token.expose()), "ok");
    }
    let remembered = tokens.each_ref().map(|token| from_memory(&registry, token.expose()));
    assert_eq!(remembered, [OVERLOADED, OVERLOADED, "ok", "ok"]);
}

#[test]
fn without_randomness_nothing_is_remembered_and_all_is_verified() {
    #[derive(Debug, Clone, Default)]
    struct Fails(Arc<AtomicBool>);
    impl Entropy for Fails {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
            if self.0.load(SeqCst) { Err(NoEntropy::new()) } else { SystemEntropy.fill(bytes) }
        }
    }
    let (store, fails) = (memory(), Fails::default());
    let issued = issue(&narrow(&store, minting_k1()).build().unwrap());
    let text = issued.token.expose();
    let registry = narrow(&store, minting_k1()).remember_slow_hashes(number(2)).entropy(fails.clone()).build().unwrap();

    fails.0.store(true, SeqCst);
    assert_eq!(outcome(&registry, text), "ok");
    assert_eq!(outcome(&registry, &wrong(text)), "wrong_secret");
    assert_eq!(from_memory(&registry, text), OVERLOADED);
    fails.0.store(false, SeqCst);
    assert_eq!(outcome(&registry, text), "ok");
    fails.0.store(true, SeqCst); // the key is drawn once
    assert_eq!(from_memory(&registry, text), "ok");
}
