//! A cache holds no more than it was allowed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod node;

use std::sync::Arc;

use counterfoil::{
    Grant, Keyring, Lifetime, MemoryStore, Metadata, Name, Owner, Record, Registry, TokenFormat, TokenStore,
};
use counterfoil_cache::{CachedStore, Settings};
use node::Node;

#[tokio::test]
async fn entries_and_bytes_are_bounded() {
    for (settings, most_entries, most_bytes) in [
        (Settings::default().entries(10), 10, 128 << 20),
        (Settings::default().bytes(40_000), 40, 40_000),
        (Settings::default().entries(0).bytes(1 << 20), 10, 1 << 20),
    ] {
        let node = Node::new(CachedStore::by_age(MemoryStore::new(), settings));
        for _ in 0..500 {
            let told = node.issue().await;
            assert_eq!(node.verdict(&told).await, "ok 1");
            let counts = node.store.counts();
            assert!(counts.entries <= most_entries && counts.bytes <= most_bytes, "{settings:?}: {counts:?}");
        }
        assert!(node.store.counts().entries > most_entries / 4, "{settings:?}: {:?}", node.store.counts());
    }
}

/// A record with as much in it as there can be, or with as little.
async fn record(is_large: bool) -> Arc<Record> {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let store = MemoryStore::new();
    let registry =
        Registry::builder(TokenFormat::builder("acme").build().unwrap(), keyring, store.clone()).build().unwrap();
    let mut grant = Grant::new(Owner::new("ann").unwrap(), Lifetime::days(90));
    if is_large {
        let scopes: Vec<String> = (0..100).map(|number| format!("scope-{number}:read")).collect();
        grant = grant.scopes(scopes.join(" ").parse().unwrap()).name(Name::new("n".repeat(200)).unwrap());
        let members: Vec<String> = (0..100).map(|number| format!("\"key-{number}\":[{number},\"{number}\"]")).collect();
        let text = format!("{{{}}}", members.join(","));
        grant.annotations.metadata = Metadata::from_json(&text).unwrap();
    }
    let id = registry.issue(grant).await.unwrap().record.id();
    store.get(id).await.unwrap().unwrap().record
}

#[test]
fn a_record_is_reckoned_at_no_less_than_it_takes() {
    for is_large in [false, true] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let record = runtime.block_on(record(is_large));
        let row = record.to_row();
        let mut read = None;
        let taken = allocation_counter::measure(|| read = Some(Arc::new(Record::from_row(row).unwrap())));
        let taken = u64::try_from(taken.bytes_current).unwrap_or_default();
        let store = MemoryStore::new();
        let cached = CachedStore::by_age(store, Settings::default());
        let bytes = runtime.block_on(async {
            cached.insert(&record, None, record.created_at()).await.unwrap();
            cached.find(&[record.slots().current.selector]).await.unwrap().unwrap();
            cached.counts().bytes
        });
        assert!(taken <= bytes, "{is_large}: takes {taken} bytes, is reckoned at {bytes}");
    }
}
