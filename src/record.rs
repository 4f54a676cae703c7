//! The half that is kept: the stub that stays in the book when a token is handed out.

mod revision;
mod rotation;
mod row;
mod slots;
mod status;
mod usage;

use std::sync::Arc;

pub use revision::Revision;
use row::Unread;
pub use row::{CorruptRecord, MarkRow, Row, SlotRow};
pub use slots::{Retiring, Slot, SlotKind, Slots};
pub(crate) use status::Facts;
pub use status::{InvalidStatus, Status, Statuses};
pub use usage::{Agent, Usage, Use};

use crate::{
    annotation::Annotations,
    expiry::Expiry,
    idempotency::NamedRequest,
    restriction::Restrictions,
    scope::Scopes,
    subject::{Actor, Mark, Owner},
    time::Timestamp,
    token::{Environment, TokenId},
};

/// The half of a token that the service keeps: facts about it, and digests, never the plaintext.
///
/// A record is made by [`mint`](crate::mint), kept by a store as a [`Row`], and changed only through a
/// [`Registry`](crate::Registry). Its id, tenant and owner never change. What it holds are facts; [`Record::status`] is
/// derived from them and a moment, so "active but expired" cannot be stored.
///
/// ```
/// # let keyring: counterfoil::Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse()?;
/// use counterfoil::{Grant, Lifetime, Owner, Record, Status, Timestamp, TokenFormat};
///
/// let format = TokenFormat::builder("acme").build()?;
/// let now = Timestamp::from_unix_millis(1_767_225_600_000)?;
/// let minted = Grant::new(Owner::new("user-42")?, Lifetime::days(90)).mint(&format, &keyring, now)?;
/// assert_eq!(minted.record.status(now), Status::Active);
///
/// let row = minted.record.to_row(); // for the host's own table
/// assert_eq!(Record::from_row(row)?.id(), minted.record.id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Record {
    pub(crate) id: TokenId,
    pub(crate) owner: Owner,
    pub(crate) revision: Revision,
    pub(crate) created_at: Timestamp,
    pub(crate) created_by: Option<Actor>,
    pub(crate) rotated_at: Option<Timestamp>,
    pub(crate) rotation_request: Option<Box<NamedRequest>>,
    pub(crate) expiry: Expiry,
    pub(crate) revoked: Option<Box<Mark>>,
    pub(crate) suspended: Option<Box<Mark>>,
    pub(crate) blocked: Option<Box<Mark>>,
    pub(crate) slots: Slots,
    pub(crate) public: Arc<str>,
    pub(crate) text_end: Option<Timestamp>,
    pub(crate) environment: Option<Environment>,
    pub(crate) routing: Option<Arc<str>>,
    pub(crate) annotations: Annotations,
    pub(crate) scopes: Scopes,
    pub(crate) restrictions: Restrictions,
    pub(crate) unread: Option<Box<Unread>>,
}

impl Record {
    /// The record's public name, which outlives rotation.
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// On whose behalf the token acts.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Counts the changes, from 1: the ETag of a management API. Neither use nor rehashing moves it.
    pub fn version(&self) -> u64 {
        self.revision.version
    }

    /// Which state of the row this is, for a store's compare-and-swap.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// When the token was made.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Who made it, if known.
    pub fn created_by(&self) -> Option<&Actor> {
        self.created_by.as_ref()
    }

    /// When it was last rotated.
    pub fn rotated_at(&self) -> Option<Timestamp> {
        self.rotated_at
    }

    /// When it ends.
    pub fn expiry(&self) -> Expiry {
        self.expiry
    }

    /// That it was revoked: final.
    pub fn revoked(&self) -> Option<&Mark> {
        self.revoked.as_deref()
    }

    /// That it is suspended: something about its owner, say.
    pub fn suspended(&self) -> Option<&Mark> {
        self.suspended.as_deref()
    }

    /// That it is blocked: something about the token itself, say.
    pub fn blocked(&self) -> Option<&Mark> {
        self.blocked.as_deref()
    }

    /// The part of the token's text that may be shown: all before the secret, or with the format's hint of it.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The environment the token is for.
    pub fn environment(&self) -> Option<&Environment> {
        self.environment.as_ref()
    }

    /// The routing segment of the token.
    pub fn routing(&self) -> Option<&str> {
        self.routing.as_deref()
    }

    /// Name, description, tags and metadata.
    pub fn annotations(&self) -> &Annotations {
        &self.annotations
    }

    /// The ceiling on what the bearer may do.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Where the token may be used.
    pub fn restrictions(&self) -> &Restrictions {
        &self.restrictions
    }

    /// The secrets: the current one, a retiring one, a spent one.
    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// The record once it is revoked: what a store that holds records writes. A record that is revoked keeps its first
    /// mark, and its version.
    pub fn marked_revoked(mut self, mark: Mark) -> Self {
        if self.revoked.is_none() {
            self.revoked = Some(Box::new(mark));
            self.revision = self.revision.next_version();
        }
        self
    }

    /// The record with the digest of one of its secrets made anew; its version stays.
    pub(crate) fn with_digest_anew(&self, kind: SlotKind, slot: Slot) -> Self {
        let mut next = self.clone();
        if let Some(place) = next.slots.get_mut(kind) {
            *place = slot;
        }
        next.revision = self.revision.next_digest_version();
        next
    }

    /// What the facts come to at `now`. The first that holds: revoked, expired, suspended, blocked, active.
    pub fn status(&self, now: Timestamp) -> Status {
        Status::of(&Facts {
            is_revoked: self.revoked.is_some(),
            is_expired: self.expiry.has_passed(now),
            is_suspended: self.suspended.is_some(),
            is_blocked: self.blocked.is_some(),
        })
    }
}
