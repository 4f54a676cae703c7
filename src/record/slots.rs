//! The secrets of a record.

use crate::{digest::Digest, time::Timestamp, token::Selector};

/// One secret's selector and digest.
#[derive(Debug, Clone)]
pub struct Slot {
    /// What finds the record for a token with this secret.
    pub selector: Selector,
    /// What is stored of the secret.
    pub digest: Digest,
}

/// The secrets of a record: one that is current, at most one that retires, at most one that is spent.
///
/// The last two are boxed: few records have them, and every verification reads what stands around them.
#[derive(Debug, Clone)]
pub struct Slots {
    /// The newest.
    pub current: Slot,
    /// The one before it, while its overlap runs.
    pub retiring: Option<Box<Retiring>>,
    /// The newest one that has ended: kept so that its reuse is seen.
    pub spent: Option<Box<Slot>>,
}

/// A secret that was rotated away and is good until its overlap ends.
#[derive(Debug, Clone)]
pub struct Retiring {
    /// Its selector and digest.
    pub slot: Slot,
    /// When the overlap ends; from then on the slot counts as spent.
    pub until: Timestamp,
}

/// Which of a record's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotKind {
    /// The newest.
    Current,
    /// The one before it.
    Retiring,
    /// One that has ended.
    Spent,
}

impl SlotKind {
    /// The name of the slot's column in a row.
    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Retiring => "retiring",
            Self::Spent => "spent",
        }
    }
}

impl Slots {
    /// A single, current secret.
    pub const fn only(current: Slot) -> Self {
        Self { current, retiring: None, spent: None }
    }

    /// The slots that are there, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = (SlotKind, &Slot)> {
        std::iter::once((SlotKind::Current, &self.current))
            .chain(self.retiring.as_ref().map(|retiring| (SlotKind::Retiring, &retiring.slot)))
            .chain(self.spent.as_deref().map(|slot| (SlotKind::Spent, slot)))
    }

    /// The slot of this kind, if it is there.
    #[inline]
    pub fn get(&self, kind: SlotKind) -> Option<&Slot> {
        match kind {
            SlotKind::Current => Some(&self.current),
            SlotKind::Retiring => self.retiring.as_ref().map(|retiring| &retiring.slot),
            SlotKind::Spent => self.spent.as_deref(),
        }
    }

    /// The first slot whose selector is sought, the current one first.
    #[inline(always)]
    pub(crate) fn find(&self, is_sought: impl Fn(&Selector) -> bool) -> Option<(SlotKind, &Slot)> {
        // Nearly always the current one, so it is not sought behind an iterator over three.
        if is_sought(&self.current.selector) {
            return Some((SlotKind::Current, &self.current));
        }
        self.iter().find(|(_, slot)| is_sought(&slot.selector))
    }

    pub(crate) fn get_mut(&mut self, kind: SlotKind) -> Option<&mut Slot> {
        match kind {
            SlotKind::Current => Some(&mut self.current),
            SlotKind::Retiring => self.retiring.as_mut().map(|retiring| &mut retiring.slot),
            SlotKind::Spent => self.spent.as_deref_mut(),
        }
    }
}
