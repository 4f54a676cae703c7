//! The backup that the guide describes, and the copy that it warns of.

use std::{fs, sync::Arc, sync::atomic::AtomicBool, sync::atomic::Ordering};

use counterfoil::TokenStore;
use counterfoil_sqlx::SqliteStore;
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vacuum_into_a_new_file_backs_up_a_store_in_use() {
    let Fixture { store, directory } = Fixture::new().await;
    let there = record(&owner("ann"));
    store.insert(&there, None, now()).await.unwrap();
    store.record_uses(&[used(there.id(), at(1))]).await.unwrap();
    // The service goes on writing.
    let is_over = Arc::new(AtomicBool::new(false));
    let (writing, until) = (store.clone(), Arc::clone(&is_over));
    let writes = tokio::spawn(async move {
        while !until.load(Ordering::SeqCst) {
            writing.insert(&record(&owner("bob")), None, now()).await.unwrap();
        }
    });

    let backup = directory.path().join("backup.db");
    let options = SqliteConnectOptions::new().filename(directory.path().join("tokens.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let statement = format!("VACUUM INTO '{}'", backup.display());
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    is_over.store(true, Ordering::SeqCst);
    writes.await.unwrap();
    store.close().await;

    let restored = SqliteStore::open(&backup).await.unwrap();
    let stored = restored.get(there.id()).await.unwrap().unwrap();
    assert_eq!((stored.record.to_row(), stored.usage.unwrap().at), (there.to_row(), at(1)));
    assert!(restored.find(&[selector(&there)]).await.unwrap().is_some());
    restored.insert(&record(&owner("ann")), Some(2), now()).await.unwrap();
}

/// What was acknowledged last is in the log.
#[tokio::test]
async fn copy_of_the_file_alone_lacks_acknowledged_writes() {
    let Fixture { store, directory } = Fixture::new().await;
    store.close().await;
    let store = SqliteStore::open(directory.path().join("tokens.db")).await.unwrap();
    let there = record(&owner("ann"));
    store.insert(&there, None, now()).await.unwrap();
    let copy = directory.path().join("copy.db");
    fs::copy(directory.path().join("tokens.db"), &copy).unwrap();
    let copied = SqliteStore::open(&copy).await.unwrap();
    assert!(copied.get(there.id()).await.unwrap().is_none());
    assert!(store.get(there.id()).await.unwrap().is_some());
}
