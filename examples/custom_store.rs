//! A store of the host's own: the whole contract, here over rows in a map, as they would stand in a table.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]
//!
//! `cargo run --example custom_store`

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use counterfoil::{
    Grant, KeyId, Keyring, Lifetime, Mark, Owner, Record, Registry, Row, Selector, Status, Timestamp, TokenFormat,
    TokenId, TokenStore, Usage, draw_server_key,
    record::{MarkRow, Revision, SlotRow, Use},
    store::{
        Columns, Cursor, LastUseCursor, ListQuery, Order, Page, Revocation, RevokeStep, RevokeTarget, StoreError,
        StoreErrorKind, Stored, WarningClaim,
    },
};

/// One table of rows, beside it what belongs to a row. A database has a selector table with a unique index instead of
/// the scans made here, and a transaction instead of the lock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table(Arc<Mutex<BTreeMap<TokenId, Entry>>>);

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) row: Row,
    usage: Option<Usage>,
    warnings: HashSet<WarningClaim>,
}

pub(crate) type Rows<'a> = MutexGuard<'a, BTreeMap<TokenId, Entry>>;

impl Table {
    pub(crate) fn lock(&self) -> Rows<'_> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn slots(row: &Row) -> impl Iterator<Item = &SlotRow> {
    [Some(&row.current), row.retiring.as_ref(), row.spent.as_ref()].into_iter().flatten()
}

/// Refuses a selector that another row has, and an owner who has `limit` active tokens beside this one.
fn check(rows: &Rows<'_>, new: &Row, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
    let others = || rows.values().map(|entry| &entry.row).filter(|row| row.id != new.id);
    let is_taken = |slot: &SlotRow| others().any(|row| slots(row).any(|other| other.selector == slot.selector));
    if slots(new).any(is_taken) {
        return Err(StoreErrorKind::Duplicate.into());
    }
    let of_owner = others().filter(|row| (&row.tenant, &row.owner) == (&new.tenant, &new.owner));
    let active = of_owner.filter(|row| Columns::from(*row).status(now) == Status::Active).count();
    match limit {
        Some(limit) if active >= limit as usize => Err(StoreErrorKind::LimitReached { limit }.into()),
        _ => Ok(()),
    }
}

impl TokenStore for Table {
    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        let (mut rows, row) = (self.lock(), record.to_row());
        if rows.contains_key(&row.id) {
            return Err(StoreErrorKind::Duplicate.into());
        }
        check(&rows, &row, limit, now)?;
        rows.insert(row.id, Entry { row, usage: None, warnings: HashSet::new() });
        Ok(())
    }

    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        let rows = self.lock();
        let is_wanted = |slot: &SlotRow| selectors.iter().any(|selector| selector.as_str() == slot.selector);
        let mut found = rows.values().filter(|entry| slots(&entry.row).any(is_wanted));
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(entry), None) => Ok(Some(Arc::new(Record::from_row(entry.row.clone())?))),
            (Some(_), Some(_)) => Err(StoreErrorKind::Ambiguous.into()),
        }
    }

    async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        let rows = self.lock();
        let Some(Entry { row, usage, .. }) = rows.get(&id) else { return Ok(None) };
        Ok(Some(Stored { record: Arc::new(Record::from_row(row.clone())?), usage: usage.clone() }))
    }

    async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
        let rows = self.lock();
        // By id, the place of a row is its id; by last use, the latest use comes first.
        let by_last_use = matches!(query.order, Order::ByLastUse { .. });
        let place = |at: Option<Timestamp>, id| (by_last_use.then_some(Reverse(at)), id);
        let place_of = |entry: &Entry| place(entry.usage.as_ref().map(|usage| usage.at), entry.row.id);
        let after = match query.order {
            Order::ById { after } => after.map(|id| place(None, id)),
            Order::ByLastUse { after } => after.map(|after| place(after.at, after.id)),
        };
        let is_listed = |entry: &&Entry| {
            query.filter.matches(&entry.row, entry.usage.as_ref(), now)
                && after.is_none_or(|after| place_of(entry) > after)
        };
        let mut entries: Vec<_> = rows.values().filter(is_listed).collect();
        entries.sort_by_key(|entry| place_of(entry));
        let is_full = entries.len() > query.limit as usize;
        entries.truncate(query.limit as usize);

        let mut page = Page::default();
        if let Some(last) = entries.last().filter(|_| is_full) {
            let (id, at) = (last.row.id, last.usage.as_ref().map(|usage| usage.at));
            page.next = Some(if by_last_use { Cursor::LastUse(LastUseCursor { at, id }) } else { Cursor::Id(id) });
        }
        for entry in entries {
            match Record::from_row(entry.row.clone()) {
                Ok(record) => page.tokens.push(Stored { record: Arc::new(record), usage: entry.usage.clone() }),
                Err(corrupt) => page.corrupt.push(corrupt),
            }
        }
        Ok(page)
    }

    async fn update(
        &self,
        record: &Record,
        expected: Revision,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (mut rows, row) = (self.lock(), record.to_row());
        let stored = &rows.get(&row.id).ok_or(StoreErrorKind::NotFound)?.row;
        if (stored.version as u64, stored.digest_version as u64) != (expected.version, expected.digest_version) {
            return Err(StoreErrorKind::LostRace.into());
        }
        check(&rows, &row, limit, now)?;
        rows.entry(row.id).and_modify(|entry| entry.row = row);
        Ok(())
    }

    async fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Result<Revocation, StoreError> {
        let (mut revocation, mut rows) = (Revocation::default(), self.lock());
        let is_list = matches!(target, RevokeTarget::Among { .. });
        let mut left = if is_list { u32::MAX } else { step.max_rows.max(1) };
        for Entry { row, usage, .. } in rows.values_mut() {
            let is_after = step.after.is_none_or(|after| row.id > after);
            let is_target = match target {
                RevokeTarget::Token(id) => *id == row.id,
                RevokeTarget::Owner(owner) => {
                    is_after && (owner.tenant_or_empty(), owner.subject().as_str()) == (&row.tenant, &row.owner)
                }
                RevokeTarget::Matching(filter) => is_after && filter.matches(&*row, usage.as_ref(), now),
                RevokeTarget::Among { ids, filter } => {
                    ids.contains(&row.id) && filter.matches(&*row, usage.as_ref(), now)
                }
            };
            if !is_target {
                continue;
            }
            if row.revoked.is_some() {
                revocation.already += 1;
            } else {
                row.revoked = Some(MarkRow::from(mark));
                row.version = row.version.saturating_add(1);
                revocation.revoked.push(row.id);
            }
            left -= 1;
            if left == 0 {
                revocation.next = Some(row.id);
                break;
            }
        }
        Ok(revocation)
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        let mut rows = self.lock();
        for Use { id, usage } in uses {
            if let Some(entry) = rows.get_mut(id)
                && entry.usage.as_ref().is_none_or(|earlier| earlier.at <= usage.at)
            {
                entry.usage = Some(usage.clone());
            }
        }
        Ok(())
    }

    async fn purge(
        &self,
        revoked_before: Timestamp,
        expired_before: Option<Timestamp>,
        max_rows: u32,
    ) -> Result<u64, StoreError> {
        let mut rows = self.lock();
        let is_before = |at: i64, moment: Timestamp| at < moment.unix_millis();
        let is_due = |row: &Row| {
            row.revoked.as_ref().is_some_and(|mark| is_before(mark.at, revoked_before))
                || row.expires_at.zip(expired_before).is_some_and(|(end, moment)| is_before(end, moment))
        };
        let due = rows.values().map(|entry| &entry.row).filter(|row| is_due(row)).map(|row| row.id);
        let due: Vec<_> = due.take(max_rows as usize).collect();
        due.iter().for_each(|id| drop(rows.remove(id)));
        Ok(due.len() as u64)
    }

    async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        let mut rows = self.lock();
        let mut claim = |claim: &WarningClaim| rows.get_mut(&claim.id).is_some_and(|row| row.warnings.insert(*claim));
        Ok(claims.iter().map(&mut claim).collect())
    }

    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        let rows = self.lock();
        Ok(rows.values().flat_map(|entry| slots(&entry.row)).filter(|slot| slot.key == key.as_str()).count() as u64)
    }

    async fn confirm_durable(&self) -> Result<(), StoreError> {
        Ok(()) // What is read here is never lost before the store itself is. A database may have to write and wait.
    }

    async fn check_health(&self) -> Result<(), StoreError> {
        Ok(()) // memory cannot turn into another store
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    pollster::block_on(async {
        let keyring: Keyring = format!("demo:{}:mint", draw_server_key()?).parse()?;
        let format = TokenFormat::builder("acme").build()?;
        let registry = Registry::builder(format, keyring, Table::default()).build()?;

        let owner = Owner::new("user-42")?;
        let issued = registry.issue(Grant::new(owner, Lifetime::days(90))).await?;
        println!("issued    {:?}", issued.token);
        println!("verified  {:?}", registry.verify(issued.token.expose()).await?);
        registry.revoke(issued.record.id(), counterfoil::By::unknown()).await?;
        let refused = registry.verify(issued.token.expose()).await;
        println!("revoked   {}", refused.err().map_or("still good".into(), |error| error.to_string()));
        Ok(())
    })
}
