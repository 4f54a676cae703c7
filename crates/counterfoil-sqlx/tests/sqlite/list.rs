//! Pages, orders, and the filter as `Filter::matches` says it.

use std::collections::BTreeMap;

use counterfoil::{
    Owner, Record, Status, TokenId, TokenStore, Usage,
    record::{Statuses, Use},
    store::{Cursor, Filter, LastUseCursor, ListQuery, Order, Page},
};

use crate::support::*;

fn by_id(limit: u32, after: Option<TokenId>) -> ListQuery {
    ListQuery { limit, order: Order::ById { after }, ..ListQuery::new(Filter::all()) }
}

fn by_last_use(limit: u32) -> ListQuery {
    ListQuery { limit, order: Order::ByLastUse { after: None }, ..ListQuery::new(Filter::all()) }
}

fn ids(page: &Page) -> Vec<TokenId> {
    page.tokens.iter().map(|stored| stored.record.id()).collect()
}

async fn all_pages(store: &Fixture, query: ListQuery) -> Vec<Vec<TokenId>> {
    let mut pages = Vec::new();
    let mut query = query;
    loop {
        let page = store.store.list(&query, now()).await.unwrap();
        pages.push(ids(&page));
        assert!(pages.len() < 100, "the pages come to no end");
        let Some(cursor) = page.next else { return pages };
        query = query.after(cursor);
    }
}

#[tokio::test]
async fn pages_by_id_are_exact_while_rows_come_and_go() {
    let store = Fixture::new().await;
    let mut there = Vec::new();
    for _ in 0..10 {
        there.push(store.insert(record(&owner("ann"))).await.id());
    }
    there.sort();

    for limit in [1, 2, 3, 5, 9, 10, 11, u32::MAX] {
        let pages = all_pages(&store, by_id(limit, None)).await;
        assert_eq!(pages.concat(), there, "limit {limit}");
        let expected = 10_usize.div_ceil(limit as usize);
        assert_eq!(pages.len(), expected, "limit {limit}: no empty last page");
    }
    assert_eq!(all_pages(&store, by_id(0, None)).await.len(), 10, "at least one row a page");

    // The cursor's own row goes, one behind it goes, one before it and one behind it come.
    let first = store.store.list(&by_id(4, None), now()).await.unwrap();
    let Some(Cursor::Id(cursor)) = first.next else { panic!("a cursor by id") };
    assert_eq!(cursor, there[3]);
    let raw = store.raw().await;
    for gone in [there[3], there[6]] {
        sqlx::query("DELETE FROM counterfoil_token WHERE id = ?1")
            .bind(gone.as_bytes().to_vec())
            .execute(&raw)
            .await
            .unwrap();
    }
    let beside = |id: TokenId, last: u8| {
        let mut bytes = *id.as_bytes();
        bytes[15] = last;
        TokenId::from_bytes(bytes)
    };
    let early = beside(there[0], there[0].as_bytes()[15].wrapping_add(1));
    let late = TokenId::from_bytes([0xff; 16]);
    for id in [early, late] {
        store.insert(edited(&record(&owner("ann")), |row| row.id = id)).await;
    }
    let rest = all_pages(&store, by_id(4, Some(cursor))).await.concat();
    assert_eq!(rest, [there[4], there[5], there[7], there[8], there[9], late]);
}

#[tokio::test]
async fn pages_by_last_use_come_latest_first_and_the_unused_last() {
    let store = Fixture::new().await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(store.insert(record(&owner("ann"))).await.id());
    }
    made.sort();
    // Two at the same moment, which go by id.
    let uses = [(made[2], at(3)), (made[5], at(9)), (made[1], at(3)), (made[6], at(1))];
    store.store.record_uses(&uses.map(|(id, at)| used(id, at))).await.unwrap();
    let expected = [made[5], made[1], made[2], made[6], made[0], made[3], made[4]];

    for limit in [1, 2, 3, 4, 5, 6, 7, 8] {
        let pages = all_pages(&store, by_last_use(limit)).await;
        assert_eq!(pages.concat(), expected, "limit {limit}");
        assert_eq!(pages.len(), 7_usize.div_ceil(limit as usize), "limit {limit}");
    }
    let first = store.store.list(&by_last_use(2), now()).await.unwrap();
    assert_eq!(first.next, Some(Cursor::LastUse(LastUseCursor { at: Some(at(3)), id: made[1] })));
    let used_only = ListQuery { filter: Filter { used_since: Some(at(3)), ..Filter::all() }, ..by_last_use(9) };
    assert_eq!(all_pages(&store, used_only).await.concat(), expected[..3]);
}

#[tokio::test]
async fn the_usage_is_listed_with_its_record() {
    let store = Fixture::new().await;
    let id = store.insert(record(&owner("ann"))).await.id();
    for address in ["192.0.2.7", "2001:db8::1"] {
        let usage = Usage {
            at: at(1),
            address: Some(address.parse().unwrap()),
            agent: Some(counterfoil::record::Agent::new("curl/8 \"ü\"").unwrap()),
        };
        store.store.record_uses(&[Use { id, usage: usage.clone() }]).await.unwrap();
        assert_eq!(store.store.get(id).await.unwrap().unwrap().usage, Some(usage.clone()));
        for query in [by_id(5, None), by_last_use(5)] {
            assert_eq!(store.store.list(&query, now()).await.unwrap().tokens[0].usage, Some(usage.clone()));
        }
    }
}

/// Numbers without a pattern, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn maybe<T>(&mut self, one_in: u64, some: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.below(one_in) == 0).then(|| some(self))
    }

    /// One of few moments, so that equal ones are frequent.
    fn moment(&mut self) -> counterfoil::Timestamp {
        at(self.below(5) as i64 - 2)
    }

    fn owner(&mut self) -> Owner {
        let name = ["ann", "bob"][self.below(2) as usize];
        match self.below(3) {
            0 => owner(name),
            1 => Owner::in_tenant("acme", name).unwrap(),
            _ => Owner::in_tenant("bolt", name).unwrap(),
        }
    }

    fn record(&mut self) -> Record {
        let blank = record(&self.owner());
        edited(&blank, |row| {
            row.created_at = self.moment().unix_millis();
            row.expires_at = self.maybe(2, |dice| dice.moment().unix_millis());
            row.revoked = self.maybe(4, |dice| mark_row(dice.moment())).flatten();
            row.suspended = self.maybe(4, |dice| mark_row(dice.moment())).flatten();
            row.blocked = self.maybe(4, |dice| mark_row(dice.moment())).flatten();
            if self.below(3) == 0 {
                row.current = slot_of_other_key();
            }
            if self.below(4) == 0 {
                row.retiring = Some(if self.below(2) == 0 { slot() } else { slot_of_other_key() });
                row.retiring_until = Some(at(9).unix_millis());
            }
            row.spent = self.maybe(4, |_| slot_of_other_key());
        })
    }

    fn filter(&mut self) -> Filter {
        Filter {
            owner: self.maybe(4, Self::owner),
            tenant: self.maybe(4, |_| counterfoil::subject::Tenant::new("acme").unwrap()),
            statuses: match self.below(3) {
                0 => Statuses::ALL,
                1 => Statuses::only(Status::ALL[self.below(5) as usize]),
                _ => Status::ALL.into_iter().filter(|_| self.below(2) == 0).collect(),
            },
            created_before: self.maybe(4, Self::moment),
            expires_before: self.maybe(4, Self::moment),
            used_since: self.maybe(4, Self::moment),
            unused_since: self.maybe(4, Self::moment),
            key: self.maybe(4, |dice| ["k1", "k2", "k3"][dice.below(3) as usize].parse().unwrap()),
        }
    }
}

#[tokio::test]
async fn the_filter_means_in_sql_what_it_means_in_rust() {
    let store = Fixture::new().await;
    let mut dice = Dice(42);
    let mut there: BTreeMap<TokenId, (Record, Option<Usage>)> = BTreeMap::new();
    for _ in 0..120 {
        let record = store.insert(dice.record()).await;
        let usage = dice.maybe(2, |dice| Usage { at: dice.moment(), address: None, agent: None });
        if let Some(usage) = &usage {
            store.store.record_uses(&[used(record.id(), usage.at)]).await.unwrap();
        }
        there.insert(record.id(), (record, usage));
    }
    let mut matched = 0;
    for round in 0..400 {
        let filter = dice.filter();
        let moment = dice.moment();
        let expected: Vec<_> = there
            .iter()
            .filter(|(_, (record, usage))| filter.matches(record, usage.as_ref(), moment))
            .map(|(id, _)| *id)
            .collect();
        matched += expected.len();
        let query = ListQuery { filter: filter.clone(), ..by_id(500, None) };
        assert_eq!(ids(&store.store.list(&query, moment).await.unwrap()), expected, "round {round}: {filter:?}");

        let query = ListQuery { filter: filter.clone(), ..by_last_use(500) };
        let mut by_use = ids(&store.store.list(&query, moment).await.unwrap());
        by_use.sort();
        assert_eq!(by_use, expected, "round {round}, by last use: {filter:?}");
    }
    assert!(matched > 1000, "the filters matched too little to say anything: {matched}");
}
