//! Every call ends within its deadline, and a change that came too late is never made.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use counterfoil::{
    Record, TokenStore,
    store::{Filter, RevokeStep, RevokeTarget, StoreError, StoreErrorKind},
};
use counterfoil_sqlx::{SqliteStore, sqlite::SqliteOptions};
use sqlx::{
    Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use tokio::task::JoinSet;

use crate::support::*;

fn connect(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal)
}

async fn over_pool(path: &Path, connections: u32) -> SqliteStore {
    let pool = SqlitePoolOptions::new().max_connections(connections).connect_with(connect(path)).await.unwrap();
    SqliteStore::from_pool_or_create(pool).await.unwrap()
}

async fn run(connection: &mut SqliteConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

/// One deadline for all that a call waits for: each of these writes alone would wait that long for the file.
#[tokio::test]
async fn queued_writes_on_a_locked_file_end_together_and_are_never_made() {
    const DEADLINE: Duration = Duration::from_millis(500);
    let directory = tempfile::tempdir().unwrap();
    let path = |name| directory.path().join(name);
    for (file, store) in [
        ("own.db", SqliteStore::open_or_create(path("own.db")).await.unwrap()),
        ("one.db", over_pool(&path("one.db"), 1).await),
        ("two.db", over_pool(&path("two.db"), 2).await),
    ] {
        let there = record(&owner("ann"));
        store.insert(&there, None, now()).await.unwrap();
        let impatient = store.clone().deadline(DEADLINE);
        let mut other = SqliteConnection::connect_with(&connect(&path(file))).await.unwrap();
        run(&mut other, "BEGIN IMMEDIATE").await;

        let begun = Instant::now();
        let mut writes = JoinSet::new();
        let newcomers: Vec<Record> = (0..40).map(|_| record(&owner("ann"))).collect();
        for newcomer in newcomers.clone() {
            let store = impatient.clone();
            writes.spawn(async move { store.insert(&newcomer, Some(100), now()).await });
        }
        for target in [there.id().into(), owner("ann").into(), Filter::all().into()] {
            let store = impatient.clone();
            writes.spawn(async move {
                let target: RevokeTarget = target;
                store.revoke(&target, &mark(now()), now(), RevokeStep::WHOLE).await.map(drop)
            });
        }
        // Meanwhile tokens verify, even where the pool has one connection.
        while !writes.is_empty() {
            assert!(impatient.find(&[selector(&there)]).await.unwrap().is_some(), "{file}");
            let Some(ended) = writes.try_join_next() else { continue };
            assert_eq!(kind(ended.unwrap()), StoreErrorKind::Unavailable, "{file}");
        }
        // One after another they would have taken 21 seconds.
        assert!(begun.elapsed() < 12 * DEADLINE, "{file}: {:?}", begun.elapsed());

        run(&mut other, "COMMIT").await;
        let last = record(&owner("ann"));
        store.insert(&last, None, now()).await.unwrap();
        for newcomer in newcomers {
            assert!(store.get(newcomer.id()).await.unwrap().is_none(), "{file}: {} came too late", newcomer.id());
        }
        assert!(store.find(&[selector(&there)]).await.unwrap().unwrap().revoked().is_none(), "{file}");
        assert_eq!(
            store.revoke(&there.id().into(), &mark(now()), now(), RevokeStep::WHOLE).await.unwrap().revoked,
            [there.id()]
        );
        store.close().await;
    }
}

const SLOW: &str = "CREATE TRIGGER slow BEFORE UPDATE ON counterfoil_token BEGIN \
     SELECT count(*) FROM (WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) \
     SELECT x FROM c LIMIT 1000000000000); END";

/// If the statement ran on, it would hold the file's lock for days.
#[tokio::test]
async fn change_that_takes_too_long_is_interrupted_and_undone() {
    let store = Fixture::new().await;
    let there = store.insert(record(&owner("ann"))).await;
    let impatient = store.store.clone().deadline(Duration::from_millis(300)).bulk_deadline(Duration::from_millis(400));
    let mut other = SqliteConnection::connect_with(&connect(&store.path())).await.unwrap();
    for target in [RevokeTarget::Token(there.id()), RevokeTarget::Owner(owner("ann"))] {
        run(&mut other, SLOW).await;
        assert_eq!(
            kind(impatient.revoke(&target, &mark(now()), now(), RevokeStep::WHOLE).await),
            StoreErrorKind::Unavailable
        );
        run(&mut other, "DROP TRIGGER slow").await;
        assert!(store.stored(there.id()).await.revoked.is_none());
    }
    // A caller that goes away has the same effect.
    run(&mut other, SLOW).await;
    let target = RevokeTarget::Token(there.id());
    let mark = mark(now());
    let revoke = store.store.revoke(&target, &mark, now(), RevokeStep::WHOLE);
    tokio::time::timeout(Duration::from_millis(300), revoke).await.unwrap_err();
    run(&mut other, "DROP TRIGGER slow").await;
    assert!(store.stored(there.id()).await.revoked.is_none());
    assert_eq!(store.store.revoke(&target, &mark, now(), RevokeStep::WHOLE).await.unwrap().revoked, [there.id()]);
}

#[tokio::test]
async fn reads_end_within_the_deadline_too() {
    let directory = tempfile::tempdir().unwrap();
    let store = over_pool(&directory.path().join("one.db"), 1).await;
    let pool = {
        let options = connect(&directory.path().join("other.db"));
        SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap()
    };
    let other = SqliteStore::from_pool_or_create(pool.clone()).await.unwrap().deadline(Duration::from_millis(100));
    // The application uses its only connection for something else.
    let _held = pool.acquire().await.unwrap();
    let there = record(&owner("ann"));
    assert_eq!(kind(other.find(&[selector(&there)]).await), StoreErrorKind::Unavailable);
    assert_eq!(kind(other.get(there.id()).await), StoreErrorKind::Unavailable);
    assert_eq!(kind(other.count_by_key("k1".parse().unwrap()).await), StoreErrorKind::Unavailable);
    assert_eq!(kind(other.insert(&there, None, now()).await), StoreErrorKind::Unavailable);
    assert!(store.get(there.id()).await.unwrap().is_none());
}

#[tokio::test]
async fn any_duration_is_a_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions::default().deadline(Duration::MAX).bulk_deadline(Duration::MAX);
    let store = SqliteStore::open_or_create_with(directory.path().join("own.db"), options).await.unwrap();
    store.insert(&record(&owner("ann")), None, now()).await.unwrap();
    let store = store.deadline(Duration::MAX).bulk_deadline(Duration::MAX);
    store.insert(&record(&owner("ann")), None, now()).await.unwrap();
    store.record_uses(&[used(record(&owner("ann")).id(), now())]).await.unwrap();
}

const FILE: &str = "COUNTERFOIL_WRITERS_FILE";
const WRITERS: &str = "COUNTERFOIL_WRITERS";
const WRITES: &str = "COUNTERFOIL_WRITES";

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Processes that write to one file as fast as they can. More of them, with their figures:
/// `COUNTERFOIL_WRITERS=64 COUNTERFOIL_WRITES=50 cargo test --release -p counterfoil-sqlx --test sqlite
/// many_processes -- --nocapture`
#[test]
fn many_processes_write_to_one_file_without_a_failure() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(path) = std::env::var_os(FILE) {
        return runtime.block_on(write_as_fast_as_possible(path.as_ref()));
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let (writers, writes) = (number(WRITERS, 16), number(WRITES, 25));
    let store = runtime.block_on(SqliteStore::open_or_create(&path)).unwrap();
    let begun = Instant::now();
    let children: Vec<_> = (0..writers)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "deadlines::many_processes_write_to_one_file_without_a_failure", "--nocapture"])
                .env(FILE, &path)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut longest = Vec::new();
    for child in children {
        let ended = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{told}");
        let millis = told.lines().find_map(|line| line.strip_prefix("longest: ")).expect("the process tells it");
        longest.push(millis.parse::<u64>().unwrap());
    }
    longest.sort_unstable();
    let all = runtime.block_on(store.count_by_key("k1".parse().unwrap())).unwrap();
    assert_eq!(all, (writers * writes) as u64, "every write that was acknowledged is there");
    writeln!(
        std::io::stderr(),
        "{writers} processes, {all} writes in {:?}; the longest write of a process: {} ms in the median, {} ms at most",
        begun.elapsed(),
        longest[longest.len() / 2],
        longest[longest.len() - 1]
    )
    .expect("standard error takes a line");
}

async fn write_as_fast_as_possible(path: &Path) {
    let store = SqliteStore::open(path).await.unwrap();
    let mut longest = Duration::ZERO;
    for _ in 0..number(WRITES, 25) {
        let newcomer = record(&owner("ann"));
        let begun = Instant::now();
        let written: Result<(), StoreError> = store.insert(&newcomer, None, now()).await;
        longest = longest.max(begun.elapsed());
        written.unwrap_or_else(|error| panic!("after {:?}: {error:?}", begun.elapsed()));
    }
    writeln!(std::io::stdout(), "\nlongest: {}", longest.as_millis()).expect("standard output takes a line");
}
