//! Server keys are replaced under load, node by node, and no good token is refused meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use common::{K1, K2, format, grant, keyring, stores};
use counterfoil::{
    Alphabet, Argon2Bounds, Argon2Cost, By, Checksum, Circumstances, Denial, Keyring, Registry, SharedStore, Timestamp,
    TokenFormat, TokenStore, check, check::selectors, verify,
};
use tokio::task::JoinSet;

const NODES: usize = 3;
/// Tasks that verify, and tasks that mint and change.
const CALLERS: usize = 4;
const CHANGERS: usize = 2;
const TOKENS: usize = 24;

/// Several nodes of one service. Each call goes to the node's registry of the moment, as through a load balancer.
struct Service {
    nodes: [Mutex<Registry>; NODES],
    tokens: Mutex<Vec<String>>,
    /// How many turns each task has had.
    turns: [AtomicUsize; CALLERS + CHANGERS],
    is_over: AtomicBool,
}

impl Service {
    fn node(&self, turn: usize) -> Registry {
        self.nodes[turn % NODES].lock().unwrap().clone()
    }

    /// One of the first tokens: those that are made meanwhile are blocked for a moment.
    fn token(&self, turn: usize) -> String {
        self.tokens.lock().unwrap()[turn % TOKENS].clone()
    }

    /// Waits until every task has had a few turns since now: none is at work with a registry that was replaced before.
    async fn let_all_work(&self) {
        let turns = || self.turns.each_ref().map(|turns| turns.load(Ordering::SeqCst));
        let enough = turns().map(|turns| turns + 3);
        while turns().iter().zip(enough).any(|(found, enough)| *found < enough) && !self.is_over.load(Ordering::SeqCst)
        {
            tokio::task::yield_now().await;
        }
    }
}

/// Ends the others when its task does, by a panic too.
struct EndsAll(Arc<Service>);

impl Drop for EndsAll {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::SeqCst);
    }
}

async fn verify_for_ever(service: Arc<Service>, caller: usize) {
    let _end = EndsAll(Arc::clone(&service));
    let mut turn = caller * 5;
    while !service.is_over.load(Ordering::SeqCst) {
        let token = service.token(turn);
        service.node(turn / 3).verify(&token).await.expect("a good token is let in");
        service.turns[caller].fetch_add(1, Ordering::SeqCst);
        // A store in memory waits for nothing, and there are fewer threads than tasks.
        tokio::task::yield_now().await;
        turn += 7;
    }
}

/// Mints, and makes changes that race with the rehashes.
async fn change_for_ever(service: Arc<Service>, changer: usize) {
    let _end = EndsAll(Arc::clone(&service));
    let mut turn = changer;
    while !service.is_over.load(Ordering::SeqCst) {
        let issued = service.node(turn).issue(grant()).await.unwrap();
        service.tokens.lock().unwrap().push(issued.token.expose().to_owned());
        service.node(turn + 1).block(issued.record.id(), By::unknown()).await.unwrap();
        service.node(turn + 2).unblock(issued.record.id(), By::unknown()).await.unwrap();
        service.turns[CALLERS + changer].fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        turn += 1;
    }
}

async fn replace_the_key(format: TokenFormat, store: SharedStore, with: fn(Keyring) -> Keyring) {
    let registry =
        |keys: String| Registry::builder(format.clone(), with(keyring(&keys)), store.clone()).build().unwrap();
    let [k1, k2] = ["k1", "k2"].map(|key| key.parse().unwrap());
    let first = registry(format!("{K1}:mint"));
    let mut tokens = Vec::new();
    for _ in 0..TOKENS {
        tokens.push(first.issue(grant()).await.unwrap().token.expose().to_owned());
    }
    let service = Arc::new(Service {
        nodes: [(); NODES].map(|()| Mutex::new(first.clone())),
        tokens: Mutex::new(tokens),
        turns: [const { AtomicUsize::new(0) }; CALLERS + CHANGERS],
        is_over: AtomicBool::new(false),
    });
    let mut tasks = JoinSet::new();
    for caller in 0..CALLERS {
        tasks.spawn(verify_for_ever(Arc::clone(&service), caller));
    }
    for changer in 0..CHANGERS {
        tasks.spawn(change_for_ever(Arc::clone(&service), changer));
    }
    let roll_out = async |keys: String| {
        for node in &service.nodes {
            service.let_all_work().await;
            *node.lock().unwrap() = registry(keys.clone());
        }
        service.let_all_work().await;
    };

    roll_out(format!("{K1}:mint {K2}")).await;
    assert_eq!(store.count_by_key(k2).await.unwrap(), 0, "a staged key makes nothing");
    roll_out(format!("{K1} {K2}:mint")).await;
    assert!(store.count_by_key(k2).await.unwrap() > 0, "new tokens and used ones are of the new key");
    // Tokens that nobody uses keep the old key until they end: here all are used. A rehash that loses its race against
    // another change is made up for by the next use.
    while store.count_by_key(k1).await.unwrap() > 0 && !service.is_over.load(Ordering::SeqCst) {
        let tokens = service.tokens.lock().unwrap().clone();
        for token in tokens {
            // The last ones may be blocked for a moment.
            let _ = service.node(0).verify(&token).await;
        }
    }
    roll_out(format!("{K2}:mint")).await;

    service.is_over.store(true, Ordering::SeqCst);
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(store.count_by_key(k1).await.unwrap(), 0);
    let tokens = service.tokens.lock().unwrap().clone();
    for token in &tokens {
        service.node(0).verify(token).await.unwrap();
    }
}

fn without_selector() -> TokenFormat {
    TokenFormat::builder("acme").without_selector().secret(Alphabet::Hex, 40).build().unwrap()
}

/// The least that Argon2 can cost: many hashes are to be made here, and none needs to be strong.
fn slow(keyring: Keyring) -> Keyring {
    let least = Argon2Cost::new(8, 1, 1).unwrap();
    keyring.with_argon2_bounds(Argon2Bounds::new(least, least)).unwrap().with_argon2id(least).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_refused_while_keys_are_replaced() {
    for format in [format(), without_selector()] {
        for with in [(|keys| keys) as fn(Keyring) -> Keyring, slow] {
            for (_, store) in stores().await {
                replace_the_key(format.clone(), store, with).await;
            }
        }
    }
}

#[test]
fn token_with_a_wrong_keyed_checksum_is_neither_looked_for_nor_verified() {
    const DIGITS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let now = Timestamp::from_unix_millis(common::START).unwrap();
    let format = TokenFormat::builder("acme").checksum(Checksum::Keyed).build().unwrap();
    let minted = grant().mint(&format, &keyring(&format!("{K1}:mint")), now).unwrap();
    let text = minted.token.expose();
    let record = Arc::new(minted.record.clone());
    // Whether it is looked for, and the verdict on the true record.
    let outcome = |text: &str, keys: &str| {
        let keyring = keyring(keys);
        let Ok(presented) = format.parse(text) else { return (false, Err(Denial::Unknown)) };
        let is_sought = selectors(&presented, &keyring).is_ok();
        let checked = check(presented, Some(&record), &keyring).unwrap();
        (is_sought, verify(checked, Some(record.clone()), &Circumstances::at(now)).map(drop))
    };
    let good = (true, Ok(()));
    let refused = (false, Err(Denial::Unknown));
    for keys in [format!("{K1}:mint"), format!("{K2}:mint,{K1}"), format!("{K1},{K2}:mint")] {
        assert_eq!(outcome(text, &keys), good);
        for at in text.len() - 6..text.len() {
            for digit in DIGITS.chars().filter(|digit| !text[at..].starts_with(*digit)) {
                let other = format!("{}{digit}{}", &text[..at], &text[at + 1..]);
                assert_eq!(outcome(&other, &keys), refused, "{other}");
            }
        }
        // A checksum that anyone can compute.
        let crc = TokenFormat::builder("acme").build().unwrap();
        let checksum = grant().mint(&crc, &keyring(&keys), now).unwrap();
        assert_eq!(outcome(checksum.token.expose(), &keys), refused);
    }
    assert_eq!(outcome(text, &format!("{K2}:mint")), refused, "of a key that is not in the keyring");
}
