//! Long changes in steps, and others between them.

use std::time::Duration;

use counterfoil::{
    Owner, TokenId, TokenStore,
    store::{RevokeStep, RevokeTarget},
};
use counterfoil_sqlx::SqliteStore;

use crate::support::*;

/// Adds `count` tokens of an owner, without their selectors.
async fn fill(store: &Fixture, of: &Owner, count: u32) {
    let one = store.insert(record(of)).await;
    let raw = store.raw().await;
    let copies = "INSERT INTO counterfoil_token \
        SELECT randomblob(16), t.tenant, t.owner, t.version, t.digest_version, t.created_at, t.expires_at, \
            NULL, NULL, NULL, NULL, NULL, NULL, t.selector, t.digest, t.key_id, \
            NULL, NULL, NULL, NULL, NULL, NULL, NULL, t.body \
        FROM counterfoil_token AS t, json_each('[' || rtrim(replace(hex(zeroblob(?2)), '00', '0,'), ',') || ']') \
        WHERE t.id = ?1";
    let added = sqlx::query(copies).bind(one.id().as_bytes().to_vec()).bind(count - 1).execute(&raw).await.unwrap();
    assert_eq!(added.rows_affected(), u64::from(count - 1));
    raw.close().await;
}

/// Revokes all tokens of an owner as a registry does.
async fn revoke_in_steps(store: SqliteStore, of: Owner) -> (usize, usize) {
    let (mut after, mut steps, mut revoked) = (None, 0, 0);
    loop {
        let step = RevokeStep { after, max_rows: 100 };
        let part = store.revoke(&RevokeTarget::Owner(of.clone()), &mark(now()), now(), step).await.unwrap();
        assert!(part.revoked.len() <= 100);
        revoked += part.revoked.len();
        steps += 1;
        after = part.next;
        if after.is_none() {
            return (revoked, steps);
        }
    }
}

async fn count_revoked(store: &Fixture) -> i64 {
    let raw = store.raw().await;
    let count = "SELECT count(*) FROM counterfoil_token WHERE revoked_at IS NOT NULL";
    let count = sqlx::query_scalar(count).fetch_one(&raw).await.unwrap();
    raw.close().await;
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocation_of_one_token_comes_between_the_steps_of_a_large_one() {
    for is_another_process in [false, true] {
        let store = Fixture::new().await;
        fill(&store, &owner("ann"), 8000).await;
        let one = store.insert(record(&owner("bob"))).await;
        let node = if is_another_process {
            // With a pool of its own it waits for the lock of the file, as another process does.
            SqliteStore::open(store.path()).await.unwrap()
        } else {
            store.store.clone()
        };
        let large = tokio::spawn(revoke_in_steps(store.store.clone(), owner("ann")));
        while count_revoked(&store).await == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let target = RevokeTarget::Token(one.id());
        let revocation = node.revoke(&target, &mark(now()), now(), RevokeStep::WHOLE).await.unwrap();
        assert_eq!(revocation.revoked, [one.id()]);
        assert!(!large.is_finished(), "another process: {is_another_process}");
        let (revoked, steps) = large.await.unwrap();
        assert_eq!((revoked, steps), (8000, 81), "another process: {is_another_process}");
        assert_eq!(count_revoked(&store).await, 8001);
        node.close().await;
    }
}

/// What an id cannot tell does not end a step, and is revoked with the rest.
#[tokio::test]
async fn row_with_a_damaged_id_is_revoked_in_a_step() {
    let store = Fixture::new().await;
    fill(&store, &owner("ann"), 30).await;
    let raw = store.raw().await;
    let damage = "UPDATE counterfoil_token SET id = x'ffff' WHERE id = (SELECT max(id) FROM counterfoil_token \
        WHERE id NOT IN (SELECT token_id FROM counterfoil_selector))";
    assert_eq!(sqlx::query(damage).execute(&raw).await.unwrap().rows_affected(), 1);
    raw.close().await;
    let mut after: Option<TokenId> = None;
    let mut named = 0;
    for _ in 0..30 {
        let step = RevokeStep { after, max_rows: 10 };
        let part = store.store.revoke(&RevokeTarget::Owner(owner("ann")), &mark(now()), now(), step).await.unwrap();
        named += part.revoked.len();
        after = part.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((named, count_revoked(&store).await, after), (29, 30, None));
}
