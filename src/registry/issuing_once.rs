//! New tokens for requests that may come twice.

use std::{sync::Arc, time::Duration};

use super::{IssueError, Issued, Registry, changing::ATTEMPTS};
use crate::{
    grant::Grant,
    mint::Minted,
    record::Record,
    store::{IdempotencyStore, RequestKey, Reservation, Reserved, StoreError, StoreErrorKind, TokenStore},
    time::Timestamp,
};

/// What a request under an idempotency key came to.
#[derive(Debug)]
#[must_use = "the text of a token can be seen only now"]
#[expect(clippy::large_enum_variant, reason = "made once for each token, and matched at once")]
pub enum IssuedOnce {
    /// A token was issued.
    New(Issued),
    /// It was issued to this request before, and nothing is changed. The plaintext was shown then and cannot be shown
    /// again: whoever has lost it rotates the token.
    Replayed(Arc<Record>),
}

/// How long a request may take before another with its key does its work.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// For how long a request is remembered.
pub(super) const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Requests forgotten in one statement, so that no writer waits long for it.
const ROWS: u32 = 500;

impl Registry {
    /// Mints a token and stores its record, unless this very request has done so before.
    ///
    /// The secret is drawn first; then the request is noted, with the id and the selector that the token will have; then
    /// the record is stored. So whatever has become of an earlier request with this key can be told: its token is there,
    /// or it is being made, or it was given up a minute ago and is made now. A request that is at work for longer than that,
    /// and goes on all the same, is the one case in which there are two. The plaintext is kept nowhere.
    ///
    /// A repeat is held against the issue policy as it is now before it is known as one, and makes nothing if that refuses.
    ///
    /// ```
    /// use counterfoil::registry::IssuedOnce;
    /// use counterfoil::store::{IdempotencyKey, RequestKey, Route};
    /// use counterfoil::{Grant, Lifetime, MemoryStore, Owner, Registry, TokenFormat};
    ///
    /// # pollster::block_on(async {
    /// # let keyring: counterfoil::Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse()?;
    /// let store = MemoryStore::new();
    /// let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, store.clone()).build()?;
    /// let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(90));
    /// let body = br#"{"name":"CI"}"#;
    /// let request = RequestKey::new(Route::new("create")?, IdempotencyKey::new("7f3c")?, body);
    ///
    /// let first = registry.issue_once(grant.clone(), &request, &store).await?;
    /// assert!(matches!(first, IssuedOnce::New(_)));
    /// let again = registry.issue_once(grant, &request, &store).await?; // the answer was lost on its way
    /// assert!(matches!(again, IssuedOnce::Replayed(_)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`IssueOnceError`]. No token was made for this call then; if the store failed, the next one with the key finds
    /// out whether its token is there.
    pub async fn issue_once(
        &self,
        grant: Grant,
        request: &RequestKey,
        requests: &impl IdempotencyStore,
    ) -> Result<IssuedOnce, IssueOnceError> {
        let now = self.0.clock.now().map_err(IssueError::from)?;
        let (grant, dropped) = self.admissible(grant, now)?;
        let mut attempt = 1;
        loop {
            let Minted { token, record } = self.mint(grant.clone(), now).await.map_err(IssueError::from)?;
            let mine = request.reserving(&record, now);
            match requests.reserve(&mine).await? {
                Reserved::Made => {}
                Reserved::InFlight(earlier) => {
                    if let Some(replayed) = self.replay(&earlier, &mine).await? {
                        // If this fails, the next repeat does it.
                        let _ = requests.complete(&earlier).await;
                        return Ok(IssuedOnce::Replayed(replayed));
                    }
                    if !is_abandoned(&earlier, now) || !requests.take_over(&earlier, &mine).await? {
                        return Err(IssueOnceError::InFlight);
                    }
                }
                Reserved::Completed(earlier) => {
                    let replayed = self.replay(&earlier, &mine).await?;
                    return replayed.map(IssuedOnce::Replayed).ok_or(IssueOnceError::Gone);
                }
            }
            // The policy may take its time.
            let allowed = self.ask_to_issue(&grant, now).await.and_then(|()| self.check_switch());
            if let Err(error) = allowed {
                requests.release(&mine).await?;
                return Err(error.into());
            }
            match self.0.store.insert(&record, self.0.issue_policy.limit, now).await {
                Ok(()) => {
                    // If this fails, the next repeat finds the token and does it.
                    let _ = requests.complete(&mine).await;
                    self.tell_issued(&record, grant.by, now);
                    return Ok(IssuedOnce::New(Issued { token, record, dropped }));
                }
                Err(error) if is_surely_not_written(&error) => {
                    requests.release(&mine).await?;
                    if *error.kind() != StoreErrorKind::Duplicate || attempt == ATTEMPTS {
                        return Err(IssueError::from(error).into());
                    }
                    attempt += 1;
                }
                // The reservation stays: whether the record was written after all is found out by the next repeat.
                Err(error) => return Err(IssueError::from(error).into()),
            }
        }
    }

    /// The record that an earlier request with the same key has stored, if it has.
    async fn replay(&self, earlier: &Reservation, mine: &Reservation) -> Result<Option<Arc<Record>>, IssueOnceError> {
        if earlier.fingerprint != mine.fingerprint {
            return Err(IssueOnceError::OtherRequest);
        }
        let Some(stored) = self.0.store.get(earlier.token).await? else { return Ok(None) };
        self.0.store.confirm_durable().await?;
        Ok(Some(stored.record))
    }

    /// Deletes what is known of requests older than a day, at most 500 of them, and returns how many.
    ///
    /// You need not call this if the registry was built with
    /// [`idempotency`](super::RegistryBuilder::idempotency): then [`maintain`](Self::maintain) does it.
    ///
    /// # Errors
    ///
    /// [`IssueOnceError::Store`] if the store fails, [`IssueOnceError::Issue`] if the clock does.
    pub async fn forget_requests(&self, requests: &impl IdempotencyStore) -> Result<u64, IssueOnceError> {
        let now = self.0.clock.now().map_err(IssueError::from)?;
        let before = now.checked_sub(REMEMBERED_FOR).unwrap_or(Timestamp::MIN);
        Ok(requests.forget(before, ROWS).await?)
    }
}

/// A request of a node whose clock is ahead is as young as it can be.
fn is_abandoned(earlier: &Reservation, now: Timestamp) -> bool {
    earlier.at.checked_add(ABANDONED_AFTER).is_ok_and(|end| now >= end)
}

/// Of any other failure nobody can say whether the store had done its work before the answer was lost.
fn is_surely_not_written(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Duplicate | StoreErrorKind::LimitReached { .. } | StoreErrorKind::ReadOnly)
}

/// A request under an idempotency key has made no token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueOnceError {
    /// No token was issued.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// Another request has come under this key before.
    #[error("another request was made under this idempotency key")]
    OtherRequest,
    /// A request under this key is at work: try again.
    #[error("a request under this idempotency key is at work")]
    InFlight,
    /// The token of an earlier request is deleted by now.
    #[error("the token that was issued under this idempotency key is gone")]
    Gone,
    /// The store failed.
    #[error("the request could not be looked up: {0}")]
    Store(#[from] StoreError),
}
