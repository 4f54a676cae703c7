//! Every operation of the registry that changes a record is seen by the next verification, on the node that made it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod node;

use std::time::Duration;

use counterfoil::{
    By, MemoryStore, Owner, Record, TokenStore as _,
    registry::Target,
    store::{Filter, RevokeTarget},
};
use counterfoil_cache::{CachedStore, Settings};
use counterfoil_sqlx::SqliteStore;
use node::{Node, OPERATIONS, act};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn each_operation_is_seen_by_the_next_verification() {
    for (operation, expected) in OPERATIONS {
        let store = SqliteStore::in_memory().await.unwrap();
        let node = Node::new(CachedStore::by_age(store, Settings::default()));
        let told = node.issue().await;
        assert_eq!([node.verdict(&told).await, node.verdict(&told).await], ["ok 1", "ok 1"], "{operation}");
        assert_eq!(node.store.counts().misses, 1, "{operation}: the second comes from memory");
        act(&node, &told, operation).await;
        assert_eq!(node.verdict(&told).await, expected, "{operation}");
        // And what is served is what is stored, to the last field.
        if let Some(stored) = node.store.get(told.id).await.unwrap() {
            let selectors = [stored.record.slots().current.selector];
            for _ in 0..2 {
                let found = node.store.find(&selectors).await.unwrap().unwrap();
                assert_eq!(found.to_row(), stored.record.to_row(), "{operation}");
            }
        }
    }
}

/// What a change comes to that another node has made, or an attempt of this one's that seemed to fail, is in no answer of the
/// store's to the one that asks for it again.
#[tokio::test]
async fn each_operation_that_finds_its_work_done_is_seen_by_the_next_verification() {
    for operation in [
        "annotate",
        "narrow_scopes",
        "block",
        "suspend",
        "revoke",
        "revoke with a version",
        "revoke_all of an owner",
        "revoke_all by a filter",
        "rotate_once",
    ] {
        let store = MemoryStore::new();
        let [node, beside] =
            [(), ()].map(|()| Node::new(CachedStore::by_age(store.clone(), Settings::default().bound(MINUTE))));
        let told = node.issue().await;
        assert_eq!(node.verdict(&told).await, "ok 1", "{operation}");
        if operation == "revoke with a version" {
            beside.registry.revoke(told.id, By::unknown()).await.unwrap();
            assert_eq!(node.verdict(&told).await, "ok 1", "{operation}: it has heard nothing");
            node.registry.revoke(Target { id: told.id, version: Some(2) }, By::unknown()).await.unwrap();
        } else {
            act(&beside, &told, operation).await;
            assert_eq!(node.verdict(&told).await, "ok 1", "{operation}: it has heard nothing");
            if operation == "revoke_all of an owner" {
                // Of the two one is revoked now, and named.
                node.issue().await;
            }
            act(&node, &told, operation).await;
        }
        assert_eq!(node.verdict(&told).await, beside.verdict(&told).await, "{operation}");
        assert_ne!(node.verdict(&told).await, "ok 1", "{operation}");
    }
}

/// The token was revoked by another node before, and is counted in the first of two steps and named in none.
#[tokio::test]
async fn revocation_in_steps_is_seen_by_the_next_verification() {
    for target in ["an owner", "a filter", "a list"] {
        let store = MemoryStore::new();
        let [node, beside] =
            [(), ()].map(|()| Node::new(CachedStore::by_age(store.clone(), Settings::default().bound(MINUTE))));
        let mut all = Vec::new();
        for _ in 0..150 {
            all.push(node.issue().await);
        }
        all.sort_by_key(|told| told.id);
        let first = &all[0];
        assert_eq!(node.verdict(first).await, "ok 1", "{target}");
        beside.registry.revoke(first.id, By::unknown()).await.unwrap();
        assert_eq!(node.verdict(first).await, "ok 1", "{target}: it has heard nothing");
        let ann = Owner::new("ann").unwrap();
        let target: RevokeTarget = match target {
            "an owner" => ann.into(),
            "a filter" => Filter::owner(ann).into(),
            _ => RevokeTarget::Among { ids: all.iter().map(|told| told.id).collect(), filter: Filter::all() },
        };
        let revocation = node.registry.revoke_all(target.clone(), By::unknown()).await.unwrap();
        assert_eq!((revocation.revoked.len(), revocation.already), (149, 1));
        for told in &all {
            assert_eq!(node.verdict(told).await, "revoked", "{target:?}");
        }
    }
}

/// The record was read after the change began, and before it was stored.
#[tokio::test]
async fn record_read_during_an_update_is_not_served_after_it() {
    let node = Node::new(CachedStore::by_age(MemoryStore::new(), Settings::default().bound(MINUTE)));
    let told = node.issue().await;
    let stored = node.store.get(told.id).await.unwrap().unwrap().record;
    let mut row = stored.to_row();
    row.version += 1;
    row.expires_at = Some(row.created_at);
    let ended = Record::from_row(row).unwrap();
    assert_eq!(node.verdict(&told).await, "ok 1");
    node.store.update(&ended, stored.revision(), None, stored.created_at()).await.unwrap();
    assert_eq!(node.verdict(&told).await, "expired");
}
