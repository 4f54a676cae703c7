//! Replacing a record.

use std::sync::Arc;

use counterfoil::{
    By, Grant, Lifetime, Record, Rotation,
    record::Revision,
    registry::{ChangeError, RotationError, VerifyError},
    store::StoreErrorKind::{LostRace, NotFound},
};

use crate::{
    bench::{Bench, race},
    hand::Hand,
    records::*,
    report::{Kept, done, kind, same},
};

pub(super) fn an_update_needs_the_expected_revision(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let one = record("ann");
    let two = next(&one, |row| row.blocked = mark_row(now()));
    same("an update of what is not there", kind(store.update(&two, one.revision(), None, now())), Err(NotFound))?;
    same("whether it was added", store.get(one.id())?.is_some(), false)?;
    store.insert(&one, None, now())?;
    same("an update of the expected revision", kind(store.update(&two, one.revision(), None, now())), Ok(()))?;
    same("the updated row", store.stored(one.id())?.record.to_row(), two.to_row())?;
    // A digest made anew on use moves the other number alone.
    let rehashed = edited(&two, |row| row.digest_version += 1);
    same("an update of the digest version", kind(store.update(&rehashed, two.revision(), None, now())), Ok(()))?;
    same("the rehashed row", store.stored(one.id())?.record.to_row(), rehashed.to_row())?;
    let late = edited(&rehashed, |row| (row.version, row.digest_version, row.blocked) = (9, 9, None));
    for (what, expected) in [
        ("an update that expects both numbers of before", one.revision()),
        ("an update that expects the digest version of before", two.revision()),
        ("an update that expects the version of before", Revision { version: 1, digest_version: 2 }),
        ("an update that expects numbers yet to come", late.revision()),
    ] {
        same(what, kind(store.update(&late, expected, None, now())), Err(LostRace))?;
        same("the row behind a lost race", store.stored(one.id())?.record.to_row(), rehashed.to_row())?;
    }
    Ok(())
}

const UPDATERS: i64 = 16;

pub(super) fn one_of_many_updates_wins(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let kinds: [(&str, Edit); 2] =
        [("version", |row| row.version += 1), ("digest version", |row| row.digest_version += 1)];
    for _ in 0..bench.rounds.div_ceil(4) {
        for (number, move_on) in kinds {
            let one = record("ann");
            store.insert(&one, None, now())?;
            let changed: Vec<Record> = (0..UPDATERS)
                .map(|step| {
                    edited(&one, |row| {
                        move_on(row);
                        row.expires_at = Some(at(DAY).unix_millis() + step);
                    })
                })
                .collect();
            let outcomes = race(changed.iter().map(|next| || kind(store.update(next, one.revision(), None, now()))));
            let winners: Vec<&Record> =
                changed.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(next, _)| next).collect();
            same(format!("how many of 16 updates of one {number} won"), winners.len(), 1)?;
            let lost = outcomes.iter().filter(|outcome| **outcome == Err(LostRace)).count();
            same("how many lost the race", lost, 15)?;
            same("the winner's row", store.stored(one.id())?.record.to_row(), winners[0].to_row())?;
        }
    }
    Ok(())
}

pub(super) fn an_update_replaces_the_selectors(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let mut stored = record("ann");
    store.insert(&stored, None, now())?;
    let mut selectors = vec![selector(&stored)];
    // Overlaps that follow each other, then a rotation at once: selectors move from slot to slot, and leave.
    for overlap in [DAY, DAY, DAY, std::time::Duration::ZERO, std::time::Duration::ZERO, DAY] {
        let next = rotated(&stored, &Rotation::with_overlap(overlap));
        store.update(&next, stored.revision(), None, now())?;
        stored = next;
        selectors.push(selector(&stored));
        let held: Vec<_> = stored.slots().iter().map(|(_, slot)| slot.selector).collect();
        for selector in &selectors {
            let found = store.find(&[*selector])?.map(|record| record.to_row());
            let expected = held.contains(selector).then(|| stored.to_row());
            same("the row found by a selector that the record has or had", found, expected)?;
        }
    }
    let dropped = selectors[0];
    let heir = edited(&record("bob"), |row| row.current.selector = dropped.to_string());
    same("an insert with a selector that an update dropped", kind(store.insert(&heir, None, now())), Ok(()))?;
    same("what it finds", store.find(&[dropped])?.map(|record| record.id()), Some(heir.id()))
}

const ROTATORS: usize = 50;

/// Rotations read, make a secret, and write; a revocation comes in between.
pub(super) fn a_revocation_outlives_rotations(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let registries = store.registries(now());
    let registry = |number: usize| registries[number % registries.len()].clone();
    for _ in 0..bench.rounds {
        let issuing = registry(0);
        let issued = store.wait(async move { issuing.issue(Grant::new(owner("ann"), Lifetime::days(90))).await });
        let issued = done("an issue through the registry", issued)?;
        let id = issued.record.id();
        let outcomes = race((0..=ROTATORS).map(|number| {
            let (store, registry) = (&store, registry(number));
            move || {
                if number == ROTATORS {
                    let revoked = store.wait(async move { registry.revoke(id, By::unknown()).await });
                    return done("a revocation", revoked).map(|()| None);
                }
                let rotation = Rotation::with_overlap(DAY);
                match store.wait(async move { registry.rotate(id, &rotation).await }) {
                    Ok(issued) => Ok(Some(issued.token)),
                    Err(RotationError::Rotate(_) | RotationError::Change(ChangeError::Overtaken)) => Ok(None),
                    Err(RotationError::Change(ChangeError::Store(error))) if *error.kind() == LostRace => Ok(None),
                    Err(error) => done("a rotation", Err(error)),
                }
            }
        }));
        let mut handed_out = vec![issued.token];
        for outcome in outcomes {
            handed_out.extend(outcome?);
        }
        let stored: Arc<Record> = store.stored(id)?.record;
        same("whether the token is revoked in the end", stored.revoked().is_some(), true)?;
        // Every rotation that succeeded moved the version by one, and so did the revocation.
        same("the version in the end", stored.version(), 1 + handed_out.len() as u64)?;
        for (number, token) in handed_out.iter().enumerate() {
            let (registry, text) = (registry(number), token.expose().to_owned());
            let verified = store.wait(async move { registry.verify(&text).await });
            let is_refused = matches!(verified, Err(VerifyError::Denied(_)));
            same("whether a secret that was handed out is refused", is_refused, true)?;
        }
    }
    Ok(())
}
