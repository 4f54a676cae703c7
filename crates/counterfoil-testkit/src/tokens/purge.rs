//! Deleting.

use std::collections::BTreeSet;

use counterfoil::{Record, Timestamp, TokenId, record::Use, store::Filter};

use crate::{
    bench::Bench,
    hand::Hand,
    records::*,
    report::{Failure, Kept, kind, same},
};

fn revoked_at(moment: Timestamp) -> Record {
    edited(&record("ann"), |row| row.revoked = mark_row(moment))
}

fn ending_at(moment: Timestamp) -> Record {
    edited(&record("ann"), |row| row.expires_at = Some(moment.unix_millis()))
}

fn ids(store: &Hand) -> Result<BTreeSet<TokenId>, Failure> {
    Ok(store.ids(&Filter::all(), now())?.into_iter().collect())
}

pub(super) fn a_purge_takes_what_is_due(bench: &Bench<'_, Hand>) -> Kept {
    let (revoked, ended) = (at(20 * DAY), at(10 * DAY));
    let all = [
        ("revoked a millisecond before", revoked_at(before(revoked))),
        ("revoked at the moment", revoked_at(revoked)),
        ("revoked a millisecond after", revoked_at(after(revoked))),
        ("ended a millisecond before", ending_at(before(ended))),
        ("ended at the moment", ending_at(ended)),
        ("ended a millisecond after", ending_at(after(ended))),
        ("without end", edited(&record("ann"), |row| row.expires_at = None)),
        ("active", record("ann")),
        (
            "suspended and blocked long ago",
            edited(&record("ann"), |row| {
                (row.suspended, row.blocked, row.expires_at) = (mark_row(now()), mark_row(now()), None);
            }),
        ),
        (
            "revoked after, and ended before",
            edited(&ending_at(before(ended)), |row| row.revoked = mark_row(after(revoked))),
        ),
        (
            "revoked before, and ended before",
            edited(&ending_at(before(ended)), |row| row.revoked = mark_row(before(revoked))),
        ),
    ];
    for (expired_before, due) in [(None, vec![0, 10]), (Some(ended), vec![0, 3, 9, 10])] {
        let store = bench.store();
        store.put(all.iter().map(|(_, record)| record))?;
        let purged = store.purge(revoked, expired_before, 100)?;
        let what = if expired_before.is_some() { "with an end given" } else { "without an end given" };
        for (index, (name, record)) in all.iter().enumerate() {
            let is_there = store.get(record.id())?.is_some();
            same(format!("whether a token {name} stays {what}"), is_there, !due.contains(&index))?;
        }
        same(format!("how many were purged {what}"), purged, due.len() as u64)?;
    }
    Ok(())
}

pub(super) fn a_purge_is_bounded(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let kept = record("ann");
    store.insert(&kept, None, now())?;
    for _ in 0..4 {
        store.put([&revoked_at(now()), &ending_at(now())])?;
    }
    let mut left = 9;
    for (max_rows, expected) in [(0, 0), (3, 3), (3, 3), (3, 2), (3, 0)] {
        let purged = store.purge(at(DAY), Some(at(DAY)), max_rows)?;
        same(format!("how many a purge of at most {max_rows} says it took"), purged, expected)?;
        left -= expected as usize;
        same("how many are left", ids(&store)?.len(), left)?;
    }
    same("what is left", ids(&store)?, BTreeSet::from([kept.id()]))
}

pub(super) fn nothing_of_a_purged_token_stays(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let (end, kept) = (at(90 * DAY), record("ann"));
    let one = edited(&of_three_slots(&owner("ann")), |row| row.revoked = mark_row(now()));
    store.put([&one, &kept])?;
    let uses: Vec<Use> = [&one, &kept].map(|record| used(record.id(), at(DAY))).into();
    store.record_uses(&uses)?;
    for record in [&one, &kept] {
        same("a first claim", store.claim_warning(record.id(), end, DAY)?, true)?;
    }
    same("how many were purged", store.purge(at(DAY), None, 10)?, 1)?;
    same("whether `get` finds it", store.get(one.id())?.is_some(), false)?;
    for (slot_kind, slot) in one.slots().iter() {
        let found = store.find(&[slot.selector])?.map(|record| record.id());
        same(format!("what the {slot_kind:?} selector of a purged token finds"), found, None)?;
    }
    same("how many slots are of its keys", store.count_by_key(must("k2".parse()))?, 0)?;
    same("whether a purged token's warning can be claimed", store.claim_warning(one.id(), after(end), DAY)?, false)?;
    // The same id and selectors again: nothing of the first is in the way, or comes back.
    let again = edited(&one, |row| row.revoked = None);
    same("an insert of a purged id and its selectors", kind(store.insert(&again, None, now())), Ok(()))?;
    same("the use of a record that is new", store.stored(one.id())?.usage, None)?;
    same("a first claim for a record that is new", store.claim_warning(one.id(), end, DAY)?, true)?;
    let usage = store.stored(kept.id())?.usage.map(|usage| usage.at);
    same("the use of the one that stayed", usage, Some(at(DAY)))?;
    same("a second claim for the one that stayed", store.claim_warning(kept.id(), end, DAY)?, false)
}
