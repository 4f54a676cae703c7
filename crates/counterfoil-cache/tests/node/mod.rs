//! What the tests share: a node with its registry, every operation of the registry that changes a record, and waiting.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part, and fails by panicking")]

use std::time::{Duration, Instant};

use counterfoil::{
    Annotations, By, Caller, FixedClock, Grant, Keyring, Lifetime, Name, Owner, Registry, Rotation, Status, Timestamp,
    TokenFormat, TokenId, TokenStore,
    registry::{RegistryBuilder, VerifyError},
    store::{Filter, RequestKey},
};
use counterfoil_cache::CachedStore;

/// Mints with the first key.
pub(crate) const K1: &str =
    "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint,k2:BpcAXdbP3VgqH2lQ2nN9ueEVpv8PPIWFHTgA0RkKVKk=";
/// With the second.
const K2: &str = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=,k2:BpcAXdbP3VgqH2lQ2nN9ueEVpv8PPIWFHTgA0RkKVKk=:mint";

const DAY: Duration = Duration::from_secs(86_400);

/// A node: a registry behind a cache. Clones are one.
pub(crate) struct Node<S> {
    pub(crate) registry: Registry,
    pub(crate) store: CachedStore<S>,
    pub(crate) clock: FixedClock,
}

impl<S> Clone for Node<S> {
    fn clone(&self) -> Self {
        Self { registry: self.registry.clone(), store: self.store.clone(), clock: self.clock.clone() }
    }
}

/// A token of ann's, of which its bearer has the text.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) id: TokenId,
    pub(crate) text: String,
}

impl<S: TokenStore> Node<S> {
    pub(crate) fn new(store: CachedStore<S>) -> Self {
        Self::with(store, FixedClock::new(Timestamp::from_unix_millis(1_767_225_600_000).unwrap()), |node| node)
    }

    pub(crate) fn with(
        store: CachedStore<S>,
        clock: FixedClock,
        set_up: impl FnOnce(RegistryBuilder) -> RegistryBuilder,
    ) -> Self {
        let keyring: Keyring = K1.parse().unwrap();
        let format = TokenFormat::builder("acme").build().unwrap();
        let builder = Registry::builder(format, keyring, store.clone()).clock(clock.clone());
        Self { registry: set_up(builder).build().unwrap(), store, clock }
    }

    pub(crate) async fn issue(&self) -> Told {
        let grant = Grant::new(Owner::new("ann").unwrap(), Lifetime::days(90));
        let issued = self.registry.issue(grant.scopes("parts:read parts:write".parse().unwrap())).await.unwrap();
        Told { id: issued.record.id(), text: issued.token.expose().to_owned() }
    }

    /// The result of a verification: `ok` and the version of the record, a denial's code, or the kind of the store's error.
    pub(crate) async fn verdict(&self, told: &Told) -> String {
        match self.registry.verify(&told.text).await {
            Ok(verified) => format!("ok {}", verified.record().version()),
            Err(VerifyError::Denied(denial)) => denial.code().to_owned(),
            Err(VerifyError::Store(error)) => error.kind().to_string(),
            Err(error) => error.to_string(),
        }
    }
}

/// Waits until it is so.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(60), "never");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until a verification is answered from memory.
pub(crate) async fn until_served<S: TokenStore>(node: &Node<S>, told: &Told) {
    until(async || {
        let before = node.store.counts();
        assert!(node.verdict(told).await.starts_with("ok"));
        let after = node.store.counts();
        (before.misses, before.aside) == (after.misses, after.aside)
    })
    .await;
}

/// Each operation of the registry that changes a record, and what a token of version 1 comes to after it.
pub(crate) const OPERATIONS: [(&str, &str); 18] = [
    ("annotate", "ok 2"),
    ("set_expiry", "ok 2"),
    ("narrow_scopes", "ok 2"),
    ("block", "blocked"),
    ("unblock", "ok 3"),
    ("suspend", "suspended"),
    ("resume", "ok 3"),
    ("revoke", "revoked"),
    ("revoke_all of an owner", "revoked"),
    ("revoke_all by a filter", "revoked"),
    ("revoke_presented", "revoked"),
    ("rotate", "superseded"),
    ("rotate with an overlap", "ok 2"),
    ("rotate_once", "superseded"),
    ("rotate twice", "unknown"),
    ("maintain, which revokes what is not used", "revoked"),
    ("maintain, which purges", "unknown"),
    ("verify, which makes the digest anew", "ok 1"),
];

/// Does it, by this node.
pub(crate) async fn act<S: TokenStore>(node: &Node<S>, told: &Told, operation: &str) {
    let (registry, id, by) = (&node.registry, told.id, By::unknown());
    match operation {
        "annotate" => {
            let annotations = Annotations { name: Some(Name::new("CI").unwrap()), ..Annotations::default() };
            registry.annotate(id, annotations, by).await.unwrap();
        }
        "set_expiry" => drop(registry.set_expiry(id, Lifetime::days(7), by).await.unwrap()),
        "narrow_scopes" => drop(registry.narrow_scopes(id, "parts:read".parse().unwrap(), by).await.unwrap()),
        "block" => drop(registry.block(id, by).await.unwrap()),
        "unblock" => {
            registry.block(id, By::unknown()).await.unwrap();
            assert_eq!(node.verdict(told).await, "blocked");
            registry.unblock(id, by).await.unwrap();
        }
        "suspend" => drop(registry.suspend(id, by).await.unwrap()),
        "resume" => {
            registry.suspend(id, By::unknown()).await.unwrap();
            assert_eq!(node.verdict(told).await, "suspended");
            registry.resume(id, by).await.unwrap();
        }
        "revoke" => registry.revoke(id, by).await.unwrap(),
        "revoke_all of an owner" => drop(registry.revoke_all(Owner::new("ann").unwrap(), by).await.unwrap()),
        "revoke_all by a filter" => {
            let active = Filter { statuses: Status::Active.into(), ..Filter::all() };
            registry.revoke_all(active, by).await.unwrap();
        }
        "revoke_presented" => {
            registry.revoke_presented(&told.text, by, &Caller::unknown()).await.unwrap();
        }
        "rotate" => drop(registry.rotate(id, &Rotation::at_once()).await.unwrap()),
        "rotate with an overlap" => drop(registry.rotate(id, &Rotation::with_overlap(DAY)).await.unwrap()),
        "rotate_once" => {
            let request = RequestKey::new("rotate".parse().unwrap(), "a".parse().unwrap(), b"");
            let _ = registry.rotate_once(id, &Rotation::at_once(), &request).await.unwrap();
        }
        "rotate twice" => {
            let _ = registry.rotate(id, &Rotation::at_once()).await.unwrap();
            assert_eq!(node.verdict(told).await, "superseded");
            let _ = registry.rotate(id, &Rotation::at_once()).await.unwrap();
        }
        "maintain, which revokes what is not used" => {
            let tidy = Node::with(node.store.clone(), node.clock.clone(), |node| node.revoke_unused_after(30 * DAY));
            registry.flush_uses().await.unwrap();
            tidy.clock.set(tidy.clock_now().checked_add(31 * DAY).unwrap());
            let _ = tidy.registry.maintain().await.unwrap();
        }
        "maintain, which purges" => {
            registry.revoke(id, by).await.unwrap();
            assert_eq!(node.verdict(told).await, "revoked");
            node.clock.set(node.clock_now().checked_add(32 * DAY).unwrap());
            let _ = registry.maintain().await.unwrap();
        }
        "verify, which makes the digest anew" => {
            let newer = Node::with_keys(node.store.clone(), node.clock.clone(), K2);
            assert_eq!(newer.verdict(told).await, "ok 1");
        }
        other => panic!("no such operation: {other}"),
    }
}

impl<S: TokenStore> Node<S> {
    fn clock_now(&self) -> Timestamp {
        self.registry.now().unwrap()
    }

    fn with_keys(store: CachedStore<S>, clock: FixedClock, keys: &str) -> Self {
        let format = TokenFormat::builder("acme").build().unwrap();
        let keyring: Keyring = keys.parse().unwrap();
        let registry = Registry::builder(format, keyring, store.clone()).clock(clock.clone()).build().unwrap();
        Self { registry, store, clock }
    }
}
