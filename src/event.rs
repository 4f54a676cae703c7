//! What happened: values handed to the host's sink.
//!
//! Every event has its moment and its [`EventKind`]; beside these it says of which token and owner it is, by whom and why
//! a change was made, and who presented the token, where that is known. These are all of them:
//!
//! | name | fields | of | when | full queue |
//! |---|---|---|---|---|
//! | `issued` | | token, owner, by | a token was stored | waits |
//! | `imported` | | token, owner, by | a token of another system was stored | waits |
//! | `rotated` | `overlap_until` | token, owner, by | a new secret was stored | waits |
//! | `annotated` | | token, owner, by | a change was stored | waits |
//! | `expiry_set` | `expiry` | token, owner, by | a change was stored | waits |
//! | `scopes_narrowed` | | token, owner, by | a change was stored | waits |
//! | `blocked` | | token, owner, by | a change was stored | waits |
//! | `unblocked` | | token, owner, by | a change was stored | waits |
//! | `suspended` | | token, owner, by | a change was stored | waits |
//! | `resumed` | | token, owner, by | a change was stored | waits |
//! | `revoked` | | token, owner if known, by, caller if it was presented | a token was revoked, one event for each | waits |
//! | `rehashed` | `key` | token, owner | a use has made the digest anew | dropped |
//! | `rehash_failed` | | token, owner | that could not be stored | dropped |
//! | `used` | | token, owner, caller | a token was verified, each time | dropped |
//! | `denied` | `denial` | token and owner if a record was found, caller | a token was refused, each time; without a proven secret so many a second | dropped |
//! | `denials_suppressed` | `count` | | once for a second in which there were more | dropped |
//! | `refused` | `code` | owner, token and caller if there are any | the host's policy refused | dropped |
//! | `scope_missing` | `scope`, `route` | token, owner, caller | a verified token lacked a scope that a door or a handler requires, each time | dropped |
//! | `limited` | `code`, `route` | token, owner, caller | a limiter refused a verified token, each time | dropped |
//! | `attempt_limited` | `code`, `route` | caller | a limiter refused an attempt before the token was looked up, so many a second | dropped |
//! | `unverifiable` | `key` | token, owner, caller | a server key is missing here, so many a second | dropped |
//! | `overloaded` | `count` | | slow hashes were not made, once for a while | dropped |
//! | `expiring` | `expiry`, `threshold` | token, owner | an end has come within a threshold, once over all nodes | waits |
//! | `purged` | `count` | | a run of the upkeep has deleted records | waits |
//! | `uses_dropped` | `count` | | once before uses are written | waits |
//! | `maintenance_failed` | `step`, `error` | | a step of a run in the background has failed | waits |
//! | `events_dropped` | `count` | | a [`QueuedSink`] was full, once there is room again | waits |
//!
//! The last column is what a [`QueuedSink`] does when it is full. A malformed text is no event: anybody can make any
//! number of those, and each is refused before anything is looked up.

mod denials;
mod queued;

use std::{fmt, time::Duration};

pub(crate) use denials::{DenialBound, Telling, Unproven};
pub use queued::QueuedSink;

use crate::{
    caller::{Caller, RequestRoute},
    denial::Denial,
    digest::KeyId,
    expiry::Expiry,
    record::Record,
    scope::Scope,
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
    /// The token was verified and lacks a scope that the route requires: 403.
    #[non_exhaustive]
    ScopeMissing {
        /// The required scope.
        scope: Scope,
        /// The request's method and route, if known.
        route: Option<RequestRoute>,
    },
    /// The token was verified, and the application's limiter or budget refused the request: 429.
    #[non_exhaustive]
    Limited {
        /// The limiter's code.
        code: String,
        /// The request's method and route, if known.
        route: Option<RequestRoute>,
    },
    /// The application's limiter of failed attempts refused the request before the token was looked up: 429. Those beyond
    /// the bound are counted in [`DenialsSuppressed`](Self::DenialsSuppressed).
    #[non_exhaustive]
    AttemptLimited {
        /// The limiter's code.
        code: String,
        /// The request's method and route, if known.
        route: Option<RequestRoute>,
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
    /// Denials of texts that no secret was proven for, more than are told one by one; and such texts as were
    /// [`Unverifiable`](Self::Unverifiable) beyond a number of their own.
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
    /// A step of the upkeep that goes on by itself has failed; it is tried again at the next tick.
    #[non_exhaustive]
    MaintenanceFailed {
        /// Which.
        step: Step,
        /// The store's word for it.
        error: String,
    },
    /// Events were dropped before a slow sink.
    #[non_exhaustive]
    EventsDropped {
        /// How many.
        count: u64,
    },
}

impl EventKind {
    /// Whether it comes of a request that verifies a token, which must wait for no sink: a [`QueuedSink`] that is full
    /// drops it. All others are changes, or told once in a while.
    pub const fn may_be_dropped(&self) -> bool {
        matches!(
            self,
            Self::Used
                | Self::Denied { .. }
                | Self::Refused { .. }
                | Self::ScopeMissing { .. }
                | Self::Limited { .. }
                | Self::AttemptLimited { .. }
                | Self::Unverifiable { .. }
                | Self::Overloaded { .. }
                | Self::Rehashed { .. }
                | Self::RehashFailed
                | Self::DenialsSuppressed { .. }
        )
    }

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
            Self::ScopeMissing { .. } => "scope_missing",
            Self::Limited { .. } => "limited",
            Self::AttemptLimited { .. } => "attempt_limited",
            Self::Unverifiable { .. } => "unverifiable",
            Self::Overloaded { .. } => "overloaded",
            Self::DenialsSuppressed { .. } => "denials_suppressed",
            Self::Imported => "imported",
            Self::Expiring { .. } => "expiring",
            Self::Purged { .. } => "purged",
            Self::UsesDropped { .. } => "uses_dropped",
            Self::MaintenanceFailed { .. } => "maintenance_failed",
            Self::EventsDropped { .. } => "events_dropped",
        }
    }
}

/// A step of [`Registry::maintain`](crate::Registry::maintain).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Checking that the store is complete and the one that was opened. If it fails, the run ends here.
    Check,
    /// Writing the uses that were noted.
    Uses,
    /// Deleting what is past its retention.
    Purge,
    /// Forgetting requests with an idempotency key.
    Requests,
    /// Warning of ends that come near.
    Warnings,
    /// Revoking what is not used any more.
    Sweep,
}

impl Step {
    /// The stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Uses => "uses",
            Self::Purge => "purge",
            Self::Requests => "requests",
            Self::Warnings => "warnings",
            Self::Sweep => "sweep",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Takes events.
///
/// It is called in line and must be quick; a slow one is put behind a [`QueuedSink`]. A panic in it is caught and does not
/// touch the request.
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

/// A sink that writes to `tracing`: uses at debug level, denials, losses and faults at warn, changes at info.
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
        let claimed = by.claimed.as_ref().map(|actor| actor.as_str());
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
            EventKind::ScopeMissing { scope, route } => {
                let (scope, route) = (scope.as_str(), route.as_ref().map(|route| route.as_str()));
                tracing::warn!(event, scope, route, token, tenant, owner, address, request);
            }
            EventKind::Limited { code, route } | EventKind::AttemptLimited { code, route } => {
                let route = route.as_ref().map(|route| route.as_str());
                tracing::warn!(event, code, route, token, tenant, owner, address, request);
            }
            EventKind::MaintenanceFailed { step, error } => tracing::warn!(event, step = step.as_str(), error),
            EventKind::Overloaded { count }
            | EventKind::DenialsSuppressed { count }
            | EventKind::UsesDropped { count }
            | EventKind::EventsDropped { count } => tracing::warn!(event, count),
            EventKind::Purged { count } => tracing::info!(event, count),
            EventKind::Expiring { expiry, threshold: _ } => {
                tracing::info!(event, token, tenant, owner, expiry = tracing::field::display(expiry));
            }
            EventKind::RehashFailed => tracing::warn!(event, token, tenant, owner),
            _ => tracing::info!(event, token, tenant, owner, actor, claimed),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::collections::BTreeSet;

    use super::*;

    /// Every kind with the names of its fields. One that is left out does not compile.
    macro_rules! kinds {
        ($($variant:ident { $($field:ident: $value:expr),* })*) => {{
            fn all_are_named(kind: EventKind) {
                match kind {
                    $(EventKind::$variant { $($field: _),* } => {})*
                }
            }
            let _ = all_are_named;
            vec![$((EventKind::$variant { $($field: $value),* }, vec![$(stringify!($field)),*])),*]
        }};
    }

    #[test]
    fn the_table_holds_every_kind_with_its_fields() {
        let key: KeyId = "k1".parse().unwrap();
        let kinds: Vec<(EventKind, Vec<&str>)> = kinds! {
            Issued {}
            Imported {}
            Rotated { overlap_until: None }
            Annotated {}
            ExpirySet { expiry: Expiry::Never }
            ScopesNarrowed {}
            Blocked {}
            Unblocked {}
            Suspended {}
            Resumed {}
            Revoked {}
            Rehashed { key: key }
            RehashFailed {}
            Used {}
            Denied { denial: Denial::Unknown }
            DenialsSuppressed { count: 1 }
            Refused { code: String::new() }
            ScopeMissing { scope: "a".parse().unwrap(), route: None }
            Limited { code: String::new(), route: None }
            AttemptLimited { code: String::new(), route: None }
            Unverifiable { key: key }
            Overloaded { count: 1 }
            Expiring { expiry: Timestamp::MIN, threshold: Duration::ZERO }
            Purged { count: 1 }
            UsesDropped { count: 1 }
            MaintenanceFailed { step: Step::Uses, error: String::new() }
            EventsDropped { count: 1 }
        };
        let row = |kind: &EventKind, fields: &[&str]| {
            let fields: Vec<_> = fields.iter().map(|field| format!("`{field}`")).collect();
            let full = if kind.may_be_dropped() { "dropped" } else { "waits" };
            (format!("`{}`", kind.as_str()), fields.join(", "), full.to_owned())
        };
        let expected: Vec<_> = kinds.iter().map(|(kind, fields)| row(kind, fields)).collect();
        let rows = include_str!("event.rs").lines().filter_map(|line| line.strip_prefix("//! | `"));
        let told: Vec<_> = rows
            .map(|row| {
                let cells: Vec<_> = row.trim_end_matches('|').split('|').map(str::trim).collect();
                (format!("`{}", cells[0]), cells[1].to_owned(), cells[4].to_owned())
            })
            .collect();
        assert_eq!(told, expected);
        let names: BTreeSet<_> = kinds.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(names.len(), kinds.len(), "a name is given twice");
    }
}
