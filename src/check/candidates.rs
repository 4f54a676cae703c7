//! What a record may be found by.

use crate::{
    digest::Keyring,
    token::{Presented, Selector},
};

/// The selectors that a presented token's record may be found by; nothing is allocated for them.
#[derive(Debug, Clone, Copy)]
pub struct Selectors {
    items: [Selector; Keyring::MAX_KEYS],
    len: usize,
}

impl Selectors {
    pub(super) fn of(presented: &Presented<'_>, keyring: &Keyring) -> Self {
        let mut items = [Selector::NONE; Keyring::MAX_KEYS];
        if let Some(printed) = presented.selector() {
            items[0] = printed;
            return Self { items, len: 1 };
        }
        let mut len = 0;
        for (item, key) in items.iter_mut().zip(keyring.keys()) {
            *item = Selector::derived(key.sub.selector(presented.text));
            len += 1;
        }
        Self { items, len }
    }

    /// The selectors, the likeliest first; never none.
    pub fn as_slice(&self) -> &[Selector] {
        &self.items[..self.len]
    }
}
