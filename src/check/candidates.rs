//! What a record may be found by.

use crate::{digest::Keyring, token::Selector};

/// The selectors that a presented token's record may be found by, held by value.
#[derive(Debug, Clone, Copy)]
pub struct Selectors(Candidates);

/// Apart, so that one selector is not carried about in the room of eight.
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation on every check")]
#[derive(Debug, Clone, Copy)]
enum Candidates {
    Printed(Selector),
    Derived([Selector; Keyring::MAX_KEYS], usize),
}

impl Selectors {
    pub(super) const fn printed(selector: Selector) -> Self {
        Self(Candidates::Printed(selector))
    }

    pub(super) fn derived(text: &str, keyring: &Keyring) -> Self {
        let mut derived = keyring.keys().map(|key| Selector::derived(key.sub.selector(text)));
        let items = std::array::from_fn(|_| derived.next().unwrap_or(Selector::NONE));
        Self(Candidates::Derived(items, keyring.key_ids().count()))
    }

    /// The selectors, the likeliest first; never none.
    pub fn as_slice(&self) -> &[Selector] {
        match &self.0 {
            Candidates::Printed(selector) => std::slice::from_ref(selector),
            Candidates::Derived(selectors, len) => &selectors[..*len],
        }
    }
}
