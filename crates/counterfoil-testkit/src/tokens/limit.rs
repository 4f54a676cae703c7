//! How many tokens an owner may have.

use counterfoil::{
    By, Lifetime, Record, Row, Status, TokenId,
    registry::ChangeError,
    store::{Filter, RevokeStep, RevokeTarget, StoreErrorKind::LimitReached},
};

use crate::{
    bench::{Bench, race},
    hand::Hand,
    records::*,
    report::{Kept, done, kind, same},
};

pub(super) fn the_limit_counts_active_tokens(bench: &Bench<'_, Hand>) -> Kept {
    let end = now().unix_millis();
    let edit = |edit: fn(&mut Row, i64)| edited(&record("ann"), |row| edit(row, end));
    for (beside, what, leaves_room) in [
        (record("ann"), "an active token", false),
        (record("bob"), "another owner's token", true),
        (edit(|row, _| row.tenant = "acme".into()), "a token of the same name in a tenant", true),
        (edit(|row, end| row.expires_at = Some(end)), "a token that ends now", true),
        (edit(|row, end| row.expires_at = Some(end + 1)), "a token that ends in a millisecond", false),
        (edit(|row, _| row.expires_at = None), "a token without end", false),
        (edit(|row, _| row.revoked = mark_row(now())), "a revoked token", true),
        (edit(|row, _| row.suspended = mark_row(now())), "a suspended token", true),
        (edit(|row, _| row.blocked = mark_row(now())), "a blocked token", true),
    ] {
        let store = bench.store();
        store.insert(&beside, None, now())?;
        let one = record("ann");
        let expected = if leaves_room { Ok(()) } else { Err(LimitReached { limit: 1 }) };
        let inserted = kind(store.insert(&one, Some(1), now()));
        same(format!("an insert beside {what}, with a limit of 1"), inserted, expected.clone())?;
        if !leaves_room {
            same("whether a refused insert wrote its record", store.get(one.id())?.is_some(), false)?;
            same("whether it wrote its selector", store.find(&[selector(&one)])?.is_some(), false)?;
            store.insert(&one, None, now())?;
        }
        let changed = next(&one, |_| {});
        let updated = kind(store.update(&changed, one.revision(), Some(1), now()));
        same(format!("an update beside {what}, with a limit of 1 that does not count itself"), updated, expected)?;
        let unlimited = if leaves_room { next(&changed, |_| {}) } else { changed.clone() };
        let base = if leaves_room { changed.revision() } else { one.revision() };
        same("an update without a limit", kind(store.update(&unlimited, base, None, now())), Ok(()))?;
    }
    let store = bench.store();
    same(
        "an insert with a limit of 0",
        kind(store.insert(&record("ann"), Some(0), now())),
        Err(LimitReached { limit: 0 }),
    )
}

const LIMIT: u32 = 50;

pub(super) fn the_limit_holds_in_a_race(bench: &Bench<'_, Hand>) -> Kept {
    // The threads race within a round, so a few rounds go as far as many.
    for _ in 0..bench.rounds.div_ceil(20) {
        let store = bench.store();
        let newcomers: Vec<Record> = (0..100).map(|_| record("ann")).collect();
        let outcomes = race(newcomers.iter().map(|newcomer| || kind(store.insert(newcomer, Some(LIMIT), now()))));
        let inserted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        same("how many of 100 were added at a limit of 50", inserted, 50)?;
        let refused = outcomes.iter().filter(|outcome| **outcome == Err(LimitReached { limit: LIMIT })).count();
        same("how many of 100 were told of the limit", refused, 50)?;
        let mut expected: Vec<TokenId> =
            newcomers.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(one, _)| one.id()).collect();
        expected.sort();
        same("the tokens that are there", store.ids(&Filter::owner(owner("ann")), now())?, expected)?;
    }
    Ok(())
}

pub(super) fn the_limit_holds_when_a_token_comes_back(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let registry = store.registry(Some(2), now());
    let sleeping: [(&str, Edit); 3] = [
        ("unblock", |row| row.blocked = mark_row(now())),
        ("resume", |row| row.suspended = mark_row(now())),
        ("set_expiry", |row| row.expires_at = Some(now().unix_millis())),
    ];
    let revive = |change: &str, id: TokenId| {
        let (registry, change, by) = (registry.clone(), change.to_owned(), By::unknown());
        let revived = store.wait(async move {
            match change.as_str() {
                "unblock" => registry.unblock(id, by).await,
                "resume" => registry.resume(id, by).await,
                _ => registry.set_expiry(id, Lifetime::days(1), by).await,
            }
        });
        match revived {
            Ok(_) => Ok(true),
            Err(ChangeError::LimitReached { limit: 2 }) => Ok(false),
            Err(error) => done("a change through the registry", Err(error)),
        }
    };
    for (change, edit) in sleeping {
        let owner = owner(change);
        let active = [record_at(&owner, now()), record_at(&owner, now())];
        let asleep = edited(&record_at(&owner, now()), edit);
        store.put(active.iter().chain([&asleep]))?;
        same(
            format!("whether `{change}` brings a third token back at a limit of 2"),
            revive(change, asleep.id())?,
            false,
        )?;
        let stored = store.stored(asleep.id())?.record.to_row();
        same("the record behind a refused change", stored, asleep.to_row())?;
        let target = RevokeTarget::Token(active[0].id());
        store.revoke(&target, &mark(now()), now(), RevokeStep::WHOLE)?;
        same(format!("whether `{change}` brings a second token back"), revive(change, asleep.id())?, true)?;
    }
    Ok(())
}

pub(super) fn the_limit_holds_when_many_come_back(bench: &Bench<'_, Hand>) -> Kept {
    for _ in 0..bench.rounds.div_ceil(20) {
        let store = bench.store();
        let asleep: Vec<Record> =
            (0..20).map(|_| edited(&record("ann"), |row| row.blocked = mark_row(now()))).collect();
        store.put(&asleep)?;
        let outcomes = race(asleep.iter().map(|one| {
            let awake = next(one, |row| row.blocked = None);
            let store = &store;
            move || kind(store.update(&awake, one.revision(), Some(5), now()))
        }));
        let count = |expected| outcomes.iter().filter(|outcome| **outcome == expected).count();
        let found = (count(Ok(())), count(Err(LimitReached { limit: 5 })));
        same("how many of 20 came back at a limit of 5, and how many were refused", found, (5, 15))?;
        let filter = Filter { statuses: Status::Active.into(), ..Filter::owner(owner("ann")) };
        same("how many are active", store.ids(&filter, now())?.len(), 5)?;
    }
    Ok(())
}
