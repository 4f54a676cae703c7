//! What a bearer may do by possession alone: end the token.

use crate::{
    check::SecretCheck,
    denial::Denial,
    record::{Record, SlotKind},
    time::Timestamp,
};

/// Decides whether the presented secret is one that ends its token: what [`verify`](crate::verify()) asks first, and
/// nothing of what it asks then. The first row that applies wins:
///
/// | # | if | then |
/// |---|---|---|
/// | 1 | there is no record, or the check is of another record, version or slot | [`Denial::Unknown`] |
/// | 2 | the secret is not the one of the matched slot | [`Denial::WrongSecret`] |
/// | 3 | the slot is a spent one, or its overlap is over | [`Denial::Superseded`] |
/// | 4 | the record is revoked | [`Possession::Ended`] |
/// | 5 | otherwise | [`Possession::Live`] |
///
/// An expired, suspended or blocked token is as live as any: its end, its suspension or its block may be lifted. Where
/// it may be used is not asked, since a leak is reported from anywhere.
///
/// ```
/// # let keyring: counterfoil::Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse()?;
/// use counterfoil::possession::{Possession, possession};
/// use counterfoil::{Grant, Lifetime, Owner, Timestamp, TokenFormat, check};
///
/// let format = TokenFormat::builder("acme").build()?;
/// let now = Timestamp::from_unix_millis(1_767_225_600_000)?;
/// let minted = Grant::new(Owner::new("user-42")?, Lifetime::days(90)).mint(&format, &keyring, now)?;
///
/// let checked = check(format.parse(minted.token.expose())?, Some(&minted.record), &keyring)?;
/// assert_eq!(possession(checked, Some(&minted.record), now), Ok(Possession::Live));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Denial`], as the table says. The first two must look the same from outside.
pub fn possession(check: SecretCheck<'_>, record: Option<&Record>, now: Timestamp) -> Result<Possession, Denial> {
    let (Some(record), Some(of)) = (record, check.of) else { return Err(Denial::Unknown) };
    if record.id() != of.id || record.version() != of.version || record.slots().get(of.slot).is_none() {
        return Err(Denial::Unknown);
    }
    if !of.secret_is_right {
        return Err(Denial::WrongSecret);
    }
    let overlap_is_over = record.slots().retiring.as_ref().is_none_or(|retiring| now >= retiring.until);
    match of.slot {
        SlotKind::Spent => Err(Denial::Superseded),
        SlotKind::Retiring if overlap_is_over => Err(Denial::Superseded),
        SlotKind::Current | SlotKind::Retiring if record.revoked().is_some() => Ok(Possession::Ended),
        SlotKind::Current | SlotKind::Retiring => Ok(Possession::Live),
    }
}

/// What the bearer has in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Possession {
    /// A secret of a token that is not revoked: the bearer may end it.
    Live,
    /// A secret of a token that is revoked: nothing is left to end.
    Ended,
}

/// What follows when a secret is presented that was rotated away.
///
/// It is an old copy, or a stolen one: which of the two, nobody can tell by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Reuse {
    /// The use is refused and the sink is told, as ever.
    #[default]
    Report,
    /// The token is revoked as well. A client of the user's that still has an old copy ends the token so, too.
    Revoke,
}

impl Reuse {
    /// Whether the token is to be revoked now: not again if it was before, so that a secret which is presented over and
    /// over makes no write each time.
    pub fn revokes(self, denial: Denial, record: &Record) -> bool {
        self == Self::Revoke && denial == Denial::Superseded && record.revoked().is_none()
    }
}
