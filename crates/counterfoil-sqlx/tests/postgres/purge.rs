//! Purging beside others.

use counterfoil::TokenStore;

use crate::{
    cluster::{Server, run},
    support::*,
};

#[tokio::test]
async fn a_purge_passes_over_what_is_locked_and_takes_an_owner_with_its_last_token() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let due = |name: &str| edited(&record(&owner(name)), |row| row.revoked = mark_row(at(-9)));
    let (one, two, of_bob) = (due("ann"), due("ann"), due("bob"));
    for record in [&one, &two, &of_bob] {
        store.insert(record.clone()).await;
    }
    store.insert(record(&owner("cid"))).await;
    let left = async || (store.count("counterfoil_token").await, store.count("counterfoil_owner").await);

    // Somebody holds a token and an owner of another.
    let mut hand = store.database.connect().await;
    let of_one = format!("SELECT * FROM counterfoil_token WHERE id = '{}' FOR UPDATE", one.id());
    let of_owner = "SELECT * FROM counterfoil_owner WHERE owner = 'bob' FOR UPDATE";
    run(&mut hand, &format!("BEGIN; {of_one}; {of_owner}")).await;
    assert_eq!(store.store.purge(at(-8), None, 10).await.unwrap(), 2);
    assert_eq!(left().await, (2, 3), "ann has one left, and bob's row is held");
    run(&mut hand, "ROLLBACK").await;
    assert_eq!(store.store.purge(at(-8), None, 10).await.unwrap(), 1);
    assert_eq!(left().await, (1, 2), "cid's, and bob's, which the next of its tokens takes with it");
    store.insert(due("bob")).await;
    assert_eq!(store.store.purge(at(-8), None, 10).await.unwrap(), 1);
    assert_eq!(left().await, (1, 1));
    store.close().await;
}

/// Either the later end is there first, and the row stays, or the purge is, and no end is given to what is gone.
#[tokio::test]
async fn nobody_gives_a_later_end_to_a_token_that_is_being_purged() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let ended = edited(&record(&owner("ann")), |row| row.expires_at = Some(at(-9).unix_millis()));
    store.insert(ended.clone()).await;
    // Stands still before the row is deleted, and after it was chosen.
    store
        .by_hand(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM pg_advisory_xact_lock(7); RETURN OLD; END $$;
             CREATE TRIGGER wait BEFORE DELETE ON counterfoil_token FOR EACH ROW EXECUTE FUNCTION wait()",
        )
        .await;
    let mut hand = store.database.connect().await;
    run(&mut hand, "BEGIN; SELECT pg_advisory_xact_lock(7)").await;
    let node = store.store.clone();
    let purging = tokio::spawn(async move { node.purge(at(-8), Some(at(-8)), 10).await });
    until(async || store.waiting().await == 1).await;
    // It is chosen and locked: whoever gives it a later end now waits, and finds it gone.
    let later = next(&ended, |row| row.expires_at = Some(at(9).unix_millis()));
    let (node, revision) = (store.store.clone(), ended.revision());
    let updating = tokio::spawn(async move { node.update(&later, revision, None, now()).await });
    until(async || store.waiting().await == 2).await;
    run(&mut hand, "COMMIT").await;
    assert_eq!(purging.await.unwrap().unwrap(), 1);
    assert_eq!(kind(updating.await.unwrap()), counterfoil::store::StoreErrorKind::NotFound);
    store.close().await;
}
