//! Many at once.

use std::{future::Future, task::Poll};

use counterfoil::{
    Record, TokenStore,
    store::{RevokeStep, RevokeTarget, StoreError, StoreErrorKind},
};
use counterfoil_sqlx::SqliteStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use tokio::task::JoinSet;

use crate::support::*;

/// Two stores on one file are two nodes.
async fn nodes(store: &Fixture) -> [SqliteStore; 2] {
    [store.store.clone(), SqliteStore::open(store.path()).await.unwrap()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_are_added_than_the_limit_leaves_room_for() {
    let store = Fixture::new().await;
    let nodes = nodes(&store).await;
    let mut tasks = JoinSet::new();
    for number in 0..30 {
        let (node, newcomer) = (nodes[number % 2].clone(), record(&owner("ann")));
        tasks.spawn(async move { node.insert(&newcomer, Some(10), now()).await });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
    for refused in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(kind(refused), StoreErrorKind::LimitReached { limit: 10 });
    }
    nodes[1].close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_updates_of_one_revision_one_wins() {
    let store = Fixture::new().await;
    let nodes = nodes(&store).await;
    let there = store.insert(record(&owner("ann"))).await;
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let changed = next(&there, |row| row.expires_at = Some(at(number).unix_millis()));
        let (node, expected) = (nodes[number as usize % 2].clone(), there.revision());
        tasks.spawn(async move { node.update(&changed, expected, None, now()).await });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for lost in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(kind(lost), StoreErrorKind::LostRace);
    }
    nodes[1].close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_update_never_undoes_a_revocation() {
    let store = Fixture::new().await;
    let nodes = nodes(&store).await;
    for round in 0..20 {
        let there = store.insert(record(&owner("ann"))).await;
        let changed = next(&there, |row| row.expires_at = Some(at(round).unix_millis()));
        let (updating, expected) = (nodes[0].clone(), there.revision());
        let update = tokio::spawn(async move { updating.update(&changed, expected, None, now()).await });
        let (revoking, id) = (nodes[1].clone(), there.id());
        let revoke = tokio::spawn(async move {
            revoking.revoke(&RevokeTarget::Token(id), &mark(now()), now(), RevokeStep::WHOLE).await
        });
        let (update, revoke) = (update.await.unwrap(), revoke.await.unwrap().unwrap());
        assert_eq!(revoke.revoked, [id]);
        let stored = store.stored(id).await;
        assert!(stored.revoked.is_some());
        match update {
            Ok(()) => assert_eq!(stored.version, 3),
            Err(error) => assert_eq!((error.kind(), stored.version), (&StoreErrorKind::LostRace, 2)),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_that_starts_after_a_write_sees_it() {
    let store = Fixture::new().await;
    let nodes = nodes(&store).await;
    for _ in 0..50 {
        let there = store.insert(record(&owner("ann"))).await;
        for node in &nodes {
            assert!(node.find(&[selector(&there)]).await.unwrap().is_some());
        }
        store.store.revoke(&RevokeTarget::Token(there.id()), &mark(now()), now(), RevokeStep::WHOLE).await.unwrap();
        for node in &nodes {
            assert!(node.find(&[selector(&there)]).await.unwrap().unwrap().revoked().is_some());
        }
    }
    nodes[1].close().await;
}

/// Polls `future` so often at most, and drops it at the wait that follows: at once, or when it has been woken.
async fn polled(future: impl Future<Output = Result<(), StoreError>>, mut polls: u32, is_woken: bool) {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| {
        if polls == 0 {
            return Poll::Ready(());
        }
        polls -= 1;
        let polled = future.as_mut().poll(context).map(drop);
        if polls == 0 && !is_woken { Poll::Ready(()) } else { polled }
    })
    .await;
}

/// A client that goes away drops the future at any of its waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_call_leaves_everything_or_nothing_and_the_next_one_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let pool = async |connections, name: &str| {
        let options = SqliteConnectOptions::new().filename(directory.path().join(name)).create_if_missing(true);
        let options = options.journal_mode(SqliteJournalMode::Wal);
        SqlitePoolOptions::new().max_connections(connections).connect_with(options).await.unwrap()
    };
    for (name, store) in [
        ("own", SqliteStore::open_or_create(directory.path().join("own.db")).await.unwrap()),
        ("pool of 1", SqliteStore::from_pool_or_create(pool(1, "one.db").await).await.unwrap()),
        ("pool of 2", SqliteStore::from_pool_or_create(pool(2, "two.db").await).await.unwrap()),
        ("memory", SqliteStore::in_memory().await.unwrap()),
    ] {
        let mut newcomers: Vec<Record> = Vec::new();
        for (polls, is_woken) in (0..40).flat_map(|polls| [(polls, false), (polls, true)]) {
            let newcomer = record(&owner("ann"));
            polled(store.insert(&newcomer, Some(1000), now()), polls, is_woken).await;
            newcomers.push(newcomer);
            // A read never sees what was not committed, and waits for no transaction that nobody ends.
            for newcomer in newcomers.iter().rev().take(3) {
                let by_id = store.get(newcomer.id()).await.unwrap().is_some();
                let by_selector = store.find(&[selector(newcomer)]).await.unwrap().is_some();
                assert!(!by_id || by_selector, "{name}: a record has all its rows");
            }
        }
        let last = record(&owner("ann"));
        store.insert(&last, None, now()).await.unwrap();
        assert!(store.find(&[selector(&last)]).await.unwrap().is_some());
        let (mut whole, all) = (0, newcomers.len());
        for newcomer in newcomers {
            let by_id = store.get(newcomer.id()).await.unwrap().is_some();
            assert_eq!(by_id, store.find(&[selector(&newcomer)]).await.unwrap().is_some(), "{name}");
            whole += usize::from(by_id);
        }
        assert!((1..all).contains(&whole), "{name}: {whole} of {all} are whole: none was dropped on its way, or all");
        store.close().await;
    }
}
