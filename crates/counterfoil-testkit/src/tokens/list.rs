//! Lists and their pages.

use counterfoil::{
    Record, TokenId,
    record::{Statuses, Use},
    store::{Filter, ListQuery, Order, RevokeStep, RevokeTarget},
};

use crate::{
    bench::Bench,
    hand::{Hand, id_of},
    records::*,
    report::{Kept, same},
};

pub(super) fn a_filter_finds_what_it_matches(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let spread = spread();
    store.put(spread.iter().map(|(record, _)| record))?;
    let uses = spread.iter().filter_map(|(record, usage)| Some(Use { id: record.id(), usage: usage.clone()? }));
    store.record_uses(&uses.collect::<Vec<_>>())?;
    let end = at(10 * DAY);
    for filter in filters() {
        // Of the fields only the status turns on the moment.
        let moments = [end, before(end), after(end), now()];
        for moment in moments.into_iter().take(if filter.statuses == Statuses::ALL { 1 } else { 4 }) {
            let matching = spread.iter().filter(|(record, usage)| filter.matches(record, usage.as_ref(), moment));
            let mut expected: Vec<TokenId> = matching.map(|(record, _)| record.id()).collect();
            expected.sort();
            same(format!("what {filter:?} finds by id, at {moment}"), store.ids(&filter, moment)?, expected.clone())?;
        }
        let order = Order::ByLastUse { after: None };
        let mut query = ListQuery { order, limit: 7, ..ListQuery::new(filter.clone()) };
        let (mut found, mut seen_uses) = (Vec::new(), true);
        store.walk(&mut query, end, |page| {
            for stored in &page.tokens {
                let of_this = spread.iter().find(|(record, _)| record.id() == stored.record.id());
                seen_uses &= of_this.is_some_and(|(_, usage)| *usage == stored.usage);
                found.push(stored.record.id());
            }
        })?;
        found.sort();
        let matching = spread.iter().filter(|(record, usage)| filter.matches(record, usage.as_ref(), end));
        let mut expected: Vec<TokenId> = matching.map(|(record, _)| record.id()).collect();
        expected.sort();
        same(format!("what {filter:?} finds by last use"), found, expected)?;
        same("whether a list shows each token's own use", seen_uses, true)?;
    }
    Ok(())
}

pub(super) fn a_list_by_id_shows_each_row_once(bench: &Bench<'_, Hand>) -> Kept {
    for limit in [1, 2, 3, 5] {
        let store = bench.store();
        // Every third stays; the others go while pages are turned, and new ones come everywhere.
        let all = records("ann", 30);
        store.put(&all)?;
        let is_lasting = |index: usize| index.is_multiple_of(3);
        let lasting: Vec<TokenId> =
            all.iter().enumerate().filter(|(index, _)| is_lasting(*index)).map(|(_, record)| record.id()).collect();
        let mut query = ListQuery { limit, ..ListQuery::new(Filter::owner(owner("ann"))) };
        let (mut seen, mut pages) = (Vec::new(), 0_u32);
        loop {
            let page = store.list(&query, now())?;
            same("whether a page has at most as many rows as asked for", page.tokens.len() <= limit as usize, true)?;
            seen.extend(page.tokens.iter().map(|stored| stored.record.id()));
            let Some(cursor) = page.next else { break };
            same("whether a list by id gives a cursor of its own order", id_of(Some(cursor)).is_some(), true)?;
            // Of those that may go: the row at the cursor, the one before it and the next one.
            let place = all.iter().position(|record| Some(record.id()) == id_of(Some(cursor)));
            let around = place.map_or(0..0, |place| place.saturating_sub(1)..(place + 2).min(all.len()));
            for index in around.filter(|index| !is_lasting(*index)) {
                store.revoke(&RevokeTarget::Token(all[index].id()), &mark(now()), now(), RevokeStep::WHOLE)?;
            }
            store.purge(after(now()), None, 100)?;
            pages += 1;
            // Before the cursor, about it, and at the end; not for ever, as each row behind it makes a page more.
            for moment in [before(now()), at(MILLI * (pages % 30)), at(DAY)] {
                if pages < 20 {
                    store.insert(&record_at(&owner("ann"), moment), None, now())?;
                }
            }
            same("whether a list ends", pages < 500, true)?;
            query = query.after(cursor);
        }
        let shown: Vec<TokenId> = seen.iter().copied().filter(|id| lasting.contains(id)).collect();
        same(format!("the rows that stayed, as shown by pages of {limit}"), shown, lasting)?;
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        same("how often rows were shown, against how many there were", seen.len(), once.len())?;
    }
    Ok(())
}

pub(super) fn a_list_is_in_order(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let mut all = records("ann", 5);
    all.extend(
        [[0; 16], [0x7f; 16], [0x80; 16], [0xff; 16]]
            .map(|bytes| edited(&record("ann"), |row| row.id = TokenId::from_bytes(bytes))),
    );
    store.put(&all)?;
    // The second is used first, the fourth last, the third as late as the fourth, and an id that is the greatest too.
    let uses: Vec<Use> = [(1, DAY), (3, 2 * DAY), (2, 2 * DAY), (8, DAY)]
        .map(|(index, after_start): (usize, _)| used(all[index].id(), at(after_start)))
        .into();
    store.record_uses(&uses)?;
    for (order, expected) in [
        (Order::ById { after: None }, [5, 0, 1, 2, 3, 4, 6, 7, 8]),
        (Order::ByLastUse { after: None }, [2, 3, 1, 8, 5, 0, 4, 6, 7]),
    ] {
        for limit in [1, 2, 3, 8, 9, 10, u32::MAX] {
            let mut query = ListQuery { order, limit, ..ListQuery::new(Filter::owner(owner("ann"))) };
            let mut seen = Vec::new();
            store.walk(&mut query, now(), |page| {
                seen.extend(page.tokens.iter().map(|stored| stored.record.id()));
            })?;
            let expected: Vec<TokenId> = expected.iter().map(|index: &usize| all[*index].id()).collect();
            same(format!("the order of {order:?} in pages of {limit}"), seen, expected)?;
        }
    }
    let ids: Vec<TokenId> = all.iter().map(Record::id).collect();
    let behind = ListQuery { order: Order::ById { after: Some(ids[3]) }, ..ListQuery::new(Filter::all()) };
    let page = store.list(&behind, now())?;
    let found: Vec<TokenId> = page.tokens.iter().map(|stored| stored.record.id()).collect();
    same("what stands behind an id", found, vec![ids[4], ids[6], ids[7], ids[8]])
}
