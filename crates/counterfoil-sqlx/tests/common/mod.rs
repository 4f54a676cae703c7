//! Records in every state.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::{sync::LazyLock, time::Duration};

use counterfoil::{
    By, Grant, Keyring, Lifetime, Mark, Owner, Record, Row, Selector, Timestamp, TokenFormat, TokenId, TokenStore,
    Usage,
    record::{MarkRow, SlotRow, Use},
    store::{Filter, ListQuery, RevokeStep, RevokeTarget, StoreError, StoreErrorKind, WarningClaim},
};

pub(crate) const HOUR: i64 = 60 * 60 * 1000;

static FORMAT: LazyLock<TokenFormat> = LazyLock::new(|| TokenFormat::builder("acme").build().unwrap());
static KEYRING: LazyLock<Keyring> =
    LazyLock::new(|| "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap());
static OTHER_KEYRING: LazyLock<Keyring> =
    LazyLock::new(|| "k2:BpcAXdbP3VgqH2lQ2nN9ueEVpv8PPIWFHTgA0RkKVKk=:mint".parse().unwrap());

/// The keyring with whose key `k1` records are made.
pub(crate) fn keyring() -> &'static Keyring {
    &KEYRING
}

/// The moment of most tests, and `hours` later.
pub(crate) fn at(hours: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_767_225_600_000 + hours * HOUR).unwrap()
}

pub(crate) fn now() -> Timestamp {
    at(0)
}

pub(crate) fn owner(name: &str) -> Owner {
    Owner::new(name).unwrap()
}

/// A record made now, good forever.
pub(crate) fn record(of: &Owner) -> Record {
    Grant::new(of.clone(), Lifetime::Forever).mint(&*FORMAT, &KEYRING, now()).unwrap().record
}

/// A claim of the warning that a token ends within a minute.
pub(crate) fn claim(id: TokenId, expiry: Timestamp) -> WarningClaim {
    WarningClaim { id, expiry, threshold: Duration::from_secs(60) }
}

/// A record as it is after `edit`.
pub(crate) fn edited(record: &Record, edit: impl FnOnce(&mut Row)) -> Record {
    let mut row = record.to_row();
    edit(&mut row);
    Record::from_row(row).unwrap()
}

/// The next version of a record, after `edit`.
pub(crate) fn next(record: &Record, edit: impl FnOnce(&mut Row)) -> Record {
    edited(record, |row| {
        row.version += 1;
        edit(row);
    })
}

pub(crate) fn mark_row(at: Timestamp) -> Option<MarkRow> {
    Some(MarkRow::from(&mark(at)))
}

pub(crate) fn mark(at: Timestamp) -> Mark {
    By::unknown().because("a test".try_into().unwrap()).mark(at)
}

/// A secret of a key `k1`.
pub(crate) fn slot() -> SlotRow {
    record(&owner("nobody")).to_row().current
}

/// A secret of a key `k2`.
pub(crate) fn slot_of_other_key() -> SlotRow {
    Grant::new(owner("nobody"), Lifetime::Forever)
        .mint(&*FORMAT, &OTHER_KEYRING, now())
        .unwrap()
        .record
        .to_row()
        .current
}

pub(crate) fn selector(record: &Record) -> Selector {
    record.slots().current.selector
}

pub(crate) fn used(id: TokenId, at: Timestamp) -> Use {
    Use { id, usage: Usage { at, address: None, agent: None } }
}

pub(crate) fn kind<T>(result: Result<T, StoreError>) -> StoreErrorKind {
    match result {
        Ok(_) => panic!("expected an error"),
        Err(error) => error.kind().clone(),
    }
}

/// The kind of failure of every call that says that something is not there, or that all is done.
pub(crate) async fn absences(store: &impl TokenStore) -> Vec<(&'static str, Option<StoreErrorKind>)> {
    let unknown = record(&owner("nobody"));
    let failure = |error: StoreError| Some(error.kind().clone());
    let list = ListQuery::new(Filter::all());
    vec![
        ("find", store.find(&[selector(&unknown)]).await.map_or_else(failure, |_| None)),
        ("get", store.get(unknown.id()).await.map_or_else(failure, |_| None)),
        ("list", store.list(&list, now()).await.map_or_else(failure, |_| None)),
        (
            "update",
            store
                .update(&next(&unknown, |_| {}), unknown.revision(), None, now())
                .await
                .map_or_else(failure, |()| None),
        ),
        (
            "revoke",
            store
                .revoke(&RevokeTarget::Token(unknown.id()), &mark(now()), now(), RevokeStep::WHOLE)
                .await
                .map_or_else(failure, |_| None),
        ),
        (
            "revoke of an owner",
            store
                .revoke(&RevokeTarget::Owner(owner("nobody")), &mark(now()), now(), RevokeStep::WHOLE)
                .await
                .map_or_else(failure, |_| None),
        ),
        ("count_by_key", store.count_by_key("k9".parse().unwrap()).await.map_or_else(failure, |_| None)),
        ("insert", store.insert(&unknown, None, now()).await.map_or_else(failure, |()| None)),
        ("check_health", store.check_health().await.map_or_else(failure, |()| None)),
    ]
}
