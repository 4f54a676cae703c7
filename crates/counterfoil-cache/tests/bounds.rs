//! A cache holds no more than it was allowed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod node;

use std::sync::Arc;

use counterfoil::{
    By, Grant, Keyring, Lifetime, MemoryStore, Metadata, Name, Owner, Record, Registry, Restrictions, Scopes, Selector,
    TokenFormat, TokenStore, annotation::Tags, subject::Reason,
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

/// What is in a record: as little as there can be, long texts, or many short ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Small,
    Long,
    Many,
}

async fn record(shape: Shape) -> Arc<Record> {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let store = MemoryStore::new();
    let registry =
        Registry::builder(TokenFormat::builder("acme").build().unwrap(), keyring, store.clone()).build().unwrap();
    let mut grant = Grant::new(Owner::new("ann").unwrap(), Lifetime::days(90));
    if shape == Shape::Many {
        let texts: Vec<String> =
            ('a'..='z').flat_map(|one| ('a'..='z').map(move |two| format!("{one}{two}"))).collect();
        let texts = || texts.iter().map(String::as_str);
        grant.scopes = Scopes::from_texts(texts().take(Scopes::MAX_COUNT)).unwrap();
        grant.annotations.tags = Tags::from_texts(texts().take(Tags::MAX_COUNT)).unwrap();
        for number in 0..Restrictions::MAX_NETWORKS {
            grant.restrictions.add_network(format!("::{number:x}").parse().unwrap()).unwrap();
        }
    }
    if shape == Shape::Long {
        let scopes: Vec<String> = (0..100).map(|number| format!("scope-{number}:read")).collect();
        grant = grant.scopes(scopes.join(" ").parse().unwrap()).name(Name::new("n".repeat(200)).unwrap());
        let members: Vec<String> = (0..100).map(|number| format!("\"key-{number}\":[{number},\"{number}\"]")).collect();
        let text = format!("{{{}}}", members.join(","));
        grant.annotations.metadata = Metadata::from_json(&text).unwrap();
    }
    let id = registry.issue(grant).await.unwrap().record.id();
    let reason = if shape == Shape::Small { None } else { Some(Reason::new("r".repeat(500)).unwrap()) };
    registry.block(id, By { reason, ..By::unknown() }).await.unwrap();
    store.get(id).await.unwrap().unwrap().record
}

#[test]
fn a_record_is_reckoned_at_no_less_than_it_takes() {
    for (shape, others) in [(Shape::Small, 0), (Shape::Small, 100), (Shape::Long, 0), (Shape::Many, 0)] {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let record = runtime.block_on(record(shape));
        let row = record.to_row();
        // With server keys that may have made it, a token without a printed selector has as many.
        let mut selectors = vec![record.slots().current.selector];
        selectors.extend((0..others).map(|number| Selector::printed(&format!("other-{number}")).unwrap()));
        let mut read = None;
        let taken = allocation_counter::measure(|| {
            let key: Box<[Selector]> = selectors.as_slice().into();
            read = Some((key, Arc::new(Record::from_row(row).unwrap())));
        });
        let taken = u64::try_from(taken.bytes_current).unwrap_or_default();
        let store = MemoryStore::new();
        let cached = CachedStore::by_age(store, Settings::default());
        let bytes = runtime.block_on(async {
            cached.insert(&record, None, record.created_at()).await.unwrap();
            cached.find(&selectors).await.unwrap().unwrap();
            cached.counts().bytes
        });
        assert!(taken <= bytes, "{shape:?}: takes {taken} bytes, is reckoned at {bytes}");
    }
}
