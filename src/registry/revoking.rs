//! Revocation of many tokens, and by whoever holds one.

use std::sync::Arc;

use super::{ChangeError, Registry, VerifyError, verifying::Checked};
use crate::{
    caller::Caller,
    denial::Denial,
    event::{Event, EventKind},
    maintain::ROWS_AT_ONCE,
    possession::{Possession, possession},
    record::Record,
    store::{Revocation, RevokeStep, RevokeTarget, StoreError, StoreErrorKind, TokenStore},
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
    /// Revokes all tokens of an owner, all that match a filter, or those of a list that do. They are refused from the next
    /// verification on. Tokens that are revoked already keep their first mark.
    ///
    /// It is done in steps of a hundred tokens, so that other changes need not wait for it. Every token that was issued
    /// before the call is revoked when it returns. A token that is issued after it has returned is not touched, and one that
    /// is issued meanwhile may be either. If the future is dropped, the steps that are done remain.
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
    /// [`ChangeError::Interrupted`] if the store fails after some tokens were revoked: call it again to revoke the rest.
    /// [`ChangeError::Store`] and [`ChangeError::Clock`] if nothing was revoked. Nothing to revoke is no error.
    pub async fn revoke_all(
        &self,
        target: impl Into<RevokeTarget>,
        by: impl Into<By>,
    ) -> Result<Revocation, ChangeError> {
        let (target, by) = (target.into(), by.into());
        let now = self.0.clock.now()?;
        let mark = by.clone().mark(now);
        let mut done = Revocation::default();
        for part in parts(&target) {
            let mut after = None;
            loop {
                let step = RevokeStep { after, max_rows: ROWS_AT_ONCE };
                let Revocation { revoked, already, next } = match self.0.store.revoke(&part, &mark, now, step).await {
                    Ok(revocation) => revocation,
                    Err(error) if done.revoked.is_empty() => return Err(error.into()),
                    Err(source) => return Err(ChangeError::Interrupted { done: Box::new(done), source }),
                };
                if self.0.sink.is_some() && !revoked.is_empty() {
                    let owner = self.owner_of(&target).await;
                    for id in &revoked {
                        let event = Event::new(now, EventKind::Revoked).token(*id).by(&by);
                        self.emit(&Event { owner: owner.clone(), ..event });
                    }
                }
                done.revoked.extend(revoked);
                done.already += already;
                if next.is_none() {
                    break;
                }
                if next <= after {
                    let what = format!("a step of a revocation ended at {next:?}, expected an id after {after:?}");
                    let source = StoreError::new(StoreErrorKind::Other).with_source(what);
                    return Err(ChangeError::Interrupted { done: Box::new(done), source });
                }
                after = next;
            }
        }
        Ok(done)
    }

    /// Whose tokens are the target, if it is one owner's. A failure is not told: what was asked for is done.
    async fn owner_of(&self, target: &RevokeTarget) -> Option<Owner> {
        match target {
            RevokeTarget::Token(id) => Some(self.0.store.get(*id).await.ok()??.record.owner().clone()),
            RevokeTarget::Owner(owner) => Some(owner.clone()),
            RevokeTarget::Matching(filter) | RevokeTarget::Among { filter, .. } => filter.owner.clone(),
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
            self.0.store.confirm_durable().await?;
            return Ok(Surrendered { record, already: true });
        }
        let mark = by.clone().mark(now);
        let revocation = self.0.store.revoke(&RevokeTarget::Token(record.id()), &mark, now, RevokeStep::WHOLE).await?;
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
        let revocation = self.0.store.revoke(&RevokeTarget::Token(record.id()), &mark, now, RevokeStep::WHOLE).await;
        if revocation.is_ok_and(|revocation| !revocation.revoked.is_empty()) {
            self.emit(&Event::new(now, EventKind::Revoked).of(record).by(&by).caller(caller));
        }
    }
}

/// The target in parts that the store takes: a list is cut, and all else is one.
fn parts(target: &RevokeTarget) -> Vec<RevokeTarget> {
    match target {
        RevokeTarget::Among { ids, filter } => {
            let lists = ids.chunks(ROWS_AT_ONCE as usize);
            lists.map(|ids| RevokeTarget::Among { ids: ids.to_vec(), filter: filter.clone() }).collect()
        }
        target => vec![target.clone()],
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
    #[error("the revocation could not be stored: {0}")]
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
