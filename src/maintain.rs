//! Upkeep: what becomes of records that nobody asks about.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    event::Step,
    record::{Record, Status},
    store::{Cursor, Filter, ListQuery, Order, RevokeTarget, SharedStore, StoreError, TokenStore},
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
#[error("maintenance step `{step}` failed")]
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

/// Rows in one statement, so that no writer waits long for it.
const ROWS: u32 = 500;
/// Statements of one step in one run.
const ROUNDS: u32 = 10;
/// Warnings remembered as claimed, so that they are not claimed at every tick; beyond it they are.
const CLAIMS: usize = 50_000;

/// What a registry is to do for its records.
#[derive(Debug, Default)]
pub(crate) struct Maintenance {
    pub(crate) retention: Retention,
    /// The nearest first.
    thresholds: Vec<Duration>,
    pub(crate) idle: Option<Duration>,
    warnings: Mutex<Warnings>,
}

#[derive(Debug, Default)]
struct Warnings {
    /// Where the last run ended, if it was not through.
    after: Option<TokenId>,
    /// Warnings that are claimed, by this node or another.
    claimed: HashMap<TokenId, (Timestamp, Duration)>,
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
        for _ in 0..ROUNDS {
            match store.purge(revoked_before, expired_before, ROWS).await {
                Ok(count) => done = Done { count: done.count + count, more: count >= u64::from(ROWS), ..done },
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
        for _ in 0..ROUNDS {
            let order = Order::ById { after: self.warnings().after };
            let query = ListQuery { order, limit: ROWS, ..ListQuery::new(Filter::expiring(until)) };
            let page = match store.list(&query, now).await {
                Ok(page) => page,
                Err(error) => return done.failed(error),
            };
            for record in page.tokens.iter().map(|stored| &*stored.record) {
                let Some(end) = record.expiry().at() else { continue };
                let Some(threshold) = nearest(&self.thresholds, end, now) else { continue };
                if self.warnings().claimed.get(&record.id()) == Some(&(end, threshold)) {
                    continue;
                }
                match store.claim_warning(record.id(), end, threshold).await {
                    Ok(true) => {
                        done.count += 1;
                        tell(record, end, threshold);
                    }
                    Ok(false) => {}
                    Err(error) => return done.failed(error),
                }
                let mut warnings = self.warnings();
                if warnings.claimed.len() < CLAIMS {
                    warnings.claimed.insert(record.id(), (end, threshold));
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

    /// The moment since which a token must have been used, if unused ones are revoked.
    pub(crate) fn unused_since(&self, now: Timestamp) -> Option<Timestamp> {
        now.checked_sub(self.idle?).ok()
    }

    /// Revokes active tokens that were not used since a moment.
    ///
    /// Owner by owner: each statement is short, the predicate is judged where the row is marked, and the owner can be
    /// told.
    pub(crate) async fn sweep(
        &self,
        store: &SharedStore,
        (since, now): (Timestamp, Timestamp),
        tell: impl Fn(TokenId, &Owner, &By),
    ) -> Done {
        let mut done = Done::default();
        let idle = self.idle.unwrap_or_default();
        let unused = Filter { statuses: Status::Active.into(), unused_since: Some(since), ..Filter::all() };
        let by = By { reason: Reason::new(format!("not used for {}", in_words(idle))).ok(), ..By::unknown() };
        let mut after = None;
        for _ in 0..ROUNDS {
            let query = ListQuery { order: Order::ById { after }, limit: ROWS, ..ListQuery::new(unused.clone()) };
            let page = match store.list(&query, now).await {
                Ok(page) => page,
                Err(error) => return done.failed(error),
            };
            let owners: HashSet<&Owner> = page.tokens.iter().map(|stored| stored.record.owner()).collect();
            for owner in owners {
                let target = RevokeTarget::Matching(Filter { owner: Some(owner.clone()), ..unused.clone() });
                match store.revoke(&target, &by.clone().mark(now), now).await {
                    Ok(revocation) => {
                        done.count += revocation.revoked.len() as u64;
                        revocation.revoked.into_iter().for_each(|id| tell(id, owner, &by));
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
