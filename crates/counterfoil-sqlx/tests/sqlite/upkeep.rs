//! Uses, purging, warnings, counts.

use std::time::Duration;

use counterfoil::{Timestamp, TokenId, TokenStore, Usage, record::Use};

use crate::support::*;

async fn last_use(store: &Fixture, id: TokenId) -> Option<Timestamp> {
    store.store.get(id).await.unwrap().unwrap().usage.map(|usage| usage.at)
}

#[tokio::test]
async fn uses_go_forward_only_and_move_no_version() {
    let store = Fixture::new().await;
    let there = store.insert(record(&owner("ann"))).await;
    let id = there.id();
    assert_eq!(last_use(&store, id).await, None);
    store.store.record_uses(&[]).await.unwrap();

    for (batch, expected) in
        [(vec![at(2)], at(2)), (vec![at(1)], at(2)), (vec![at(1), at(5), at(3)], at(5)), (vec![at(7), at(6)], at(7))]
    {
        let uses: Vec<_> = batch.into_iter().map(|at| used(id, at)).collect();
        store.store.record_uses(&uses).await.unwrap();
        assert_eq!(last_use(&store, id).await, Some(expected));
    }
    assert_eq!(store.stored(id).await, there.to_row());
    store.store.update(&next(&there, |_| {}), there.revision(), None, now()).await.unwrap();

    // A later use replaces all of it: an address that is not known is not the earlier one.
    let known = Usage { at: at(8), address: Some("192.0.2.7".parse().unwrap()), agent: None };
    store.store.record_uses(&[Use { id, usage: known }, used(id, at(9))]).await.unwrap();
    let usage = store.store.get(id).await.unwrap().unwrap().usage.unwrap();
    assert_eq!(usage, Usage { at: at(9), address: None, agent: None });
}

#[tokio::test]
async fn a_large_batch_is_one_and_uses_of_what_is_gone_are_dropped() {
    let store = Fixture::new().await;
    let mut uses = Vec::new();
    for number in 0..450_u16 {
        // Two of three are of nobody.
        let id = if number % 3 == 0 {
            store.insert(record(&owner("ann"))).await.id()
        } else {
            let [high, low] = number.to_be_bytes();
            TokenId::from_bytes([high, low, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
        };
        uses.push(used(id, at(1)));
    }
    store.store.record_uses(&uses).await.unwrap();
    let raw = store.raw().await;
    let noted: i64 = sqlx::query_scalar("SELECT count(*) FROM counterfoil_usage").fetch_one(&raw).await.unwrap();
    assert_eq!(noted, 150);
}

#[tokio::test]
async fn purging_takes_what_is_due_in_steps_with_all_that_belongs_to_it() {
    let store = Fixture::new().await;
    let ann = owner("ann");
    let revoked = |hours| edited(&record(&ann), |row| row.revoked = mark_row(at(hours)));
    let expired = |hours| edited(&record(&ann), |row| row.expires_at = Some(at(hours).unix_millis()));
    let both = edited(&record(&ann), |row| {
        row.revoked = mark_row(at(-9));
        row.expires_at = Some(at(-9).unix_millis());
    });
    // (record, due by its revocation before -5, due by its expiry before -5)
    let cases = [
        (revoked(-6), true, false),
        (revoked(-7), true, false),
        (revoked(-5), false, false),
        (expired(-6), false, true),
        (expired(-5), false, false),
        (both, true, true),
        (record(&ann), false, false),
    ];
    for (record, ..) in &cases {
        store.insert(record.clone()).await;
        store.store.record_uses(&[used(record.id(), at(-8))]).await.unwrap();
        assert_eq!(store.store.claim_warnings(&[claim(record.id(), at(-8))]).await.unwrap(), [true]);
    }
    let raw = store.raw().await;
    let left = async |table: &'static str| -> i64 { sqlx::query_scalar(table).fetch_one(&raw).await.unwrap() };

    assert_eq!(store.store.purge(at(-5), None, 0).await.unwrap(), 0);
    assert_eq!(store.store.purge(at(-5), None, 2).await.unwrap(), 2);
    assert_eq!(store.store.purge(at(-5), None, 2).await.unwrap(), 1);
    assert_eq!(store.store.purge(at(-5), None, 2).await.unwrap(), 0);
    for (record, by_revocation, _) in &cases {
        assert_eq!(store.store.get(record.id()).await.unwrap().is_none(), *by_revocation);
    }
    assert_eq!(store.store.purge(at(-5), Some(at(-5)), 100).await.unwrap(), 1);
    for (record, by_revocation, by_expiry) in &cases {
        let is_gone = *by_revocation || *by_expiry;
        assert_eq!(store.store.get(record.id()).await.unwrap().is_none(), is_gone);
        assert_eq!(store.finds(selector(record).as_str()).await.is_none(), is_gone);
    }
    assert_eq!(left("SELECT count(*) FROM counterfoil_token").await, 3);
    assert_eq!(left("SELECT count(*) FROM counterfoil_selector").await, 3);
    assert_eq!(left("SELECT count(*) FROM counterfoil_usage").await, 3);
    assert_eq!(left("SELECT count(*) FROM counterfoil_warning").await, 3);
    assert_eq!(left("SELECT count(*) FROM counterfoil_owner").await, 1);

    // The bound is over both reasons: two are due by each.
    for due in [revoked(-6), revoked(-6), expired(-6), expired(-6)] {
        store.insert(due).await;
    }
    for expected in [3, 1, 0] {
        assert_eq!(store.store.purge(at(-5), Some(at(-5)), 3).await.unwrap(), expected);
    }
    // The owner goes with the last token.
    assert_eq!(left("SELECT count(*) FROM counterfoil_owner").await, 1);
    store
        .store
        .revoke(
            &counterfoil::store::RevokeTarget::Owner(ann),
            &mark(now()),
            now(),
            counterfoil::store::RevokeStep::WHOLE,
        )
        .await
        .unwrap();
    assert_eq!(store.store.purge(at(1), None, 100).await.unwrap(), 3);
    assert_eq!(left("SELECT count(*) FROM counterfoil_owner").await, 0);
}

#[tokio::test]
async fn a_warning_is_claimed_once_by_record_end_and_threshold() {
    let store = Fixture::new().await;
    let there = store.insert(record(&owner("ann"))).await;
    let other = store.insert(record(&owner("ann"))).await;
    let (day, hour) = (Duration::from_secs(24 * 60 * 60), Duration::from_secs(60 * 60));
    for (id, expiry, threshold, first) in [
        (there.id(), at(5), day, true),
        (there.id(), at(5), day, false),
        (there.id(), at(5), hour, true),
        (there.id(), at(6), day, true),
        (other.id(), at(5), day, true),
        (there.id(), at(5), day, false),
        (there.id(), at(5), Duration::MAX, true),
        (TokenId::from_bytes([7; 16]), at(5), day, false),
    ] {
        let claim = counterfoil::store::WarningClaim { id, expiry, threshold };
        assert_eq!(store.store.claim_warnings(&[claim]).await.unwrap(), [first]);
    }
    assert_eq!(store.stored(there.id()).await, there.to_row());
}

#[tokio::test]
async fn every_slot_of_a_key_counts() {
    let store = Fixture::new().await;
    let count = async |key: &str| store.store.count_by_key(key.parse().unwrap()).await.unwrap();
    assert_eq!(count("k1").await, 0);
    store.insert(record(&owner("ann"))).await;
    store
        .insert(edited(&record(&owner("ann")), |row| {
            row.current = slot_of_other_key();
            row.retiring = Some(slot_of_other_key());
            row.retiring_until = Some(at(1).unix_millis());
            row.spent = Some(slot());
        }))
        .await;
    assert_eq!((count("k1").await, count("k2").await, count("k3").await), (2, 2, 0));
}
