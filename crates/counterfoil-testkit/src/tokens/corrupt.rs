//! Rows that cannot be read.

use std::collections::BTreeSet;

use counterfoil::{
    Record, Status, TokenId,
    store::{
        Filter, ListQuery, Order, RevokeStep, RevokeTarget, StoreError,
        StoreErrorKind::{Corrupt, LimitReached},
    },
};

use crate::{
    bench::Bench,
    hand::Hand,
    records::*,
    report::{Failure, Kept, kind, same},
};

/// The id that a call fails over.
fn corrupt_id<T>(result: Result<T, StoreError>) -> Option<TokenId> {
    match result.err()?.kind() {
        Corrupt(corrupt) => Some(corrupt.id),
        _ => None,
    }
}

fn damaged(store: &Hand, record: Record) -> Result<Record, Failure> {
    store.insert(&record, None, now())?;
    store.corrupt(record.id());
    Ok(record)
}

pub(super) fn a_corrupt_row_is_told_apart(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    let all = records("ann", 12);
    store.put(&all)?;
    let damaged: Vec<&Record> = all.iter().step_by(3).collect();
    for record in &damaged {
        store.corrupt(record.id());
    }
    for record in &damaged {
        same("the record that `get` calls corrupt", corrupt_id(store.get(record.id())), Some(record.id()))?;
        let found = corrupt_id(store.find(&[selector(record)]));
        same("the record that `find` calls corrupt", found, Some(record.id()))?;
    }
    for (filter, expected) in [(Filter::owner(owner("ann")), damaged.len()), (Filter::owner(owner("bob")), 0)] {
        let page = store.list(&ListQuery::new(filter.clone()), now())?;
        same(format!("how many corrupt rows {filter:?} finds"), page.corrupt.len(), expected)?;
    }
    for order in [Order::ById { after: None }, Order::ByLastUse { after: None }] {
        for limit in [1, 2, 5, 20] {
            let mut query = ListQuery { order, limit, ..ListQuery::new(Filter::all()) };
            let (mut sound, mut corrupt) = (Vec::new(), Vec::new());
            store.walk(&mut query, now(), |page| {
                sound.extend(page.tokens.iter().map(|stored| stored.record.id()));
                corrupt.extend(page.corrupt.iter().map(|corrupt| corrupt.id));
            })?;
            let expected: Vec<TokenId> = damaged.iter().map(|record| record.id()).collect();
            same("the corrupt rows of a list", corrupt, expected)?;
            let rest = all.iter().map(Record::id).filter(|id| !damaged.iter().any(|record| record.id() == *id));
            same("the sound rows of a list with corrupt ones", sound, rest.collect())?;
        }
    }
    Ok(())
}

pub(super) fn a_corrupt_row_counts(bench: &Bench<'_, Hand>) -> Kept {
    let store = bench.store();
    damaged(&store, record("ann"))?;
    let newcomer = record("ann");
    let inserted = kind(store.insert(&newcomer, Some(1), now()));
    same("an insert beside a corrupt row, with a limit of 1", inserted, Err(LimitReached { limit: 1 }))?;
    same("with a limit of 2", kind(store.insert(&newcomer, Some(2), now())), Ok(()))?;
    same("how many slots are of its key", store.count_by_key(must("k1".parse()))?, 2)
}

type Aim = fn(&Record) -> RevokeTarget;

pub(super) fn a_corrupt_row_can_be_revoked(bench: &Bench<'_, Hand>) -> Kept {
    let targets: [(&str, Aim); 3] = [
        ("id", |record| RevokeTarget::Token(record.id())),
        ("owner", |record| RevokeTarget::Owner(record.owner().clone())),
        ("filter", |_| {
            let statuses = Status::Active.into();
            RevokeTarget::Matching(Filter { statuses, key: Some(must("k1".parse())), ..Filter::all() })
        }),
    ];
    for (what, target) in targets {
        let store = bench.store();
        let one = damaged(&store, record("ann"))?;
        for (expected, already) in [(BTreeSet::from([one.id()]), 0), (BTreeSet::new(), u64::from(what != "filter"))] {
            let revocation = store.revoke(&target(&one), &mark(now()), now(), RevokeStep::WHOLE)?;
            let found = (revocation.revoked.into_iter().collect(), revocation.already);
            same(format!("what revoking a corrupt row by {what} does"), found, (expected, already))?;
        }
        let active = kind(store.insert(&record("ann"), Some(1), now()));
        same("an insert beside a corrupt row that is revoked, with a limit of 1", active, Ok(()))?;
        same("whether it can be purged", store.purge(after(now()), None, 10)?, 1)?;
    }
    Ok(())
}
