//! What every store promises, on the store in memory, on SQLite, and on the example of a host's own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;
#[allow(dead_code, reason = "an example, of which the store alone is looked at")]
#[path = "../examples/custom_store.rs"]
mod custom_store;

use std::time::Duration;

use common::{DAY, at, format, grant, minting_k1, minting_k2, owner};
use counterfoil::{
    By, Grant, Lifetime, Mark, Record, Rotation, SharedStore, TokenStore, Usage,
    record::Use,
    rotate::rotate,
    store::{Filter, LastUseCursor, ListQuery, Order, RevokeTarget, StoreError, StoreErrorKind},
};

async fn stores() -> Vec<SharedStore> {
    let mut stores: Vec<_> = common::stores().await.into_iter().map(|(_, store)| store).collect();
    stores.push(SharedStore::new(custom_store::Table::default()));
    stores
}

fn record(subject: &str, after_start: Duration) -> Record {
    Grant { owner: owner(subject), ..grant() }.mint(&format(), &minting_k1(), at(after_start)).unwrap().record
}

/// The record with another in one of its places, as a row says it.
fn edited(record: &Record, edit: impl FnOnce(&mut counterfoil::Row)) -> Record {
    let mut row = record.to_row();
    edit(&mut row);
    Record::from_row(row).unwrap()
}

fn rotated(record: &Record) -> Record {
    rotate(record, &Rotation::with_overlap(DAY), &format(), &minting_k2(), at(Duration::ZERO)).unwrap().record
}

fn mark(after_start: Duration) -> Mark {
    By::unknown().mark(at(after_start))
}

#[track_caller]
fn kind_of<T: std::fmt::Debug>(result: Result<T, StoreError>) -> StoreErrorKind {
    result.unwrap_err().kind().clone()
}

const NOW: Duration = Duration::ZERO;

#[tokio::test]
async fn an_id_or_a_selector_in_any_slot_is_inserted_once() {
    for store in stores().await {
        let one = rotated(&record("a", NOW));
        store.insert(&one, None, at(NOW)).await.unwrap();
        assert_eq!(kind_of(store.insert(&one, None, at(NOW)).await), StoreErrorKind::Duplicate);
        let other = record("a", NOW);
        for taken in [&one.slots().current, &one.slots().retiring.as_ref().unwrap().slot] {
            let thief = edited(&other, |row| row.current.selector = taken.selector.to_string());
            assert_eq!(kind_of(store.insert(&thief, None, at(NOW)).await), StoreErrorKind::Duplicate);
            assert!(store.get(other.id()).await.unwrap().is_none(), "nothing is written");
        }
        store.insert(&other, None, at(NOW)).await.unwrap();
        let thief = edited(&other, |row| {
            row.version += 1;
            row.spent = Some((&one.slots().current).into());
        });
        let update = store.update(&thief, other.revision(), None, at(NOW)).await;
        assert_eq!(kind_of(update), StoreErrorKind::Duplicate);
    }
}

#[tokio::test]
async fn a_record_is_found_by_the_selector_of_any_slot() {
    for store in stores().await {
        let first = record("a", NOW);
        let (one, other) = (rotated(&first), record("b", NOW));
        store.insert(&one, None, at(NOW)).await.unwrap();
        store.insert(&other, None, at(NOW)).await.unwrap();
        let (new, old) = (one.slots().current.selector, first.slots().current.selector);
        let unknown = record("c", NOW).slots().current.selector;
        for (selectors, found) in [
            (vec![new], Some(one.id())),
            (vec![old], Some(one.id())),
            (vec![unknown, old, new], Some(one.id())),
            (vec![other.slots().current.selector, unknown], Some(other.id())),
            (vec![unknown], None),
        ] {
            let record = store.find(&selectors).await.unwrap();
            assert_eq!(record.map(|record| record.id()), found, "{selectors:?}");
        }
        let both = [new, other.slots().current.selector];
        assert_eq!(kind_of(store.find(&both).await), StoreErrorKind::Ambiguous);
    }
}

#[tokio::test]
async fn an_update_needs_the_expected_revision() {
    for store in stores().await {
        let one = record("a", NOW);
        let two = edited(&one, |row| row.version = 2);
        assert_eq!(kind_of(store.update(&two, one.revision(), None, at(NOW)).await), StoreErrorKind::NotFound);
        store.insert(&one, None, at(NOW)).await.unwrap();
        store.update(&two, one.revision(), None, at(NOW)).await.unwrap();
        let rehashed = edited(&one, |row| row.digest_version = 2);
        for late in [&two, &rehashed] {
            let update = store.update(late, one.revision(), None, at(NOW)).await;
            assert_eq!(kind_of(update), StoreErrorKind::LostRace);
        }
        assert_eq!(store.get(one.id()).await.unwrap().unwrap().record.revision(), two.revision());
    }
}

#[tokio::test]
async fn selectors_that_an_update_drops_are_free_again() {
    for store in stores().await {
        let one = record("a", NOW);
        let turned = rotate(&one, &Rotation::at_once(), &format(), &minting_k1(), at(NOW)).unwrap().record;
        let twice = rotate(&turned, &Rotation::at_once(), &format(), &minting_k1(), at(NOW)).unwrap().record;
        store.insert(&one, None, at(NOW)).await.unwrap();
        store.update(&turned, one.revision(), None, at(NOW)).await.unwrap();
        store.update(&twice, turned.revision(), None, at(NOW)).await.unwrap();
        assert!(store.find(&[one.slots().current.selector]).await.unwrap().is_none());
        assert!(store.find(&[turned.slots().current.selector]).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn the_limit_counts_what_is_active_now_of_this_owner() {
    let end = at(NOW).unix_millis();
    let by_edit = |edit: fn(&mut counterfoil::Row, i64)| edited(&record("a", NOW), |row| edit(row, end));
    for (beside, leaves_room) in [
        (record("a", NOW), false),
        (record("b", NOW), true),
        (by_edit(|row, _| row.tenant = "acme".into()), true),
        (by_edit(|row, end| row.expires_at = Some(end)), true),
        (by_edit(|row, end| row.expires_at = Some(end + 1)), false),
        (by_edit(|row, _| row.expires_at = None), false),
        (by_edit(|row, _| row.revoked = Some((&mark(NOW)).into())), true),
        (by_edit(|row, _| row.suspended = Some((&mark(NOW)).into())), true),
        (by_edit(|row, _| row.blocked = Some((&mark(NOW)).into())), true),
    ] {
        for store in stores().await {
            store.insert(&beside, None, at(NOW)).await.unwrap();
            let one = record("a", NOW);
            let inserted = store.insert(&one, Some(1), at(NOW)).await;
            assert_eq!(inserted.is_ok(), leaves_room, "{beside:?}");
            if !leaves_room {
                assert_eq!(kind_of(inserted), StoreErrorKind::LimitReached { limit: 1 });
                store.insert(&one, None, at(NOW)).await.unwrap();
            }
            let changed = edited(&one, |row| row.version = 2);
            let updated = store.update(&changed, one.revision(), Some(1), at(NOW)).await;
            assert_eq!(updated.is_ok(), leaves_room, "it does not count itself: {beside:?}");
        }
    }
}

#[tokio::test]
async fn a_revocation_keeps_the_first_mark_and_counts_the_rest() {
    for store in stores().await {
        let records: Vec<_> = ["a", "a", "b"].map(|subject| record(subject, NOW)).into();
        for record in &records {
            store.insert(record, None, at(NOW)).await.unwrap();
        }
        let revoke = async |target, after_start| {
            let revocation = store.revoke(&target, &mark(after_start), at(after_start)).await.unwrap();
            (revocation.revoked.len(), revocation.already)
        };
        assert_eq!(revoke(RevokeTarget::Token(record("c", NOW).id()), DAY).await, (0, 0));
        assert_eq!(revoke(RevokeTarget::Token(records[0].id()), DAY).await, (1, 0));
        assert_eq!(revoke(RevokeTarget::Token(records[0].id()), 2 * DAY).await, (0, 1));
        assert_eq!(revoke(RevokeTarget::Owner(owner("a")), 3 * DAY).await, (1, 1));
        assert_eq!(revoke(RevokeTarget::Matching(Filter::all()), 4 * DAY).await, (1, 2));
        for (record, day) in records.iter().zip([1, 3, 4]) {
            let stored = store.get(record.id()).await.unwrap().unwrap().record;
            assert_eq!(stored.revoked().unwrap().at, at(day * DAY));
            assert_eq!(stored.version(), 2);
        }
    }
}

#[tokio::test]
async fn a_list_is_paged_by_id_and_by_last_use() {
    for store in stores().await {
        let records: Vec<_> = (0..5).map(|number| record("a", Duration::from_millis(number))).collect();
        for record in &records {
            store.insert(record, None, at(NOW)).await.unwrap();
        }
        // The second is used first, the fourth last, the third as late as the fourth; the others never.
        let uses = [(1, DAY), (3, 2 * DAY), (2, 2 * DAY)].map(|(index, after_start): (usize, _)| Use {
            id: records[index].id(),
            usage: Usage { at: at(after_start), address: None, agent: None },
        });
        store.record_uses(&uses).await.unwrap();
        for (order, expected) in
            [(Order::ById { after: None }, [0, 1, 2, 3, 4]), (Order::ByLastUse { after: None }, [2, 3, 1, 0, 4])]
        {
            for limit in [1, 2, 3, 5, 6] {
                let mut query = ListQuery { order, limit, ..ListQuery::new(Filter::owner(owner("a"))) };
                let mut seen = Vec::new();
                loop {
                    let page = store.list(&query, at(NOW)).await.unwrap();
                    assert!(page.tokens.len() <= limit as usize);
                    seen.extend(page.tokens.iter().map(|stored| stored.record.id()));
                    let Some(next) = page.next else { break };
                    query = query.after(next);
                }
                let expected: Vec<_> = expected.iter().map(|index: &usize| records[*index].id()).collect();
                assert_eq!(seen, expected, "{order:?} by {limit}");
            }
        }
        let text = LastUseCursor { at: Some(at(DAY)), id: records[0].id() }.to_string();
        assert_eq!(text.parse::<LastUseCursor>().unwrap().to_string(), text);
    }
}

#[tokio::test]
async fn every_field_of_a_filter_filters() {
    let old = record("a", NOW);
    let new = edited(&record("b", 2 * DAY), |row| row.tenant = "acme".into());
    let turned = edited(&rotated(&record("c", NOW)), |row| row.expires_at = Some(at(DAY).unix_millis()));
    let all = || Filter::default();
    for (filter, expected) in [
        (all(), vec![&old, &new, &turned]),
        (Filter { owner: Some(owner("a")), ..all() }, vec![&old]),
        (Filter { owner: Some(owner("b")), ..all() }, vec![]), // in a tenant it is another owner
        (Filter { tenant: Some("acme".parse().unwrap()), ..all() }, vec![&new]),
        (Filter { status: Some(counterfoil::Status::Expired), ..all() }, vec![&turned]),
        (Filter { created_before: Some(at(DAY)), ..all() }, vec![&old, &turned]),
        (Filter { expires_before: Some(at(91 * DAY)), ..all() }, vec![&old, &turned]),
        (Filter { used_since: Some(at(DAY)), ..all() }, vec![&turned]),
        (Filter { used_since: Some(at(DAY + Duration::from_millis(1))), ..all() }, vec![]),
        (Filter { unused_since: Some(at(DAY)), ..all() }, vec![&old]),
        (Filter { unused_since: Some(at(3 * DAY)), ..all() }, vec![&old, &new, &turned]),
        (Filter { key: Some("k2".parse().unwrap()), ..all() }, vec![&turned]),
        (Filter { key: Some("k1".parse().unwrap()), tenant: Some("acme".parse().unwrap()), ..all() }, vec![&new]),
    ] {
        for store in stores().await {
            for record in [&old, &new, &turned] {
                store.insert(record, None, at(NOW)).await.unwrap();
            }
            let usage = Usage { at: at(DAY), address: None, agent: None };
            store.record_uses(&[Use { id: turned.id(), usage }]).await.unwrap();
            let page = store.list(&ListQuery::new(filter.clone()), at(DAY)).await.unwrap();
            let mut found: Vec<_> = page.tokens.iter().map(|stored| stored.record.id()).collect();
            let mut expected: Vec<_> = expected.iter().map(|record| record.id()).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{filter:?}");
        }
    }
}

#[tokio::test]
async fn uses_go_forward_and_move_no_version() {
    for store in stores().await {
        let one = record("a", NOW);
        store.insert(&one, None, at(NOW)).await.unwrap();
        let of = |id, after_start| Use {
            id,
            usage: Usage { at: at(after_start), address: Some("192.0.2.7".parse().unwrap()), agent: None },
        };
        let gone = record("a", NOW).id();
        store.record_uses(&[of(one.id(), 2 * DAY), of(gone, DAY), of(one.id(), DAY)]).await.unwrap();
        store.record_uses(&[of(one.id(), NOW)]).await.unwrap();
        let stored = store.get(one.id()).await.unwrap().unwrap();
        assert_eq!(stored.usage, Some(of(one.id(), 2 * DAY).usage));
        assert_eq!(stored.record.revision(), one.revision());
        assert!(store.get(gone).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_purge_is_bounded_and_takes_what_is_due() {
    for store in stores().await {
        let revoked = |day: u32| edited(&record("a", NOW), |row| row.revoked = Some((&mark(day * DAY)).into()));
        let expired = Grant { lifetime: Lifetime::days(1), ..grant() };
        let expired = expired.mint(&format(), &minting_k1(), at(NOW)).unwrap().record;
        let kept = [revoked(3), record("a", NOW)];
        for record in [&revoked(1), &revoked(1), &revoked(2), &expired, &kept[0], &kept[1]] {
            store.insert(record, None, at(NOW)).await.unwrap();
        }
        let purge = async |expired_before, max_rows| store.purge(at(3 * DAY), expired_before, max_rows).await.unwrap();
        assert_eq!(purge(None, 2).await, 2);
        assert_eq!(purge(None, 2).await, 1);
        assert_eq!(purge(None, 2).await, 0);
        assert_eq!(purge(Some(at(DAY)), 2).await, 0);
        assert_eq!(purge(Some(at(2 * DAY)), 2).await, 1);
        for record in &kept {
            assert!(store.get(record.id()).await.unwrap().is_some());
        }
        assert!(store.find(&[expired.slots().current.selector]).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_warning_is_claimed_once_for_each_end_and_threshold() {
    for store in stores().await {
        let one = record("a", NOW);
        store.insert(&one, None, at(NOW)).await.unwrap();
        for (id, end, threshold, first) in [
            (one.id(), 90 * DAY, 7 * DAY, true),
            (one.id(), 90 * DAY, 7 * DAY, false),
            (one.id(), 90 * DAY, DAY, true),
            (one.id(), 91 * DAY, 7 * DAY, true),
            (record("a", NOW).id(), 90 * DAY, 7 * DAY, false),
        ] {
            assert_eq!(store.claim_warning(id, at(end), threshold).await.unwrap(), first);
        }
        assert_eq!(store.get(one.id()).await.unwrap().unwrap().record.revision(), one.revision());
    }
}

#[tokio::test]
async fn slots_are_counted_by_key() {
    for store in stores().await {
        let turned = rotated(&rotated(&record("a", NOW)));
        for record in [&turned, &record("a", NOW)] {
            store.insert(record, None, at(NOW)).await.unwrap();
        }
        for (key, count) in [("k1", 2), ("k2", 2), ("k3", 0)] {
            assert_eq!(store.count_by_key(key.parse().unwrap()).await.unwrap(), count, "{key}");
        }
    }
}
