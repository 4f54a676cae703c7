//! Adding: what comes back is what went in, duplicates are told, and the limit counts what is active.

use counterfoil::{Record, TokenStore, store::StoreErrorKind};

use crate::support::*;

#[tokio::test]
async fn every_column_comes_back_as_it_went_in() {
    let store = Fixture::new().await;
    let plain = record(&owner("ann"));
    let full = edited(&record(&counterfoil::Owner::in_tenant("acme", "ann").unwrap()), |row| {
        row.version = 7;
        row.digest_version = 3;
        row.expires_at = Some(at(9).unix_millis());
        row.revoked = mark_row(at(1));
        row.suspended = mark_row(at(2));
        row.blocked = mark_row(at(3));
        row.retiring = Some(slot());
        row.retiring_until = Some(at(4).unix_millis());
        row.spent = Some(slot_of_other_key());
        row.body = row.body.replacen('{', r#"{"from_a_newer_build":[1,"ü"],"#, 1);
    });
    for record in [plain, full] {
        store.insert(record.clone()).await;
        assert_eq!(store.stored(record.id()).await, record.to_row());
        let found = store.store.find(&[selector(&record)]).await.unwrap().expect("found");
        assert_eq!(found.to_row(), record.to_row());
    }
}

#[tokio::test]
async fn an_id_or_a_selector_in_any_slot_is_taken_once() {
    let store = Fixture::new().await;
    let there = edited(&record(&owner("ann")), |row| {
        row.retiring = Some(slot());
        row.retiring_until = Some(at(4).unix_millis());
        row.spent = Some(slot());
    });
    store.insert(there.clone()).await;
    let there = there.to_row();
    let taken = [there.current.clone(), there.retiring.clone().unwrap(), there.spent.clone().unwrap()];

    let fresh = || record(&owner("bob"));
    let mut newcomers = vec![("id", edited(&fresh(), |row| row.id = there.id))];
    for slot in &taken {
        newcomers.push(("current", edited(&fresh(), |row| row.current = slot.clone())));
        newcomers.push((
            "retiring",
            edited(&fresh(), |row| {
                row.retiring = Some(slot.clone());
                row.retiring_until = Some(at(4).unix_millis());
            }),
        ));
        newcomers.push(("spent", edited(&fresh(), |row| row.spent = Some(slot.clone()))));
    }
    for (what, newcomer) in newcomers {
        assert_eq!(kind(store.store.insert(&newcomer, None, now()).await), StoreErrorKind::Duplicate, "{what}");
        // Nothing of a refused record stays.
        let own = newcomer
            .slots()
            .iter()
            .map(|(_, slot)| slot.selector)
            .filter(|own| taken.iter().all(|slot| slot.selector != own.as_str()));
        for own in own {
            assert!(store.store.find(&[own]).await.unwrap().is_none(), "{what}");
        }
        // It is a duplicate also where the limit is reached.
        assert_eq!(kind(store.store.insert(&newcomer, Some(0), now()).await), StoreErrorKind::Duplicate, "{what}");
    }
}

#[tokio::test]
async fn the_limit_counts_the_owners_active_tokens() {
    let ann = owner("ann");
    let cases: [(&str, Record, bool); 9] = [
        ("active", record(&ann), true),
        ("expires later", edited(&record(&ann), |row| row.expires_at = Some(at(1).unix_millis())), true),
        ("expires now", edited(&record(&ann), |row| row.expires_at = Some(now().unix_millis())), false),
        ("expired", edited(&record(&ann), |row| row.expires_at = Some(at(-1).unix_millis())), false),
        ("revoked", edited(&record(&ann), |row| row.revoked = mark_row(now())), false),
        ("suspended", edited(&record(&ann), |row| row.suspended = mark_row(now())), false),
        ("blocked", edited(&record(&ann), |row| row.blocked = mark_row(now())), false),
        ("of another", record(&owner("bob")), false),
        ("of the same name in a tenant", record(&counterfoil::Owner::in_tenant("acme", "ann").unwrap()), false),
    ];
    for (what, there, counts) in cases {
        let store = Fixture::new().await;
        store.insert(there).await;
        let newcomer = record(&ann);
        let inserted = store.store.insert(&newcomer, Some(1), now()).await;
        if counts {
            assert_eq!(kind(inserted), StoreErrorKind::LimitReached { limit: 1 }, "{what}");
            assert!(store.store.get(newcomer.id()).await.unwrap().is_none(), "{what}");
            store.store.insert(&newcomer, Some(2), now()).await.unwrap();
        } else {
            inserted.unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }
    let store = Fixture::new().await;
    assert_eq!(
        kind(store.store.insert(&record(&ann), Some(0), now()).await),
        StoreErrorKind::LimitReached { limit: 0 }
    );
}
