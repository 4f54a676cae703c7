//! What sessions are shown of a token.

use std::net::IpAddr;

use counterfoil::{
    Expiry, Mark, Network, Record, Status, Timestamp, Token, TokenId, Usage,
    store::{Page, Stored},
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::Names;

/// What is kept of a token, for those who manage it. Times are Unix milliseconds; the plaintext is not in it.
///
/// The members are these, unless the host has [named](super::Management::name) them otherwise.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Token)]
#[non_exhaustive]
pub struct ManagedToken {
    /// Its public name, which outlives rotation.
    #[schema(value_type = String, format = "uuid")]
    pub id: TokenId,
    /// The part of its text that may be shown.
    pub public: String,
    /// What a person calls it.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Words to group tokens by.
    pub tags: Vec<String>,
    /// What the host keeps with it.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// What its bearer may do.
    pub scopes: Vec<String>,
    /// Where it may be used.
    pub restrictions: RestrictionsView,
    /// The resource server that it is meant for; null if any.
    pub audience: Option<String>,
    /// The environment that it is for.
    pub environment: Option<String>,
    /// What it comes to now.
    #[schema(value_type = StatusName)]
    pub status: Status,
    /// Counts the changes; the `ETag` holds it too.
    #[schema(minimum = 1)]
    pub version: u64,
    /// When it was made.
    #[schema(value_type = i64)]
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: Option<String>,
    /// When it was last rotated.
    #[schema(value_type = Option<i64>)]
    pub rotated_at: Option<Timestamp>,
    /// Until when the secret before this one is good; null if none is.
    #[schema(value_type = Option<i64>)]
    pub overlap_until: Option<Timestamp>,
    /// When it ends; null if it never does.
    #[schema(value_type = Option<i64>)]
    pub expires_at: Expiry,
    /// That it was revoked.
    pub revoked: Option<MarkView>,
    /// That it is suspended.
    pub suspended: Option<MarkView>,
    /// That it is blocked.
    pub blocked: Option<MarkView>,
    /// When it was last used, as far as that is stored.
    #[schema(value_type = Option<i64>)]
    pub last_used_at: Option<Timestamp>,
    /// From which address it was last used.
    #[schema(value_type = Option<String>)]
    pub last_used_address: Option<IpAddr>,
    /// With what it was last used, in the client's own words.
    pub last_used_agent: Option<String>,
}

/// Where a token may be used.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = TokenRestrictions)]
#[non_exhaustive]
pub struct RestrictionsView {
    /// The networks as CIDR; none means any.
    #[schema(value_type = Vec<String>)]
    pub networks: Vec<Network>,
}

/// Something that was done to a token.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = TokenMark)]
#[non_exhaustive]
pub struct MarkView {
    /// When.
    #[schema(value_type = i64)]
    pub at: Timestamp,
    /// By whom.
    pub by: Option<String>,
    /// At whose request, as the request has claimed.
    pub claimed_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// The statuses, in the document.
#[derive(utoipa::ToSchema)]
#[schema(as = TokenStatus, rename_all = "snake_case")]
#[expect(dead_code, reason = "its schema alone is used")]
pub(super) enum StatusName {
    /// Good for use.
    Active,
    /// Paused; can be unblocked.
    Blocked,
    /// Paused by the service.
    Suspended,
    /// Its end has come; a later end brings it back.
    Expired,
    /// Ended for good.
    Revoked,
}

impl ManagedToken {
    /// What is shown of a record at `now`.
    pub fn of(record: &Record, usage: Option<&Usage>, now: Timestamp) -> Self {
        let notes = record.annotations();
        let mark = |mark: Option<&Mark>| mark.map(MarkView::of);
        let retiring = record.slots().retiring.as_ref().map(|retiring| retiring.until);
        Self {
            id: record.id(),
            public: record.public().to_owned(),
            name: notes.name.as_ref().map(ToString::to_string),
            description: notes.description.as_ref().map(ToString::to_string),
            tags: notes.tags.iter().map(ToString::to_string).collect(),
            // INVARIANT: written from a JSON object.
            metadata: serde_json::from_str(notes.metadata.as_json()).unwrap_or_default(),
            scopes: record.scopes().texts().map(str::to_owned).collect(),
            restrictions: RestrictionsView { networks: record.restrictions().networks().to_vec() },
            audience: record.restrictions().audience().map(ToString::to_string),
            environment: record.environment().map(ToString::to_string),
            status: record.status(now),
            version: record.version(),
            created_at: record.created_at(),
            created_by: record.created_by().map(ToString::to_string),
            rotated_at: record.rotated_at(),
            overlap_until: retiring.filter(|until| *until > now),
            expires_at: record.expiry(),
            revoked: mark(record.revoked()),
            suspended: mark(record.suspended()),
            blocked: mark(record.blocked()),
            last_used_at: usage.map(|usage| usage.at),
            last_used_address: usage.and_then(|usage| usage.address),
            last_used_agent: usage.and_then(|usage| usage.agent.as_ref().map(ToString::to_string)),
        }
    }
}

impl MarkView {
    fn of(mark: &Mark) -> Self {
        Self {
            at: mark.at,
            by: mark.by.as_ref().map(ToString::to_string),
            claimed_by: mark.claimed_by.as_ref().map(ToString::to_string),
            reason: mark.reason.as_ref().map(ToString::to_string),
        }
    }
}

/// How tokens are shown: under the host's names, with its constant `type` if it has one.
#[derive(Debug, Clone, Default)]
pub(super) struct Showing {
    pub(super) names: Names,
    pub(super) kind: Option<String>,
}

/// What a minted token's reply holds beside the token.
pub(super) struct Minted<'a> {
    /// The plaintext, unless the request came again.
    pub(super) token: Option<&'a Token>,
    pub(super) dropped: Vec<String>,
}

impl Showing {
    pub(super) fn token(&self, record: &Record, usage: Option<&Usage>, now: Timestamp) -> Value {
        Value::Object(self.names.rename(self.members(record, usage, now)))
    }

    pub(super) fn minted(&self, record: &Record, usage: Option<&Usage>, now: Timestamp, minted: &Minted<'_>) -> Value {
        let mut members = self.members(record, usage, now);
        let Minted { token, dropped } = minted;
        // The one place where a plaintext is shown.
        members.insert("token".into(), token.map(|token| token.expose().into()).unwrap_or_default());
        members.insert("replayed".into(), token.is_none().into());
        members.insert("dropped_scopes".into(), dropped.clone().into());
        Value::Object(self.names.rename(members))
    }

    pub(super) fn page(&self, page: &Page, now: Timestamp) -> Value {
        let shown = |stored: &Stored| self.token(&stored.record, stored.usage.as_ref(), now);
        let mut members = Map::new();
        members.insert("tokens".into(), page.tokens.iter().map(shown).collect());
        members.insert("corrupt".into(), page.corrupt.iter().map(|corrupt| corrupt.id.to_string()).collect());
        members.insert("next_cursor".into(), page.next.map(super::list::text_of).into());
        Value::Object(self.names.rename(members))
    }

    fn members(&self, record: &Record, usage: Option<&Usage>, now: Timestamp) -> Map<String, Value> {
        let value = serde_json::to_value(ManagedToken::of(record, usage, now));
        // INVARIANT: a struct of texts, numbers and lists is an object.
        let Ok(Value::Object(mut members)) = value else { return Map::new() };
        if let Some(kind) = &self.kind {
            members.insert("type".into(), kind.as_str().into());
        }
        members
    }
}
