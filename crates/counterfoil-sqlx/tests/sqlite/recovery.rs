//! After a failed write the next one succeeds as soon as the cause is gone, and verification goes on meanwhile.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use counterfoil::{
    By, Grant, Lifetime, Record, Registry, TokenFormat, TokenId, TokenStore,
    registry::{ChangeError, VerifyError},
    store::{Filter, IdempotencyStore, Reservation, Reserved, RevokeStep, RevokeTarget, StoreError, StoreErrorKind},
};
use counterfoil_sqlx::SqliteStore;
use sqlx::{
    AssertSqlSafe, Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{small_disk::SmallDisk, support::*};

/// Every method that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Write {
    Insert,
    InsertWithLimit,
    Update,
    UpdateOfSelectors,
    Revoke,
    RevokeOwner,
    RevokeMatching,
    RecordUses,
    Purge,
    ClaimWarning,
    Reserve,
    TakeOver,
    Complete,
    Release,
    Forget,
}

use Write::*;

const WRITES: [Write; 15] = [
    Insert,
    InsertWithLimit,
    Update,
    UpdateOfSelectors,
    Revoke,
    RevokeOwner,
    RevokeMatching,
    RecordUses,
    Purge,
    ClaimWarning,
    Reserve,
    TakeOver,
    Complete,
    Release,
    Forget,
];

/// What a write finds, and what it changes.
struct Prepared {
    write: Write,
    newcomer: Record,
    there: Record,
    purgeable: TokenId,
    held: Reservation,
    other: Reservation,
}

fn reservation(owner: &counterfoil::Owner, key: &str) -> Reservation {
    Reservation {
        owner: owner.clone(),
        route: "create".parse().unwrap(),
        key: key.parse().unwrap(),
        fingerprint: [1; 32],
        token: TokenId::from_bytes([1; 16]),
        selector: "one".parse().unwrap(),
        at: now(),
    }
}

impl Prepared {
    async fn new(store: &SqliteStore, write: Write) -> Self {
        // An owner of its own, so that the preparations do not meet.
        let newcomer = record(&owner(&format!("owner-{}", record(&owner("x")).id())));
        let owner = newcomer.owner().clone();
        let there = record(&owner);
        store.insert(&there, None, now()).await.unwrap();
        let purgeable = record(&owner);
        store.insert(&purgeable, None, now()).await.unwrap();
        store.revoke(&RevokeTarget::Token(purgeable.id()), &mark(at(-2)), now(), RevokeStep::WHOLE).await.unwrap();
        let held = reservation(&owner, "held");
        store.forget(at(1), u32::MAX).await.unwrap();
        assert_eq!(store.reserve(&held).await.unwrap(), Reserved::Made);
        let other = Reservation { at: at(1), token: TokenId::from_bytes([2; 16]), ..reservation(&owner, "held") };
        Self { write, newcomer, there, purgeable: purgeable.id(), held, other }
    }

    async fn run(&self, store: &SqliteStore) -> Result<(), StoreError> {
        let Self { newcomer, there, held, other, .. } = self;
        let (id, owner, revision) = (there.id(), there.owner(), there.revision());
        match self.write {
            Insert => store.insert(newcomer, None, now()).await,
            InsertWithLimit => store.insert(newcomer, Some(50), now()).await,
            Update => {
                store
                    .update(&next(there, |row| row.expires_at = Some(at(9).unix_millis())), revision, None, now())
                    .await
            }
            UpdateOfSelectors => {
                let changed = next(there, |row| {
                    row.retiring = Some(newcomer.to_row().current);
                    row.retiring_until = Some(at(4).unix_millis());
                });
                store.update(&changed, revision, Some(50), now()).await
            }
            Revoke => store.revoke(&RevokeTarget::Token(id), &mark(now()), now(), RevokeStep::WHOLE).await.map(drop),
            RevokeOwner => store
                .revoke(&RevokeTarget::Owner(owner.clone()), &mark(now()), now(), RevokeStep::WHOLE)
                .await
                .map(drop),
            RevokeMatching => {
                let filter = Filter { created_before: Some(at(1)), ..Filter::owner(owner.clone()) };
                store.revoke(&RevokeTarget::Matching(filter), &mark(now()), now(), RevokeStep::WHOLE).await.map(drop)
            }
            RecordUses => store.record_uses(&[used(id, at(1))]).await,
            Purge => store.purge(at(-1), None, u32::MAX).await.map(drop),
            ClaimWarning => store.claim_warnings(&[claim(id, at(9))]).await.map(drop),
            Reserve => store.reserve(&reservation(owner, "new")).await.map(drop),
            TakeOver => store.take_over(held, other).await.map(drop),
            Complete => store.complete(held).await,
            Release => store.release(held).await,
            Forget => store.forget(at(1), u32::MAX).await.map(drop),
        }
    }

    /// Whether the change is there, as a whole.
    async fn is_done(&self, store: &SqliteStore) -> bool {
        let Self { newcomer, there, held, other, .. } = self;
        let stored = async || store.get(there.id()).await.unwrap().unwrap();
        // This writes, so it is asked last and in each case once.
        let reserved = async |wanted| store.reserve(wanted).await.unwrap();
        match self.write {
            Insert | InsertWithLimit => {
                let by_id = store.get(newcomer.id()).await.unwrap().is_some();
                assert_eq!(store.find(&[selector(newcomer)]).await.unwrap().is_some(), by_id);
                by_id
            }
            Update => stored().await.record.to_row().expires_at.is_some(),
            UpdateOfSelectors => {
                let by_selector = store.find(&[selector(newcomer)]).await.unwrap().is_some();
                assert_eq!(stored().await.record.to_row().retiring.is_some(), by_selector);
                by_selector
            }
            Revoke | RevokeOwner | RevokeMatching => stored().await.record.revoked().is_some(),
            RecordUses => stored().await.usage.is_some(),
            Purge => store.get(self.purgeable).await.unwrap().is_none(),
            ClaimWarning => store.claim_warnings(&[claim(there.id(), at(9))]).await.unwrap() == [false],
            Reserve => reserved(&reservation(there.owner(), "new")).await != Reserved::Made,
            TakeOver => reserved(held).await == Reserved::InFlight(other.clone()),
            Complete => reserved(held).await == Reserved::Completed(held.clone()),
            Release | Forget => reserved(held).await == Reserved::Made,
        }
    }

    async fn verifies(&self, store: &SqliteStore) -> bool {
        store.find(&[selector(&self.there)]).await.unwrap().is_some()
    }
}

/// A store on the file in `directory`, and the pool if the application gave it.
struct Opened {
    store: SqliteStore,
    pool: Option<SqlitePool>,
    name: String,
}

impl Opened {
    async fn own(path: &Path) -> Self {
        Self { store: SqliteStore::open_or_create(path).await.unwrap(), pool: None, name: "own".into() }
    }

    async fn over(pool: SqlitePool) -> Self {
        let name = format!("pool of {}", pool.options().get_max_connections());
        Self { store: SqliteStore::from_pool_or_create(pool.clone()).await.unwrap(), pool: Some(pool), name }
    }

    /// Opens it in each way on a new file in `directory`.
    async fn in_each_way(directory: &Path) -> Vec<Self> {
        let path = |name| directory.join(name);
        vec![
            Self::own(&path("own.db")).await,
            Self::over(pool_of(1).connect_with(connect(&path("one.db"))).await.unwrap()).await,
            Self::over(pool_of(2).connect_with(connect(&path("two.db"))).await.unwrap()).await,
        ]
    }

    /// Another connection to the file.
    async fn raw(&self, directory: &Path) -> SqliteConnection {
        let file = match self.name.as_str() {
            "own" => "own.db",
            "pool of 1" => "one.db",
            _ => "two.db",
        };
        SqliteConnection::connect_with(&connect(&directory.join(file))).await.unwrap()
    }

    /// The application can still use all of its pool, for transactions too.
    async fn assert_pool_is_whole(&self) {
        let Some(pool) = &self.pool else { return };
        let mut held = Vec::new();
        for _ in 0..pool.options().get_max_connections() {
            let mut connection = pool.acquire().await.unwrap();
            let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout").fetch_one(&mut *connection).await.unwrap();
            assert_eq!(timeout, 1234, "{}: what the application set is restored", self.name);
            connection.begin_with("BEGIN IMMEDIATE").await.unwrap().rollback().await.unwrap();
            held.push(connection);
        }
    }
}

fn connect(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // What is tested does not depend on it.
        .synchronous(SqliteSynchronous::Off)
        .busy_timeout(Duration::from_millis(1234))
}

fn pool_of(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(20))
}

async fn run(connection: &mut SqliteConnection, sql: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(connection).await.unwrap();
}

const TABLES: [&str; 6] = ["owner", "token", "selector", "usage", "warning", "idempotency"];

/// Triggers that run `action` before every change.
fn triggers(action: &str) -> String {
    let mut sql = String::from("BEGIN;");
    for (table, change) in TABLES.iter().flat_map(|table| [(table, "INSERT"), (table, "UPDATE"), (table, "DELETE")]) {
        sql += &format!(
            "CREATE TRIGGER obstacle_{table}_{change} BEFORE {change} ON counterfoil_{table} BEGIN {action}; END;"
        );
    }
    sql + "COMMIT"
}

fn no_triggers() -> String {
    let mut sql = String::from("BEGIN;");
    for (table, change) in TABLES.iter().flat_map(|table| [(table, "INSERT"), (table, "UPDATE"), (table, "DELETE")]) {
        sql += &format!("DROP TRIGGER obstacle_{table}_{change};");
    }
    sql + "COMMIT"
}

#[tokio::test]
async fn write_after_a_trigger_rolled_back_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    for opened in Opened::in_each_way(directory.path()).await {
        let mut raw = opened.raw(directory.path()).await;
        run(&mut raw, "CREATE TABLE stamp (only INTEGER PRIMARY KEY); INSERT INTO stamp VALUES (1)").await;
        let actions = [
            "SELECT RAISE(ROLLBACK, 'not now')",
            "SELECT RAISE(ABORT, 'not now')",
            "SELECT RAISE(FAIL, 'not now')",
            "INSERT OR ROLLBACK INTO stamp VALUES (1)",
            "INSERT INTO stamp VALUES (1)",
        ];
        for action in actions {
            for write in WRITES {
                if action != actions[0] && !matches!(write, Insert | Update | Revoke | Purge) {
                    continue;
                }
                let case = format!("{}, {write:?}, {action}", opened.name);
                let prepared = Prepared::new(&opened.store, write).await;
                run(&mut raw, triggers(action)).await;
                for _ in 0..2 {
                    let error = prepared.run(&opened.store).await.expect_err(&case);
                    assert_eq!(error.kind(), &StoreErrorKind::Other, "{case}: {error:?}");
                    assert!(!error.is_transient(), "{case}");
                    assert!(prepared.verifies(&opened.store).await, "{case}");
                }
                run(&mut raw, no_triggers()).await;
                prepared.run(&opened.store).await.unwrap_or_else(|error| panic!("{case}: {error:?}"));
                assert!(prepared.is_done(&opened.store).await, "{case}");
            }
        }
        opened.assert_pool_is_whole().await;
    }
}

#[tokio::test]
async fn failed_write_has_changed_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for opened in Opened::in_each_way(directory.path()).await {
        let mut raw = opened.raw(directory.path()).await;
        for write in WRITES {
            let case = format!("{}, {write:?}", opened.name);
            let prepared = Prepared::new(&opened.store, write).await;
            run(&mut raw, triggers("SELECT RAISE(ROLLBACK, 'not now')")).await;
            prepared.run(&opened.store).await.expect_err(&case);
            run(&mut raw, no_triggers()).await;
            assert!(!prepared.is_done(&opened.store).await, "{case}");
        }
    }
}

#[tokio::test]
async fn write_after_the_disk_was_full_succeeds() {
    let Some(disk) = SmallDisk::mount() else { return };
    for opened in Opened::in_each_way(disk.path()).await {
        let mut raw = opened.raw(disk.path()).await;
        for write in WRITES {
            let case = format!("{}, {write:?}", opened.name);
            let prepared = Prepared::new(&opened.store, write).await;
            // Without this a write fits into what the log has already.
            run(&mut raw, "PRAGMA wal_checkpoint(TRUNCATE)").await;
            disk.fill();
            for _ in 0..3 {
                let error = prepared.run(&opened.store).await.expect_err(&case);
                assert_eq!(error.kind(), &StoreErrorKind::ReadOnly, "{case}: {error:?}");
                assert!(error.is_transient(), "{case}");
                assert!(prepared.verifies(&opened.store).await, "{case}");
            }
            // A file that is opened there can be read too.
            if write == Insert && opened.pool.is_none() {
                let again = SqliteStore::open(disk.path().join("own.db")).await.unwrap();
                assert!(prepared.verifies(&again).await);
                again.close().await;
            }
            disk.make_room();
            prepared.run(&opened.store).await.unwrap_or_else(|error| panic!("{case}: {error:?}"));
            assert!(prepared.is_done(&opened.store).await, "{case}");
        }
        opened.assert_pool_is_whole().await;
    }
}

/// The same without the right to mount: the database itself has a greatest size.
#[tokio::test]
async fn write_after_the_database_reached_its_greatest_size_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    for connections in [1, 2] {
        let pages = Arc::new(AtomicU32::new(0));
        let (new, idle) = (Arc::clone(&pages), Arc::clone(&pages));
        let pool = pool_of(connections)
            .after_connect(move |connection, _| {
                let pages = new.load(Ordering::SeqCst);
                Box::pin(async move { limit_pages(connection, pages).await })
            })
            .before_acquire(move |connection, _| {
                let pages = idle.load(Ordering::SeqCst);
                Box::pin(async move { limit_pages(connection, pages).await.map(|()| true) })
            });
        let pool = pool.connect_with(connect(&directory.path().join(format!("{connections}.db")))).await.unwrap();
        let opened = Opened::over(pool).await;
        let first = Prepared::new(&opened.store, Insert).await;
        // Less than the file has, so no page is added to it.
        pages.store(1, Ordering::SeqCst);
        let mut added = 0;
        let (refused, error) = loop {
            let newcomer = record(&owner("ann"));
            match opened.store.insert(&newcomer, None, now()).await {
                Ok(()) => added += 1,
                Err(error) => break (newcomer, error),
            }
        };
        assert_eq!(error.kind(), &StoreErrorKind::ReadOnly, "after {added}: {error:?}");
        for _ in 0..5 {
            assert_eq!(kind(opened.store.insert(&refused, None, now()).await), StoreErrorKind::ReadOnly);
            assert!(first.verifies(&opened.store).await);
        }
        pages.store(0, Ordering::SeqCst);
        opened.store.insert(&refused, None, now()).await.unwrap();
        opened.assert_pool_is_whole().await;
    }
}

async fn limit_pages(connection: &mut SqliteConnection, pages: u32) -> sqlx::Result<()> {
    let pages = if pages == 0 { 1_000_000 } else { pages };
    sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"))).execute(connection).await.map(drop)
}

/// Interrupts every write at its first step, then at its second, and so on until it is through.
#[tokio::test]
async fn write_after_an_interrupt_at_any_step_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    for connections in [1, 2] {
        // Negative: not interrupted.
        let steps = Arc::new(AtomicI64::new(-1));
        let shared = Arc::clone(&steps);
        let pool = pool_of(connections).after_connect(move |connection, _| {
            let steps = Arc::clone(&shared);
            Box::pin(async move {
                let mut handle = connection.lock_handle().await?;
                handle.set_progress_handler(1, move || {
                    steps.load(Ordering::SeqCst) < 0 || steps.fetch_sub(1, Ordering::SeqCst) > 0
                });
                Ok(())
            })
        });
        let pool = pool.connect_with(connect(&directory.path().join(format!("{connections}.db")))).await.unwrap();
        let opened = Opened::over(pool).await;
        for write in WRITES {
            let mut interrupts = 0;
            for after in (0..).map(|number: i64| number * number * number / 6) {
                let case = format!("{}, {write:?}, step {after}", opened.name);
                let prepared = Prepared::new(&opened.store, write).await;
                steps.store(after, Ordering::SeqCst);
                let outcome = prepared.run(&opened.store).await;
                steps.store(-1, Ordering::SeqCst);
                assert!(prepared.verifies(&opened.store).await, "{case}");
                let Err(error) = outcome else { break };
                interrupts += 1;
                assert_eq!(error.kind(), &StoreErrorKind::Unavailable, "{case}: {error:?}");
                assert!(error.is_transient(), "{case}");
                prepared.run(&opened.store).await.unwrap_or_else(|error| panic!("{case}: {error:?}"));
                assert!(prepared.is_done(&opened.store).await, "{case}");
            }
            assert!(interrupts > 5, "{write:?} was interrupted {interrupts} times");
        }
        opened.assert_pool_is_whole().await;
    }
}

const FILE: &str = "COUNTERFOIL_RECOVERY_FILE";

/// A process whose files cannot grow gets an I/O error from the system at every write.
#[test]
fn write_after_an_io_error_succeeds() {
    if let Some(directory) = std::env::var_os(FILE) {
        return tokio::runtime::Runtime::new().unwrap().block_on(fail_to_grow_files(directory.as_ref()));
    }
    let directory = tempfile::tempdir().unwrap();
    // Without the trap the system would kill it.
    let child = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" --exact recovery::write_after_an_io_error_succeeds --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env(FILE, directory.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout) + String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success() && told.contains("1 passed"), "{told}");
}

async fn fail_to_grow_files(directory: &Path) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    for opened in Opened::in_each_way(directory).await {
        let mut raw = opened.raw(directory).await;
        for write in WRITES {
            let case = format!("{}, {write:?}", opened.name);
            let prepared = Prepared::new(&opened.store, write).await;
            run(&mut raw, "PRAGMA wal_checkpoint(TRUNCATE)").await;
            // Shorter than a frame of the log.
            setrlimit(Resource::RLIMIT_FSIZE, 1024, most).unwrap();
            for _ in 0..3 {
                let error = prepared.run(&opened.store).await.expect_err(&case);
                assert_eq!(error.kind(), &StoreErrorKind::Unavailable, "{case}: {error:?}");
                assert!(prepared.verifies(&opened.store).await, "{case}");
            }
            setrlimit(Resource::RLIMIT_FSIZE, most, most).unwrap();
            prepared.run(&opened.store).await.unwrap_or_else(|error| panic!("{case}: {error:?}"));
            assert!(prepared.is_done(&opened.store).await, "{case}");
        }
        opened.assert_pool_is_whole().await;
    }
}

/// Without a write-ahead log a commit waits for readers.
#[tokio::test]
async fn commit_that_meets_a_reader_is_undone_and_succeeds_later() {
    let directory = tempfile::tempdir().unwrap();
    for connections in [1, 2] {
        let path = directory.path().join(format!("{connections}.db"));
        let options = connect(&path).journal_mode(SqliteJournalMode::Delete);
        let pool = pool_of(connections).connect_with(options.clone()).await.unwrap();
        let opened = Opened::over(pool).await;
        let impatient = opened.store.clone().deadline(Duration::from_millis(100));
        let mut reader = SqliteConnection::connect_with(&options).await.unwrap();
        for write in WRITES {
            let case = format!("{}, {write:?}", opened.name);
            let prepared = Prepared::new(&opened.store, write).await;
            run(&mut reader, "BEGIN; SELECT count(*) FROM counterfoil_token").await;
            let error = prepared.run(&impatient).await.expect_err(&case);
            assert_eq!(error.kind(), &StoreErrorKind::Unavailable, "{case}: {error:?}");
            assert!(prepared.verifies(&opened.store).await, "{case}");
            run(&mut reader, "COMMIT").await;
            prepared.run(&opened.store).await.unwrap_or_else(|error| panic!("{case}: {error:?}"));
            assert!(prepared.is_done(&opened.store).await, "{case}");
        }
        opened.assert_pool_is_whole().await;
    }
}

#[tokio::test]
async fn commit_that_a_hook_turns_into_a_rollback_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    for connections in [1, 2] {
        let is_refusing = Arc::new(AtomicU32::new(0));
        let shared = Arc::clone(&is_refusing);
        let pool = pool_of(connections).after_connect(move |connection, _| {
            let is_refusing = Arc::clone(&shared);
            Box::pin(async move {
                connection.lock_handle().await?.set_commit_hook(move || is_refusing.load(Ordering::SeqCst) == 0);
                Ok(())
            })
        });
        let pool = pool.connect_with(connect(&directory.path().join(format!("{connections}.db")))).await.unwrap();
        let opened = Opened::over(pool).await;
        for write in WRITES {
            let case = format!("{}, {write:?}", opened.name);
            let prepared = Prepared::new(&opened.store, write).await;
            is_refusing.store(1, Ordering::SeqCst);
            assert_eq!(kind(prepared.run(&opened.store).await), StoreErrorKind::Other, "{case}");
            is_refusing.store(0, Ordering::SeqCst);
            prepared.run(&opened.store).await.unwrap_or_else(|error| panic!("{case}: {error:?}"));
            assert!(prepared.is_done(&opened.store).await, "{case}");
        }
        opened.assert_pool_is_whole().await;
    }
}

/// Connections that the application returned to its pool in a transaction, or in what sqlx takes for one.
#[tokio::test]
async fn write_on_a_pool_with_spoiled_connections_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    for connections in [1, 2] {
        for is_open in [true, false] {
            let path = directory.path().join(format!("{connections}-{is_open}.db"));
            let opened = Opened::over(pool_of(connections).connect_with(connect(&path)).await.unwrap()).await;
            let pool = opened.pool.clone().unwrap();
            sqlx::raw_sql(
                "CREATE TABLE note (id INTEGER PRIMARY KEY); CREATE TRIGGER no BEFORE INSERT ON note \
                 BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
            )
            .execute(&pool)
            .await
            .unwrap();
            for write in WRITES {
                let prepared = Prepared::new(&opened.store, write).await;
                let mut spoiled = Vec::new();
                for _ in 0..connections {
                    let mut connection = pool.acquire().await.unwrap();
                    if is_open {
                        run(&mut connection, "BEGIN").await;
                    } else if let Ok(mut transaction) = connection.begin().await {
                        let refused = sqlx::query("INSERT INTO note VALUES (1)").execute(&mut *transaction).await;
                        refused.expect_err("the trigger rolls back");
                    }
                    spoiled.push(connection);
                }
                drop(spoiled);
                let case = format!("{}, {write:?}, open: {is_open}", opened.name);
                prepared.run(&opened.store).await.unwrap_or_else(|error| panic!("{case}: {error:?}"));
                assert!(prepared.is_done(&opened.store).await, "{case}");
            }
        }
    }
}

/// A database in memory would be lost with its connection.
#[tokio::test]
async fn store_in_memory_outlives_failed_writes() {
    let store = SqliteStore::in_memory().await.unwrap();
    for write in WRITES {
        let prepared = Prepared::new(&store, write).await;
        let duplicate = store.insert(&prepared.there, None, now()).await;
        assert_eq!(kind(duplicate), StoreErrorKind::Duplicate);
        let moved = edited(&next(&prepared.there, |_| {}), |row| row.owner = "somebody-else".into());
        let moved = store.update(&moved, prepared.there.revision(), None, now()).await;
        assert_eq!(kind(moved), StoreErrorKind::Other);
        assert!(prepared.verifies(&store).await);
        prepared.run(&store).await.unwrap();
        assert!(prepared.is_done(&store).await, "{write:?}");
    }
}

/// What a service does that answered 503: the same request again, with no restart.
#[tokio::test]
async fn revocation_through_the_registry_succeeds_once_there_is_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let store = SqliteStore::open_or_create(disk.path().join("tokens.db")).await.unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let registry = Registry::builder(format, keyring().clone(), store).build().unwrap();
    let issued = registry.issue(Grant::new(owner("ann"), Lifetime::Forever)).await.unwrap();
    let raw = SqliteConnection::connect_with(&connect(&disk.path().join("tokens.db"))).await;
    run(&mut raw.unwrap(), "PRAGMA wal_checkpoint(TRUNCATE)").await;
    disk.fill();
    for _ in 0..3 {
        let error = registry.revoke(issued.record.id(), By::unknown()).await.unwrap_err();
        let ChangeError::Store(error) = error else { panic!("{error:?}") };
        assert_eq!(error.kind(), &StoreErrorKind::ReadOnly);
        registry.verify(issued.token.expose()).await.unwrap();
    }
    disk.make_room();
    registry.revoke(issued.record.id(), By::unknown()).await.unwrap();
    let denied = registry.verify(issued.token.expose()).await.unwrap_err();
    assert!(matches!(denied, VerifyError::Denied(_)), "{denied:?}");
}

#[tokio::test]
async fn connection_is_replaced_after_a_failure_and_kept_after_a_refusal() {
    let directory = tempfile::tempdir().unwrap();
    let pool = pool_of(1).connect_with(connect(&directory.path().join("one.db"))).await.unwrap();
    let opened = Opened::over(pool.clone()).await;
    let is_marked = async || sqlx::raw_sql("SELECT * FROM temp.mark").fetch_optional(&pool).await.is_ok();
    sqlx::raw_sql("CREATE TEMP TABLE mark (id INTEGER)").execute(&pool).await.unwrap();
    let there = record(&owner("ann"));
    opened.store.insert(&there, None, now()).await.unwrap();
    assert_eq!(kind(opened.store.insert(&there, None, now()).await), StoreErrorKind::Duplicate);
    let limited = opened.store.insert(&record(&owner("ann")), Some(1), now()).await;
    assert_eq!(kind(limited), StoreErrorKind::LimitReached { limit: 1 });
    assert_eq!(
        kind(opened.store.update(&next(&there, |_| {}), next(&there, |_| {}).revision(), None, now()).await),
        StoreErrorKind::LostRace
    );
    assert!(is_marked().await, "a connection in order is kept");
    let mut raw = opened.raw(directory.path()).await;
    run(&mut raw, triggers("SELECT RAISE(ROLLBACK, 'not now')")).await;
    assert_eq!(kind(opened.store.insert(&record(&owner("ann")), None, now()).await), StoreErrorKind::Other);
    assert!(!is_marked().await, "a connection that failed is closed");
}
