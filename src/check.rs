//! The secret work: presented text × record × keyring → [`SecretCheck`].

use crate::{
    digest::{
        Algorithm, Binding, Form, Keyring, UnknownKey,
        argon2::{Job, NotMade, make},
        keyed,
    },
    record::{CorruptRecord, Record, SlotKind},
    token::{Malformed, ParseError, Presented, Selector, TokenId},
};

/// What the record of `presented` may be found by: one selector if the text prints one, else one for each server key.
///
/// A keyed checksum is held against the keyring here, so that a made-up token dies before any lookup.
///
/// # Errors
///
/// [`Malformed::Checksum`] if a keyed checksum is of no key of the keyring.
pub fn selectors(presented: &Presented<'_>, keyring: &Keyring) -> Result<Selectors, ParseError> {
    if let Some(tag) = presented.tag {
        let covered = &presented.text[..tag.covered];
        if !keyring.keys().any(|key| keyed::equal_tags(key.sub.tag(covered), tag.value)) {
            return Err(Malformed::Checksum.into());
        }
    }
    if let Some(selector) = presented.selector {
        return Ok(Selectors { items: [selector; Keyring::MAX_KEYS], len: 1 });
    }
    let mut derived = keyring.keys().map(|key| Selector::derived(key.sub.selector(presented.text)));
    let items = std::array::from_fn(|_| derived.next().unwrap_or(Selector::NONE));
    Ok(Selectors { items, len: keyring.key_ids().count() })
}

/// Compares the presented secret with the one digest that its selector names.
///
/// An absent record costs the same hash as one that is there. Argon2id runs on the calling thread.
///
/// # Errors
///
/// [`CheckError`] if nothing could be found out; that is never a refusal, and never a pass.
pub fn check<'t>(
    presented: Presented<'t>,
    record: Option<&Record>,
    keyring: &Keyring,
) -> Result<SecretCheck<'t>, CheckError> {
    let Ok(selectors) = selectors(&presented, keyring) else {
        return Ok(SecretCheck { presented, of: None });
    };
    match begin(presented, &selectors, record, keyring)? {
        Checking::Done(check) => Ok(check),
        Checking::Slow(job, unchecked) => Ok(unchecked.finish(&*make(&job)?)),
    }
}

/// What became of the comparison: sealed, and bound to one record, version and slot.
///
/// It proves nothing by itself; [`verify`](crate::verify()) takes it.
#[derive(Debug, Clone, Copy)]
pub struct SecretCheck<'t> {
    pub(crate) presented: Presented<'t>,
    pub(crate) of: Option<Checked>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Checked {
    pub(crate) id: TokenId,
    pub(crate) version: u64,
    pub(crate) slot: SlotKind,
    pub(crate) secret_is_right: bool,
}

/// A check that is done, or that waits for a slow hash.
pub(crate) enum Checking<'t> {
    Done(SecretCheck<'t>),
    Slow(Job, Unchecked<'t>),
}

pub(crate) struct Unchecked<'t> {
    check: SecretCheck<'t>,
    expected: [u8; 32],
}

impl<'t> Unchecked<'t> {
    pub(crate) fn finish(mut self, hash: &[u8; 32]) -> SecretCheck<'t> {
        let right = keyed::equal(hash, &self.expected);
        if let Some(of) = &mut self.check.of {
            of.secret_is_right = right;
        }
        self.check
    }
}

pub(crate) fn begin<'t>(
    presented: Presented<'t>,
    selectors: &Selectors,
    record: Option<&Record>,
    keyring: &Keyring,
) -> Result<Checking<'t>, CheckError> {
    let found = record.and_then(|record| {
        let (kind, slot) = record.slots.iter().find(|(_, slot)| selectors.as_slice().contains(&slot.selector))?;
        Some((record, kind, slot))
    });
    let Some((record, slot_kind, slot)) = found else {
        let unchecked = Unchecked { check: SecretCheck { presented, of: None }, expected: [0; 32] };
        let binding = Binding { record: &[0; 16], tenant: "", owner: "nobody", text: presented.text };
        let sub = &keyring.minting().sub;
        return Ok(match keyring.algorithm() {
            Algorithm::HmacSha256 => Checking::Done(unchecked.finish(&sub.digest(binding))),
            Algorithm::Argon2id(cost) => {
                Checking::Slow(Job { input: sub.argon2_input(binding), salt: [0; 16], cost }, unchecked)
            }
        });
    };
    let of = Checked { id: record.id, version: record.revision.version, slot: slot_kind, secret_is_right: false };
    let check = SecretCheck { presented, of: Some(of) };
    let binding = Binding {
        record: record.id.as_bytes(),
        tenant: record.owner.tenant_or_empty(),
        owner: record.owner.subject().as_str(),
        text: presented.text,
    };
    let sub = &keyring.key(slot.digest.key_id())?.sub;
    match &slot.digest.0 {
        Form::Keyed { mac, .. } => Ok(Checking::Done(Unchecked { check, expected: *mac }.finish(&sub.digest(binding)))),
        Form::Argon2id(phc) => {
            // The cost comes from a row: it is bounded before any memory is taken.
            keyring
                .bounds()
                .check(phc.cost)
                .map_err(|_| CorruptRecord { id: record.id, column: slot_kind.column() })?;
            let job = Job { input: sub.argon2_input(binding), salt: phc.salt, cost: phc.cost };
            Ok(Checking::Slow(job, Unchecked { check, expected: phc.hash }))
        }
    }
}

/// The selectors that a presented token's record may be found by, held by value.
#[derive(Debug, Clone, Copy)]
pub struct Selectors {
    items: [Selector; Keyring::MAX_KEYS],
    len: usize,
}

impl Selectors {
    /// The selectors, the likeliest first; never none.
    pub fn as_slice(&self) -> &[Selector] {
        &self.items[..self.len]
    }
}

/// Why nothing could be found out about a secret. None of these is a refusal: the answer is 503, not 401.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// The digest is of a server key that this node does not have.
    #[error("token cannot be checked: {0}")]
    Unverifiable(#[from] UnknownKey),
    /// There is no memory or no place in the queue for a slow hash.
    #[error("too many slow hashes at once")]
    Overloaded,
    /// The digest needs a feature of this crate that is switched off.
    #[error("argon2id needs feature `argon2`, which this build lacks")]
    Unsupported,
    /// The record cannot be read, or asks for a cost out of bounds.
    #[error(transparent)]
    Corrupt(#[from] CorruptRecord),
}

impl From<NotMade> for CheckError {
    fn from(reason: NotMade) -> Self {
        match reason {
            NotMade::Overloaded => Self::Overloaded,
            NotMade::Unsupported => Self::Unsupported,
        }
    }
}
