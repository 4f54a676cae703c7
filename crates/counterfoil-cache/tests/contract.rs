//! A store behind a cache is a store: what every one promises, on this one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::PathBuf, sync::LazyLock};

use counterfoil::TokenId;
use counterfoil_cache::{CachedStore, Settings};
use counterfoil_sqlx::SqliteStore;
use counterfoil_testkit::{Fresh, Harness};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

fn harness() -> Harness<CachedStore<SqliteStore>> {
    let fresh = || async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.db");
        let store = CachedStore::by_age(SqliteStore::open_or_create(&path).await.unwrap(), Settings::default());
        let node = store.clone();
        Fresh::new(store).corrupting(move |id| damage(path.clone(), node.clone(), id)).keeping(directory)
    };
    Harness::new(fresh, |job| RUNTIME.block_on(job)).rounds(20)
}

/// By a connection beside the store's, of which it is told.
async fn damage(path: PathBuf, node: CachedStore<SqliteStore>, id: TokenId) {
    let mut raw = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    let damaged = sqlx::query("UPDATE counterfoil_token SET body = '[]' WHERE id = ?1").bind(id.as_bytes().to_vec());
    assert_eq!(damaged.execute(&mut raw).await.unwrap().rows_affected(), 1);
    raw.close().await.unwrap();
    node.changed(id);
}

counterfoil_testkit::token_store_tests!(harness(), corrupting);
