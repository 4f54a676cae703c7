//! Last uses, which wait for nobody.

use counterfoil::{
    Timestamp, TokenId, TokenStore,
    store::{ListQuery, Order, StoreErrorKind},
};

use crate::{
    cluster::{Server, run},
    support::*,
};

async fn last_use(store: &Fixture, id: TokenId) -> Option<Timestamp> {
    store.store.get(id).await.unwrap().unwrap().usage.map(|usage| usage.at)
}

#[tokio::test]
async fn a_batch_is_one_statement() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let (proxy, options) = store.database.behind_proxy().await;
    let pool = crate::cluster::pool(options, 1).await;
    let remote = counterfoil_sqlx::PostgresStore::from_migrated_pool(pool).await.unwrap();
    let mut uses = Vec::new();
    for number in 0..40 {
        uses.push(used(store.insert(record(&owner("ann"))).await.id(), at(number % 7)));
    }
    remote.record_uses(&uses[..1]).await.unwrap();
    proxy.sent();
    remote.record_uses(&uses).await.unwrap();
    let sent = proxy.sent();
    assert_eq!((sent.get(&'B'), sent.get(&'Q'), sent.get(&'P')), (Some(&1), None, None), "{sent:?}");
    for one in &uses {
        assert_eq!(last_use(&store, one.id).await, Some(one.usage.at));
    }
    store.close().await;
}

#[tokio::test]
async fn no_lock_on_a_row_is_waited_for() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let (one, other) = (store.insert(record(&owner("ann"))).await, store.insert(record(&owner("ann"))).await);
    let uses = [used(one.id(), at(1)), used(other.id(), at(1))];
    let mut hand = store.database.connect().await;

    // A token, its owner: nothing of a use depends on them.
    run(&mut hand, "BEGIN; SELECT * FROM counterfoil_token, counterfoil_owner FOR UPDATE").await;
    store.store.record_uses(&uses).await.unwrap();
    assert_eq!((last_use(&store, one.id()).await, last_use(&store, other.id()).await), (Some(at(1)), Some(at(1))));
    run(&mut hand, "ROLLBACK").await;

    // The use of a token: the others are written, and that one is told.
    let of_one = format!("SELECT * FROM counterfoil_usage WHERE token_id = '{}' FOR UPDATE", one.id());
    run(&mut hand, &format!("BEGIN; {of_one}")).await;
    let uses = [used(one.id(), at(2)), used(other.id(), at(2))];
    assert_eq!(kind(store.store.record_uses(&uses).await), StoreErrorKind::Unavailable);
    assert_eq!((last_use(&store, one.id()).await, last_use(&store, other.id()).await), (Some(at(1)), Some(at(2))));
    run(&mut hand, "ROLLBACK").await;
    store.store.record_uses(&uses).await.unwrap();
    assert_eq!(last_use(&store, one.id()).await, Some(at(2)));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_of_many_nodes_lose_no_latest_use() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(store.insert(record(&owner("ann"))).await.id());
    }
    for round in 0..5 {
        let mut nodes = tokio::task::JoinSet::new();
        for node in 0..8 {
            let (store, mut ids) = (store.store.clone(), ids.clone());
            ids.rotate_left(node * 7);
            let moment = at(round * 10 + node as i64);
            nodes.spawn(async move {
                let uses: Vec<_> = ids.into_iter().map(|id| used(id, moment)).collect();
                // What a registry does with uses that could not be written.
                while store.record_uses(&uses).await.is_err() {}
            });
        }
        nodes.join_all().await;
        for id in &ids {
            assert_eq!(last_use(&store, *id).await, Some(at(round * 10 + 7)));
        }
    }
    store.close().await;
}

#[tokio::test]
async fn a_list_by_last_use_ends_with_those_never_used() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let mut expected = Vec::new();
    for hours in [9, 5, 5, 2] {
        let there = store.insert(record(&owner("ann"))).await;
        store.store.record_uses(&[used(there.id(), at(hours))]).await.unwrap();
        expected.push(there.id());
    }
    expected[1..3].sort();
    let mut never =
        vec![store.insert(record(&owner("ann"))).await.id(), store.insert(record(&owner("ann"))).await.id()];
    never.sort();
    expected.extend(never);
    let mut query =
        ListQuery { limit: 1, order: Order::ByLastUse { after: None }, ..ListQuery::new(Default::default()) };
    let mut listed = Vec::new();
    loop {
        let page = store.store.list(&query, now()).await.unwrap();
        listed.extend(page.tokens.iter().map(|stored| stored.record.id()));
        let Some(cursor) = page.next else { break };
        query = query.after(cursor);
    }
    assert_eq!(listed, expected);
    assert!(store.store.get(expected[5]).await.unwrap().unwrap().usage.is_none());
    store.close().await;
}
