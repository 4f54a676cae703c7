//! What is put in, and how it is found.

use std::{collections::BTreeMap, sync::Arc};

use counterfoil::{
    Record, Row, Selector, Timestamp, TokenId, Usage,
    record::{Agent, SlotRow, Use},
    store::{Filter, ListQuery, RevokeStep, RevokeTarget, StoreErrorKind::Ambiguous, StoreErrorKind::Duplicate},
};

use crate::{
    bench::{Bench, race},
    hand::Hand,
    records::*,
    report::{Failure, Kept, kind, same},
};

pub(super) fn every_field_comes_back(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let mut records = extremes();
    records.push(with_everything());
    records.push(of_three_slots(&owner("ann")));
    for record in &records {
        same("the outcome of `get` before the insert", store.get(record.id())?.is_none(), true)?;
        store.insert(record, None, now())?;
    }
    let mut listed = BTreeMap::new();
    store.walk(&mut ListQuery::new(Filter::all()), now(), |page| {
        listed.extend(page.tokens.iter().map(|stored| (stored.record.id(), stored.record.to_row())));
    })?;
    for record in &records {
        let expected = record.to_row();
        same("the row that `get` gives", store.stored(record.id())?.record.to_row(), expected.clone())?;
        let found = store.find(&[selector(record)])?.map(|record| record.to_row());
        same("the row that `find` gives", found, Some(expected.clone()))?;
        same("the row that `list` gives", listed.get(&record.id()), Some(&expected))?;
    }
    for usage in spread().into_iter().filter_map(|(_, usage)| usage).chain([Usage {
        at: Timestamp::MAX,
        address: Some(must("2001:db8::7".parse())),
        agent: Some(must(Agent::new("🦀".repeat(Agent::MAX_LEN / 4)))),
    }]) {
        let one = record("ann");
        store.insert(&one, None, now())?;
        same("the usage before any use", store.stored(one.id())?.usage, None)?;
        store.record_uses(&[Use { id: one.id(), usage: usage.clone() }])?;
        same("the usage that `get` gives", store.stored(one.id())?.usage, Some(usage))?;
    }
    Ok(())
}

pub(super) fn a_duplicate_is_refused(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let one = of_three_slots(&owner("ann"));
    let other = of_three_slots(&owner("bob"));
    store.insert(&one, None, now())?;
    same("a second insert of a record", kind(store.insert(&one, None, now())), Err(Duplicate))?;
    let again = edited(&other, |row| row.id = one.id());
    same("an insert of an id that is there", kind(store.insert(&again, None, now())), Err(Duplicate))?;
    // Each taken selector in each slot of a newcomer.
    let thieves = |base: &Record| -> Vec<_> {
        one.slots()
            .iter()
            .flat_map(|(taken, slot)| {
                let thief = |steal: fn(&mut Row, String)| edited(base, |row| steal(row, slot.selector.to_string()));
                [
                    (taken, "current", thief(|row, selector| row.current.selector = selector)),
                    (taken, "retiring", thief(|row, selector| in_slot(&mut row.retiring, selector))),
                    (taken, "spent", thief(|row, selector| in_slot(&mut row.spent, selector))),
                ]
            })
            .collect()
    };
    for (taken, into, thief) in thieves(&other) {
        let what = format!("an insert with the selector of a {taken:?} slot as its {into} one");
        same(what, kind(store.insert(&thief, None, now())), Err(Duplicate))?;
        same("whether a refused insert wrote its record", store.get(thief.id())?.is_some(), false)?;
        for (_, slot) in other.slots().iter() {
            same("what a refused insert's selectors find", ids(store.find(&[slot.selector])?), None)?;
        }
    }
    store.insert(&other, None, now())?;
    for (taken, into, thief) in thieves(&next(&other, |_| {})) {
        let what = format!("an update with the selector of a {taken:?} slot as its {into} one");
        same(what, kind(store.update(&thief, other.revision(), None, now())), Err(Duplicate))?;
        let stored = store.stored(other.id())?.record.to_row();
        same("the record behind a refused update", stored, other.to_row())?;
    }
    for record in [&one, &other] {
        for (_, slot) in record.slots().iter() {
            same("what a selector finds in the end", ids(store.find(&[slot.selector])?), Some(record.id()))?;
        }
    }
    Ok(())
}

fn in_slot(place: &mut Option<SlotRow>, selector: String) {
    if let Some(slot) = place {
        slot.selector = selector;
    }
}

fn ids(record: Option<Arc<Record>>) -> Option<TokenId> {
    record.map(|record| record.id())
}

pub(super) fn a_selector_finds_in_any_slot(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let unknown: Selector = selector(&record("nobody"));
    let three = of_three_slots(&owner("ann"));
    let marked = |edit: Edit| edited(&of_three_slots(&owner("ann")), edit);
    let records = [
        three,
        marked(|row| row.revoked = mark_row(now())),
        marked(|row| row.suspended = mark_row(now())),
        marked(|row| row.blocked = mark_row(now())),
        marked(|row| row.expires_at = Some(before(now()).unix_millis())),
    ];
    store.put(&records)?;
    for record in &records {
        let slots: Vec<Selector> = record.slots().iter().map(|(_, slot)| slot.selector).collect();
        for (kind, slot) in record.slots().iter() {
            let what = format!("what the {kind:?} selector finds of a token that is {}", record.status(now()));
            same(what.clone(), ids(store.find(&[slot.selector])?), Some(record.id()))?;
            same(what, ids(store.find(&[unknown, slot.selector, unknown])?), Some(record.id()))?;
        }
        same("what all selectors of one record find", ids(store.find(&slots)?), Some(record.id()))?;
    }
    let mut candidates: Vec<Selector> = (0..7).map(|_| selector(&record("nobody"))).collect();
    candidates.push(selector(&records[0]));
    same("what the last of eight candidates finds", ids(store.find(&candidates)?), Some(records[0].id()))?;
    same("what an unknown selector finds", ids(store.find(&[unknown])?), None)?;
    // A selector is a text of its own, not a prefix or a pattern, and of one case.
    let text = selector(&records[0]).to_string();
    let swapped: String = text
        .chars()
        .map(|one| if one.is_ascii_lowercase() { one.to_ascii_uppercase() } else { one.to_ascii_lowercase() })
        .collect();
    let near = [format!("{text}0"), text[1..].into(), "_".repeat(text.len()), swapped];
    for near in near.into_iter().filter(|near| *near != text) {
        same("what a selector like another finds", ids(store.find(&[must(near.parse())])?), None)?;
    }
    Ok(())
}

pub(super) fn two_records_for_one_token_are_ambiguous(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let one = of_three_slots(&owner("ann"));
    let other = edited(&of_three_slots(&owner("bob")), |row| row.revoked = mark_row(now()));
    store.put([&one, &other])?;
    for (kind_of_one, slot) in one.slots().iter() {
        for (kind_of_other, second) in other.slots().iter() {
            let what = format!("`find` by a {kind_of_one:?} selector and a {kind_of_other:?} one of a revoked record");
            same(what.clone(), kind(store.find(&[slot.selector, second.selector])), Err(Ambiguous))?;
            same(what, kind(store.find(&[second.selector, slot.selector])), Err(Ambiguous))?;
        }
    }
    Ok(())
}

pub(super) fn owners_are_told_apart_exactly(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let records: Vec<_> = owners().iter().map(|owner| record_at(owner, now())).collect();
    for record in &records {
        let inserted = kind(store.insert(record, Some(1), now()));
        same(format!("the first token of {:?}, of whom one is allowed", record.owner()), inserted, Ok(()))?;
    }
    for record in &records {
        let found = store.ids(&Filter::owner(record.owner().clone()), now())?;
        same(format!("the tokens of {:?}", record.owner()), found, vec![record.id()])?;
        if let Some(tenant) = record.owner().tenant() {
            let filter = Filter { tenant: Some(tenant.clone()), ..Filter::all() };
            let of_tenant = records.iter().filter(|other| other.owner().tenant() == Some(tenant));
            let mut expected: Vec<_> = of_tenant.map(|record| record.id()).collect();
            expected.sort();
            same(format!("the tokens in {tenant:?}"), store.ids(&filter, now())?, expected)?;
        }
    }
    for record in &records {
        let target = RevokeTarget::Owner(record.owner().clone());
        let revocation = store.revoke(&target, &mark(now()), now(), RevokeStep::WHOLE)?;
        same(format!("what revoking {:?} reaches", record.owner()), revocation.revoked, vec![record.id()])?;
        same("how many more it reaches", revocation.already, 0)?;
    }
    Ok(())
}

pub(super) fn a_write_is_seen_by_every_later_read(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    for _ in 0..bench.rounds.min(50) {
        let one = record("ann");
        let seen_by_others = |what: &str, is_seen: &(dyn Fn() -> Result<bool, Failure> + Sync)| -> Kept {
            let outcomes = race((0..4).map(|_| is_seen));
            outcomes.into_iter().try_for_each(|seen| same(what, seen?, true))
        };
        store.insert(&one, None, now())?;
        seen_by_others("whether another thread finds what was inserted", &|| {
            Ok(store.find(&[selector(&one)])?.is_some())
        })?;
        let two = next(&one, |row| row.expires_at = None);
        store.update(&two, one.revision(), None, now())?;
        seen_by_others("whether another thread sees an update", &|| {
            Ok(store.stored(one.id())?.record.revision() == two.revision())
        })?;
        store.revoke(&RevokeTarget::Token(one.id()), &mark(now()), now(), RevokeStep::WHOLE)?;
        seen_by_others("whether another thread sees a revocation", &|| {
            Ok(store.find(&[selector(&one)])?.is_some_and(|record| record.revoked().is_some()))
        })?;
    }
    Ok(())
}
