//! What the registry's tests share: keys, stores of every kind, a clock, and a sink that remembers.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test file uses its part, and fails by panicking"
)]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use counterfoil::{
    FixedClock, Grant, Keyring, Lifetime, MemoryStore, Owner, Record, Registry, SharedStore, Timestamp, TokenFormat,
    TokenId,
    digest::ImportedDigests,
    event::{Event, EventSink},
    registry::RegistryBuilder,
};
use counterfoil_sqlx::SqliteStore;

pub(crate) const K1: &str = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=";
pub(crate) const K2: &str = "k2:BpcAXdbP3VgqH2lQ2nN9ueEVpv8PPIWFHTgA0RkKVKk=";

/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000;
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn keyring(text: &str) -> Keyring {
    text.parse().unwrap()
}

pub(crate) fn minting_k1() -> Keyring {
    keyring(&format!("{K1}:mint"))
}

pub(crate) fn minting_k2() -> Keyring {
    keyring(&format!("{K1},{K2}:mint"))
}

pub(crate) fn at(after_start: Duration) -> Timestamp {
    Timestamp::from_unix_millis(START).unwrap().checked_add(after_start).unwrap()
}

pub(crate) fn owner(subject: &str) -> Owner {
    Owner::new(subject).unwrap()
}

pub(crate) fn grant() -> Grant {
    Grant::new(owner("user-42"), Lifetime::days(90)).scopes("parts:read parts:write".parse().unwrap())
}

pub(crate) fn format() -> TokenFormat {
    TokenFormat::builder("acme").build().unwrap()
}

/// One of each kind of store.
pub(crate) async fn stores() -> [(&'static str, SharedStore); 2] {
    [
        ("memory", SharedStore::new(MemoryStore::new())),
        ("sqlite", SharedStore::new(SqliteStore::in_memory().await.unwrap())),
    ]
}

/// A registry with hands to hold it by.
pub(crate) struct Rig {
    pub(crate) registry: Registry,
    pub(crate) store: SharedStore,
    pub(crate) clock: FixedClock,
    pub(crate) events: Events,
    pub(crate) kind: &'static str,
}

impl Rig {
    pub(crate) fn with(
        kind: &'static str,
        store: SharedStore,
        keyring: Keyring,
        set_up: impl FnOnce(RegistryBuilder) -> RegistryBuilder,
    ) -> Self {
        let clock = FixedClock::new(at(Duration::ZERO));
        let events = Events::default();
        let builder = Registry::builder(format(), keyring, store.clone()).clock(clock.clone()).sink(events.clone());
        Self { registry: set_up(builder).build().unwrap(), store, clock, events, kind }
    }

    /// One that accepts digests of other systems.
    pub(crate) fn importing(kind: &'static str, store: SharedStore) -> Self {
        let (clock, events) = (FixedClock::new(at(Duration::ZERO)), Events::default());
        let imported = ImportedDigests { sha256: true, ..ImportedDigests::default() };
        let format = TokenFormat::builder("acme").accepts_imported(imported).build().unwrap();
        let builder = Registry::builder(format, minting_k1(), store.clone()).clock(clock.clone()).sink(events.clone());
        Self { registry: builder.build().unwrap(), store, clock, events, kind }
    }

    pub(crate) fn wait(&self, after_start: Duration) {
        self.clock.set(at(after_start));
    }

    /// The outcome of a verification as one word: `ok`, or the code or kind of the failure.
    pub(crate) async fn outcome(&self, text: &str) -> String {
        outcome_of(&self.registry, text).await
    }

    pub(crate) async fn record(&self, id: TokenId) -> Arc<Record> {
        self.registry.get(id).await.unwrap().unwrap().record
    }
}

/// A plain registry over each kind of store.
pub(crate) async fn rigs() -> Vec<Rig> {
    rigs_with(|builder| builder).await
}

pub(crate) async fn rigs_with(set_up: impl Fn(RegistryBuilder) -> RegistryBuilder) -> Vec<Rig> {
    stores().await.into_iter().map(|(kind, store)| Rig::with(kind, store, minting_k1(), &set_up)).collect()
}

pub(crate) async fn outcome_of(registry: &Registry, text: &str) -> String {
    use counterfoil::{CheckError, policy::Objection, registry::VerifyError, token::ParseError};
    match registry.verify(text).await {
        Ok(_) => "ok".into(),
        Err(VerifyError::Denied(denial)) => denial.code().into(),
        Err(VerifyError::Malformed(ParseError::NotOurs)) => "not_ours".into(),
        Err(VerifyError::Malformed(_)) => "malformed".into(),
        Err(VerifyError::Policy(Objection::Refused(refusal))) => refusal.code,
        Err(VerifyError::Policy(Objection::Unavailable(_))) => "policy_unavailable".into(),
        Err(VerifyError::Unchecked(CheckError::Unverifiable(_))) => "unverifiable".into(),
        Err(VerifyError::Unchecked(CheckError::Corrupt(_))) => "corrupt".into(),
        Err(VerifyError::Unchecked(error)) => error.to_string(),
        Err(VerifyError::Store(_)) => "store".into(),
        Err(other) => other.to_string(),
    }
}

/// A sink that remembers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<Event>>>);

impl EventSink for Events {
    fn emit(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Events {
    /// The names of what has happened since this was asked last.
    pub(crate) fn take(&self) -> Vec<String> {
        self.take_whole().iter().map(|event| event.kind.as_str().into()).collect()
    }

    pub(crate) fn take_whole(&self) -> Vec<Event> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}
