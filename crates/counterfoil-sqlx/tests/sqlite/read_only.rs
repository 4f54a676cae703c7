//! Files and directories that cannot be written.

use std::{error::Error as _, fs, path::Path, time::Duration};

use counterfoil::{
    Record, TokenStore,
    store::{IdempotencyStore, RevokeStep, RevokeTarget, StoreError, StoreErrorKind},
};
use counterfoil_sqlx::{SqliteStore, sqlite::SqliteOptions};
use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};

use crate::{small_disk::ReadOnlyView, support::*};

/// A directory with `tokens.db`, and a record in it.
async fn file() -> (tempfile::TempDir, Record) {
    let Fixture { store, directory } = Fixture::new().await;
    let there = record(&owner("ann"));
    store.insert(&there, None, now()).await.unwrap();
    store.close().await;
    (directory, there)
}

async fn assert_reads_and_refuses_writes(store: &SqliteStore, there: &Record) {
    for _ in 0..2 {
        assert_eq!(store.find(&[selector(there)]).await.unwrap().unwrap().id(), there.id());
        assert!(store.get(there.id()).await.unwrap().is_some());
        let writes: [Result<(), StoreError>; 5] = [
            store.insert(&record(&owner("ann")), Some(5), now()).await,
            store.revoke(&RevokeTarget::Token(there.id()), &mark(now()), now(), RevokeStep::WHOLE).await.map(drop),
            store.record_uses(&[used(there.id(), now())]).await,
            store.purge(now(), None, 1).await.map(drop),
            store.forget(now(), 1).await.map(drop),
        ];
        for (number, write) in writes.into_iter().enumerate() {
            assert_eq!(kind(write), StoreErrorKind::ReadOnly, "write {number}");
        }
    }
}

fn cause(error: &StoreError) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// SQLite needs a file next to it, even to read.
#[tokio::test]
async fn read_only_directory_is_an_error_that_says_what_to_do() {
    let (directory, there) = file().await;
    let Some(view) = ReadOnlyView::of(directory.path()) else { return };
    let path = view.path().join("tokens.db");
    for opened in [SqliteStore::open(&path).await, SqliteStore::open_or_create(&path).await] {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), &StoreErrorKind::ReadOnly, "{error:?}");
        for part in ["tokens.db-shm", "Read-only file system", "SqliteOptions::immutable"] {
            assert!(cause(&error).contains(part), "{error:?}");
        }
    }
    let store = SqliteStore::open_with(&path, SqliteOptions::default().immutable(true)).await.unwrap();
    assert_reads_and_refuses_writes(&store, &there).await;
    store.close().await;
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["tokens.db"], "nothing was created");
}

/// It is mounted so where one container writes and another one only verifies.
#[tokio::test]
async fn read_only_directory_that_another_process_writes_to_is_current() {
    let (directory, there) = file().await;
    let Some(view) = ReadOnlyView::of(directory.path()) else { return };
    let writer = SqliteStore::open(directory.path().join("tokens.db")).await.unwrap();
    let reader = SqliteStore::open(view.path().join("tokens.db")).await.unwrap();
    assert_reads_and_refuses_writes(&reader, &there).await;
    writer.revoke(&RevokeTarget::Token(there.id()), &mark(now()), now(), RevokeStep::WHOLE).await.unwrap();
    assert!(reader.find(&[selector(&there)]).await.unwrap().unwrap().revoked().is_some(), "a revocation is seen");
    // With a log that holds writes, an immutable file would be an older one.
    let immutable = SqliteOptions::default().immutable(true);
    let error = SqliteStore::open_with(view.path().join("tokens.db"), immutable).await.unwrap_err();
    let StoreErrorKind::Incomplete { detail, .. } = error.kind() else { panic!("{error:?}") };
    assert!(detail.contains("tokens.db-wal"), "{detail}");
}

/// Its log would be in another place: the writes in it are not seen, or lost.
#[tokio::test]
async fn file_mounted_without_its_directory_is_refused() {
    let (directory, there) = file().await;
    let path = directory.path().join("tokens.db");
    let Some(view) = ReadOnlyView::of(&path) else { return };
    let link = directory.path().join("link.db");
    std::os::unix::fs::symlink(view.path(), &link).unwrap();
    for mounted in [view.path(), link.as_path()] {
        for opened in [SqliteStore::open(mounted).await, SqliteStore::open_or_create(mounted).await] {
            let error = opened.unwrap_err();
            let StoreErrorKind::Incomplete { detail, .. } = error.kind() else { panic!("{error:?}") };
            assert!(detail.contains("view-wal") && detail.contains("mount the directory"), "{detail}");
        }
    }
    let store = SqliteStore::open_with(view.path(), SqliteOptions::default().immutable(true)).await.unwrap();
    assert_reads_and_refuses_writes(&store, &there).await;
    // The file under its own path is none.
    SqliteStore::open(&path).await.unwrap();
}

/// A file without a log needs no other files to be read.
#[tokio::test]
async fn read_only_file_without_a_log_opens_for_reading() {
    let (directory, there) = file().await;
    let path = directory.path().join("tokens.db");
    let options = SqliteConnectOptions::new().filename(&path).journal_mode(SqliteJournalMode::Delete);
    SqliteConnection::connect_with(&options).await.unwrap().close().await.unwrap();
    let Some(view) = ReadOnlyView::of(directory.path()) else { return };
    let store = SqliteStore::open(view.path().join("tokens.db")).await.unwrap();
    assert_reads_and_refuses_writes(&store, &there).await;
}

#[tokio::test]
async fn read_only_file_with_an_older_schema_or_without_a_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(directory.path().join("tokens.db")).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE note (id INTEGER PRIMARY KEY)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let Some(view) = ReadOnlyView::of(directory.path()) else { return };
    let path = view.path().join("tokens.db");
    assert!(matches!(kind(SqliteStore::open(&path).await), StoreErrorKind::NoStore { .. }));
    assert_eq!(kind(SqliteStore::open_or_create(&path).await), StoreErrorKind::ReadOnly);
}

/// The reason is only given where it is the reason.
#[tokio::test]
async fn writable_directory_is_not_blamed() {
    let (directory, _) = file().await;
    let path = directory.path().join("tokens.db");
    let mut other = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(&path)).await.unwrap();
    sqlx::raw_sql("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let options = SqliteOptions::default().deadline(Duration::from_millis(50));
    let error = SqliteStore::open_with(&path, options).await.unwrap_err();
    assert_eq!(error.kind(), &StoreErrorKind::Unavailable, "{error:?}");
    assert!(!cause(&error).contains("directory"), "{error:?}");
    assert!(is_empty_of_probes(directory.path()));
}

fn is_empty_of_probes(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().contains("probe"))
}
