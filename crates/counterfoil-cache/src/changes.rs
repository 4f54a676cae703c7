//! Which records have changed since a read of theirs began.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use counterfoil::TokenId;

/// For each entry that there may be: records that share a place are read anew together, so that a change costs a read of
/// less than a quarter of a record beside its own.
const PLACES: usize = 4;

/// And no more in all, which is 8 MiB.
const MOST_PLACES: usize = 1 << 20;

/// Numbers all changes that this node knows of, and keeps the number of the latest one for each record.
///
/// A read takes the number that stands when it begins, and what it brings is current for as long as no change of the
/// record has a greater one. So what a read has brought that began before a change is never served after it, in
/// whatever order the two end.
#[derive(Debug)]
pub(crate) struct Changes {
    latest: AtomicU64,
    of_all: AtomicU64,
    /// INVARIANT: as many as a power of two, and more than one.
    of_record: Box<[AtomicU64]>,
}

impl Changes {
    pub(crate) fn new(entries: u32) -> Self {
        let places = (entries as usize).saturating_mul(PLACES).clamp(2, MOST_PLACES).next_power_of_two();
        let of_record = std::iter::repeat_with(AtomicU64::default).take(places).collect();
        Self { latest: AtomicU64::new(0), of_all: AtomicU64::new(0), of_record }
    }

    /// The number with which a read begins: before anything is sent to the store.
    pub(crate) fn begin(&self) -> u64 {
        self.latest.load(SeqCst)
    }

    /// A record has changed, or may have.
    pub(crate) fn changed(&self, id: TokenId) {
        let number = self.latest.fetch_add(1, SeqCst) + 1;
        self.place(id).fetch_max(number, SeqCst);
    }

    /// Any record may have changed.
    pub(crate) fn all_changed(&self) {
        let number = self.latest.fetch_add(1, SeqCst) + 1;
        self.of_all.fetch_max(number, SeqCst);
    }

    /// Whether a read that began with this number is current.
    pub(crate) fn is_current(&self, id: TokenId, began: u64) -> bool {
        self.place(id).load(SeqCst) <= began && self.of_all.load(SeqCst) <= began
    }

    fn place(&self, id: TokenId) -> &AtomicU64 {
        // Imported ids may be UUIDs of any version, so any of their bits may be those that differ: the highest of a product
        // depend on all.
        let id = u128::from_be_bytes(*id.as_bytes());
        let mixed = ((id >> 64) as u64 ^ id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &self.of_record[(mixed >> (64 - self.of_record.len().trailing_zeros())) as usize]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_a_read_brings_is_current_until_its_record_changes() {
        let changes = Changes::new(10);
        let [one, other]: [TokenId; 2] =
            ["0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa", "0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaab"]
                .map(|id| id.parse().unwrap());
        let before = changes.begin();
        assert!(changes.is_current(one, before));
        changes.changed(one);
        assert_eq!([changes.is_current(one, before), changes.is_current(other, before)], [false, true]);
        let after = changes.begin();
        assert!(changes.is_current(one, after));
        changes.all_changed();
        assert_eq!([one, other].map(|id| changes.is_current(id, after)), [false, false]);
        assert!(changes.is_current(other, changes.begin()));
    }

    #[test]
    fn few_share_a_place_wherever_their_ids_differ() {
        // The front of a version 1, the end of a version 7, and a counter in the middle.
        for shift in [96, 64, 48, 0] {
            let id = |number: u128| TokenId::from_bytes((number << shift).to_be_bytes());
            let changes = Changes::new(1000);
            let began = changes.begin();
            (0..10).for_each(|number| changes.changed(id(number)));
            let current = (0..1000).filter(|number| changes.is_current(id(*number), began)).count();
            assert!((970..=990).contains(&current), "{shift}: {current}");
        }
    }
}
