//! Files, and a door to the raw tables.

use counterfoil::{Record, Row, TokenId, TokenStore};
use counterfoil_sqlx::SqliteStore;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tempfile::TempDir;

pub(crate) use crate::common::*;

/// A store in a file of its own, which is gone with it.
pub(crate) struct Fixture {
    pub(crate) store: SqliteStore,
    pub(crate) directory: TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open_or_create(directory.path().join("tokens.db")).await.unwrap();
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
