//! Files, the host's pools, and what is set on the connections.

use std::{path::Path, time::Duration};

use counterfoil::{TokenStore, store::StoreErrorKind};
use counterfoil_sqlx::{
    SqliteStore,
    sqlite::{MIGRATIONS, SqliteOptions},
};
use sqlx::{
    SqlSafeStr as _, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

use crate::support::*;

async fn pool(path: &Path) -> SqlitePool {
    let options =
        SqliteConnectOptions::new().filename(path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    SqlitePoolOptions::new().connect_with(options).await.unwrap()
}

fn migrator(migrations: &[(i64, &'static str)]) -> Migrator {
    let migrations = migrations.iter().map(|(version, sql)| {
        Migration::new(*version, "host".into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let store = Fixture::new().await;
    let there = store.insert(record(&owner("ann"))).await;
    store.store.record_uses(&[used(there.id(), at(1))]).await.unwrap();
    store.store.close().await;
    assert_eq!(kind(store.store.get(there.id()).await), StoreErrorKind::Unavailable);
    assert_eq!(kind(store.store.insert(&record(&owner("ann")), None, now()).await), StoreErrorKind::Unavailable);
    assert!(!store.directory.path().join("tokens.db-wal").exists(), "the log is written back");

    for _ in 0..2 {
        let again = SqliteStore::open(store.path()).await.unwrap();
        let stored = again.get(there.id()).await.unwrap().unwrap();
        assert_eq!(stored.record.to_row(), there.to_row());
        assert_eq!(stored.usage.unwrap().at, at(1));
        assert_eq!(again.find(&[selector(&there)]).await.unwrap().unwrap().id(), there.id());
        again.close().await;
    }
}

#[tokio::test]
async fn path_that_looks_like_an_address_is_a_file_name() {
    let directory = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:x?mode=memory"] {
        let path = directory.path().join(name);
        let opened = SqliteStore::open_or_create(&path).await.unwrap();
        opened.insert(&record(&owner("ann")), None, now()).await.unwrap();
        opened.close().await;
        assert!(path.is_file(), "{name}");
        SqliteStore::open(&path).await.unwrap().close().await;
    }
}

/// The names of the files in a directory.
fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Each with the text of the error, and that of `open_or_create` where it is an error too.
#[tokio::test]
async fn place_without_a_store_is_no_store_and_stays_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let in_it = |name: &str| directory.path().join(name);
    std::fs::write(in_it("empty.db"), "").unwrap();
    std::fs::write(in_it("notes.txt"), "not a database, and long enough to be looked at as one. ".repeat(40)).unwrap();
    std::fs::write(in_it("short.txt"), "x").unwrap();
    std::fs::create_dir(in_it("directory.db")).unwrap();
    std::os::unix::fs::symlink(in_it("nowhere"), in_it("dangling.db")).unwrap();
    let foreign = SqliteConnectOptions::new().filename(in_it("foreign.db")).create_if_missing(true);
    let foreign = SqlitePool::connect_with(foreign).await.unwrap();
    sqlx::raw_sql("CREATE TABLE note (id INTEGER PRIMARY KEY)").execute(&foreign).await.unwrap();
    foreign.close().await;
    let (before, bytes) = (files(directory.path()), std::fs::read(in_it("foreign.db")).unwrap());

    let no_directory = format!("the directory {} does not exist", in_it("no").display());
    let missing = "the file does not exist; `open_or_create` creates a store";
    for (name, detail, or_create) in [
        ("missing.db", missing, None),
        ("dangling.db", missing, None),
        ("empty.db", "the file is empty; `open_or_create` creates a store", None),
        ("no/tokens.db", no_directory.as_str(), Some(no_directory.as_str())),
        ("directory.db", "the path is a directory", Some("the path is a directory")),
        ("notes.txt", "the file is not a SQLite database", Some("the file is not a SQLite database")),
        ("short.txt", "the file is not a SQLite database", Some("the file is not a SQLite database")),
        (
            "foreign.db",
            "no table `counterfoil_schema`; `open_or_create` and `from_pool_or_create` create a store",
            None,
        ),
    ] {
        let path = in_it(name);
        let no_store =
            |detail: &str| StoreErrorKind::NoStore { location: path.display().to_string(), detail: detail.into() };
        let error = SqliteStore::open(&path).await.unwrap_err();
        assert_eq!(error.kind(), &no_store(detail), "{name}");
        assert_eq!(error.to_string(), format!("no token store in {}: {detail}", path.display()));
        assert_eq!(files(directory.path()), before, "{name}: nothing is created");
        if let Some(detail) = or_create {
            assert_eq!(kind(SqliteStore::open_or_create(&path).await), no_store(detail), "{name}");
        }
    }
    assert_eq!(std::fs::read(in_it("foreign.db")).unwrap(), bytes, "a foreign database is not written to");
    assert!(matches!(kind(SqliteStore::open("").await), StoreErrorKind::NoStore { .. }));

    for name in ["missing.db", "empty.db", "foreign.db"] {
        SqliteStore::open_or_create(in_it(name)).await.unwrap().close().await;
        let store = SqliteStore::open(in_it(name)).await.unwrap();
        assert!(store.find(&[selector(&record(&owner("ann")))]).await.unwrap().is_none(), "{name}");
        store.close().await;
    }
}

#[tokio::test]
async fn pool_without_a_store_is_no_store_unless_creation_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("host.db");
    let pool = pool(&path).await;
    let location = path.display().to_string();
    let detail = "no table `counterfoil_schema`; `open_or_create` and `from_pool_or_create` create a store".into();
    let expected = StoreErrorKind::NoStore { location, detail };
    assert_eq!(kind(SqliteStore::from_pool(pool.clone()).await), expected);
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&pool).await.unwrap();
    assert_eq!(tables, 0, "nothing is created");
    SqliteStore::from_pool_or_create(pool.clone()).await.unwrap();
    SqliteStore::from_pool(pool).await.unwrap();
}

/// Each statement takes a part of a store away, or makes it one that does not fit the rest.
#[tokio::test]
async fn half_of_a_store_is_incomplete_and_is_not_completed() {
    for (damage, detail) in [
        ("DROP TABLE counterfoil_selector", "no table `counterfoil_selector`"),
        ("DROP TABLE counterfoil_token", "no table `counterfoil_token`"),
        ("DROP TABLE counterfoil_schema", "no table `counterfoil_schema`"),
        (
            "DROP TABLE counterfoil_usage; DROP TABLE counterfoil_warning",
            "no table `counterfoil_usage`, `counterfoil_warning`",
        ),
        ("DROP TABLE counterfoil_idempotency", "no table `counterfoil_idempotency`"),
        ("DROP TABLE counterfoil_owner", "no table `counterfoil_owner`"),
        ("DELETE FROM counterfoil_schema", "`counterfoil_schema` has 0 rows, expected 1"),
        (
            "ALTER TABLE counterfoil_schema RENAME TO former; CREATE TABLE counterfoil_schema AS SELECT * FROM former; \
             INSERT INTO counterfoil_schema SELECT * FROM former",
            "`counterfoil_schema` has 2 rows, expected 1",
        ),
        (
            "DROP TABLE _counterfoil_migrations",
            "`_counterfoil_migrations` records no migrations; if your own migrator runs them, open the store with \
             `from_migrated_pool`",
        ),
        (
            "DELETE FROM _counterfoil_migrations",
            "`counterfoil_schema` is of version KNOWN, but `_counterfoil_migrations` records the migrations []",
        ),
        ("UPDATE _counterfoil_migrations SET success = FALSE WHERE version = 1", "migration 1 did not finish"),
    ] {
        let store = Fixture::new().await;
        store.insert(record(&owner("ann"))).await;
        store.store.close().await;
        let raw = store.raw().await;
        sqlx::raw_sql("PRAGMA foreign_keys = OFF").execute(&raw).await.unwrap();
        sqlx::raw_sql(damage).execute(&raw).await.unwrap();
        let detail = detail.replace("KNOWN", &MIGRATIONS.last().unwrap().0.to_string());
        let expected = StoreErrorKind::Incomplete { location: store.path().display().to_string(), detail };
        assert_eq!(kind(SqliteStore::open(store.path()).await), expected, "{damage}");
        assert_eq!(kind(SqliteStore::open_or_create(store.path()).await), expected, "{damage}");
        assert_eq!(kind(SqliteStore::from_pool_or_create(pool(&store.path()).await).await), expected, "{damage}");
    }
}

#[tokio::test]
async fn only_the_record_of_migrations_left_is_incomplete() {
    let store = Fixture::new().await;
    let raw = store.raw().await;
    sqlx::raw_sql("PRAGMA foreign_keys = OFF").execute(&raw).await.unwrap();
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema WHERE name GLOB 'counterfoil_*' AND type = 'table'")
            .fetch_all(&raw)
            .await
            .unwrap();
    for table in tables {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP TABLE {table}"))).execute(&raw).await.unwrap();
    }
    let opened = kind(SqliteStore::open_or_create(store.path()).await);
    assert!(
        matches!(&opened, StoreErrorKind::Incomplete { detail, .. } if detail.starts_with("no table")),
        "{opened:?}"
    );
}

#[tokio::test]
async fn migration_edited_after_it_ran_is_refused_with_both_checksums() {
    for (version, _) in MIGRATIONS {
        let store = Fixture::new().await;
        store.store.close().await;
        let raw = store.raw().await;
        let expected: Vec<u8> = sqlx::query_scalar("SELECT checksum FROM _counterfoil_migrations WHERE version = ?1")
            .bind(version)
            .fetch_one(&raw)
            .await
            .unwrap();
        sqlx::query("UPDATE _counterfoil_migrations SET checksum = x'00ff' WHERE version = ?1")
            .bind(version)
            .execute(&raw)
            .await
            .unwrap();
        let expected = hex::encode(expected);
        assert_eq!(expected.len(), 96, "SHA-384");
        let edited = StoreErrorKind::EditedMigration { version: *version, found: "00ff".into(), expected };
        assert_eq!(kind(SqliteStore::open(store.path()).await), edited);
        assert_eq!(kind(SqliteStore::open_or_create(store.path()).await), edited);
        assert_eq!(kind(SqliteStore::from_pool(pool(&store.path()).await).await), edited);
    }
}

#[tokio::test]
async fn a_store_in_memory_keeps_and_shares_its_rows() {
    let store = SqliteStore::in_memory().await.unwrap();
    let there = record(&owner("ann"));
    store.clone().insert(&there, Some(1), now()).await.unwrap();
    // A call that reads and one that writes at once share one connection.
    let newcomer = record(&owner("ann"));
    let selectors = [selector(&there)];
    let (found, refused) = tokio::join!(store.find(&selectors), store.insert(&newcomer, Some(1), now()));
    assert_eq!(found.unwrap().unwrap().id(), there.id());
    assert_eq!(kind(refused), StoreErrorKind::LimitReached { limit: 1 });
    assert!(SqliteStore::in_memory().await.unwrap().get(there.id()).await.unwrap().is_none(), "each has its own");
}

#[tokio::test]
async fn many_open_one_new_file_at_once() {
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.db");
        let mut opening = tokio::task::JoinSet::new();
        for _ in 0..8 {
            opening.spawn(SqliteStore::open_or_create(path.clone()));
        }
        for opened in opening.join_all().await {
            let opened = opened.unwrap_or_else(|error| panic!("{error:?}"));
            opened.insert(&record(&owner("ann")), None, now()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_host_s_pool_is_shared_with_its_tables_and_its_migrator() {
    let directory = tempfile::tempdir().unwrap();
    let host = [(1, "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")];
    for host_first in [true, false] {
        let pool = pool(&directory.path().join(format!("{host_first}.db"))).await;
        if host_first {
            migrator(&host).run(&pool).await.unwrap();
        }
        let store = SqliteStore::from_pool_or_create(pool.clone()).await.unwrap();
        migrator(&host).run(&pool).await.unwrap();
        let again = SqliteStore::from_pool(pool.clone()).await.unwrap();
        migrator(&host).run(&pool).await.unwrap();

        sqlx::query("INSERT INTO note (text) VALUES ('mine')").execute(&pool).await.unwrap();
        let there = record(&owner("ann"));
        store.insert(&there, Some(5), now()).await.unwrap();
        assert!(again.get(there.id()).await.unwrap().is_some());
        let versions: Vec<i64> = sqlx::query_scalar("SELECT version FROM _counterfoil_migrations ORDER BY version")
            .fetch_all(&pool)
            .await
            .unwrap();
        assert_eq!(versions, MIGRATIONS.iter().map(|(version, _)| *version).collect::<Vec<_>>());
        let hosts: i64 = sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations").fetch_one(&pool).await.unwrap();
        assert_eq!(hosts, 1);
        pool.close().await;
    }
}

#[tokio::test]
async fn a_host_s_own_migrator_may_make_the_tables() {
    let directory = tempfile::tempdir().unwrap();
    let pool = pool(&directory.path().join("host.db")).await;
    let error = SqliteStore::from_migrated_pool(pool.clone()).await.unwrap_err();
    assert!(matches!(error.kind(), StoreErrorKind::NoStore { .. }), "{error:?}");
    assert!(error.to_string().contains("run the migrations first"), "{error}");

    let mut all = vec![(20_260_101, "CREATE TABLE note (id INTEGER PRIMARY KEY)")];
    all.extend(MIGRATIONS.iter().map(|(version, sql)| (20_260_200 + version, *sql)));
    migrator(&all).run(&pool).await.unwrap();
    let store = SqliteStore::from_migrated_pool(pool.clone()).await.unwrap();
    let there = record(&owner("ann"));
    store.insert(&there, None, now()).await.unwrap();
    assert!(store.get(there.id()).await.unwrap().is_some());
    let own_table: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_counterfoil_migrations'")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(own_table, 0, "nothing is run");
    store.close().await;
}

#[tokio::test]
async fn a_newer_or_older_schema_is_refused() {
    let known = MIGRATIONS.last().unwrap().0;
    let newer = StoreErrorKind::NewerSchema { found: known + 1, known };
    let steps = [
        "INSERT INTO _counterfoil_migrations (version, description, success, checksum, execution_time) \
         SELECT max(version) + 1, 'next', TRUE, x'00', 1 FROM _counterfoil_migrations",
        "UPDATE counterfoil_schema SET version = version + 1",
    ];
    for step in steps {
        let store = Fixture::new().await;
        sqlx::query(step).execute(&store.raw().await).await.unwrap();
        store.store.close().await;
        assert_eq!(kind(SqliteStore::open(store.path()).await), newer, "{step}");
        let pool = pool(&store.path()).await;
        assert_eq!(kind(SqliteStore::from_pool(pool.clone()).await), newer, "{step}");
        assert_eq!(kind(SqliteStore::from_migrated_pool(pool).await), newer, "{step}");
    }
    let store = Fixture::new().await;
    let older = "UPDATE counterfoil_schema SET version = version - 1; DROP TABLE _counterfoil_migrations";
    sqlx::raw_sql(older).execute(&store.raw().await).await.unwrap();
    let older = StoreErrorKind::OlderSchema { found: known - 1, known };
    assert_eq!(kind(SqliteStore::from_migrated_pool(pool(&store.path()).await).await), older);
}

#[tokio::test]
async fn a_pool_without_foreign_keys_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(directory.path().join("host.db")).create_if_missing(true);
    let pool = SqlitePool::connect_with(options.foreign_keys(false)).await.unwrap();
    for refused in
        [SqliteStore::from_pool_or_create(pool.clone()).await, SqliteStore::from_migrated_pool(pool.clone()).await]
    {
        let error = refused.unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("foreign keys"));
    }
}

#[tokio::test]
async fn on_a_read_only_file_reads_work_and_writes_say_why_not() {
    let store = Fixture::new().await;
    let there = store.insert(record(&owner("ann"))).await;
    store.store.close().await;

    let options = SqliteConnectOptions::new().filename(store.path()).read_only(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let opened = [
        SqliteStore::from_pool_or_create(pool.clone()).await.unwrap(),
        SqliteStore::from_migrated_pool(pool).await.unwrap(),
    ];
    for read_only in opened {
        assert_eq!(read_only.find(&[selector(&there)]).await.unwrap().unwrap().id(), there.id());
        assert!(read_only.get(there.id()).await.unwrap().is_some());
        let target = counterfoil::store::RevokeTarget::Token(there.id());
        let changed = next(&there, |_| {});
        let writes = [
            read_only.insert(&record(&owner("ann")), Some(5), now()).await.map(drop),
            read_only.update(&changed, there.revision(), None, now()).await.map(drop),
            read_only.revoke(&target, &mark(now()), now(), counterfoil::store::RevokeStep::WHOLE).await.map(drop),
            read_only.record_uses(&[used(there.id(), now())]).await.map(drop),
            read_only.purge(now(), None, 1).await.map(drop),
            read_only.claim_warnings(&[claim(there.id(), now())]).await.map(drop),
        ];
        for (number, write) in writes.into_iter().enumerate() {
            assert_eq!(kind(write), StoreErrorKind::ReadOnly, "write {number}");
        }
    }

    // A schema that is not there cannot be made.
    let empty = store.directory.path().join("empty.db");
    pool_of_empty(&empty).await;
    let options = SqliteConnectOptions::new().filename(&empty).read_only(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    assert!(matches!(kind(SqliteStore::from_pool(pool.clone()).await), StoreErrorKind::NoStore { .. }));
    assert_eq!(kind(SqliteStore::from_pool_or_create(pool).await), StoreErrorKind::ReadOnly);
}

async fn pool_of_empty(path: &Path) {
    let pool = pool(path).await;
    sqlx::raw_sql("CREATE TABLE note (id INTEGER PRIMARY KEY)").execute(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test]
async fn a_locked_file_is_unavailable() {
    let store = Fixture::new().await;
    let raw = store.raw().await;
    let options = SqliteOptions::default().deadline(Duration::from_millis(200));
    let impatient = SqliteStore::open_with(store.path(), options).await.unwrap();
    let there = store.insert(record(&owner("ann"))).await;
    let lock = raw.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(kind(impatient.insert(&record(&owner("ann")), None, now()).await), StoreErrorKind::Unavailable);
    assert_eq!(kind(impatient.claim_warnings(&[claim(there.id(), now())]).await), StoreErrorKind::Unavailable);
    assert!(impatient.get(there.id()).await.unwrap().is_some(), "readers wait for no writer");
    drop(lock);
}

/// Setting up the log needs the file alone, and SQLite itself does not wait for that.
#[tokio::test]
async fn opening_waits_for_whoever_is_busy_with_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let other = SqlitePool::connect_with(options).await.unwrap();
    let mut busy = other.begin().await.unwrap();
    sqlx::raw_sql("CREATE TABLE note (id INTEGER PRIMARY KEY)").execute(&mut *busy).await.unwrap();

    let impatient = SqliteOptions::default().deadline(Duration::ZERO);
    assert_eq!(kind(SqliteStore::open_or_create_with(&path, impatient).await), StoreErrorKind::Unavailable);
    let opening = tokio::spawn(SqliteStore::open_or_create(path));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!opening.is_finished());
    busy.commit().await.unwrap();
    opening.await.unwrap().unwrap();
}
