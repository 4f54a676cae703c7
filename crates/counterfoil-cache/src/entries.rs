//! The records in memory.

use std::sync::Arc;

use counterfoil::{Record, Selector};
use quick_cache::{Weighter, sync::Cache};

use crate::{Settings, moment::Moment};

/// A record as a read has brought it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) record: Arc<Record>,
    /// The number of the last change when the read began.
    pub(crate) began: u64,
    pub(crate) began_at: Moment,
    weight: u64,
}

impl Entry {
    pub(crate) fn new(record: Arc<Record>, began: u64, began_at: Moment) -> Self {
        let weight = weight(&record);
        Self { record, began, began_at, weight }
    }
}

/// What stands around a row: keys, slots of the table, allocations.
const AROUND: u64 = 1024;

/// And around each of a record's many small pieces.
const PIECE: u64 = 32;

/// About as many bytes as a record takes, and rather more.
fn weight(record: &Record) -> u64 {
    let row = record.to_row();
    let slots = [Some(&row.current), row.retiring.as_ref(), row.spent.as_ref()];
    let marks = [&row.revoked, &row.suspended, &row.blocked];
    let texts = slots.into_iter().flatten().map(|slot| slot.digest.len());
    let texts = texts.chain(marks.into_iter().flatten().map(|mark| mark.detail.len()));
    let bytes = row.body.len() + row.tenant.len() + row.owner.len() + texts.sum::<usize>();
    let tags = record.annotations().tags.iter().count();
    let pieces = tags + record.scopes().len() + record.restrictions().networks().len();
    AROUND + 2 * bytes as u64 + PIECE * pieces as u64
}

/// The records that were asked for by the same selectors, all of them: what a question finds depends on nothing else.
#[derive(Debug)]
pub(crate) struct Entries(Cache<Box<[Selector]>, Entry, Bounds>);

/// Bounds bytes and number by one weight: an entry weighs at least its part of the bytes.
#[derive(Debug, Clone)]
struct Bounds {
    least: u64,
}

impl Weighter<Box<[Selector]>, Entry> for Bounds {
    fn weight(&self, selectors: &Box<[Selector]>, entry: &Entry) -> u64 {
        (entry.weight + size_of_val(&**selectors) as u64).max(self.least)
    }
}

/// A usual weight.
const USUAL: u64 = 2048;

/// How many entries there will be. The table is in parts of equal weight, the more the more processors there are, but each
/// for 32 entries of these: if more are expected than fit, no entry fits into its part.
fn expected(settings: &Settings) -> usize {
    usize::try_from(settings.bytes / USUAL).unwrap_or(usize::MAX).clamp(1, settings.entries as usize)
}

impl Entries {
    pub(crate) fn new(settings: &Settings) -> Self {
        let entries = u64::from(settings.entries);
        let least = settings.bytes.div_ceil(entries);
        Self(Cache::with_weighter(expected(settings), settings.bytes, Bounds { least }))
    }

    pub(crate) fn get(&self, selectors: &[Selector]) -> Option<Entry> {
        self.0.get(selectors)
    }

    pub(crate) fn insert(&self, selectors: Box<[Selector]>, entry: Entry) {
        self.0.insert(selectors, entry);
    }

    pub(crate) fn remove(&self, selectors: &[Selector]) {
        self.0.remove(selectors);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn weight(&self) -> u64 {
        self.0.weight()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use quick_cache::{OptionsBuilder, UnitWeighter, sync::DefaultLifecycle};

    use super::*;

    #[test]
    fn a_usual_entry_fits_on_any_number_of_processors() {
        for settings in [
            Settings::default(),
            Settings::default().bytes(40_000),
            Settings::default().bytes(1 << 20),
            Settings::default().bytes(1),
            Settings::default().entries(10),
            Settings::default().entries(u32::MAX).bytes(1 << 40),
        ] {
            for processors in [1, 2, 16, 64, 256] {
                let mut options = OptionsBuilder::new();
                options.shards(4 * processors).weight_capacity(settings.bytes);
                let options = options.estimated_items_capacity(expected(&settings)).build().unwrap();
                let cache: Cache<u64, u64> = Cache::with_options(
                    options,
                    UnitWeighter,
                    quick_cache::DefaultHashBuilder::default(),
                    DefaultLifecycle::default(),
                );
                let least = settings.bytes.min(16 * USUAL);
                assert!(cache.shard_capacity() >= least, "{settings:?}, {processors}: {}", cache.shard_capacity());
            }
        }
    }
}
