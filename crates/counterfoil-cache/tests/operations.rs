//! Every operation of the registry that changes a record is seen by the next verification, on the node that made it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod node;

use counterfoil::TokenStore as _;
use counterfoil_cache::{CachedStore, Settings};
use counterfoil_sqlx::SqliteStore;
use node::{Node, OPERATIONS, act};

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
