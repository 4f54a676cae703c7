//! Looking records up, and changing them.

use std::sync::Arc;

use super::Registry;
use crate::{
    annotation::Annotations,
    change::{Change, ChangeRefused, Changed},
    event::{Event, EventKind},
    expiry::Lifetime,
    policy::LifetimeRefused,
    record::Record,
    scope::Scopes,
    store::{ListQuery, Page, Revocation, RevokeTarget, StoreError, StoreErrorKind, Stored, TokenStore},
    subject::By,
    time::InvalidTimestamp,
    token::TokenId,
};

/// Which token is to be changed, and in which version it must be.
///
/// ```
/// use counterfoil::TokenId;
/// use counterfoil::registry::Target;
///
/// let id: TokenId = "0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa".parse()?;
/// let any: Target = id.into(); // a change in between is no obstacle
/// let exact = Target { id, version: Some(3) }; // from an `If-Match`
/// # Ok::<(), counterfoil::token::InvalidTokenId>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Which token.
    pub id: TokenId,
    /// The version that the caller has seen; without one a lost race is tried again.
    pub version: Option<u64>,
}

impl From<TokenId> for Target {
    fn from(id: TokenId) -> Self {
        Self { id, version: None }
    }
}

impl Target {
    /// Whether the record is of the version that the caller has seen, if one was.
    pub(super) fn admits(self, record: &Record) -> Result<(), ChangeError> {
        match self.version {
            Some(expected) if expected != record.version() => {
                Err(ChangeError::Stale { expected, found: record.version() })
            }
            _ => Ok(()),
        }
    }
}

impl Registry {
    /// A record and its usage.
    ///
    /// # Errors
    ///
    /// The store's, among them that the row cannot be read.
    pub async fn get(&self, id: TokenId) -> Result<Option<Stored>, StoreError> {
        self.0.store.get(id).await
    }

    /// A page of records.
    ///
    /// # Errors
    ///
    /// [`ReadError`] if the store or the clock fails.
    pub async fn list(&self, query: &ListQuery) -> Result<Page, ReadError> {
        let now = self.0.clock.now()?;
        Ok(self.0.store.list(query, now).await?)
    }

    /// Replaces name, description, tags and metadata.
    ///
    /// # Errors
    ///
    /// [`ChangeError`]; nothing is changed then. So for all that follow.
    pub async fn annotate(
        &self,
        target: impl Into<Target>,
        annotations: Annotations,
        by: impl Into<By>,
    ) -> Result<Arc<Record>, ChangeError> {
        self.change(target.into(), Change::Annotate(annotations), by.into()).await
    }

    /// Gives the token a new end, counted from now and held against the [`IssuePolicy`](crate::IssuePolicy) as for a new
    /// token. An expired token comes back to life, if the owner's limit allows. Past the end that its own
    /// [text names](Record::text_end), as a JWT's does, it is given none.
    pub async fn set_expiry(
        &self,
        target: impl Into<Target>,
        lifetime: Lifetime,
        by: impl Into<By>,
    ) -> Result<Arc<Record>, ChangeError> {
        self.change(target.into(), Change::SetExpiry(lifetime), by.into()).await
    }

    /// Replaces the scopes by fewer; they are never widened.
    pub async fn narrow_scopes(
        &self,
        target: impl Into<Target>,
        scopes: Scopes,
        by: impl Into<By>,
    ) -> Result<Arc<Record>, ChangeError> {
        self.change(target.into(), Change::NarrowScopes(scopes), by.into()).await
    }

    /// Pauses the token until it is unblocked.
    pub async fn block(&self, target: impl Into<Target>, by: impl Into<By>) -> Result<Arc<Record>, ChangeError> {
        self.change(target.into(), Change::Block, by.into()).await
    }

    /// Ends a block, if the owner's limit allows.
    pub async fn unblock(&self, target: impl Into<Target>, by: impl Into<By>) -> Result<Arc<Record>, ChangeError> {
        self.change(target.into(), Change::Unblock, by.into()).await
    }

    /// Pauses the token until it is resumed, apart from any block.
    pub async fn suspend(&self, target: impl Into<Target>, by: impl Into<By>) -> Result<Arc<Record>, ChangeError> {
        self.change(target.into(), Change::Suspend, by.into()).await
    }

    /// Ends a suspension, if the owner's limit allows.
    pub async fn resume(&self, target: impl Into<Target>, by: impl Into<By>) -> Result<Arc<Record>, ChangeError> {
        self.change(target.into(), Change::Resume, by.into()).await
    }

    /// Ends the token for good, from the next verification on. Revoking it again changes nothing.
    ///
    /// Like every change here, it returns `Ok` only once the change is durable, also where an earlier attempt made it: see
    /// [`TokenStore::confirm_durable`].
    ///
    /// Without a version in the target the record is not read before, so that a corrupt one can be revoked too.
    pub async fn revoke(&self, target: impl Into<Target>, by: impl Into<By>) -> Result<(), ChangeError> {
        let (target, by) = (target.into(), by.into());
        if target.version.is_some() {
            return self.change(target, Change::Revoke, by).await.map(drop);
        }
        let revocation = self.revoke_all(RevokeTarget::Token(target.id), by).await?;
        if revocation.revoked.is_empty() && revocation.already == 0 {
            return Err(ChangeError::NotFound);
        }
        Ok(())
    }

    async fn change(&self, target: Target, change: Change, by: By) -> Result<Arc<Record>, ChangeError> {
        let mut attempt = 1;
        loop {
            let now = self.0.clock.now()?;
            let record = self.current(target).await?;
            if let Change::SetExpiry(lifetime) = &change {
                self.0.issue_policy.lifetimes.check(*lifetime, now)?;
            }
            let Some(Changed { record: next, revives }) = change.apply(&record, &by, now)? else {
                // An earlier attempt that returned an error may have made it.
                self.0.store.confirm_durable().await?;
                return Ok(record);
            };
            let limit = self.0.issue_policy.limit.filter(|_| revives);
            match self.0.store.update(&next, record.revision(), limit, now).await {
                Ok(()) => {
                    self.emit(&Event::new(now, event_of(&change, &next)).of(&next).by(&by));
                    return Ok(Arc::new(next));
                }
                Err(error) if *error.kind() == StoreErrorKind::LostRace && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The record as it is now, if it is of the version that the caller has seen.
    pub(super) async fn current(&self, target: Target) -> Result<Arc<Record>, ChangeError> {
        let record = self.stored(target.id).await?;
        target.admits(&record)?;
        Ok(record)
    }

    pub(super) async fn stored(&self, id: TokenId) -> Result<Arc<Record>, ChangeError> {
        Ok(self.0.store.get(id).await?.ok_or(ChangeError::NotFound)?.record)
    }
}

/// How often a change is made again when another came first.
pub(super) const ATTEMPTS: u32 = 8;

fn event_of(change: &Change, record: &Record) -> EventKind {
    match change {
        Change::Annotate(_) => EventKind::Annotated,
        Change::SetExpiry(_) => EventKind::ExpirySet { expiry: record.expiry() },
        Change::NarrowScopes(_) => EventKind::ScopesNarrowed,
        Change::Block => EventKind::Blocked,
        Change::Unblock => EventKind::Unblocked,
        Change::Suspend => EventKind::Suspended,
        Change::Resume => EventKind::Resumed,
        Change::Revoke => EventKind::Revoked,
    }
}

/// Nothing was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store failed.
    #[error("the records could not be read: {0}")]
    Store(#[from] StoreError),
    /// The clock is not set.
    #[error(transparent)]
    Clock(#[from] InvalidTimestamp),
}

/// Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// There is no such token.
    #[error("no such token")]
    NotFound,
    /// The token is of another version than the caller has seen.
    #[error("token was changed: found version {found}, expected {expected}")]
    Stale {
        /// The version that the caller has seen.
        expected: u64,
        /// The version that is stored.
        found: u64,
    },
    /// Another rotation of the same token came first.
    #[error("another rotation of the token came first")]
    Overtaken,
    /// The new lifetime is not allowed.
    #[error(transparent)]
    Lifetime(#[from] LifetimeRefused),
    /// The change is not allowed.
    #[error(transparent)]
    Refused(#[from] ChangeRefused),
    /// The token would be active again, and the owner has as many active tokens as allowed.
    #[error("the owner has {limit} active tokens, the most allowed")]
    LimitReached {
        /// How many are allowed.
        limit: u32,
    },
    /// The store failed, or other changes came first again and again.
    #[error("the change could not be stored: {0}")]
    Store(#[source] StoreError),
    /// The store failed after a part of a revocation of many tokens was done. The same call again does the rest.
    #[error("{} tokens were revoked, then: {source}", done.revoked.len())]
    Interrupted {
        /// What was revoked.
        done: Box<Revocation>,
        /// The failure.
        source: StoreError,
    },
    /// The clock is not set.
    #[error(transparent)]
    Clock(#[from] InvalidTimestamp),
}

impl From<StoreError> for ChangeError {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::NotFound => Self::NotFound,
            StoreErrorKind::LimitReached { limit } => Self::LimitReached { limit: *limit },
            _ => Self::Store(error),
        }
    }
}
