//! What happened: values handed to the host's sink.

use std::{fmt, time::Duration};

use crate::{
    caller::Caller,
    denial::Denial,
    digest::KeyId,
    expiry::Expiry,
    record::Record,
    subject::{By, Owner},
    time::Timestamp,
    token::TokenId,
};

/// One thing that happened to one token. No part of a secret is ever in it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// Which token, if it is known.
    pub token: Option<TokenId>,
    /// Whose token, if it is known.
    pub owner: Option<Owner>,
    /// Who did it and why, for changes.
    pub by: By,
    /// Who presented the token, for uses and denials.
    pub caller: Caller,
}

impl Event {
    pub(crate) fn new(at: Timestamp, kind: EventKind) -> Self {
        Self { at, kind, token: None, owner: None, by: By::unknown(), caller: Caller::unknown() }
    }

    pub(crate) fn of(self, record: &Record) -> Self {
        Self { token: Some(record.id()), owner: Some(record.owner().clone()), ..self }
    }

    pub(crate) fn token(self, id: TokenId) -> Self {
        Self { token: Some(id), ..self }
    }

    pub(crate) fn by(self, by: &By) -> Self {
        Self { by: by.clone(), ..self }
    }

    pub(crate) fn caller(self, caller: &Caller) -> Self {
        Self { caller: caller.clone(), ..self }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A token was made and stored.
    Issued,
    /// A token got a new secret; the old one is good until then, if at all.
    #[non_exhaustive]
    Rotated {
        /// The end of the overlap.
        overlap_until: Option<Timestamp>,
    },
    /// Name, description, tags or metadata were replaced.
    Annotated,
    /// The end was moved.
    #[non_exhaustive]
    ExpirySet {
        /// To here.
        expiry: Expiry,
    },
    /// The scopes were narrowed.
    ScopesNarrowed,
    /// The token was blocked.
    Blocked,
    /// The block was ended.
    Unblocked,
    /// The token was suspended.
    Suspended,
    /// The suspension was ended.
    Resumed,
    /// The token was revoked.
    Revoked,
    /// The digest was made anew on use.
    #[non_exhaustive]
    Rehashed {
        /// With this server key.
        key: KeyId,
    },
    /// The digest should have been made anew on use, and could not be stored. The request was not touched by it.
    RehashFailed,
    /// The token was used.
    Used,
    /// The token was refused. [`Denial::Superseded`] is a secret used after it was rotated away.
    #[non_exhaustive]
    Denied {
        /// Why.
        denial: Denial,
    },
    /// The host's policy refused: the use of a token that is good, a new token for its owner, or a rotation.
    #[non_exhaustive]
    Refused {
        /// The policy's own code.
        code: String,
    },
    /// The digest is of a server key that this node does not have.
    #[non_exhaustive]
    Unverifiable {
        /// Which key.
        key: KeyId,
    },
    /// A slow hash was not made: as many wait as are allowed to. One event stands for all of a while.
    #[non_exhaustive]
    Overloaded {
        /// How many since the last such event.
        count: u64,
    },
    /// Denials of texts that no secret was proven for, more than are told one by one.
    #[non_exhaustive]
    DenialsSuppressed {
        /// How many.
        count: u64,
    },
    /// A token came over from another system.
    Imported,
    /// The token's end is nearer than a threshold; each is told once, over all nodes.
    #[non_exhaustive]
    Expiring {
        /// When it ends.
        expiry: Timestamp,
        /// The threshold.
        threshold: Duration,
    },
    /// Records were deleted after their retention.
    #[non_exhaustive]
    Purged {
        /// How many.
        count: u64,
    },
    /// Uses were noted too late or too many, and are not in the store.
    #[non_exhaustive]
    UsesDropped {
        /// How many.
        count: u64,
    },
    /// Events were dropped before a slow sink.
    #[non_exhaustive]
    EventsDropped {
        /// How many.
        count: u64,
    },
}

impl EventKind {
    /// The stable name.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Rotated { .. } => "rotated",
            Self::Annotated => "annotated",
            Self::ExpirySet { .. } => "expiry_set",
            Self::ScopesNarrowed => "scopes_narrowed",
            Self::Blocked => "blocked",
            Self::Unblocked => "unblocked",
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::Revoked => "revoked",
            Self::Rehashed { .. } => "rehashed",
            Self::RehashFailed => "rehash_failed",
            Self::Used => "used",
            Self::Denied { .. } => "denied",
            Self::Refused { .. } => "refused",
            Self::Unverifiable { .. } => "unverifiable",
            Self::Overloaded { .. } => "overloaded",
            Self::DenialsSuppressed { .. } => "denials_suppressed",
            Self::Imported => "imported",
            Self::Expiring { .. } => "expiring",
            Self::Purged { .. } => "purged",
            Self::UsesDropped { .. } => "uses_dropped",
            Self::EventsDropped { .. } => "events_dropped",
        }
    }
}

/// Takes events.
///
/// It is called in line and must be quick. A panic in it is caught and does not touch the request.
///
/// ```
/// use counterfoil::event::{Event, EventSink};
/// use std::sync::mpsc::SyncSender;
///
/// #[derive(Debug)]
/// struct Queue(SyncSender<Event>);
///
/// impl EventSink for Queue {
///     fn emit(&self, event: &Event) {
///         let _ = self.0.try_send(event.clone()); // full: the event is lost, the request is not
///     }
/// }
/// ```
pub trait EventSink: fmt::Debug + Send + Sync + 'static {
    /// Takes one event.
    fn emit(&self, event: &Event);
}

/// A sink that drops everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSink;

impl EventSink for NoSink {
    fn emit(&self, _: &Event) {}
}

/// A sink that writes to `tracing`: uses at debug level, denials and faults at warn, changes at info.
#[cfg(feature = "tracing")]
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingSink;

#[cfg(feature = "tracing")]
impl EventSink for TracingSink {
    fn emit(&self, event: &Event) {
        let Event { kind, token, owner, by, caller, at: _ } = event;
        let event = kind.as_str();
        let token = token.as_ref().map(tracing::field::display);
        let tenant = owner.as_ref().and_then(|owner| owner.tenant()).map(|tenant| tenant.as_str());
        let owner = owner.as_ref().map(|owner| owner.subject().as_str());
        let actor = by.actor.as_ref().map(|actor| actor.as_str());
        let address = caller.address.as_ref().map(tracing::field::display);
        let request = caller.request.as_ref().map(|request| request.as_str());
        match kind {
            EventKind::Used => tracing::debug!(event, token, tenant, owner, address, request),
            EventKind::Denied { denial } => {
                tracing::warn!(event, code = denial.code(), token, tenant, owner, address, request)
            }
            EventKind::Unverifiable { key } => tracing::warn!(event, key = key.as_str(), token, tenant, owner, request),
            EventKind::Refused { code } => {
                tracing::warn!(event, code, token, tenant, owner, address, request);
            }
            EventKind::RehashFailed => tracing::warn!(event, token, tenant, owner),
            _ => tracing::info!(event, token, tenant, owner, actor),
        }
    }
}
