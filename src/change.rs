//! What may be changed of a record: record × change × now → the record to store.

use std::time::Duration;

use crate::{
    annotation::Annotations,
    expiry::{Expiry, InvalidLifetime, Lifetime},
    record::{Record, Status},
    scope::Scopes,
    subject::By,
    time::Timestamp,
};

/// A change of a record. Id, owner and what the digests cover cannot be changed at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Replaces name, description, tags and metadata.
    Annotate(Annotations),
    /// Gives it a new end, counted from now; an expired token comes back to life.
    SetExpiry(Lifetime),
    /// Replaces the scopes by fewer.
    NarrowScopes(Scopes),
    /// Pauses the token.
    Block,
    /// Ends a block.
    Unblock,
    /// Pauses the token, apart from any block.
    Suspend,
    /// Ends a suspension.
    Resume,
    /// Ends the token for good.
    Revoke,
}

/// A change that came to something.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The record to store, with its new revision.
    pub record: Record,
    /// Whether the token was not active before and is now, so that the owner's limit must be looked at. A token whose end
    /// is moved less than a minute before it comes counts as one that was not.
    pub revives: bool,
}

impl Change {
    /// What the change comes to; `None` if it would change nothing, as when a blocked token is blocked again: the first
    /// mark stays.
    ///
    /// # Errors
    ///
    /// [`ChangeRefused`] for any change but another revocation once the token is revoked, for scopes that would be
    /// wider, and for an end that has come already or that is later than the one in the token's text.
    pub fn apply(&self, record: &Record, by: &By, now: Timestamp) -> Result<Option<Changed>, ChangeRefused> {
        if record.revoked.is_some() {
            return if *self == Self::Revoke { Ok(None) } else { Err(ChangeRefused::Revoked) };
        }
        let mark = || Some(Box::new(by.clone().mark(now)));
        let mut next = record.clone();
        match self {
            Self::Annotate(annotations) if *annotations == record.annotations => return Ok(None),
            Self::Annotate(annotations) => next.annotations = annotations.clone(),
            Self::SetExpiry(lifetime) => {
                next.expiry = lifetime.starting(now)?;
                if next.expiry == record.expiry {
                    return Ok(None);
                }
                if let Some(text_end) = record.text_end.filter(|end| next.expiry.at().is_none_or(|at| at > *end)) {
                    return Err(ChangeRefused::PastTextEnd { found: next.expiry, text_end });
                }
            }
            Self::NarrowScopes(scopes) if !record.scopes.cover(scopes) => return Err(ChangeRefused::Wider),
            Self::NarrowScopes(scopes) if *scopes == record.scopes => return Ok(None),
            Self::NarrowScopes(scopes) => next.scopes = scopes.clone(),
            Self::Block if record.blocked.is_some() => return Ok(None),
            Self::Block => next.blocked = mark(),
            Self::Unblock if next.blocked.take().is_none() => return Ok(None),
            Self::Suspend if record.suspended.is_some() => return Ok(None),
            Self::Suspend => next.suspended = mark(),
            Self::Resume if next.suspended.take().is_none() => return Ok(None),
            Self::Unblock | Self::Resume => {}
            Self::Revoke => next.revoked = mark(),
        }
        next.revision = record.revision.next_version();
        let seen_at = if matches!(self, Self::SetExpiry(_)) { now.checked_add(SKEW).unwrap_or(now) } else { now };
        let revives = record.status(seen_at) != Status::Active && next.status(now) == Status::Active;
        Ok(Some(Changed { record: next, revives }))
    }
}

/// An end as near as this may have come by another node's clock, where a new token has taken the place by now.
const SKEW: Duration = Duration::from_secs(60);

/// A change that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeRefused {
    /// The token is revoked, which is final.
    #[error("token is revoked, which is final")]
    Revoked,
    /// The new scopes are not all within the present ones.
    #[error("scopes can only be narrowed")]
    Wider,
    /// The new end has come already, or cannot be stored.
    #[error(transparent)]
    Lifetime(#[from] InvalidLifetime),
    /// The new end is later than the one that stands in the token's own text, which cannot be changed.
    #[error("new end is {found}, expected at most {text_end}, which the token's own text names")]
    PastTextEnd {
        /// The new end.
        found: Expiry,
        /// The end in the text.
        text_end: Timestamp,
    },
}
