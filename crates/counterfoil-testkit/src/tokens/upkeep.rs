//! What goes on beside the records: uses, warnings, counts.

use std::time::Duration;

use counterfoil::{
    Record, Rotation, Usage,
    record::Use,
    store::{Filter, WarningClaim},
};

use crate::{
    bench::{Bench, race},
    hand::Hand,
    records::*,
    report::{Failure, Kept, same},
};

pub(super) fn a_use_moves_no_version(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let one = edited(&of_three_slots(&owner("ann")), |row| row.digest_version = 5);
    store.insert(&one, None, now())?;
    store.record_uses(&[used(one.id(), at(DAY))])?;
    store.record_uses(&[used(one.id(), at(2 * DAY))])?;
    same("the row of a used token", store.stored(one.id())?.record.to_row(), one.to_row())?;
    // What a handler read before the use is still good for an update, and the use is there after it.
    let two = next(&one, |row| row.expires_at = None);
    store.update(&two, one.revision(), None, now())?;
    let usage = store.stored(one.id())?.usage.map(|usage| usage.at);
    same("the use after an update", usage, Some(at(2 * DAY)))
}

pub(super) fn a_later_use_stays(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let of = |record: &Record, days: u32, text: &str| Use {
        id: record.id(),
        usage: Usage { at: at(days * DAY), address: Some(must(text.parse())), agent: None },
    };
    let (one, other) = (record("ann"), record("bob"));
    store.put([&one, &other])?;
    for (what, batch, expected) in [
        ("one use", vec![of(&one, 5, "192.0.2.5")], of(&one, 5, "192.0.2.5")),
        ("an earlier one", vec![of(&one, 4, "192.0.2.4")], of(&one, 5, "192.0.2.5")),
        ("a later one", vec![of(&one, 6, "192.0.2.6")], of(&one, 6, "192.0.2.6")),
        (
            "three of one token in one call, the latest between",
            vec![
                of(&one, 7, "192.0.2.7"),
                of(&one, 9, "192.0.2.9"),
                of(&other, 1, "192.0.2.1"),
                of(&one, 8, "192.0.2.8"),
            ],
            of(&one, 9, "192.0.2.9"),
        ),
        ("none", vec![], of(&one, 9, "192.0.2.9")),
    ] {
        store.record_uses(&batch)?;
        same(format!("the use that stays after {what}"), store.stored(one.id())?.usage, Some(expected.usage))?;
    }
    same("the use of the other", store.stored(other.id())?.usage, Some(of(&other, 1, "192.0.2.1").usage))?;
    for _ in 0..bench.rounds.div_ceil(10) {
        let one = record("ann");
        store.insert(&one, None, now())?;
        let outcomes = race((0..16).map(|day| {
            let (store, one) = (&store, &one);
            move || store.record_uses(&[used(one.id(), at(day * DAY))])
        }));
        outcomes.into_iter().collect::<Result<Vec<()>, _>>()?;
        let usage = store.stored(one.id())?.usage.map(|usage| usage.at);
        same("the latest of 16 uses at once", usage, Some(at(15 * DAY)))?;
    }
    Ok(())
}

pub(super) fn many_uses_go_in_at_once(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let records = records("ann", 40);
    store.put(&records)?;
    // Each token 25 times, in no order, and as many of tokens that are not there.
    let known = (0..1000_usize).map(|number| (records[number * 7 % 40].id(), number * 613 % 1000));
    let late = record("cid");
    let gone = (0..1000_usize).map(|number| (if number == 500 { late.id() } else { record("cid").id() }, number));
    let uses: Vec<Use> =
        known.chain(gone).map(|(id, minutes)| used(id, at(Duration::from_secs(60 * minutes as u64)))).collect();
    for (what, batch) in [("1000 uses", &uses[..1000]), ("2000, half of unknown tokens", &uses[..])] {
        store.record_uses(batch)?;
        for record in &records {
            let latest = uses.iter().filter(|one| one.id == record.id()).map(|one| one.usage.at).max();
            let found = store.stored(record.id())?.usage.map(|usage| usage.at);
            same(format!("the use of one of 40 tokens after {what}"), found, latest)?;
        }
    }
    same("whether a use makes a record", store.get(late.id())?.is_some(), false)?;
    // Dropped is dropped: nothing of it comes up with a record of that id.
    store.put([&late])?;
    same("the use of a record that came later", store.stored(late.id())?.usage, None)
}

pub(super) fn a_warning_is_claimed_once(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let (one, other) = (record("ann"), record("ann"));
    store.put([&one, &other])?;
    let end = at(90 * DAY);
    for (what, id, end, threshold, expected) in [
        ("a first claim", one.id(), end, 7 * DAY, true),
        ("a second claim", one.id(), end, 7 * DAY, false),
        ("a claim of another threshold", one.id(), end, DAY, true),
        ("a claim of a threshold a millisecond longer", one.id(), end, DAY + MILLI, true),
        ("a claim of another end", one.id(), after(end), 7 * DAY, true),
        ("a claim of another token", other.id(), end, 7 * DAY, true),
        ("a claim of a token that is not there", record("ann").id(), end, 7 * DAY, false),
        ("a third claim", one.id(), end, 7 * DAY, false),
    ] {
        same(what, store.claim_warning(id, end, threshold)?, expected)?;
    }
    same("the row of a warned token", store.stored(one.id())?.record.to_row(), one.to_row())
}

pub(super) fn claims_of_a_batch_are_answered_one_by_one(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let all = records("ann", 300);
    store.put(&all)?;
    let claim = |record: &Record| WarningClaim { id: record.id(), expiry: at(90 * DAY), threshold: DAY };
    same("the first of three claims", store.claim_warnings(&[claim(&all[1])])?, vec![true])?;
    let gone = record("bob");
    let batch = [&all[0], &all[1], &gone, &all[2], &all[0]].map(claim);
    let expected = vec![true, false, false, true, false];
    same(
        "claims of a new token, a claimed one, none, a new one and the first again",
        store.claim_warnings(&batch)?,
        expected,
    )?;
    let batch: Vec<_> = all.iter().map(claim).collect();
    let firsts = store.claim_warnings(&batch)?;
    let expected: Vec<bool> = (0..all.len()).map(|index| index > 2).collect();
    same("the claims of 300 tokens, of which three are claimed", firsts, expected)?;
    same("no claims", store.claim_warnings(&[])?, Vec::new())
}

pub(super) fn one_of_many_claims_a_warning(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    for _ in 0..bench.rounds.div_ceil(4) {
        let one = record("ann");
        store.insert(&one, None, now())?;
        let claims = race((0..16).map(|_| || store.claim_warning(one.id(), at(90 * DAY), DAY)));
        let claims: Vec<bool> = claims.into_iter().collect::<Result<_, _>>()?;
        same("how many of 16 claimed the warning", claims.iter().filter(|is_first| **is_first).count(), 1)?;
    }
    Ok(())
}

pub(super) fn working_store_is_healthy(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    store.check_health()?;
    store.insert(&record("ann"), None, now())?;
    Ok(store.check_health()?)
}

pub(super) fn every_slot_is_counted_by_key(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let counts = |expected: [u64; 3]| -> Kept {
        for (key, expected) in ["k1", "k2", "k3"].into_iter().zip(expected) {
            same(format!("how many slots are of key {key}"), store.count_by_key(must(key.parse()))?, expected)?;
        }
        Ok(())
    };
    counts([0, 0, 0])?;
    let once = rotated(&record("ann"), &Rotation::with_overlap(DAY));
    store.insert(&once, None, now())?;
    counts([1, 1, 0])?;
    // The secret of `k1` moves from the retiring slot to the spent one.
    let twice = rotated(&once, &Rotation::with_overlap(DAY));
    store.update(&twice, once.revision(), None, now())?;
    counts([1, 2, 0])?;
    store.insert(&edited(&record("bob"), |row| row.revoked = mark_row(now())), None, now())?;
    counts([2, 2, 0])?;
    let thrice = rotated(&twice, &Rotation::with_overlap(DAY));
    store.update(&thrice, twice.revision(), None, now())?;
    counts([1, 3, 0])
}

/// Whether the wait is long enough is beyond a check that cannot cut the power: see the guide's page on stores.
pub(super) fn confirming_durability_changes_nothing(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    store.confirm_durable()?;
    same("the records after a confirmation of an empty store", store.ids(&Filter::all(), now())?, vec![])?;
    let revoked = edited(&of_three_slots(&owner("bob")), |row| row.revoked = mark_row(now()));
    let records = [record("ann"), revoked];
    store.put(&records)?;
    store.record_uses(&[used(records[0].id(), at(DAY))])?;
    let found = || -> Result<_, Failure> {
        let rows = records.iter().map(|record| store.stored(record.id())).collect::<Result<Vec<_>, _>>()?;
        let rows: Vec<_> = rows.into_iter().map(|stored| (stored.record.to_row(), stored.usage)).collect();
        Ok((rows, store.ids(&Filter::all(), now())?))
    };
    let before = found()?;
    race((0..8).map(|_| || store.confirm_durable())).into_iter().collect::<Result<Vec<()>, _>>()?;
    same("the records and uses after eight confirmations at once", found()?, before)?;
    same("the limit after a confirmation", store.insert(&record("ann"), Some(2), now()).is_ok(), true)
}
