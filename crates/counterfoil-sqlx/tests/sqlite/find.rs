//! Looking up by selectors.

use counterfoil::{Selector, TokenStore, store::StoreErrorKind};

use crate::support::*;

fn unknown(number: usize) -> Selector {
    Selector::printed(&format!("unknown-{number}")).unwrap()
}

#[tokio::test]
async fn a_record_is_found_by_every_slot_and_among_any_number_of_selectors() {
    let store = Fixture::new().await;
    let there = edited(&record(&owner("ann")), |row| {
        row.retiring = Some(slot());
        row.retiring_until = Some(at(4).unix_millis());
        row.spent = Some(slot());
    });
    store.insert(there.clone()).await;
    store.insert(record(&owner("ann"))).await;

    assert!(store.store.find(&[]).await.unwrap().is_none());
    for count in 1..=12 {
        let nothing: Vec<_> = (0..count).map(unknown).collect();
        assert!(store.store.find(&nothing).await.unwrap().is_none(), "{count} unknown selectors");
        for (kind, slot) in there.slots().iter() {
            for place in 0..count {
                let mut selectors = nothing.clone();
                selectors[place] = slot.selector;
                let found = store.store.find(&selectors).await.unwrap();
                assert_eq!(found.map(|record| record.id()), Some(there.id()), "{kind:?} at {place} of {count}");
            }
        }
    }
}

#[tokio::test]
async fn several_selectors_of_one_record_are_one_record_and_of_two_are_ambiguous() {
    let store = Fixture::new().await;
    let one = edited(&record(&owner("ann")), |row| row.spent = Some(slot()));
    store.insert(one.clone()).await;
    let other = store.insert(record(&owner("ann"))).await;
    let both: Vec<_> = one.slots().iter().map(|(_, slot)| slot.selector).collect();

    for padding in 0..8 {
        let mut selectors = both.clone();
        selectors.extend((0..padding).map(unknown));
        selectors.push(both[0]);
        assert_eq!(store.store.find(&selectors).await.unwrap().unwrap().id(), one.id(), "{padding}");
        selectors.push(selector(&other));
        assert_eq!(kind(store.store.find(&selectors).await), StoreErrorKind::Ambiguous, "{padding}");
    }
}

#[tokio::test]
async fn no_status_hides_a_record() {
    let store = Fixture::new().await;
    let there = edited(&record(&owner("ann")), |row| {
        row.revoked = mark_row(at(-2));
        row.suspended = mark_row(at(-2));
        row.blocked = mark_row(at(-2));
        row.expires_at = Some(at(-1).unix_millis());
    });
    store.insert(there.clone()).await;
    assert_eq!(store.finds(&selector(&there).to_string()).await, Some(there.id()));
}
