//! What a record may be found by.

use crate::{
    digest::Keyring,
    token::{Presented, Selector},
};

/// The selectors that a presented token's record may be found by; nothing is allocated for them.
#[derive(Debug, Clone, Copy)]
pub struct Selectors<'p>(Candidates<'p>);

#[expect(clippy::large_enum_variant, reason = "a box would be an allocation on every check")]
#[derive(Debug, Clone, Copy)]
enum Candidates<'p> {
    Printed(&'p Selector),
    Derived([Selector; Keyring::MAX_KEYS], usize),
}

impl<'p> Selectors<'p> {
    #[inline]
    pub(super) fn of(presented: &'p Presented<'_>, keyring: &Keyring) -> Self {
        match presented.selector() {
            Some(printed) => Self(Candidates::Printed(printed)),
            None => Self::derived(presented.text, keyring),
        }
    }

    fn derived(text: &str, keyring: &Keyring) -> Self {
        let mut derived = keyring.keys().map(|key| Selector::derived(key.sub.selector(text)));
        let items = std::array::from_fn(|_| derived.next().unwrap_or(Selector::NONE));
        Self(Candidates::Derived(items, keyring.key_ids().count()))
    }

    /// The selectors, the likeliest first; never none.
    #[inline]
    pub fn as_slice(&self) -> &[Selector] {
        match &self.0 {
            Candidates::Printed(selector) => std::slice::from_ref(*selector),
            Candidates::Derived(selectors, len) => &selectors[..*len],
        }
    }

    #[inline]
    pub(super) fn contains(&self, selector: &Selector) -> bool {
        match &self.0 {
            Candidates::Printed(printed) => *printed == selector,
            Candidates::Derived(..) => self.as_slice().contains(selector),
        }
    }
}
