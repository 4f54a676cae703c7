//! A new secret for an old record.

use std::time::Duration;

use crate::{
    check::CheckError,
    digest::Keyring,
    entropy::{Drawn, Entropy, SystemEntropy},
    idempotency::NamedRequest,
    mint::{MintError, Minted, draw},
    record::{Record, Retiring, Slot, Slots, Status},
    seal::Sealing,
    subject::By,
    time::{InvalidTimestamp, Timestamp},
    token::{Draft, Environment, Family, Token},
};

/// How a token is rotated.
///
/// ```
/// use counterfoil::Rotation;
/// use std::time::Duration;
///
/// let after_a_leak = Rotation::at_once();
/// let planned = Rotation::with_overlap(Duration::from_secs(86_400));
/// assert_eq!(after_a_leak.overlap, Duration::ZERO);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// For how long the old secret is still good; it never outlives the token.
    pub overlap: Duration,
    /// Who rotates, and why.
    pub by: By,
}

impl Rotation {
    /// The old secret ends at once.
    pub const fn at_once() -> Self {
        Self::with_overlap(Duration::ZERO)
    }

    /// The old secret is good for so much longer.
    pub const fn with_overlap(overlap: Duration) -> Self {
        Self { overlap, by: By::unknown() }
    }

    /// Asked for by this actor, or for this reason.
    pub fn by(self, by: impl Into<By>) -> Self {
        Self { by: by.into(), ..self }
    }
}

/// Draws a new secret for `record`, which keeps its id, owner, name, scopes, restrictions, marks and expiry.
///
/// The secret that was current retires for the overlap, or is spent at once. A rotation ends an overlap that still
/// runs. One spent secret is kept, the newest, so that its reuse is seen; older ones are forgotten. Nothing is stored,
/// and Argon2id runs on the calling thread.
///
/// # Errors
///
/// [`RotateError`] if the token is revoked or expired, or as for a mint.
pub fn rotate(
    record: &Record,
    rotation: &Rotation,
    family: &dyn Family,
    keyring: &Keyring,
    now: Timestamp,
) -> Result<Minted, RotateError> {
    let rotating = begin(record, rotation, None, family, keyring, now, &SystemEntropy)?;
    let slot = rotating.sealing.finish_here().map_err(|reason| MintError::Hash(CheckError::from(reason)))?;
    Ok(rotating.turned.finish(slot))
}

/// A rotation that may wait for a slow hash.
pub(crate) struct Rotating {
    pub(crate) turned: Turned,
    pub(crate) sealing: Sealing,
}

pub(crate) struct Turned {
    token: Token,
    record: Record,
    retiring_until: Option<Timestamp>,
}

pub(crate) fn begin(
    record: &Record,
    rotation: &Rotation,
    request: Option<&NamedRequest>,
    family: &dyn Family,
    keyring: &Keyring,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Rotating, RotateError> {
    match record.status(now) {
        Status::Revoked => return Err(RotateError::Revoked),
        Status::Expired => return Err(RotateError::Expired),
        Status::Suspended | Status::Blocked | Status::Active => {}
    }
    let retiring_until = if rotation.overlap.is_zero() {
        None
    } else {
        let until = now.checked_add(rotation.overlap)?;
        Some(record.expiry.at().map_or(until, |end| until.min(end)))
    };
    let draft = Draft {
        id: record.id,
        selector: "",
        secret: "",
        owner: &record.owner,
        environment: record.environment.as_ref().map(Environment::as_str),
        routing: record.routing.as_deref(),
        created_at: now,
        expires_at: record.expiry.at(),
        scopes: &record.scopes,
        restrictions: &record.restrictions,
    };
    let mut drawn = Drawn::new(entropy, family.needs().expected_bytes()).map_err(MintError::from)?;
    let (token, sealing) = draw(draft, family, keyring, &mut drawn)?;
    let mut next = record.clone();
    next.revision = record.revision.next_version();
    next.rotated_at = Some(now);
    next.rotation_request = request.cloned().map(Box::new);
    next.public = token.public().into();
    next.text_end = token.end;
    Ok(Rotating { turned: Turned { token, record: next, retiring_until }, sealing })
}

impl Turned {
    pub(crate) fn finish(self, slot: Slot) -> Minted {
        let Self { token, mut record, retiring_until } = self;
        record.slots = record.slots.turn(slot, retiring_until);
        Minted { token, record }
    }
}

impl Slots {
    /// The slots once `new` is current.
    fn turn(self, new: Slot, retiring_until: Option<Timestamp>) -> Self {
        let Self { current: old, retiring, spent } = self;
        match retiring_until {
            None => Self { current: new, retiring: None, spent: Some(Box::new(old)) },
            Some(until) => Self {
                current: new,
                retiring: Some(Box::new(Retiring { slot: old, until })),
                spent: retiring.map(|retiring| Box::new(retiring.slot)).or(spent),
            },
        }
    }
}

/// Nothing was rotated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotateError {
    /// The token is revoked, which is final.
    #[error("token is revoked, which is final")]
    Revoked,
    /// The token is expired: a new secret would be dead at once.
    #[error("token is expired")]
    Expired,
    /// The overlap ends at no moment that can be stored.
    #[error("overlap: {0}")]
    Overlap(#[from] InvalidTimestamp),
    /// The new secret could not be made.
    #[error(transparent)]
    Mint(#[from] MintError),
}
