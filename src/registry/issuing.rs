//! New tokens, and new secrets for old ones.

use super::{ChangeError, Registry, Target, changing::ATTEMPTS};
use crate::{
    event::{Event, EventKind},
    grant::Grant,
    mint::{MintError, Minted},
    policy::{BeyondRights, LifetimeRefused, Objection},
    record::{Record, Slot},
    rotate::{self, RotateError, Rotation},
    scope::{Resolved, Scopes, ScopesRefused},
    seal::Sealing,
    store::{StoreError, StoreErrorKind, TokenStore},
    time::{InvalidTimestamp, Timestamp},
    token::Token,
};

/// A token that is stored: its text can be seen only now.
#[derive(Debug)]
#[must_use = "the text of a token can be seen only now"]
#[non_exhaustive]
pub struct Issued {
    /// The half for the user, to be shown once.
    pub token: Token,
    /// The half that is stored.
    pub record: Record,
    /// Scopes that were asked for and left out, where the policy drops unknown ones.
    pub dropped: Scopes,
}

impl Registry {
    /// Mints a token and stores its record.
    ///
    /// # Errors
    ///
    /// [`IssueError`]; nothing is stored then.
    pub async fn issue(&self, grant: Grant) -> Result<Issued, IssueError> {
        let parts = &*self.0;
        let now = parts.clock.now()?;
        self.check_switch()?;
        parts.issue_policy.lifetimes.check(grant.lifetime, now)?;
        let Resolved { scopes, dropped } = parts.issue_policy.resolve(&grant.scopes)?;
        let grant = grant.scopes(scopes);
        if let Some(policy) = &parts.policy {
            let approval = policy.at_issue(&grant).await.inspect_err(|objection| {
                let by = grant.by.clone().map(Into::into).unwrap_or_default();
                let of_owner = |event| Event { owner: Some(grant.owner.clone()), ..event }.by(&by);
                self.tell_objection(objection, now, of_owner);
            })?;
            approval.check(&grant.scopes)?;
            // The policy may have taken its time.
            self.check_switch()?;
        }
        let mut attempt = 1;
        loop {
            let Minted { token, record } = self.mint(grant.clone(), now).await?;
            match parts.store.insert(&record, parts.issue_policy.limit, now).await {
                Ok(()) => {
                    let by = grant.by.map(Into::into).unwrap_or_default();
                    self.emit(&Event::new(now, EventKind::Issued).of(&record).by(&by));
                    return Ok(Issued { token, record, dropped });
                }
                Err(error) if came_second(&error) && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives a token a new secret, and stores it. The target's version, if given, must be the stored one; of several
    /// rotations at the same time one succeeds.
    ///
    /// # Errors
    ///
    /// [`RotationError`]; nothing is changed then.
    pub async fn rotate(&self, target: impl Into<Target>, rotation: &Rotation) -> Result<Issued, RotationError> {
        let target = target.into();
        let mut attempt = 1;
        let mut seen = None;
        loop {
            let now = self.0.clock.now()?;
            let earlier = self.current(target).await?;
            // To rotate again on top of another rotation would kill the secret that was handed out a moment ago.
            if *seen.get_or_insert(earlier.slots().current.selector) != earlier.slots().current.selector {
                return Err(ChangeError::Overtaken.into());
            }
            if let Some(policy) = &self.0.policy {
                let asked = policy.at_rotate(&earlier, &rotation.by).await;
                asked.inspect_err(|objection| {
                    self.tell_objection(objection, now, |event| event.of(&earlier).by(&rotation.by));
                })?;
            }
            let Minted { token, record } = self.turn(&earlier, rotation, now).await?;
            match self.0.store.update(&record, earlier.revision(), None, now).await {
                Ok(()) => {
                    let overlap_until = record.slots().retiring.as_ref().map(|retiring| retiring.until);
                    self.emit(&Event::new(now, EventKind::Rotated { overlap_until }).of(&record).by(&rotation.by));
                    return Ok(Issued { token, record, dropped: Scopes::none() });
                }
                Err(error) if came_second(&error) && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(ChangeError::from(error).into()),
            }
        }
    }

    fn check_switch(&self) -> Result<(), IssueError> {
        if self.0.issue_policy.switch.is_stopped() { Err(IssueError::Stopped) } else { Ok(()) }
    }

    /// Tells the sink that the host's policy refuses, if it does.
    pub(super) fn tell_objection(&self, objection: &Objection, now: Timestamp, about: impl FnOnce(Event) -> Event) {
        if let Some(refusal) = objection.refusal() {
            self.emit(&about(Event::new(now, EventKind::Refused { code: refusal.code.clone() })));
        }
    }

    async fn mint(&self, grant: Grant, now: Timestamp) -> Result<Minted, MintError> {
        let minting = grant.begin(self.0.families.mint_family(), &self.0.keyring, now, &*self.0.entropy)?;
        Ok(minting.halves.finish(self.seal(minting.sealing).await?))
    }

    async fn turn(&self, record: &Record, rotation: &Rotation, now: Timestamp) -> Result<Minted, RotateError> {
        let family = self.0.families.mint_family();
        let rotating = rotate::begin(record, rotation, family, &self.0.keyring, now, &*self.0.entropy)?;
        Ok(rotating.turned.finish(self.seal(rotating.sealing).await?))
    }

    async fn seal(&self, sealing: Sealing) -> Result<Slot, MintError> {
        match sealing {
            Sealing::Done(slot) => Ok(slot),
            Sealing::Slow(job, unsealed) => Ok(unsealed.finish(self.hash(job).await?)),
        }
    }
}

/// Whether another token has the selector, or another change came first: a new draw on a new reading may succeed.
fn came_second(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Duplicate | StoreErrorKind::LostRace)
}

/// No token was issued, and nothing stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// Minting is stopped.
    #[error("no tokens are issued now")]
    Stopped,
    /// The lifetime is not allowed.
    #[error(transparent)]
    Lifetime(#[from] LifetimeRefused),
    /// The owner has no right to some of the scopes.
    #[error(transparent)]
    BeyondRights(#[from] BeyondRights),
    /// The catalog does not grant the scopes.
    #[error(transparent)]
    Scopes(#[from] ScopesRefused),
    /// The host's policy refuses, or cannot be asked.
    #[error(transparent)]
    Policy(#[from] Objection),
    /// The token could not be minted.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The owner has as many active tokens as allowed.
    #[error("the owner has {limit} active tokens, the most allowed")]
    LimitReached {
        /// How many are allowed.
        limit: u32,
    },
    /// The store failed.
    #[error("the record could not be stored")]
    Store(#[source] StoreError),
    /// The clock is not set.
    #[error(transparent)]
    Clock(#[from] InvalidTimestamp),
}

impl From<StoreError> for IssueError {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::LimitReached { limit } => Self::LimitReached { limit: *limit },
            _ => Self::Store(error),
        }
    }
}

/// No secret was rotated, and nothing changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// The token cannot be rotated, or its new secret not be made.
    #[error(transparent)]
    Rotate(#[from] RotateError),
    /// The host's policy refuses, or cannot be asked.
    #[error(transparent)]
    Policy(#[from] Objection),
    /// The token is not there, is of another version, or could not be stored.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The clock is not set.
    #[error(transparent)]
    Clock(#[from] InvalidTimestamp),
}
