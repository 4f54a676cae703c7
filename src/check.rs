//! The secret work: presented text × record × keyring → [`SecretCheck`].

mod candidates;
mod imported;

use self::candidates::has_wrong_tag;
pub use self::candidates::{Selectors, selectors};

use crate::{
    digest::{
        Algorithm, Binding, Form, Keyring, UnknownKey,
        argon2::{Job, NotMade, make},
        keyed,
    },
    record::{CorruptRecord, Record, SlotKind},
    token::{Presented, Selector, TokenId},
};

/// Compares the presented secret with the one digest that its selector names.
///
/// An absent record costs the same hash as one that is there, but for imported digests. Argon2id runs in place.
///
/// # Errors
///
/// [`CheckError`] if nothing could be found out; that is never a refusal, and never a pass.
#[inline]
pub fn check<'t>(
    presented: Presented<'t>,
    record: Option<&Record>,
    keyring: &Keyring,
) -> Result<SecretCheck<'t>, CheckError> {
    Ok(SecretCheck { environment: presented.environment(), of: matched(&presented, record, keyring)? })
}

#[inline(always)]
fn matched(
    presented: &Presented<'_>,
    record: Option<&Record>,
    keyring: &Keyring,
) -> Result<Option<Checked>, CheckError> {
    if has_wrong_tag(presented, keyring) {
        return Ok(None);
    }
    let selectors;
    let derived = match presented.printed {
        Some(_) => &[],
        None => {
            selectors = Selectors::of(*presented, keyring);
            selectors.as_slice()
        }
    };
    match begin(presented, derived, record, keyring)? {
        Checking::Done(of) => Ok(of),
        Checking::Slow(job, unchecked) => Ok(unchecked.finish(&*make(&job)?)),
    }
}

/// What became of the comparison: sealed, and bound to one record, version and slot.
///
/// It proves nothing by itself; [`verify`](crate::verify()) takes it.
#[derive(Debug, Clone, Copy)]
#[must_use = "a check says nothing until it is verified"]
pub struct SecretCheck<'t> {
    /// The one segment of the text that the verdict asks for.
    pub(crate) environment: Option<&'t str>,
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
pub(crate) enum Checking {
    Done(Option<Checked>),
    Slow(Job, Unchecked),
}

pub(crate) struct Unchecked {
    pub(crate) of: Option<Checked>,
    expected: [u8; 32],
}

impl Unchecked {
    #[inline]
    pub(crate) fn finish(mut self, hash: &[u8; 32]) -> Option<Checked> {
        let right = keyed::equal(hash, &self.expected);
        if let Some(of) = &mut self.of {
            of.secret_is_right = right;
        }
        self.of
    }
}

/// `derived` is what the record may be found by where the text prints no selector; else it is not looked at.
#[inline(always)]
pub(crate) fn begin(
    presented: &Presented<'_>,
    derived: &[Selector],
    record: Option<&Record>,
    keyring: &Keyring,
) -> Result<Checking, CheckError> {
    let is_sought = |selector: &Selector| match &presented.printed {
        Some(printed) => printed.is(selector),
        None => derived.contains(selector),
    };
    let found = record.and_then(|record| {
        let (kind, slot) = record.slots.find(is_sought)?;
        Some((record, kind, slot))
    });
    let Some((record, slot_kind, slot)) = found else {
        let unchecked = Unchecked { of: None, expected: [0; 32] };
        let binding = Binding { record: &[0; 16], tenant: "", owner: "nobody", text: presented.text };
        let sub = &keyring.minting().sub;
        return Ok(match keyring.algorithm() {
            Algorithm::HmacSha256 => Checking::Done(unchecked.finish(&sub.digest(binding))),
            Algorithm::Argon2id(cost) => {
                let job = Job { input: sub.argon2_input(binding), salt: [0; 16], cost, foreign: None };
                Checking::Slow(job, unchecked)
            }
        });
    };
    let of = Some(Checked { id: record.id, version: record.revision.version, slot: slot_kind, secret_is_right: false });
    let binding = Binding {
        record: record.id.as_bytes(),
        tenant: record.owner.tenant_or_empty(),
        owner: record.owner.subject().as_str(),
        text: presented.text,
    };
    match &slot.digest.0 {
        Form::Keyed { key, mac } => {
            let digest = keyring.key(*key)?.sub.digest(binding);
            Ok(Checking::Done(Unchecked { of, expected: *mac }.finish(&digest)))
        }
        Form::Argon2id(phc) => {
            // The cost comes from a row: it is bounded before any memory is taken.
            keyring
                .bounds()
                .check(phc.cost)
                .map_err(|_| CorruptRecord { id: record.id, column: slot_kind.column() })?;
            let input = keyring.key(phc.key)?.sub.argon2_input(binding);
            let job = Job { input, salt: phc.salt, cost: phc.cost, foreign: None };
            Ok(Checking::Slow(job, Unchecked { of, expected: phc.hash }))
        }
        Form::Imported(digest) => imported::begin(*presented, digest, record, slot_kind, of),
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
    /// The digest was imported, and the token's format accepts none of its algorithm: the host's fault, not the bearer's.
    #[error("the digest was imported, and the token's format does not accept it")]
    NotAccepted,
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
