//! A store over rows, as a host would write it, with a switch for each fault.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use counterfoil::{
    KeyId, Mark, Owner, Record, Row, Selector, Status, Timestamp, TokenId, TokenStore, Usage,
    record::{MarkRow, Revision, SlotRow, Use},
    store::{
        Columns, Cursor, Filter, LastUseCursor, ListQuery, Order, Page, Revocation, RevokeStep, RevokeTarget,
        StoreError, StoreErrorKind, Stored, WarningClaim,
    },
};
use counterfoil_testkit::{Fresh, Harness, tokens};

use crate::Gap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    AlreadyIsNotCounted,
    BlockedBeforeSuspended,
    ChecksLimitBeforeTheLock,
    ClaimOfTheGoneFails,
    ClaimsInTwoSteps,
    ClaimsTwice,
    ClaimsWithOneAnswer,
    ComparesBeforeTheLock,
    ConfirmDropsUsage,
    ConfirmMovesVersion,
    ConfirmNeedsARecord,
    CorruptFailsTheList,
    CorruptIsHidden,
    CorruptIsNotCounted,
    CorruptIsNotRevoked,
    CountsBlocked,
    CountsCurrentOnly,
    CountsItself,
    CountsRevoked,
    CountsTheOneThatEndsNow,
    CursorByOffset,
    CursorNeedsItsRow,
    DropsReason,
    DropsUserAgent,
    DuplicateIdReplaces,
    FindsCaseless,
    FindsCurrentOnly,
    FindsNoRevoked,
    FirstOfTwo,
    ForgetsRetiringOnUpdate,
    ForgetsSpentOnInsert,
    IdsAreSigned,
    IgnoresDigestVersion,
    IgnoresLimitOnUpdate,
    IgnoresTenantInLimit,
    IgnoresVersion,
    KeepsDroppedSelectors,
    KeepsOwnerRevoked,
    KeepsSelectorsOfPurged,
    KeepsUsageOfPurged,
    KeepsUsesOfTheGone,
    KeepsWarningsOfPurged,
    KeyOfCurrentOnly,
    LastMarkWins,
    ListIsNotFiltered,
    MissesTheLastInserted,
    NeverUsedFirst,
    NoTenantIsAnyTenant,
    OwnersAreTrimmed,
    OwnersCaseless,
    PageIsOneTooLong,
    PurgesAtTheMoment,
    PurgesExpiredUnasked,
    PurgesOneTooMany,
    RevokesAsOfTheMark,
    RevokesByUnusedOfNone,
    RevokesInTwoSteps,
    RevokesWithoutVersion,
    SeesWhatItSawFirst,
    SickAlways,
    StepsAreNotBounded,
    StepsBeginAgain,
    StepsEndEarly,
    TakesHundredUses,
    ThresholdInDays,
    UnknownUseFails,
    UnusedFromNeverIsNone,
    UpdateAdds,
    UpdateDropsUsage,
    UpdateWritesAndRefuses,
    UseMovesBack,
    UseMovesVersion,
    UsedAfter,
    WarnsOfTheGone,
}

use Fault::*;

/// Fault → the check that finds it.
const TABLE: [(Fault, &str); 79] = [
    (DropsReason, "every_field_comes_back"),
    (DropsUserAgent, "every_field_comes_back"),
    (ForgetsSpentOnInsert, "a_duplicate_is_refused"),
    (ForgetsRetiringOnUpdate, "a_duplicate_is_refused"),
    (DuplicateIdReplaces, "a_duplicate_is_refused"),
    (FindsCurrentOnly, "a_selector_finds_in_any_slot"),
    (FindsNoRevoked, "a_selector_finds_in_any_slot"),
    (FindsCaseless, "a_selector_finds_in_any_slot"),
    (FirstOfTwo, "two_records_for_one_token_are_ambiguous"),
    (FindsNoRevoked, "two_records_for_one_token_are_ambiguous"),
    (OwnersCaseless, "owners_are_told_apart_exactly"),
    (OwnersAreTrimmed, "owners_are_told_apart_exactly"),
    (NoTenantIsAnyTenant, "owners_are_told_apart_exactly"),
    (SeesWhatItSawFirst, "a_write_is_seen_by_every_later_read"),
    (CountsRevoked, "the_limit_counts_active_tokens"),
    (CountsBlocked, "the_limit_counts_active_tokens"),
    (CountsTheOneThatEndsNow, "the_limit_counts_active_tokens"),
    (CountsItself, "the_limit_counts_active_tokens"),
    (IgnoresTenantInLimit, "the_limit_counts_active_tokens"),
    (ChecksLimitBeforeTheLock, "the_limit_holds_in_a_race"),
    (IgnoresLimitOnUpdate, "the_limit_holds_when_a_token_comes_back"),
    (ChecksLimitBeforeTheLock, "the_limit_holds_when_many_come_back"),
    (IgnoresVersion, "an_update_needs_the_expected_revision"),
    (IgnoresDigestVersion, "an_update_needs_the_expected_revision"),
    (UpdateAdds, "an_update_needs_the_expected_revision"),
    (UpdateWritesAndRefuses, "an_update_needs_the_expected_revision"),
    (ComparesBeforeTheLock, "one_of_many_updates_wins"),
    (IgnoresDigestVersion, "one_of_many_updates_wins"),
    (KeepsDroppedSelectors, "an_update_replaces_the_selectors"),
    (ComparesBeforeTheLock, "a_revocation_outlives_rotations"),
    (IgnoresVersion, "a_revocation_outlives_rotations"),
    (LastMarkWins, "the_first_mark_stays"),
    (AlreadyIsNotCounted, "the_first_mark_stays"),
    (RevokesWithoutVersion, "the_first_mark_stays"),
    (RevokesAsOfTheMark, "a_filter_revokes_what_it_matches"),
    (RevokesByUnusedOfNone, "a_filter_revokes_what_it_matches"),
    (RevokesInTwoSteps, "one_of_many_revocations_marks"),
    (StepsAreNotBounded, "a_revocation_in_steps_marks_all"),
    (StepsBeginAgain, "a_revocation_in_steps_marks_all"),
    (StepsEndEarly, "a_revocation_in_steps_marks_all"),
    (ListIsNotFiltered, "a_list_is_revoked_where_it_matches"),
    (KeepsOwnerRevoked, "an_owner_is_revoked_whole"),
    (MissesTheLastInserted, "an_owner_is_revoked_whole"),
    (UseMovesVersion, "a_use_moves_no_version"),
    (UpdateDropsUsage, "a_use_moves_no_version"),
    (UseMovesBack, "a_later_use_stays"),
    (KeepsUsesOfTheGone, "many_uses_go_in_at_once"),
    (TakesHundredUses, "many_uses_go_in_at_once"),
    (UnknownUseFails, "many_uses_go_in_at_once"),
    (ClaimsTwice, "a_warning_is_claimed_once"),
    (ThresholdInDays, "a_warning_is_claimed_once"),
    (WarnsOfTheGone, "a_warning_is_claimed_once"),
    (ClaimsWithOneAnswer, "claims_of_a_batch_are_answered_one_by_one"),
    (ClaimOfTheGoneFails, "claims_of_a_batch_are_answered_one_by_one"),
    (ClaimsInTwoSteps, "one_of_many_claims_a_warning"),
    (CountsCurrentOnly, "every_slot_is_counted_by_key"),
    (ConfirmDropsUsage, "confirming_durability_changes_nothing"),
    (ConfirmMovesVersion, "confirming_durability_changes_nothing"),
    (ConfirmNeedsARecord, "confirming_durability_changes_nothing"),
    (SickAlways, "working_store_is_healthy"),
    (UsedAfter, "a_filter_finds_what_it_matches"),
    (UnusedFromNeverIsNone, "a_filter_finds_what_it_matches"),
    (KeyOfCurrentOnly, "a_filter_finds_what_it_matches"),
    (BlockedBeforeSuspended, "a_filter_finds_what_it_matches"),
    (CursorByOffset, "a_list_by_id_shows_each_row_once"),
    (CursorNeedsItsRow, "a_list_by_id_shows_each_row_once"),
    (NeverUsedFirst, "a_list_is_in_order"),
    (IdsAreSigned, "a_list_is_in_order"),
    (PageIsOneTooLong, "a_list_is_in_order"),
    (PurgesAtTheMoment, "a_purge_takes_what_is_due"),
    (PurgesExpiredUnasked, "a_purge_takes_what_is_due"),
    (PurgesOneTooMany, "a_purge_is_bounded"),
    (KeepsUsageOfPurged, "nothing_of_a_purged_token_stays"),
    (KeepsWarningsOfPurged, "nothing_of_a_purged_token_stays"),
    (KeepsSelectorsOfPurged, "nothing_of_a_purged_token_stays"),
    (CorruptIsHidden, "a_corrupt_row_is_told_apart"),
    (CorruptFailsTheList, "a_corrupt_row_is_told_apart"),
    (CorruptIsNotCounted, "a_corrupt_row_counts"),
    (CorruptIsNotRevoked, "a_corrupt_row_can_be_revoked"),
];

fn harness(fault: Fault) -> Harness<Table> {
    let fresh = move || async move {
        let table = Table { fault, gap: Gap::default(), rows: Arc::default() };
        let rows = Arc::clone(&table.rows);
        Fresh::new(table).corrupting(move |id| {
            let rows = Arc::clone(&rows);
            async move {
                let mut rows = rows.lock().expect("no poison");
                rows.entries.get_mut(&id).expect("it is there").row.body = "[]".into();
            }
        })
    };
    Harness::new(fresh, pollster::block_on)
}

#[test]
fn every_fault_breaks_the_promise_it_is_of() {
    let unseen: Vec<_> =
        TABLE.iter().filter(|(fault, check)| tokens::run_check(&harness(*fault), check).broken() != [*check]).collect();
    assert_eq!(unseen, Vec::<&(Fault, &str)>::new());
    crate::assert_all_are_shown(tokens::checks(), TABLE.iter().map(|(_, check)| *check));
}

#[test]
fn without_a_fault_every_promise_is_kept() {
    let report = tokens::run(&harness(None).rounds(40));
    report.assert_all_kept();
}

#[test]
fn a_broken_promise_is_told_with_what_was_found_and_expected() {
    let report = tokens::run_check(&harness(PurgesAtTheMoment), "a_purge_takes_what_is_due");
    let text = report.to_string();
    for part in [
        "BROKEN   a_purge_takes_what_is_due\n",
        "promise: `purge` takes what was revoked, or ended, before a moment, not at it\n",
        "when: whether a token revoked at the moment stays without an end given\n",
        "found: false\n",
        "expected: true\n",
        "purge.rs:",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let panic = std::panic::catch_unwind(|| report.assert_kept()).expect_err("a broken promise");
    assert!(panic.downcast_ref::<String>().is_some_and(|told| told.contains(&text)));
}

#[test]
fn a_store_that_panics_breaks_its_promise() {
    let fresh = || async { panic!("no database") };
    let harness: Harness<Table> = Harness::new(fresh, pollster::block_on);
    let report = tokens::run_check(&harness, "a_purge_is_bounded");
    assert!(report.to_string().contains("found: a panic: no database"), "{report}");
}

#[derive(Debug)]
struct Table {
    fault: Fault,
    gap: Gap,
    rows: Arc<Mutex<Rows>>,
}

#[derive(Debug, Default)]
struct Rows {
    entries: BTreeMap<TokenId, Entry>,
    last_inserted: Option<TokenId>,
    revoked_owners: Vec<Owner>,
    usage_of_purged: HashMap<TokenId, Option<Usage>>,
    warnings_of_purged: HashMap<TokenId, Vec<(Timestamp, Duration)>>,
    selectors_of_purged: Vec<(TokenId, String)>,
    seen_first: HashMap<Selector, Arc<Record>>,
}

#[derive(Debug)]
struct Entry {
    row: Row,
    usage: Option<Usage>,
    warnings: Vec<(Timestamp, Duration)>,
    dropped: Vec<String>,
}

fn slots(row: &Row) -> impl Iterator<Item = &SlotRow> {
    [Some(&row.current), row.retiring.as_ref(), row.spent.as_ref()].into_iter().flatten()
}

fn millis(at: Timestamp) -> i64 {
    at.unix_millis()
}

fn is_readable(row: &Row) -> bool {
    Record::from_row(row.clone()).is_ok()
}

impl Table {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("no poison")
    }

    fn is_taken(&self, rows: &Rows, selector: &str, id: TokenId) -> bool {
        let others = rows.entries.values().filter(|entry| entry.row.id != id);
        let is_in = |entry: &Entry| {
            let spent = entry.row.spent.iter().any(|slot| slot.selector == selector);
            slots(&entry.row).any(|slot| slot.selector == selector) && !(self.is(ForgetsSpentOnInsert) && spent)
                || entry.dropped.iter().any(|dropped| dropped == selector)
        };
        others.into_iter().any(is_in) || rows.selectors_of_purged.iter().any(|(_, purged)| purged == selector)
    }

    fn check_selectors(&self, rows: &Rows, new: &Row) -> Result<(), StoreError> {
        if slots(new).any(|slot| self.is_taken(rows, &slot.selector, new.id)) {
            return Err(StoreErrorKind::Duplicate.into());
        }
        Ok(())
    }

    fn check_limit(&self, rows: &Rows, new: &Row, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        let Some(limit) = limit else { return Ok(()) };
        let mut counted: Vec<_> = rows.entries.values().map(|entry| &entry.row).collect();
        counted.retain(|row| row.id != new.id || self.is(CountsItself));
        counted.retain(|row| {
            self.is_of(row, &new.tenant, &new.owner) || self.is(IgnoresTenantInLimit) && row.owner == new.owner
        });
        counted.retain(|row| !self.is(CorruptIsNotCounted) || is_readable(row));
        let is_counted = |row: &&&Row| match Columns::from(**row).status(now) {
            Status::Active => true,
            Status::Revoked => self.is(CountsRevoked),
            Status::Blocked => self.is(CountsBlocked),
            Status::Expired => self.is(CountsTheOneThatEndsNow) && row.expires_at == Some(millis(now)),
            Status::Suspended => false,
        };
        let active = counted.iter().filter(is_counted).count();
        if active >= limit as usize { Err(StoreErrorKind::LimitReached { limit }.into()) } else { Ok(()) }
    }

    fn is_of(&self, row: &Row, tenant: &str, owner: &str) -> bool {
        if self.is(OwnersCaseless) {
            return row.tenant == tenant && row.owner.eq_ignore_ascii_case(owner);
        }
        if self.is(OwnersAreTrimmed) {
            return row.tenant == tenant && row.owner.trim_end() == owner.trim_end();
        }
        if self.is(NoTenantIsAnyTenant) && tenant.is_empty() {
            return row.owner == owner;
        }
        (row.tenant.as_str(), row.owner.as_str()) == (tenant, owner)
    }

    fn matches(&self, filter: &Filter, entry: &Entry, now: Timestamp) -> bool {
        let (row, usage) = (&entry.row, entry.usage.as_ref());
        let mut filter = filter.clone();
        if let Some(owner) = filter.owner.take()
            && !self.is_of(row, owner.tenant_or_empty(), owner.subject().as_str())
        {
            return false;
        }
        let is_blocked_too = row.suspended.is_some() && row.blocked.is_some() && row.revoked.is_none();
        if self.is(BlockedBeforeSuspended) && is_blocked_too && filter.statuses == Status::Suspended.into() {
            return false;
        }
        if self.is(UsedAfter) && filter.used_since.is_some() && filter.used_since == usage.map(|usage| usage.at) {
            return false;
        }
        if self.is(UnusedFromNeverIsNone) && filter.unused_since.is_some() && usage.is_none() {
            return false;
        }
        if self.is(KeyOfCurrentOnly) && filter.key.is_some_and(|key| key.as_str() != row.current.key) {
            return false;
        }
        filter.matches(row, usage, now)
    }
}

impl TokenStore for Table {
    async fn insert(&self, record: &Record, limit: Option<u32>, now: Timestamp) -> Result<(), StoreError> {
        let (mut rows, mut row) = (self.lock(), record.to_row());
        if rows.entries.contains_key(&row.id) && !self.is(DuplicateIdReplaces) {
            return Err(StoreErrorKind::Duplicate.into());
        }
        self.check_selectors(&rows, &row)?;
        self.check_limit(&rows, &row, limit, now)?;
        if self.is(ChecksLimitBeforeTheLock) && limit.is_some() {
            drop(rows);
            self.gap.pass();
            rows = self.lock();
        }
        if let Some(mark) = row.suspended.as_mut().filter(|_| self.is(DropsReason)) {
            mark.detail = "{}".into();
        }
        if rows.revoked_owners.contains(record.owner()) {
            row.revoked = Some((&counterfoil::By::unknown().mark(now)).into());
        }
        let usage = rows.usage_of_purged.remove(&row.id).flatten();
        let warnings = rows.warnings_of_purged.remove(&row.id).unwrap_or_default();
        rows.last_inserted = Some(row.id);
        rows.entries.insert(row.id, Entry { row, usage, warnings, dropped: Vec::new() });
        Ok(())
    }

    async fn find(&self, selectors: &[Selector]) -> Result<Option<Arc<Record>>, StoreError> {
        let mut rows = self.lock();
        if let Some(seen) = selectors.first().and_then(|selector| rows.seen_first.get(selector)) {
            return Ok(Some(Arc::clone(seen)));
        }
        let is_same = |selector: &Selector, text: &str| {
            selector.as_str() == text || self.is(FindsCaseless) && selector.as_str().eq_ignore_ascii_case(text)
        };
        let is_wanted = |text: &str| selectors.iter().any(|selector| is_same(selector, text));
        let is_found = |entry: &&Entry| {
            let slots = slots(&entry.row).take(if self.is(FindsCurrentOnly) { 1 } else { 3 });
            slots.into_iter().any(|slot| is_wanted(&slot.selector)) || entry.dropped.iter().any(|text| is_wanted(text))
        };
        let mut found = rows.entries.values().filter(is_found);
        let (first, mut second) = (found.next(), found.next());
        if self.is(FirstOfTwo) {
            second = Option::None;
        }
        if self.is(FindsNoRevoked) && [first, second].into_iter().flatten().any(|entry| entry.row.revoked.is_some()) {
            return Ok(Option::None);
        }
        match (first, second) {
            (Option::None, _) => Ok(Option::None),
            (Some(entry), Option::None) => {
                let record = Arc::new(Record::from_row(entry.row.clone())?);
                if self.is(SeesWhatItSawFirst) {
                    rows.seen_first.insert(selectors[0], Arc::clone(&record));
                }
                Ok(Some(record))
            }
            (Some(_), Some(_)) => Err(StoreErrorKind::Ambiguous.into()),
        }
    }

    async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        let rows = self.lock();
        let Some(Entry { row, usage, .. }) = rows.entries.get(&id) else { return Ok(Option::None) };
        Ok(Some(Stored { record: Arc::new(Record::from_row(row.clone())?), usage: usage.clone() }))
    }

    async fn list(&self, query: &ListQuery, now: Timestamp) -> Result<Page, StoreError> {
        let rows = self.lock();
        let by_last_use = matches!(query.order, Order::ByLastUse { .. });
        let id_place = |id: TokenId| id.as_bytes()[0] ^ if self.is(IdsAreSigned) { 0x80 } else { 0 };
        let place = |at: Option<Timestamp>, id: TokenId| {
            let never_first = self.is(NeverUsedFirst) && at.is_some();
            (by_last_use.then_some((never_first, Reverse(at))), id_place(id), id)
        };
        let place_of = |entry: &Entry| place(entry.usage.as_ref().map(|usage| usage.at), entry.row.id);
        let mut offset = 0;
        let after = match query.order {
            Order::ById { after: Some(id) } if self.is(CursorByOffset) => {
                offset = usize::from(id.as_bytes()[15]);
                Option::None
            }
            Order::ById { after: Some(id) } if self.is(CursorNeedsItsRow) && !rows.entries.contains_key(&id) => {
                Option::None
            }
            Order::ById { after } => after.map(|id| place(Option::None, id)),
            Order::ByLastUse { after } => after.map(|after| place(after.at, after.id)),
        };
        let is_listed = |entry: &&Entry| {
            self.matches(&query.filter, entry, now) && after.is_none_or(|after| place_of(entry) > after)
        };
        let mut entries: Vec<_> = rows.entries.values().filter(is_listed).collect();
        entries.retain(|entry| !self.is(CorruptIsHidden) || is_readable(&entry.row));
        entries.sort_by_key(|entry| place_of(entry));
        entries.drain(..offset.min(entries.len()));
        let limit = query.limit as usize + usize::from(self.is(PageIsOneTooLong));
        let is_full = entries.len() > limit;
        entries.truncate(limit);
        let mut page = Page::default();
        if let Some(last) = entries.last().filter(|_| is_full) {
            let (mut id, at) = (last.row.id, last.usage.as_ref().map(|usage| usage.at));
            if self.is(CursorByOffset) {
                id = TokenId::from_bytes([u8::try_from(offset + entries.len()).expect("short lists"); 16]);
            }
            page.next = Some(if by_last_use { Cursor::LastUse(LastUseCursor { at, id }) } else { Cursor::Id(id) });
        }
        for entry in entries {
            match Record::from_row(entry.row.clone()) {
                Ok(record) => page.tokens.push(Stored { record: Arc::new(record), usage: entry.usage.clone() }),
                Err(corrupt) if self.is(CorruptFailsTheList) => return Err(corrupt.into()),
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
        if self.is(UpdateAdds) && !self.lock().entries.contains_key(&record.id()) {
            return self.insert(record, limit, now).await;
        }
        let (mut rows, row) = (self.lock(), record.to_row());
        let Some(stored) = rows.entries.get(&row.id).map(|entry| entry.row.clone()) else {
            return Err(StoreErrorKind::NotFound.into());
        };
        let is_expected = (stored.version as u64 == expected.version || self.is(IgnoresVersion))
            && (stored.digest_version as u64 == expected.digest_version || self.is(IgnoresDigestVersion));
        if self.is(UpdateWritesAndRefuses) && !is_expected {
            rows.entries.entry(row.id).and_modify(|entry| entry.row = row);
            return Err(StoreErrorKind::LostRace.into());
        }
        if !is_expected {
            return Err(StoreErrorKind::LostRace.into());
        }
        if !self.is(ForgetsRetiringOnUpdate) {
            self.check_selectors(&rows, &row)?;
        } else {
            self.check_selectors(&rows, &Row { retiring: Option::None, ..row.clone() })?;
        }
        self.check_limit(&rows, &row, limit.filter(|_| !self.is(IgnoresLimitOnUpdate)), now)?;
        if self.is(ComparesBeforeTheLock) || self.is(ChecksLimitBeforeTheLock) && limit.is_some() {
            drop(rows);
            self.gap.pass();
            rows = self.lock();
        }
        let (keeps, drops_usage) = (self.is(KeepsDroppedSelectors), self.is(UpdateDropsUsage));
        rows.entries.entry(row.id).and_modify(|entry| {
            if keeps {
                entry.dropped.extend(slots(&entry.row).map(|slot| slot.selector.clone()));
            }
            entry.usage.take_if(|_| drops_usage);
            entry.row = row;
        });
        Ok(())
    }

    async fn revoke(
        &self,
        target: &RevokeTarget,
        mark: &Mark,
        now: Timestamp,
        step: RevokeStep,
    ) -> Result<Revocation, StoreError> {
        let mut revocation = Revocation::default();
        let mut rows = self.lock();
        let is_target = |entry: &Entry| match target {
            RevokeTarget::Token(id) => *id == entry.row.id,
            RevokeTarget::Owner(owner) => self.is_of(&entry.row, owner.tenant_or_empty(), owner.subject().as_str()),
            RevokeTarget::Matching(filter) if self.is(RevokesByUnusedOfNone) => {
                filter.matches(&entry.row, Option::None, now)
            }
            RevokeTarget::Matching(filter) if self.is(RevokesAsOfTheMark) => self.matches(filter, entry, mark.at),
            RevokeTarget::Among { ids, filter } => {
                ids.contains(&entry.row.id) && (self.is(ListIsNotFiltered) || self.matches(filter, entry, now))
            }
            RevokeTarget::Matching(filter) => self.matches(filter, entry, now),
        };
        let is_in_steps = matches!(target, RevokeTarget::Owner(_) | RevokeTarget::Matching(_));
        let after = step.after.filter(|_| is_in_steps && !self.is(StepsBeginAgain));
        let max_rows =
            if is_in_steps && !self.is(StepsAreNotBounded) { step.max_rows.max(1) as usize } else { usize::MAX };
        if let RevokeTarget::Owner(owner) = target
            && self.is(KeepsOwnerRevoked)
        {
            rows.revoked_owners.push(owner.clone());
        }
        let missed = rows.last_inserted.filter(|_| self.is(MissesTheLastInserted));
        let mut targets = Vec::new();
        let is_due = |entry: &&Entry| after.is_none_or(|after| entry.row.id > after);
        let of_step = rows.entries.values().filter(|entry| is_target(entry)).filter(is_due).take(max_rows);
        let of_step: Vec<_> = of_step.collect();
        if of_step.len() == max_rows && !self.is(StepsEndEarly) {
            revocation.next = of_step.last().map(|entry| entry.row.id);
        }
        for entry in of_step.into_iter().filter(|entry| Some(entry.row.id) != missed) {
            if self.is(CorruptIsNotRevoked) && !is_readable(&entry.row) {
                continue;
            }
            if entry.row.revoked.is_some() && !self.is(LastMarkWins) {
                revocation.already += u64::from(!self.is(AlreadyIsNotCounted));
                continue;
            }
            targets.push(entry.row.id);
        }
        if self.is(RevokesInTwoSteps) {
            drop(rows);
            self.gap.pass();
            rows = self.lock();
        }
        for id in &targets {
            let Some(Entry { row, .. }) = rows.entries.get_mut(id) else { continue };
            row.revoked = Some(MarkRow::from(mark));
            row.version += i64::from(!self.is(RevokesWithoutVersion));
        }
        revocation.revoked = targets;
        Ok(revocation)
    }

    async fn record_uses(&self, uses: &[Use]) -> Result<(), StoreError> {
        let mut rows = self.lock();
        for Use { id, usage } in uses.iter().take(if self.is(TakesHundredUses) { 100 } else { usize::MAX }) {
            let Some(entry) = rows.entries.get_mut(id) else {
                if self.is(UnknownUseFails) {
                    return Err(StoreErrorKind::NotFound.into());
                }
                if self.is(KeepsUsesOfTheGone) {
                    rows.usage_of_purged.insert(*id, Some(usage.clone()));
                }
                continue;
            };
            if entry.usage.as_ref().is_none_or(|earlier| earlier.at <= usage.at) || self.is(UseMovesBack) {
                entry.usage = Some(usage.clone());
                if self.is(DropsUserAgent) {
                    entry.usage.iter_mut().for_each(|usage| usage.agent = Option::None);
                }
                entry.row.version += i64::from(self.is(UseMovesVersion));
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
        let slack = i64::from(self.is(PurgesAtTheMoment));
        let is_before = |at: i64, moment: Timestamp| at < millis(moment) + slack;
        let expired_before = expired_before.or(Some(revoked_before).filter(|_| self.is(PurgesExpiredUnasked)));
        let is_due = |row: &Row| {
            row.revoked.as_ref().is_some_and(|mark| is_before(mark.at, revoked_before))
                || row.expires_at.zip(expired_before).is_some_and(|(end, moment)| is_before(end, moment))
        };
        let due = rows.entries.values().map(|entry| &entry.row).filter(|row| is_due(row)).map(|row| row.id);
        let due: Vec<_> = due.take(max_rows as usize + usize::from(self.is(PurgesOneTooMany))).collect();
        for id in &due {
            let Some(Entry { row, usage, warnings, .. }) = rows.entries.remove(id) else { continue };
            match self.fault {
                KeepsUsageOfPurged => drop(rows.usage_of_purged.insert(*id, usage)),
                KeepsWarningsOfPurged => drop(rows.warnings_of_purged.insert(*id, warnings)),
                KeepsSelectorsOfPurged => {
                    rows.selectors_of_purged.extend(slots(&row).map(|slot| (*id, slot.selector.clone())));
                }
                _ => {}
            }
        }
        Ok(due.len() as u64)
    }

    async fn claim_warnings(&self, claims: &[WarningClaim]) -> Result<Vec<bool>, StoreError> {
        let mut rows = self.lock();
        let mut firsts = Vec::new();
        for WarningClaim { id, expiry, threshold } in claims {
            let threshold =
                if self.is(ThresholdInDays) { Duration::from_secs(threshold.as_secs() / 86_400) } else { *threshold };
            let Some(entry) = rows.entries.get(id) else {
                if self.is(ClaimOfTheGoneFails) {
                    return Err(StoreErrorKind::NotFound.into());
                }
                firsts.push(self.is(WarnsOfTheGone));
                continue;
            };
            firsts.push(!entry.warnings.contains(&(*expiry, threshold)) || self.is(ClaimsTwice));
            if self.is(ClaimsInTwoSteps) {
                drop(rows);
                self.gap.pass();
                rows = self.lock();
            }
            rows.entries.entry(*id).and_modify(|entry| entry.warnings.push((*expiry, threshold)));
        }
        if self.is(ClaimsWithOneAnswer) && firsts.contains(&true) {
            firsts.fill(true);
        }
        Ok(firsts)
    }

    async fn count_by_key(&self, key: KeyId) -> Result<u64, StoreError> {
        let rows = self.lock();
        let counted = if self.is(CountsCurrentOnly) { 1 } else { 3 };
        let slots = rows.entries.values().flat_map(|entry| slots(&entry.row).take(counted));
        Ok(slots.filter(|slot| slot.key == key.as_str()).count() as u64)
    }

    async fn confirm_durable(&self) -> Result<(), StoreError> {
        let mut rows = self.lock();
        if self.is(ConfirmNeedsARecord) && rows.entries.is_empty() {
            return Err(StoreErrorKind::NotFound.into());
        }
        if self.is(ConfirmMovesVersion) {
            rows.entries.values_mut().for_each(|entry| entry.row.version += 1);
        }
        if self.is(ConfirmDropsUsage) {
            rows.entries.values_mut().for_each(|entry| entry.usage = Option::None);
        }
        Ok(())
    }

    async fn check_health(&self) -> Result<(), StoreError> {
        if self.is(SickAlways) { Err(StoreErrorKind::Unavailable.into()) } else { Ok(()) }
    }
}
