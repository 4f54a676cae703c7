//! The store's id, and what a store says after its file or its tables were changed under it.

use std::time::Duration;

use counterfoil::{
    TokenStore,
    store::{IdempotencyStore, RevokeStep, RevokeTarget, StoreErrorKind, StoreId, WarningClaim},
};
use counterfoil_sqlx::{SqliteStore, sqlite::MIGRATIONS};
use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::support::*;

#[tokio::test]
async fn right_store_without_tokens_is_new_and_not_a_failure() {
    let store = Fixture::new().await;
    for (call, failure) in absences(&store.store).await {
        let expected = (call == "update").then_some(StoreErrorKind::NotFound);
        assert_eq!(failure, expected, "{call}");
    }
    let memory = SqliteStore::in_memory().await.unwrap();
    assert!(memory.find(&[selector(&record(&owner("ann")))]).await.unwrap().is_none());
    memory.check_health().await.unwrap();
}

#[tokio::test]
async fn id_is_kept_and_differs_between_stores() {
    let store = Fixture::new().await;
    let id = store.store.id();
    let other = SqliteStore::open_or_create(store.directory.path().join("other.db")).await.unwrap();
    assert_ne!(other.id(), id);
    assert_ne!(SqliteStore::in_memory().await.unwrap().id(), id);
    assert_ne!(id, StoreId::from_bytes([0; 16]));
    assert_eq!(SqliteStore::open(store.path()).await.unwrap().id(), id);
    assert_eq!(SqliteStore::open_or_create(store.path()).await.unwrap().id(), id);
    let in_sql: String =
        sqlx::query_scalar("SELECT store_id FROM counterfoil_schema").fetch_one(&store.raw().await).await.unwrap();
    assert_eq!(in_sql, id.to_string());
}

#[tokio::test]
async fn pinned_id_is_demanded_of_every_way_to_open() {
    let store = Fixture::new().await;
    let id = store.store.id();
    let other = StoreId::from_bytes([7; 16]);
    let wrong = StoreErrorKind::WrongStore { found: id, expected: other };
    let pool =
        || async { sqlx::SqlitePool::connect_with(SqliteConnectOptions::new().filename(store.path())).await.unwrap() };
    for opened in [
        SqliteStore::open(store.path()).await.unwrap(),
        SqliteStore::open_or_create(store.path()).await.unwrap(),
        SqliteStore::from_pool(pool().await).await.unwrap(),
        SqliteStore::from_pool_or_create(pool().await).await.unwrap(),
        SqliteStore::from_migrated_pool(pool().await).await.unwrap(),
    ] {
        assert_eq!(opened.clone().require_id(id).unwrap().id(), id);
        let error = opened.require_id(other).unwrap_err();
        assert_eq!(error.kind(), &wrong);
        assert_eq!(
            error.to_string(),
            format!("the token store has the id {id}, expected {other}: this is another store")
        );
    }
}

/// A store from before there were ids gets one with the migration, and keeps its rows.
#[tokio::test]
async fn older_store_gets_an_id_when_it_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let raw = sqlx::SqlitePool::connect_with(options.clone()).await.unwrap();
    let mut migrator = sqlx::migrate::Migrator::with_migrations(vec![sqlx::migrate::Migration::new(
        1,
        "counterfoil".into(),
        sqlx::migrate::MigrationType::Simple,
        sqlx::SqlSafeStr::into_sql_str(MIGRATIONS[0].1),
        false,
    )]);
    migrator.dangerous_set_table_name("_counterfoil_migrations");
    migrator.run(&raw).await.unwrap();
    sqlx::raw_sql("INSERT INTO counterfoil_owner VALUES ('', 'ann')").execute(&raw).await.unwrap();
    raw.close().await;

    let store = SqliteStore::open(&path).await.unwrap();
    let again = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.id(), again.id());
    store.check_health().await.unwrap();
    let mut raw = SqliteConnection::connect_with(&options).await.unwrap();
    let owners: i64 = sqlx::query_scalar("SELECT count(*) FROM counterfoil_owner").fetch_one(&mut raw).await.unwrap();
    assert_eq!(owners, 1);
}

/// Each is done by another process while the store is open. Every call that would say "there is none" fails from then on.
#[tokio::test]
async fn damaged_store_is_a_failure_and_not_an_absence_while_it_is_open() {
    for (damage, expected) in [
        ("DELETE FROM counterfoil_schema", "has 0 rows, expected 1"),
        ("UPDATE counterfoil_schema SET store_id = NULL", "has no `store_id`"),
        ("UPDATE counterfoil_schema SET store_id = 'not an id, but of thirty-six letters'", "has no `store_id`"),
        (
            "UPDATE counterfoil_schema SET store_id = '11111111-2222-3333-4444-555555555555'",
            "the token store has the id 11111111-2222-3333-4444-555555555555, expected",
        ),
        ("DROP TABLE counterfoil_schema", "no table `counterfoil_schema`"),
    ] {
        let store = Fixture::new().await;
        let there = store.insert(record(&owner("ann"))).await;
        sqlx::raw_sql(damage).execute(&store.raw().await).await.unwrap();
        for (call, failure) in absences(&store.store).await {
            let failure = failure.unwrap_or_else(|| panic!("{damage}: {call} succeeded"));
            assert!(failure.to_string().contains(expected), "{damage}: {call}: {failure}");
        }
        let found = store.store.find(&[selector(&there)]).await.unwrap();
        assert_eq!(found.unwrap().id(), there.id(), "{damage}: what is found is still found");
        let opened = SqliteStore::open(store.path()).await.and_then(|opened| opened.require_id(store.store.id()));
        assert!(kind(opened).to_string().contains(expected), "{damage}");
    }
    // A table that reads go to.
    for table in ["counterfoil_selector", "counterfoil_token", "counterfoil_usage", "counterfoil_owner"] {
        let store = Fixture::new().await;
        let sql = format!("PRAGMA foreign_keys = OFF; DROP TABLE {table}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&store.raw().await).await.unwrap();
        let failure = kind(store.store.check_health().await);
        assert!(failure.to_string().contains(&format!("incomplete: no table `{table}`")), "{failure}");
    }
    let store = Fixture::new().await;
    sqlx::raw_sql("DROP TABLE _counterfoil_migrations").execute(&store.raw().await).await.unwrap();
    assert!(matches!(kind(store.store.check_health().await), StoreErrorKind::Incomplete { .. }));
    let edited = Fixture::new().await;
    sqlx::raw_sql("UPDATE _counterfoil_migrations SET checksum = x'00'").execute(&edited.raw().await).await.unwrap();
    assert!(matches!(kind(edited.store.check_health().await), StoreErrorKind::EditedMigration { version: 1, .. }));
}

/// Ways in which another file, or none, comes to the path of an open store.
#[tokio::test]
async fn file_deleted_or_replaced_while_it_is_open_is_a_failure() {
    type Replace = fn(&Fixture);
    let cases: [(&str, Replace, &str); 4] = [
        ("deleted", |store| std::fs::remove_file(store.path()).unwrap(), "the file was deleted while it was open"),
        (
            "replaced by an empty one",
            |store| {
                std::fs::write(store.directory.path().join("new"), "").unwrap();
                std::fs::rename(store.directory.path().join("new"), store.path()).unwrap();
            },
            "the file was replaced while it was open",
        ),
        (
            "replaced by a copy of itself",
            |store| {
                std::fs::copy(store.path(), store.directory.path().join("new")).unwrap();
                std::fs::rename(store.directory.path().join("new"), store.path()).unwrap();
            },
            "the file was replaced while it was open",
        ),
        (
            "hidden by a directory that was not mounted",
            |store| {
                let directory = store.directory.path();
                std::fs::rename(directory, directory.with_extension("gone")).unwrap();
                std::fs::create_dir(directory).unwrap();
            },
            "the file was deleted while it was open",
        ),
    ];
    for (case, replace, expected) in cases {
        let store = Fixture::new().await;
        let there = store.insert(record(&owner("ann"))).await;
        replace(&store);
        for (call, failure) in absences(&store.store).await {
            let failure = failure.unwrap_or_else(|| panic!("{case}: {call} succeeded"));
            assert!(matches!(failure, StoreErrorKind::NoStore { .. }), "{case}: {call}: {failure:?}");
            assert!(failure.to_string().contains(expected), "{case}: {call}: {failure}");
        }
        // No write is acknowledged that goes into a file which nobody will open again.
        let target = RevokeTarget::Token(there.id());
        let changed = next(&there, |_| {});
        for (call, failed) in [
            ("update", store.store.update(&changed, there.revision(), None, now()).await.is_err()),
            ("revoke", store.store.revoke(&target, &mark(now()), now(), RevokeStep::WHOLE).await.is_err()),
            ("record_uses", store.store.record_uses(&[used(there.id(), now())]).await.is_err()),
            ("purge", store.store.purge(now(), None, 1).await.is_err()),
            (
                "claim_warning",
                store
                    .store
                    .claim_warnings(&[WarningClaim { id: there.id(), expiry: now(), threshold: Duration::ZERO }])
                    .await
                    .is_err(),
            ),
        ] {
            assert!(failed, "{case}: {call} succeeded");
        }
        assert!(store.store.forget(now(), 1).await.is_err(), "{case}: forget succeeded");
        // What is found is not answered for long either: another process may have revoked it in the new file.
        let begun = std::time::Instant::now();
        while store.store.find(&[selector(&there)]).await.is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(10), "{case}: still found");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let gone = store.directory.path().with_extension("gone");
        if gone.exists() {
            std::fs::remove_dir_all(gone).unwrap();
        }
    }
}

/// As a tool does that copies in place: the file keeps its identity, and its content is another.
#[tokio::test]
async fn file_truncated_in_place_is_a_failure() {
    let store = Fixture::new().await;
    let there = store.insert(record(&owner("ann"))).await;
    std::fs::File::options().write(true).open(store.path()).unwrap().set_len(0).unwrap();
    std::fs::File::options().write(true).open(store.path().with_extension("db-wal")).unwrap().set_len(0).unwrap();
    for (call, failure) in absences(&store.store).await {
        assert!(failure.is_some_and(|failure| failure != StoreErrorKind::NotFound), "{call}");
    }
    drop(there);
}
