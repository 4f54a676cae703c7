//! Revocation of many tokens, and by whoever holds one.

use std::sync::Arc;

use super::{ChangeError, Registry, VerifyError, verifying::Checked};
use crate::{
    caller::Caller,
    denial::Denial,
    event::{Event, EventKind},
    possession::{Possession, possession},
    record::Record,
    store::{Revocation, RevokeTarget, StoreError, TokenStore},
    subject::{By, Owner},
    text::InvalidText,
    time::Timestamp,
};

/// A token that its bearer has ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Surrendered {
    /// Its record, which is revoked.
    pub record: Arc<Record>,
    /// Whether it was revoked before, so that nothing has changed.
    pub already: bool,
}

impl Registry {
    /// Ends all tokens of an owner, or all that match a filter, from the next verification on. Those that are revoked
    /// keep their first mark; what is issued afterwards is not touched.
    ///
    /// ```
    /// use counterfoil::{Actor, Grant, Lifetime, MemoryStore, Owner, Registry, TokenFormat};
    ///
    /// # pollster::block_on(async {
    /// # let keyring: counterfoil::Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse()?;
    /// let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, MemoryStore::new()).build()?;
    /// let gone = Owner::new("user-42")?;
    /// let _ = registry.issue(Grant::new(gone.clone(), Lifetime::days(90))).await?;
    /// let revocation = registry.revoke_all(gone, Actor::new("admin:7")?).await?;
    /// assert_eq!(revocation.revoked.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// Corrupt records are revoked too. The sink is told of each token; the event names the owner where the target does,
    /// and of one token its record's, if that can be read afterwards.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] if the store or the clock fails; nothing to revoke is no error.
    pub async fn revoke_all(
        &self,
        target: impl Into<RevokeTarget>,
        by: impl Into<By>,
    ) -> Result<Revocation, ChangeError> {
        let (target, by) = (target.into(), by.into());
        let now = self.0.clock.now()?;
        let revocation = self.0.store.revoke(&target, &by.clone().mark(now), now).await?;
        if self.0.sink.is_some() && !revocation.revoked.is_empty() {
            let owner = self.owner_of(&target).await;
            for id in &revocation.revoked {
                let event = Event::new(now, EventKind::Revoked).token(*id).by(&by);
                self.emit(&Event { owner: owner.clone(), ..event });
            }
        }
        Ok(revocation)
    }

    /// Whose tokens are the target, if it is one owner's. A failure is not told: what was asked for is done.
    async fn owner_of(&self, target: &RevokeTarget) -> Option<Owner> {
        match target {
            RevokeTarget::Token(id) => Some(self.0.store.get(*id).await.ok()??.record.owner().clone()),
            RevokeTarget::Owner(owner) => Some(owner.clone()),
            RevokeTarget::Matching(filter) => filter.owner.clone(),
        }
    }

    /// Ends the token whose text is presented: for a bearer that is done with it, and for whoever has found it.
    ///
    /// Possession is the proof: a right secret, current or retiring, ends its token, be it expired, suspended or
    /// blocked. Networks, environment, audience and the host's policy are not asked, since a leak is reported from
    /// anywhere, and it does not count as a use. A secret that was rotated away ends nothing but what
    /// [`Reuse`](crate::possession::Reuse) says.
    ///
    /// # Errors
    ///
    /// [`SurrenderError`]; what a stranger is told must not tell [`Denial::Unknown`] from [`Denial::WrongSecret`].
    pub async fn revoke_presented(
        &self,
        text: &str,
        by: impl Into<By>,
        caller: &Caller,
    ) -> Result<Surrendered, SurrenderError> {
        let by = by.into();
        let Checked { record, check, now, .. } = self.check(text, caller).await?;
        let proven = possession(check, record.as_deref(), now);
        let (proven, record) = match (proven, record) {
            (Ok(proven), Some(record)) => (proven, record),
            (proven, record) => {
                let denial = proven.err().unwrap_or(Denial::Unknown);
                return Err(self.denied(denial, record.as_deref(), caller, now).await.into());
            }
        };
        if proven == Possession::Ended {
            return Ok(Surrendered { record, already: true });
        }
        let mark = by.clone().mark(now);
        let revocation = self.0.store.revoke(&RevokeTarget::Token(record.id()), &mark, now).await?;
        let already = revocation.revoked.is_empty();
        if !already {
            self.emit(&Event::new(now, EventKind::Revoked).of(&record).by(&by).caller(caller));
        }
        Ok(Surrendered { record: Arc::new(Arc::unwrap_or_clone(record).marked_revoked(mark)), already })
    }

    /// Tells the sink of a denial, and lets follow what the host wants to follow.
    pub(super) async fn denied(
        &self,
        denial: Denial,
        record: Option<&Record>,
        caller: &Caller,
        now: Timestamp,
    ) -> VerifyError {
        self.emit_denied(denial, record, caller, now);
        if let Some(record) = record.filter(|record| self.0.reuse.revokes(denial, record)) {
            self.revoke_reused(record, caller, now).await;
        }
        VerifyError::Denied(denial)
    }

    /// A failure is not told: the secret is refused as it is, and the next one who presents it tries again.
    async fn revoke_reused(&self, record: &Record, caller: &Caller, now: Timestamp) {
        let Ok(by) = for_reuse() else { return };
        let mark = by.clone().mark(now);
        let revocation = self.0.store.revoke(&RevokeTarget::Token(record.id()), &mark, now).await;
        if revocation.is_ok_and(|revocation| !revocation.revoked.is_empty()) {
            self.emit(&Event::new(now, EventKind::Revoked).of(record).by(&by).caller(caller));
        }
    }
}

/// The reason on the mark of a token whose spent secret was presented.
fn for_reuse() -> Result<By, InvalidText> {
    Ok(By::unknown().because("a secret that was rotated away was presented".try_into()?))
}

/// A token was not ended by its bearer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurrenderError {
    /// Possession was not proven, or could not be found out: as for a verification.
    #[error(transparent)]
    Unproven(#[from] VerifyError),
    /// The revocation could not be stored.
    #[error("the revocation could not be stored")]
    Store(#[from] StoreError),
}

impl SurrenderError {
    /// Whether it is a no. Otherwise the answer is "try again".
    pub const fn is_refusal(&self) -> bool {
        match self {
            Self::Unproven(error) => error.is_refusal(),
            Self::Store(_) => false,
        }
    }
}
