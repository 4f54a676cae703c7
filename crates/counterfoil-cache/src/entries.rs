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

/// About as many bytes as a record takes, and rather more: what a row holds is kept apart in small pieces.
fn weight(record: &Record) -> u64 {
    let row = record.to_row();
    let slots = [Some(&row.current), row.retiring.as_ref(), row.spent.as_ref()];
    let texts: usize = slots.into_iter().flatten().map(|slot| slot.digest.len()).sum();
    let bytes = row.body.len() + row.tenant.len() + row.owner.len() + texts;
    AROUND + 2 * u64::try_from(bytes).unwrap_or(u64::MAX / 4)
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
    fn weight(&self, _: &Box<[Selector]>, entry: &Entry) -> u64 {
        entry.weight.max(self.least)
    }
}

impl Entries {
    pub(crate) fn new(settings: &Settings) -> Self {
        let entries = u64::from(settings.entries);
        let least = settings.bytes.div_ceil(entries);
        Self(Cache::with_weighter(settings.entries as usize, settings.bytes, Bounds { least }))
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
