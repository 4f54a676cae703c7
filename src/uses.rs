//! Uses on their way to the store: noted in memory, written later and seldom.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use crate::{
    record::{Usage, Use},
    time::Timestamp,
    token::TokenId,
};

/// How uses are gathered before they are written. More may come, so write `..UseNotes::default()` behind what you set.
///
/// ```
/// use counterfoil::UseNotes;
/// use std::time::Duration;
///
/// let notes = UseNotes { every: Duration::from_secs(300), ..UseNotes::default() };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UseNotes {
    /// Once a use is written, later ones of the same token wait until it is this old, unless they come from another
    /// address. A minute by default: "last used" is read by people, in minutes at the finest, and the busiest token costs
    /// one write a minute.
    pub every: Duration,
    /// How many tokens are remembered at once; a use of one more is dropped and counted. 50,000 by default, which is
    /// some 7 MB when all are.
    pub bound: usize,
}

impl Default for UseNotes {
    fn default() -> Self {
        Self { every: Duration::from_secs(60), bound: 50_000 }
    }
}

/// Which uses are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those whose interval is over by now, or whose address is a new one.
    Due(Timestamp),
    /// All.
    All,
}

/// What is known in this process of one token: what was written last, and what is to be written.
#[derive(Debug, Default)]
struct Seen {
    written: Option<Written>,
    latest: Option<Usage>,
}

#[derive(Debug, Clone, Copy)]
struct Written {
    /// The moment of the use, not of the write: so what waits is never far ahead of what the store says.
    at: Timestamp,
    /// The last address known.
    address: Option<IpAddr>,
}

impl Written {
    /// Whether the next use must wait. A clock that was set back must not make it wait for long.
    fn is_recent(&self, now: Timestamp, every: Duration) -> bool {
        u128::try_from(now.unix_millis() - self.at.unix_millis()).is_ok_and(|since| since < every.as_millis())
    }
}

/// Whether a use is to be written now.
fn is_due(written: Option<&Written>, latest: &Usage, now: Timestamp, every: Duration) -> bool {
    written.is_none_or(|written| {
        let is_new_address = latest.address.is_some() && latest.address != written.address;
        is_new_address || !written.is_recent(now, every)
    })
}

impl Seen {
    /// An earlier use never replaces a later one, as in the store.
    fn note(&mut self, usage: Usage) {
        if self.latest.as_ref().is_none_or(|latest| latest.at <= usage.at) {
            self.latest = Some(usage);
        }
    }

    fn is_written(&mut self, usage: &Usage) {
        let address = usage.address.or(self.written.and_then(|written| written.address));
        self.written = Some(Written { at: usage.at, address });
        if self.latest.as_ref() == Some(usage) {
            self.latest = None;
        }
    }
}

/// The uses that are not in the store yet.
pub(crate) struct Uses {
    notes: UseNotes,
    shards: [Shard; SHARDS],
    /// How many tokens are remembered in all shards.
    known: AtomicUsize,
    dropped: Mutex<Dropped>,
}

/// Every verification notes a use: threads must seldom wait for one another, nor for the cache line of one lock.
const SHARDS: usize = 32;

#[derive(Default)]
#[repr(align(128))]
struct Shard(Mutex<HashMap<TokenId, Seen>>);

#[derive(Default)]
struct Dropped {
    count: u64,
    latest: Option<Timestamp>,
}

// INVARIANT: no step below leaves a token half noted, so a poisoned lock still guards whole notes.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Uses {
    pub(crate) fn new(notes: UseNotes) -> Self {
        Self { notes, shards: Default::default(), known: AtomicUsize::new(0), dropped: Mutex::default() }
    }

    pub(crate) fn every(&self) -> Duration {
        self.notes.every
    }

    /// Those of a token's shard.
    fn seen(&self, id: TokenId) -> MutexGuard<'_, HashMap<TokenId, Seen>> {
        // Imported ids may be UUIDs of any version, so any of their bytes may be those that differ.
        let mixed =
            id.as_bytes().iter().fold(0_u32, |mixed, byte| mixed.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        // INVARIANT: a remainder by the number of shards is below it.
        lock(&self.shards[mixed as usize % SHARDS].0)
    }

    /// Notes a use: nothing is waited for but the lock, and nothing allocated for a token that is known.
    pub(crate) fn note(&self, id: TokenId, usage: Usage) {
        let mut seen = self.seen(id);
        if let Some(seen) = seen.get_mut(&id) {
            return seen.note(usage);
        }
        let one_more = |known| (known < self.notes.bound).then_some(known + 1);
        if self.known.fetch_update(Relaxed, Relaxed, one_more).is_ok() {
            return seen.entry(id).or_default().note(usage);
        }
        let mut dropped = lock(&self.dropped);
        dropped.count = dropped.count.saturating_add(1);
        dropped.latest = dropped.latest.max(Some(usage.at));
    }

    /// What is to be written. It stays noted until it [`is written`](Self::are_written), so that neither a failure nor
    /// a future that is dropped loses it.
    pub(crate) fn to_write(&self, which: Which) -> Vec<Use> {
        let wanted = |(id, seen): (&TokenId, &Seen)| {
            let latest = seen.latest.as_ref()?;
            let is_wanted = match which {
                Which::Due(now) => is_due(seen.written.as_ref(), latest, now, self.notes.every),
                Which::All => true,
            };
            is_wanted.then(|| Use { id: *id, usage: latest.clone() })
        };
        let mut uses = Vec::new();
        for Shard(seen) in &self.shards {
            uses.extend(lock(seen).iter().filter_map(wanted));
        }
        uses
    }

    pub(crate) fn are_written(&self, uses: &[Use]) {
        for Use { id, usage } in uses {
            if let Some(seen) = self.seen(*id).get_mut(id) {
                seen.is_written(usage);
            }
        }
    }

    /// Forgets tokens whose interval is over and that were not used since: the next use of one is due at once anyway.
    pub(crate) fn forget_idle(&self, now: Timestamp) {
        let every = self.notes.every;
        let is_needed =
            |seen: &Seen| seen.latest.is_some() || seen.written.is_some_and(|written| written.is_recent(now, every));
        for Shard(seen) in &self.shards {
            let mut seen = lock(seen);
            let before = seen.len();
            seen.retain(|_, seen| is_needed(seen));
            self.known.fetch_sub(before - seen.len(), Relaxed);
        }
    }

    /// Whether no use since that moment was dropped.
    pub(crate) fn are_known_since(&self, moment: Timestamp) -> bool {
        lock(&self.dropped).latest.is_none_or(|at| at < moment)
    }

    /// How many uses were dropped since this was asked last.
    pub(crate) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut lock(&self.dropped).count)
    }
}

impl fmt::Debug for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uses").field("notes", &self.notes).finish_non_exhaustive()
    }
}
