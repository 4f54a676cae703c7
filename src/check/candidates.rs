//! What a record may be found by, and what is not looked for at all.

use crate::{
    digest::{
        Keyring,
        imported::{self, Selecting},
        keyed,
    },
    token::{Malformed, ParseError, Presented, Selector, Tag},
};

/// What the record of `presented` may be found by: one selector if the text prints one, else one for each server key,
/// and behind them those of an imported hash, if the format accepts such.
///
/// A keyed checksum is held against the keyring here, so that a made-up token dies before any lookup.
///
/// # Errors
///
/// [`Malformed::Checksum`] if a keyed checksum is of no key of the keyring.
#[inline]
pub fn selectors(presented: &Presented<'_>, keyring: &Keyring) -> Result<Selectors, ParseError> {
    if has_wrong_tag(presented, keyring) {
        return Err(Malformed::Checksum.into());
    }
    Ok(Selectors::of(*presented, keyring))
}

#[inline]
pub(super) fn has_wrong_tag(presented: &Presented<'_>, keyring: &Keyring) -> bool {
    presented.tag.is_some_and(|tag| !is_of_a_key(tag, presented.text, keyring))
}

fn is_of_a_key(tag: Tag, text: &str, keyring: &Keyring) -> bool {
    keyring.keys().any(|key| keyed::equal_tags(key.sub.tag(&text[..tag.covered]), tag.value))
}

/// The selectors that a presented token's record may be found by; nothing is allocated for them.
#[derive(Debug, Clone, Copy)]
pub struct Selectors {
    items: [Selector; Self::MAX],
    len: usize,
}

impl Selectors {
    /// One for each key, and one for each way in which an imported digest may have been made of the text.
    const MAX: usize = Keyring::MAX_KEYS + Selecting::MAX;

    pub(super) fn of(presented: Presented<'_>, keyring: &Keyring) -> Self {
        let mut items = [Selector::NONE; Self::MAX];
        if let Some(printed) = presented.selector() {
            items[0] = printed;
            return Self { items, len: 1 };
        }
        let mut len = 0;
        for (item, key) in items.iter_mut().zip(keyring.keys()) {
            *item = Selector::derived(key.sub.selector(presented.text));
            len += 1;
        }
        if let Some(imports) = presented.imports.filter(|imports| imports.accepted.is_found_by_hash()) {
            let sought = imported::selectors(imports.accepted, presented.text, imports.secret);
            for (item, selecting) in items[len..].iter_mut().zip(sought) {
                *item = Selector::imported(selecting);
                len += 1;
            }
        }
        Self { items, len }
    }

    /// The selectors, the likeliest first; never none.
    pub fn as_slice(&self) -> &[Selector] {
        &self.items[..self.len]
    }
}
