//! Limits how often a node forgets what it holds, however many changes it hears of.

use counterfoil::TokenId;

use crate::changes::Changes;

/// How many records may be noted as changed one by one between two heartbeats.
const MAX_CHANGED: u32 = 10_000;

/// Passes on the changes that a node hears of.
///
/// Between two of the node's own heartbeats it passes on one change of all records and [`MAX_CHANGED`] changes of single
/// ones at once. The rest become one change of all records, which is noted when the next heartbeat is heard and before the
/// lease is renewed by it. So the bound holds however many come, and a node reads no record more often than a few times in
/// the bound: any role that may connect to the database of a `PostgresChannel` can send notifications.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    changed: u32,
    all_changed: bool,
    is_due: bool,
}

impl Intake {
    pub(crate) fn changed(&mut self, changes: &Changes, id: TokenId) {
        if self.changed < MAX_CHANGED {
            self.changed += 1;
            changes.changed(id);
        } else {
            self.is_due = true;
        }
    }

    pub(crate) fn all_changed(&mut self, changes: &Changes) {
        if self.all_changed {
            self.is_due = true;
        } else {
            self.all_changed = true;
            changes.all_changed();
        }
    }

    /// Notes what is due. The lease may be renewed afterwards.
    pub(crate) fn beat(&mut self, changes: &Changes) {
        if self.is_due {
            changes.all_changed();
        }
        *self = Self { changed: 0, all_changed: self.is_due, is_due: false };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn id(number: u32) -> TokenId {
        TokenId::from_bytes(u128::from(number).to_be_bytes())
    }

    #[test]
    fn second_change_of_all_records_waits_for_the_heartbeat() {
        let (changes, mut intake) = (Changes::new(10), Intake::default());
        for (interval, at_once) in [(1, true), (2, false), (3, false)] {
            let before = changes.begin();
            intake.all_changed(&changes);
            assert_eq!(changes.is_current(id(1), before), !at_once, "{interval}");
            (0..100).for_each(|_| intake.all_changed(&changes));
            assert_eq!(changes.begin(), before + u64::from(at_once), "{interval}");
            intake.beat(&changes);
            assert_eq!(changes.begin(), before + u64::from(at_once) + 1, "{interval}");
            assert!(!changes.is_current(id(1), before), "{interval}");
        }
        let before = changes.begin();
        intake.beat(&changes);
        assert_eq!(changes.begin(), before, "nothing was heard");
        intake.all_changed(&changes);
        assert_eq!(changes.begin(), before + 1, "at once again");
    }

    #[test]
    fn changes_past_the_most_wait_for_the_heartbeat_as_one() {
        let (changes, mut intake) = (Changes::new(10), Intake::default());
        for interval in 1..3 {
            let before = changes.begin();
            (0..MAX_CHANGED + 1000).for_each(|number| intake.changed(&changes, id(number)));
            assert_eq!(changes.begin(), before + u64::from(MAX_CHANGED), "{interval}");
            let late = changes.begin();
            intake.changed(&changes, id(1));
            assert!(changes.is_current(id(1), late), "{interval}");
            intake.beat(&changes);
            assert!(!changes.is_current(id(1), late), "{interval}");
        }
    }
}
