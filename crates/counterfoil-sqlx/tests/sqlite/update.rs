//! Compare-and-swap.

use counterfoil::{
    Record, TokenStore,
    record::Revision,
    store::{StoreErrorKind, StoreErrorKind::*},
};

use crate::support::*;

#[tokio::test]
async fn only_the_expected_revision_is_replaced() {
    let there = edited(&record(&owner("ann")), |row| {
        row.version = 4;
        row.digest_version = 2;
    });
    let expect = |version, digest_version| Revision { version, digest_version };
    let cases: [(Revision, Result<(), StoreErrorKind>); 6] = [
        (expect(4, 2), Ok(())),
        (expect(3, 2), Err(LostRace)),
        (expect(5, 2), Err(LostRace)),
        (expect(4, 1), Err(LostRace)),
        (expect(4, 3), Err(LostRace)),
        (expect(u64::MAX, 2), Err(LostRace)),
    ];
    for (expected, outcome) in cases {
        let store = Fixture::new().await;
        store.insert(there.clone()).await;
        let changed = next(&there, |row| row.expires_at = Some(at(3).unix_millis()));
        let updated = store.store.update(&changed, expected, None, now()).await;
        let stored = store.stored(there.id()).await;
        match outcome {
            Ok(()) => {
                updated.unwrap();
                assert_eq!(stored, changed.to_row());
            }
            Err(expected_kind) => {
                assert_eq!(kind(updated), expected_kind, "{expected:?}");
                assert_eq!(stored, there.to_row());
            }
        }
    }
    let store = Fixture::new().await;
    assert_eq!(kind(store.store.update(&there, there.revision(), None, now()).await), NotFound);
}

#[tokio::test]
async fn a_rehash_moves_its_own_version_alone() {
    let store = Fixture::new().await;
    let there = store.insert(record(&owner("ann"))).await;
    let rehashed = edited(&there, |row| {
        row.digest_version += 1;
        row.current = slot_of_other_key();
    });
    store.store.update(&rehashed, there.revision(), None, now()).await.unwrap();
    assert_eq!(store.stored(there.id()).await, rehashed.to_row());
    // Whoever saw the earlier digest has lost.
    assert_eq!(kind(store.store.update(&next(&there, |_| {}), there.revision(), None, now()).await), LostRace);
}

#[tokio::test]
async fn owner_and_tenant_never_change_and_the_time_of_making_is_not_written() {
    let store = Fixture::new().await;
    let there = store.insert(record(&owner("ann"))).await;
    for edit in [(|row| row.owner = "bob".into()) as fn(&mut counterfoil::Row), |row| row.tenant = "acme".into()] {
        let moved = next(&there, edit);
        let error = store.store.update(&moved, there.revision(), None, now()).await.unwrap_err();
        assert_eq!(error.kind(), &Other);
        let source = std::error::Error::source(&error).expect("a source").to_string();
        assert_eq!(source, "the owner and tenant of a record never change");
        assert_eq!(store.stored(there.id()).await, there.to_row());
    }
    let earlier = next(&there, |row| row.created_at -= HOUR);
    store.store.update(&earlier, there.revision(), None, now()).await.unwrap();
    assert_eq!(store.stored(there.id()).await.created_at, there.to_row().created_at);
}

#[tokio::test]
async fn selectors_follow_their_slots() {
    let store = Fixture::new().await;
    let first = store.insert(record(&owner("ann"))).await;
    let one = first.to_row().current;

    // Rotated with an overlap, rotated at once, and then the spent one forgotten.
    let (two, three) = (slot(), slot());
    let second = next(&first, |row| {
        row.retiring = Some(std::mem::replace(&mut row.current, two.clone()));
        row.retiring_until = Some(at(1).unix_millis());
    });
    let third = next(&second, |row| {
        row.retiring = None;
        row.retiring_until = None;
        row.spent = Some(std::mem::replace(&mut row.current, three.clone()));
    });
    let fourth = next(&third, |row| row.spent = None);

    let steps: [(&Record, &Record, [bool; 3]); 3] = [
        (&first, &second, [true, true, false]),
        (&second, &third, [false, true, true]),
        (&third, &fourth, [false, false, true]),
    ];
    for (earlier, later, found) in steps {
        store.store.update(later, earlier.revision(), None, now()).await.unwrap();
        assert_eq!(store.stored(first.id()).await, later.to_row());
        for (slot, found) in [&one, &two, &three].into_iter().zip(found) {
            assert_eq!(store.finds(&slot.selector).await.is_some(), found, "version {}", later.version());
        }
    }
    // What was given up is free for others.
    store.insert(edited(&record(&owner("bob")), |row| row.current = one)).await;
}

#[tokio::test]
async fn a_selector_of_another_record_is_a_duplicate_and_nothing_is_written() {
    let store = Fixture::new().await;
    let other = store.insert(edited(&record(&owner("bob")), |row| row.spent = Some(slot()))).await.to_row();
    let there = store.insert(record(&owner("ann"))).await;
    for taken in [other.current, other.spent.unwrap()] {
        let thief = next(&there, |row| row.spent = Some(std::mem::replace(&mut row.current, taken)));
        assert_eq!(kind(store.store.update(&thief, there.revision(), Some(0), now()).await), Duplicate);
        assert_eq!(store.stored(there.id()).await, there.to_row());
        assert_eq!(store.finds(selector(&there).as_str()).await, Some(there.id()));
    }
}

#[tokio::test]
async fn the_limit_counts_the_others_where_it_is_given() {
    let store = Fixture::new().await;
    let ann = owner("ann");
    let blocked = store.insert(edited(&record(&ann), |row| row.blocked = mark_row(now()))).await;
    let other = store.insert(record(&ann)).await;
    let active = next(&blocked, |row| row.blocked = None);

    assert_eq!(kind(store.store.update(&active, blocked.revision(), Some(1), now()).await), LimitReached { limit: 1 });
    assert_eq!(store.stored(blocked.id()).await, blocked.to_row());
    // Itself does not count, and without a limit nothing does.
    store.store.update(&next(&other, |_| {}), other.revision(), Some(1), now()).await.unwrap();
    store.store.update(&active, blocked.revision(), None, now()).await.unwrap();
}
