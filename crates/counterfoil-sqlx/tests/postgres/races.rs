//! Fifty connections at once.

use std::task::Poll;

use counterfoil::{
    Record, TokenStore,
    store::{Filter, RevokeStep, RevokeTarget, StoreError, StoreErrorKind},
};
use counterfoil_sqlx::PostgresStore;
use tokio::task::JoinSet;

use crate::{cluster::Server, support::*};

/// Two nodes with 25 connections each.
async fn nodes(server: &Server) -> (Fixture, [PostgresStore; 2]) {
    let store = Fixture::with(server.database().await, 25).await;
    let nodes = [store.store.clone(), store.node(25).await];
    (store, nodes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_are_added_than_the_limit_leaves_room_for() {
    let Some(server) = Server::shared() else { return };
    let (store, nodes) = nodes(server).await;
    // The first has no row of its owner yet, the others have.
    for (round, room) in [(0, 10), (1, 0), (2, 5)] {
        let mut tasks = JoinSet::new();
        for number in 0..100 {
            let (node, newcomer) = (nodes[number % 2].clone(), record(&owner("ann")));
            tasks.spawn(async move { node.insert(&newcomer, Some(10), now()).await });
        }
        let outcomes = tasks.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), room, "round {round}");
        for refused in outcomes.into_iter().filter(Result::is_err) {
            assert_eq!(kind(refused), StoreErrorKind::LimitReached { limit: 10 });
        }
        if round == 1 {
            let ids = Vec::from_iter(ids(&store).await.into_iter().take(5));
            for id in ids {
                store.store.revoke(&RevokeTarget::Token(id), &mark(now()), now(), RevokeStep::WHOLE).await.unwrap();
            }
        }
    }
    store.close().await;
}

async fn ids(store: &Fixture) -> Vec<counterfoil::TokenId> {
    let query = counterfoil::store::ListQuery::new(Filter::all());
    store.store.list(&query, now()).await.unwrap().tokens.iter().map(|stored| stored.record.id()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_updates_of_one_revision_one_wins() {
    let Some(server) = Server::shared() else { return };
    let (store, nodes) = nodes(server).await;
    for limit in [None, Some(100)] {
        let there = store.insert(record(&owner("ann"))).await;
        let mut tasks = JoinSet::new();
        for number in 0..50 {
            let changed = next(&there, |row| {
                row.expires_at = Some(at(number).unix_millis());
                row.spent = Some(row.current.clone());
                row.current = slot();
            });
            let (node, expected) = (nodes[number as usize % 2].clone(), there.revision());
            tasks.spawn(async move { node.update(&changed, expected, limit, now()).await.map(|()| changed) });
        }
        let (won, lost): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 49));
        for lost in lost {
            assert_eq!(kind(lost), StoreErrorKind::LostRace);
        }
        // And its selectors, whole.
        let won = won.into_iter().next().unwrap().unwrap();
        assert_eq!(store.stored(there.id()).await, won.to_row());
        for (_, slot) in won.slots().iter() {
            assert_eq!(store.finds(slot.selector.as_str()).await, Some(there.id()));
        }
    }
    assert_eq!(store.count("counterfoil_selector").await, 4);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_update_never_undoes_a_revocation() {
    let Some(server) = Server::shared() else { return };
    let (store, nodes) = nodes(server).await;
    let (mut won, mut lost) = (0, 0);
    for round in 0..60 {
        let there = store.insert(record(&owner("ann"))).await;
        let changed = next(&there, |row| row.expires_at = Some(at(round).unix_millis()));
        let (updating, expected) = (nodes[0].clone(), there.revision());
        let update = tokio::spawn(async move { updating.update(&changed, expected, None, now()).await });
        let (revoking, id) = (nodes[1].clone(), there.id());
        let target = [RevokeTarget::Token(id), RevokeTarget::Owner(owner("ann"))][round as usize % 2].clone();
        let revoke =
            tokio::spawn(async move { revoking.revoke(&target, &mark(now()), now(), RevokeStep::WHOLE).await });
        let (update, revoke) = (update.await.unwrap(), revoke.await.unwrap().unwrap());
        assert_eq!(revoke.revoked, [id]);
        let stored = store.stored(id).await;
        assert!(stored.revoked.is_some());
        match update {
            Ok(()) => assert_eq!((stored.version, won += 1), (3, ())),
            Err(error) => {
                assert_eq!((error.kind(), stored.version, lost += 1), (&StoreErrorKind::LostRace, 2, ()));
            }
        }
    }
    assert_eq!(won + lost, 60);
    store.close().await;
}

/// A filter is judged once more over a row that another has changed while it was waited for.
#[tokio::test]
async fn a_revocation_by_filter_judges_the_row_that_it_marks() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let ends = edited(&record(&owner("ann")), |row| row.expires_at = Some(at(5).unix_millis()));
    store.insert(ends.clone()).await;
    let mut hand = store.database.connect().await;
    let later = format!("BEGIN; UPDATE counterfoil_token SET expires_at = {}, version = 2", at(50).unix_millis());
    crate::cluster::run(&mut hand, &later).await;
    let node = store.store.clone();
    let revoking = tokio::spawn(async move {
        node.revoke(&RevokeTarget::Matching(Filter::expiring(at(10))), &mark(now()), now(), RevokeStep::WHOLE).await
    });
    until(async || store.waiting().await == 1).await;
    crate::cluster::run(&mut hand, "COMMIT").await;
    assert_eq!(revoking.await.unwrap().unwrap().revoked, []);
    assert!(store.stored(ends.id()).await.revoked.is_none());
    store.close().await;
}

/// Whoever revokes an owner waits for those who are adding a token of the owner's.
#[tokio::test]
async fn a_token_that_is_being_added_is_revoked_with_its_owner() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    store.insert(record(&owner("ann"))).await;
    // Stands still inside, once the row is in.
    store
        .by_hand(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
             CREATE TRIGGER wait AFTER INSERT ON counterfoil_token FOR EACH ROW EXECUTE FUNCTION wait()",
        )
        .await;
    let mut hand = store.database.connect().await;
    // Bob has no other.
    for (name, tokens) in [("ann", 2), ("bob", 1)] {
        crate::cluster::run(&mut hand, "BEGIN; SELECT pg_advisory_xact_lock(7)").await;
        let (node, newcomer) = (store.store.clone(), record(&owner(name)));
        let id = newcomer.id();
        let adding = tokio::spawn(async move { node.insert(&newcomer, Some(5), now()).await });
        until(async || store.waiting().await == 1).await;
        let node = store.store.clone();
        let revoking = tokio::spawn(async move {
            node.revoke(&RevokeTarget::Owner(owner(name)), &mark(now()), now(), RevokeStep::WHOLE).await
        });
        until(async || store.waiting().await == 2 || revoking.is_finished()).await;
        crate::cluster::run(&mut hand, "COMMIT").await;
        adding.await.unwrap().unwrap();
        let revoked = revoking.await.unwrap().unwrap().revoked;
        assert!(revoked.len() == tokens && revoked.contains(&id), "{name}: {revoked:?}");
    }
    store.close().await;
}

#[tokio::test]
async fn to_revoke_an_owner_without_tokens_leaves_nothing_behind() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let there = store.insert(record(&owner("ann"))).await;
    for (name, revoked, rows) in [("bob", vec![], 1), ("ann", vec![there.id()], 1), ("ann", vec![], 1)] {
        let revocation = store
            .store
            .revoke(&RevokeTarget::Owner(owner(name)), &mark(now()), now(), RevokeStep::WHOLE)
            .await
            .unwrap();
        assert_eq!((revocation.revoked, store.count("counterfoil_owner").await), (revoked, rows), "{name}");
    }
    // A token that the filter leaves out keeps its owner's row.
    store.insert(record(&owner("cid"))).await;
    let ends = Filter { owner: Some(owner("cid")), ..Filter::expiring(at(10)) };
    let revocation =
        store.store.revoke(&RevokeTarget::Matching(ends), &mark(now()), now(), RevokeStep::WHOLE).await.unwrap();
    assert_eq!((revocation.revoked, store.count("counterfoil_owner").await), (vec![], 2));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_that_starts_after_a_write_sees_it() {
    let Some(server) = Server::shared() else { return };
    let (store, nodes) = nodes(server).await;
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
    store.close().await;
}

/// Purging beside minting: no owner's lock is lost, and nobody stands in anybody's way for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_purge_beside_everything_else_breaks_nothing() {
    let Some(server) = Server::shared() else { return };
    let (store, nodes) = nodes(server).await;
    let mut tasks = JoinSet::new();
    for worker in 0..16 {
        let node = nodes[worker % 2].clone();
        tasks.spawn(async move {
            for round in 0..20 {
                let newcomer = record(&owner(["ann", "bob"][worker % 2]));
                node.insert(&newcomer, Some(1000), now()).await.unwrap();
                let changed = next(&newcomer, |row| row.expires_at = Some(at(round).unix_millis()));
                node.update(&changed, newcomer.revision(), Some(1000), now()).await.unwrap();
                node.record_uses(&[used(newcomer.id(), at(1))]).await.unwrap();
                node.revoke(&RevokeTarget::Token(newcomer.id()), &mark(at(-9)), now(), RevokeStep::WHOLE)
                    .await
                    .unwrap();
                node.purge(at(-8), None, 10).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    while nodes[0].purge(at(-8), None, 100).await.unwrap() > 0 {}
    for table in ["token", "selector", "usage", "warning"] {
        assert_eq!(store.count(&format!("counterfoil_{table}")).await, 0, "{table}");
    }
    store.close().await;
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
async fn a_dropped_call_leaves_all_or_nothing_and_the_store_in_order() {
    let Some(server) = Server::shared() else { return };
    // One connection: whoever comes next gets the one that was left in the middle.
    let store = Fixture::with(server.database().await, 1).await;
    let mut newcomers: Vec<Record> = Vec::new();
    for (polls, is_woken) in (0..40).flat_map(|polls| [(polls, false), (polls, true)]) {
        let newcomer = record(&owner("ann"));
        polled(store.store.insert(&newcomer, Some(1000), now()), polls, is_woken).await;
        newcomers.push(newcomer);
    }
    let last = store.insert(record(&owner("ann"))).await;
    assert_eq!(store.finds(selector(&last).as_str()).await, Some(last.id()));
    let (mut whole, all) = (0, newcomers.len());
    for newcomer in newcomers {
        let by_id = store.store.get(newcomer.id()).await.unwrap().is_some();
        let by_selector = store.finds(selector(&newcomer).as_str()).await.is_some();
        assert_eq!(by_id, by_selector);
        whole += usize::from(by_id);
    }
    assert!((1..all).contains(&whole), "{whole} of {all} were whole: none was dropped on its way, or all were");
    store.close().await;
}
