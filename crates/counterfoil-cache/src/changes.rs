//! Which records have changed since a read of theirs began.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use counterfoil::TokenId;

/// A power of two. Records that share a place are read anew together, which costs one read each.
const PLACES: usize = 1 << 14;

/// Numbers all changes that this node knows of, and keeps the number of the latest one for each record.
///
/// A read takes the number that stands when it begins, and what it brings is current for as long as no change of the
/// record has a greater one. So what a read has brought that began before a change is never served after it, in
/// whatever order the two end.
#[derive(Debug)]
pub(crate) struct Changes {
    latest: AtomicU64,
    of_all: AtomicU64,
    of_record: Box<[AtomicU64]>,
}

impl Default for Changes {
    fn default() -> Self {
        let of_record = std::iter::repeat_with(AtomicU64::default).take(PLACES).collect();
        Self { latest: AtomicU64::new(0), of_all: AtomicU64::new(0), of_record }
    }
}

impl Changes {
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
        // The last bytes of an id are random. INVARIANT: two of them, masked, are below the number of places.
        let [.., high, low] = *id.as_bytes();
        &self.of_record[usize::from(u16::from_be_bytes([high, low])) % PLACES]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_a_read_brings_is_current_until_its_record_changes() {
        let changes = Changes::default();
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
}
