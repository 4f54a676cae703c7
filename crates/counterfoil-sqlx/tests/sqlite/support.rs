//! Files, records in every state, and a door to the raw tables.

use std::sync::LazyLock;

use counterfoil::{
    By, Grant, Keyring, Lifetime, Mark, Owner, Record, Row, Selector, Timestamp, TokenFormat, TokenId, TokenStore,
    Usage,
    record::{MarkRow, SlotRow, Use},
    store::{StoreError, StoreErrorKind},
};
use counterfoil_sqlx::SqliteStore;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tempfile::TempDir;

pub(crate) const HOUR: i64 = 60 * 60 * 1000;

static FORMAT: LazyLock<TokenFormat> = LazyLock::new(|| TokenFormat::builder("acme").build().unwrap());
static KEYRING: LazyLock<Keyring> =
    LazyLock::new(|| "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap());
static OTHER_KEYRING: LazyLock<Keyring> =
    LazyLock::new(|| "k2:BpcAXdbP3VgqH2lQ2nN9ueEVpv8PPIWFHTgA0RkKVKk=:mint".parse().unwrap());

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

/// A store in a file of its own, which is gone with it.
pub(crate) struct Fixture {
    pub(crate) store: SqliteStore,
    pub(crate) directory: TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(directory.path().join("tokens.db")).await.unwrap();
        Self { store, directory }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("tokens.db")
    }

    /// A connection beside the store's, for hands that damage.
    pub(crate) async fn raw(&self) -> SqlitePool {
        let options = SqliteConnectOptions::new().filename(self.path()).pragma("ignore_check_constraints", "ON");
        SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
    }

    pub(crate) async fn insert(&self, record: Record) -> Record {
        self.store.insert(&record, None, now()).await.unwrap();
        record
    }

    pub(crate) async fn stored(&self, id: TokenId) -> Row {
        self.store.get(id).await.unwrap().expect("the record is there").record.to_row()
    }

    pub(crate) async fn finds(&self, selector: &str) -> Option<TokenId> {
        self.store.find(&[selector.parse().unwrap()]).await.unwrap().map(|record| record.id())
    }
}
