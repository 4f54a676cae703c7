//! Ending tokens for good.

use std::sync::atomic::{AtomicBool, Ordering};

use counterfoil::{
    Actor, By, Record, Status, TokenId,
    record::Use,
    store::{Filter, Revocation, RevokeStep, RevokeTarget},
};

use crate::{
    bench::{Bench, race},
    hand::Hand,
    records::*,
    report::{Kept, same},
};

pub(super) fn the_first_mark_stays(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let ann = tenant_owner("acme", "ann");
    let records = [
        record_at(&ann, now()),
        record_at(&ann, now()),
        record_at(&tenant_owner("acme", "bob"), now()),
        edited(&record("ann"), |row| row.suspended = mark_row(now())),
        edited(&record("ann"), |row| (row.expires_at, row.digest_version) = (Some(now().unix_millis()), 7)),
    ];
    store.put(&records)?;
    let by = |days: u32| By::actor(must(Actor::new(HOSTILE))).because(must(HOSTILE.try_into())).mark(at(days * DAY));
    let tenant = Filter { tenant: Some(must("acme".parse())), ..Filter::all() };
    for (day, what, target, revoked, already) in [
        (1, "an unknown id", RevokeTarget::Token(record("cid").id()), &records[..0], 0),
        (1, "one token", RevokeTarget::Token(records[0].id()), &records[..1], 0),
        (2, "the same token again", RevokeTarget::Token(records[0].id()), &records[..0], 1),
        (3, "an owner", RevokeTarget::Owner(ann.clone()), &records[1..2], 1),
        (4, "an owner who has no tokens", RevokeTarget::Owner(owner("cid")), &records[..0], 0),
        (4, "a tenant", RevokeTarget::Matching(tenant), &records[2..3], 2),
        (5, "everything", RevokeTarget::Matching(Filter::all()), &records[3..], 3),
        (6, "everything again", RevokeTarget::Matching(Filter::all()), &records[..0], 5),
    ] {
        let found = sorted(store.revoke(&target, &by(day), at(day * DAY), RevokeStep::WHOLE)?);
        let mut expected: Vec<_> = revoked.iter().map(Record::id).collect();
        expected.sort();
        same(format!("what revoking {what} does"), found, (expected, already))?;
    }
    for (record, day) in records.iter().zip([1, 3, 4, 5, 5]) {
        let expected = edited(record, |row| {
            row.version += 1;
            row.revoked = Some((&by(day)).into());
        });
        same("the revoked row", store.stored(record.id())?.record.to_row(), expected.to_row())?;
    }
    Ok(())
}

fn sorted(revocation: Revocation) -> (Vec<TokenId>, u64) {
    let Revocation { mut revoked, already, .. } = revocation;
    revoked.sort();
    (revoked, already)
}

pub(super) fn a_filter_revokes_what_it_matches(bench: &Bench<'_, Hand>) -> Kept {
    let spread = spread();
    let moment = at(10 * DAY);
    // A fifth of the filters: each takes a store of its own, filled anew.
    for filter in filters().into_iter().step_by(5) {
        let store = bench.store();
        store.put(spread.iter().map(|(record, _)| record))?;
        let uses = spread.iter().filter_map(|(record, usage)| Some(Use { id: record.id(), usage: usage.clone()? }));
        store.record_uses(&uses.collect::<Vec<_>>())?;
        // The mark's moment is not the one that the filter is judged at.
        let revocation =
            store.revoke(&RevokeTarget::Matching(filter.clone()), &mark(at(DAY)), moment, RevokeStep::WHOLE)?;
        let matching: Vec<&Record> = spread
            .iter()
            .filter(|(record, usage)| filter.matches(record, usage.as_ref(), moment))
            .map(|(record, _)| record)
            .collect();
        let (old, new): (Vec<_>, Vec<_>) = matching.into_iter().partition(|record| record.revoked().is_some());
        let mut expected: Vec<_> = new.iter().map(|record| record.id()).collect();
        expected.sort();
        same(format!("what {filter:?} revokes"), sorted(revocation), (expected, old.len() as u64))?;
    }
    Ok(())
}

pub(super) fn one_of_many_revocations_marks(bench: &Bench<'_, Hand>) -> Kept {
    for _ in 0..bench.rounds.div_ceil(10) {
        let store = bench.store();
        let records = records("ann", 4);
        store.put(&records)?;
        let outcomes = race((0..12_u32).map(|number| {
            let (store, records) = (&store, &records);
            move || {
                let target = match number % 3 {
                    0 => RevokeTarget::Owner(owner("ann")),
                    1 => RevokeTarget::Matching(Filter::all()),
                    _ => RevokeTarget::Token(records[0].id()),
                };
                let moment = at(DAY * number);
                store.revoke(&target, &mark(moment), moment, RevokeStep::WHOLE).map(|revocation| (moment, revocation))
            }
        }));
        let mut marks = Vec::new();
        for outcome in outcomes {
            let (moment, revocation) = outcome?;
            marks.extend(revocation.revoked.into_iter().map(|id| (id, moment)));
        }
        marks.sort();
        let ids: Vec<_> = marks.iter().map(|(id, _)| *id).collect();
        same("the tokens that 12 revocations name as theirs", ids, records.iter().map(Record::id).collect())?;
        for (id, moment) in marks {
            let stored = store.stored(id)?.record;
            let found = (stored.revoked().map(|mark| mark.at), stored.version());
            same("the mark and version of a token, by who names it", found, (Some(moment), 2))?;
        }
    }
    Ok(())
}

pub(super) fn an_owner_is_revoked_whole(bench: &Bench<'_, Hand>) -> Kept {
    for _ in 0..bench.rounds.div_ceil(10) {
        let store = bench.store();
        let (begun, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let records: Vec<Record> = (0..24).map(|_| record("ann")).collect();
        let first: &Record = &records[0];
        store.insert(first, None, now())?;
        // Whether each insert had returned before the revocation began, and whether it began after that had returned.
        let outcomes = race(std::iter::once(None).chain(records[1..].iter().map(Some)).map(|record| {
            let (store, begun, over) = (&store, &begun, &over);
            move || {
                let Some(record) = record else {
                    begun.store(true, Ordering::SeqCst);
                    let revocation =
                        store.revoke(&RevokeTarget::Owner(owner("ann")), &mark(now()), now(), RevokeStep::WHOLE);
                    over.store(true, Ordering::SeqCst);
                    return revocation.map(|revocation| (false, false, Some(revocation)));
                };
                let is_after = over.load(Ordering::SeqCst);
                let inserted = store.insert(record, Some(100), now());
                let is_before = !begun.load(Ordering::SeqCst);
                inserted.map(|()| (is_before, is_after, None))
            }
        }));
        let mut revoked = Vec::new();
        let mut orders = vec![(true, false)];
        for outcome in outcomes {
            let (is_before, is_after, revocation) = outcome?;
            match revocation {
                Some(revocation) => revoked = sorted(revocation).0,
                None => orders.push((is_before, is_after)),
            }
        }
        for (record, (is_before, is_after)) in records.iter().zip(orders) {
            let is_revoked = store.stored(record.id())?.record.revoked().is_some();
            same("whether a marked token is named", revoked.contains(&record.id()), is_revoked)?;
            if is_before {
                same("whether a token inserted before its owner was revoked is revoked", is_revoked, true)?;
            }
            if is_after {
                same("whether a token inserted after its owner was revoked is revoked", is_revoked, false)?;
            }
        }
        let late = record("ann");
        store.insert(&late, None, now())?;
        same("whether a later token is revoked", store.stored(late.id())?.record.revoked().is_some(), false)?;
    }
    Ok(())
}

pub(super) fn a_revocation_in_steps_marks_all(bench: &Bench<'_, Hand>) -> Kept {
    for (target, of_others) in
        [(RevokeTarget::Owner(owner("ann")), 7), (RevokeTarget::Matching(Filter::owner(owner("ann"))), 7)]
    {
        let store = bench.store();
        let mut anns = records("ann", 10);
        anns.sort_by_key(Record::id);
        store.put(&anns)?;
        store.put(&records("bob", of_others))?;
        // The second and the fifth are revoked already, and count.
        for record in [&anns[1], &anns[4]] {
            store.revoke(&RevokeTarget::Token(record.id()), &mark(at(DAY)), now(), RevokeStep::WHOLE)?;
        }
        let (mut revoked, mut already, mut after) = (Vec::new(), 0, None);
        for steps in 1.. {
            let step = RevokeStep { after, max_rows: 3 };
            let revocation = store.revoke(&target, &mark(now()), now(), step)?;
            let count = revocation.revoked.len() as u64 + revocation.already;
            same("whether a step of three marks and counts at most three", count <= 3, true)?;
            already += revocation.already;
            let next = revocation.next;
            revoked.extend(sorted(revocation).0);
            if next.is_none() {
                break;
            }
            same("whether a step ends behind the one before", next > after, true)?;
            same("whether the steps end", steps < 100, true)?;
            after = next;
        }
        let expected: Vec<_> = anns
            .iter()
            .enumerate()
            .filter(|(index, _)| ![1, 4].contains(index))
            .map(|(_, record)| record.id())
            .collect();
        same(format!("what the steps of {target:?} mark, in order, and count"), (revoked, already), (expected, 2))?;
        let rest = store.revoke(&RevokeTarget::Matching(Filter::all()), &mark(now()), now(), RevokeStep::WHOLE)?;
        same("how many tokens of others are left", rest.revoked.len(), of_others as usize)?;
    }
    Ok(())
}

pub(super) fn a_list_is_revoked_where_it_matches(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let (anns, bobs) = (records("ann", 4), records("bob", 2));
    store.put(anns.iter().chain(&bobs))?;
    store.revoke(&RevokeTarget::Token(anns[0].id()), &mark(at(DAY)), now(), RevokeStep::WHOLE)?;
    let unknown = record("cid").id();
    let ids = vec![anns[2].id(), anns[0].id(), bobs[0].id(), unknown, anns[1].id(), anns[2].id()];
    let revoke = |filter: Filter| {
        let target = RevokeTarget::Among { ids: ids.clone(), filter };
        // A list is one step, whatever its length.
        store.revoke(&target, &mark(now()), now(), RevokeStep { after: None, max_rows: 1 })
    };
    let mut expected = vec![anns[1].id(), anns[2].id()];
    expected.sort();
    let revocation = revoke(Filter::owner(owner("ann")))?;
    same("whether a list is done in one step", revocation.next, None)?;
    same("what is revoked of a list", sorted(revocation), (expected, 1))?;
    let active = Filter { statuses: Status::Active.into(), ..Filter::all() };
    same("what a filter of active tokens leaves", sorted(revoke(active.clone())?), (vec![bobs[0].id()], 0))?;
    same("what is revoked again", sorted(revoke(active)?), (Vec::new(), 0))?;
    let empty = RevokeTarget::Among { ids: Vec::new(), filter: Filter::all() };
    same("an empty list", sorted(store.revoke(&empty, &mark(now()), now(), RevokeStep::WHOLE)?), (Vec::new(), 0))
}
