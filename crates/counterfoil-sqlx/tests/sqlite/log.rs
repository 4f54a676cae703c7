//! The length of the write-ahead log.

use std::path::PathBuf;

use counterfoil::TokenStore;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::*;

/// The limit that the guide states.
const LIMIT: u64 = 16 * 1024 * 1024;

async fn run(connection: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

struct Log(PathBuf);

impl Log {
    fn len(&self) -> u64 {
        std::fs::metadata(&self.0).unwrap().len()
    }

    /// Writes more than the limit, while a reader needs what was there before.
    async fn grow(&self, connect: &SqliteConnectOptions) -> SqliteConnection {
        let mut reader = SqliteConnection::connect_with(connect).await.unwrap();
        run(&mut reader, "BEGIN; SELECT count(*) FROM counterfoil_token").await;
        let mut writer = SqliteConnection::connect_with(connect).await.unwrap();
        run(
            &mut writer,
            "PRAGMA synchronous = OFF; CREATE TABLE IF NOT EXISTS bulk (data BLOB); \
             INSERT INTO bulk VALUES (zeroblob(20000000)); UPDATE bulk SET data = randomblob(20000000); DELETE FROM bulk",
        )
        .await;
        assert!(self.len() > LIMIT, "a reader keeps the log: {} bytes", self.len());
        reader
    }
}

#[tokio::test]
async fn log_that_a_reader_kept_shrinks_with_later_writes() {
    let store = Fixture::new().await;
    let connect = SqliteConnectOptions::new().filename(store.path());
    let log = Log(store.directory.path().join("tokens.db-wal"));
    let reader = log.grow(&connect).await;
    for _ in 0..3 {
        store.insert(record(&owner("ann"))).await;
    }
    assert!(log.len() > LIMIT, "and goes on keeping it");
    drop(reader);
    let mut writes = 0;
    while log.len() > LIMIT {
        // The first copies the log into the file, and the second begins it anew.
        store.insert(record(&owner("ann"))).await;
        writes += 1;
        assert!(writes < 100, "{} bytes after {writes} writes", log.len());
    }
}

#[tokio::test]
async fn purge_shrinks_the_log_once_no_reader_needs_it() {
    let store = Fixture::new().await;
    let connect = SqliteConnectOptions::new().filename(store.path());
    let log = Log(store.directory.path().join("tokens.db-wal"));
    let mut reader = log.grow(&connect).await;
    store.store.purge(now(), None, 10).await.unwrap();
    assert!(log.len() > LIMIT);
    run(&mut reader, "COMMIT").await;
    store.store.purge(now(), None, 10).await.unwrap();
    assert!(log.len() <= LIMIT, "{} bytes", log.len());
    // Verification goes on with what was copied.
    let there = store.insert(record(&owner("ann"))).await;
    assert_eq!(store.finds(selector(&there).as_str()).await, Some(there.id()));
}
