//! Upkeep: what becomes of records that nobody asks about.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    event::Step,
    record::{Record, Status},
    store::{
        Cursor, Filter, ListQuery, Order, RevokeStep, RevokeTarget, SharedRequests, SharedStore, StoreError,
        TokenStore, WarningClaim,
    },
    subject::{By, Owner, Reason},
    time::Timestamp,
    token::TokenId,
};

/// For how long records are kept that are of no more use.
///
/// ```
/// use counterfoil::Retention;
/// use std::time::Duration;
///
/// let year = Duration::from_secs(365 * 86_400);
/// let retention = Retention { expired: Some(year), ..Retention::default() };
/// assert_eq!(retention.revoked, Duration::from_secs(31 * 86_400));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Revoked ones, from their revocation on; a record is deleted once this is exceeded. 31 days by default.
    pub revoked: Duration,
    /// Expired ones, from their end on. None, the default, keeps them: a later end brings such a token back.
    pub expired: Option<Duration>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { revoked: Duration::from_secs(31 * 86_400), expired: None }
    }
}

impl Retention {
    /// The moments before which a revocation, and an end, are past their retention. A retention that reaches back
    /// behind all time deletes nothing.
    fn cutoffs(&self, now: Timestamp) -> (Timestamp, Option<Timestamp>) {
        let revoked_before = now.checked_sub(self.revoked).unwrap_or(Timestamp::MIN);
        (revoked_before, self.expired.and_then(|expired| now.checked_sub(expired).ok()))
    }
}

/// What one run has done.
#[derive(Debug, Default)]
#[must_use = "a step may have failed, or not be through"]
#[non_exhaustive]
pub struct Maintained {
    /// Uses written to the store.
    pub uses_written: u64,
    /// Uses dropped before, because too many tokens were in use at once.
    pub uses_dropped: u64,
    /// Records deleted after their retention.
    pub purged: u64,
    /// Requests with an idempotency key forgotten.
    pub requests_forgotten: u64,
    /// Warnings told, that a token's end is near.
    pub warned: u64,
    /// Tokens revoked because they were not used.
    pub swept: u64,
    /// Whether unused tokens were left, since not all uses are known: a later run revokes them.
    pub sweep_put_off: bool,
    /// Whether a step has reached its bound: another run would find more to do at once.
    pub more: bool,
    /// The steps that failed, none of which has kept another from being made.
    pub failures: Vec<StepFailed>,
}

/// A step of a run has failed. What it had done before stays done, and is counted.
#[derive(Debug, thiserror::Error)]
#[error("maintenance step `{step}` failed: {source}")]
#[non_exhaustive]
pub struct StepFailed {
    /// Which.
    pub step: Step,
    /// Why.
    pub source: StoreError,
}

/// How far a step came.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) count: u64,
    pub(crate) more: bool,
    pub(crate) failed: Option<StoreError>,
}

impl Done {
    fn failed(self, error: StoreError) -> Self {
        Self { failed: Some(error), ..self }
    }
}

impl Maintained {
    /// Adds a step's outcome, and gives its count.
    pub(crate) fn add(&mut self, step: Step, done: Done) -> u64 {
        self.more |= done.more;
        self.fail(step, done.failed);
        done.count
    }

    pub(crate) fn fail(&mut self, step: Step, error: Option<StoreError>) {
        self.failures.extend(error.map(|source| StepFailed { step, source }));
    }
}

/// The most rows that one statement changes. On SQLite every other change waits for it, and each row costs a write to some
/// eight indexes.
pub(crate) const ROWS_AT_ONCE: u32 = 100;
/// The rows of a page that is read. A page is read without a lock.
const LISTED: u32 = 500;
/// The most rows that one step changes or looks at in one run.
const ROWS_IN_A_RUN: u32 = 5000;
/// Warnings remembered as claimed, so that they are not claimed at every tick; beyond it they are.
const CLAIMS: usize = 50_000;

/// What a registry is to do for its records.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    pub(crate) retention: Retention,
    /// The nearest first.
    thresholds: Vec<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) requests: Option<SharedRequests>,
    warnings: Mutex<Warnings>,
}

#[derive(Debug, Default)]
struct Warnings {
    /// Where the last run ended, if it was not through.
    after: Option<TokenId>,
    /// Warnings that are claimed, by this node or another.
    claimed: HashMap<TokenId, (Timestamp, Duration)>,
}

impl Warnings {
    fn remember(&mut self, claims: &[WarningClaim]) {
        let room = CLAIMS.saturating_sub(self.claimed.len());
        self.claimed.extend(claims.iter().take(room).map(|claim| (claim.id, (claim.expiry, claim.threshold))));
    }
}

/// The nearest threshold that an end has come within. It is the only one told: whoever has a day left need not hear that
/// it is less than a week.
fn nearest(thresholds: &[Duration], end: Timestamp, now: Timestamp) -> Option<Duration> {
    thresholds.iter().copied().find(|threshold| end.checked_sub(*threshold).map_or(true, |from| now >= from))
}

impl Maintenance {
    pub(crate) fn warn_before(&mut self, thresholds: impl IntoIterator<Item = Duration>) {
        self.thresholds = thresholds.into_iter().collect();
        self.thresholds.sort_unstable();
    }

    /// Whether a use is surely written, by every node, before its token counts as unused.
    pub(crate) fn check_idle(&self, every: Duration) -> Result<(), IdleTooShort> {
        let least = every.saturating_mul(2);
        match self.idle {
            Some(found) if found < least => Err(IdleTooShort { found, least }),
            _ => Ok(()),
        }
    }

    pub(crate) async fn purge(&self, store: &SharedStore, now: Timestamp) -> Done {
        let (revoked_before, expired_before) = self.retention.cutoffs(now);
        let mut done = Done::default();
        for _ in 0..ROWS_IN_A_RUN / ROWS_AT_ONCE {
            match store.purge(revoked_before, expired_before, ROWS_AT_ONCE).await {
                Ok(count) => done = Done { count: done.count + count, more: count >= u64::from(ROWS_AT_ONCE), ..done },
                Err(error) => return done.failed(error),
            }
            if !done.more {
                break;
            }
        }
        done
    }

    /// Forgets requests with an idempotency key that were made before a moment.
    pub(crate) async fn forget_requests(&self, before: Timestamp) -> Done {
        let mut done = Done::default();
        let Some(requests) = &self.requests else { return done };
        for _ in 0..ROWS_IN_A_RUN / ROWS_AT_ONCE {
            match requests.forget(before, ROWS_AT_ONCE).await {
                Ok(count) => done = Done { count: done.count + count, more: count >= u64::from(ROWS_AT_ONCE), ..done },
                Err(error) => return done.failed(error),
            }
            if !done.more {
                break;
            }
        }
        done
    }

    // INVARIANT: what is changed under this lock is changed in one step, so a poisoned lock still guards all of it.
    fn warnings(&self) -> MutexGuard<'_, Warnings> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of every active token whose end has come within a threshold, once over all nodes: a warning is claimed
    /// first and told then.
    pub(crate) async fn warn(
        &self,
        store: &SharedStore,
        now: Timestamp,
        tell: impl Fn(&Record, Timestamp, Duration),
    ) -> Done {
        let mut done = Done::default();
        let Some(farthest) = self.thresholds.last() else { return done };
        // The filter says "before": an end at exactly the threshold is within it.
        let until = now.checked_add(farthest.saturating_add(Duration::from_millis(1))).unwrap_or(Timestamp::MAX);
        self.warnings().claimed.retain(|_, (end, _)| *end > now);
        for _ in 0..ROWS_IN_A_RUN / LISTED {
            let order = Order::ById { after: self.warnings().after };
            let query = ListQuery { order, limit: LISTED, ..ListQuery::new(Filter::expiring(until)) };
            let page = match store.list(&query, now).await {
                Ok(page) => page,
                Err(error) => return done.failed(error),
            };
            let due = self.due(page.tokens.iter().map(|stored| &*stored.record), now);
            for due in due.chunks(ROWS_AT_ONCE as usize) {
                let claims: Vec<WarningClaim> = due.iter().map(|(claim, _)| *claim).collect();
                let firsts = match store.claim_warnings(&claims).await {
                    Ok(firsts) => firsts,
                    Err(error) => return done.failed(error),
                };
                self.warnings().remember(&claims);
                for (WarningClaim { expiry, threshold, .. }, record) in
                    due.iter().zip(firsts).filter_map(|(due, is_first)| is_first.then_some(due))
                {
                    done.count += 1;
                    tell(record, *expiry, *threshold);
                }
            }
            let after = id_of(page.next);
            self.warnings().after = after;
            done.more = after.is_some();
            if !done.more {
                break;
            }
        }
        done
    }

    /// The warnings of these records that are not known to be claimed.
    fn due<'r>(&self, records: impl Iterator<Item = &'r Record>, now: Timestamp) -> Vec<(WarningClaim, &'r Record)> {
        let warnings = self.warnings();
        let due = records.filter_map(|record| {
            let (id, expiry) = (record.id(), record.expiry().at()?);
            let threshold = nearest(&self.thresholds, expiry, now)?;
            let is_claimed = warnings.claimed.get(&id) == Some(&(expiry, threshold));
            (!is_claimed).then_some((WarningClaim { id, expiry, threshold }, record))
        });
        due.collect()
    }

    /// The moment since which a token must have been used, if unused ones are revoked.
    pub(crate) fn unused_since(&self, now: Timestamp) -> Option<Timestamp> {
        now.checked_sub(self.idle?).ok()
    }

    /// Revokes active tokens that were not used since a moment: those of a page that was read, a few at once. The condition
    /// is judged again when a token is marked.
    pub(crate) async fn sweep(
        &self,
        store: &SharedStore,
        (since, now): (Timestamp, Timestamp),
        tell: impl Fn(TokenId, Option<&Owner>, &By),
    ) -> Done {
        let mut done = Done::default();
        let idle = self.idle.unwrap_or_default();
        let unused = Filter { statuses: Status::Active.into(), unused_since: Some(since), ..Filter::all() };
        let by = By { reason: Reason::new(format!("not used for {}", in_words(idle))).ok(), ..By::unknown() };
        let mut after = None;
        for _ in 0..ROWS_IN_A_RUN / LISTED {
            let query = ListQuery { order: Order::ById { after }, limit: LISTED, ..ListQuery::new(unused.clone()) };
            let page = match store.list(&query, now).await {
                Ok(page) => page,
                Err(error) => return done.failed(error),
            };
            let owners: HashMap<TokenId, &Owner> =
                page.tokens.iter().map(|stored| (stored.record.id(), stored.record.owner())).collect();
            // A row that cannot be read is revoked as well: its columns say that it is not used.
            let corrupt = page.corrupt.iter().map(|corrupt| corrupt.id);
            let ids: Vec<TokenId> = page.tokens.iter().map(|stored| stored.record.id()).chain(corrupt).collect();
            for ids in ids.chunks(ROWS_AT_ONCE as usize) {
                let target = RevokeTarget::Among { ids: ids.to_vec(), filter: unused.clone() };
                match store.revoke(&target, &by.clone().mark(now), now, RevokeStep::WHOLE).await {
                    Ok(revocation) => {
                        done.count += revocation.revoked.len() as u64;
                        revocation.revoked.into_iter().for_each(|id| tell(id, owners.get(&id).copied(), &by));
                    }
                    Err(error) => return done.failed(error),
                }
            }
            after = id_of(page.next);
            done.more = after.is_some();
            if !done.more {
                break;
            }
        }
        done
    }
}

fn id_of(cursor: Option<Cursor>) -> Option<TokenId> {
    match cursor {
        Some(Cursor::Id(id)) => Some(id),
        _ => None,
    }
}

fn in_words(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds > 0 && seconds % 86_400 == 0 => format!("{} days", seconds / 86_400),
        seconds => format!("{seconds} seconds"),
    }
}

/// Tokens would be revoked as unused although uses of theirs may not be written yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unused tokens are revoked after {found:?}, expected at least {least:?}: twice the time between two writes")]
#[non_exhaustive]
pub struct IdleTooShort {
    /// After which time they would be.
    pub found: Duration,
    /// The least.
    pub least: Duration,
}
