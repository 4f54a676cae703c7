//! New tokens.

use super::{Registry, changing::ATTEMPTS};
use crate::{
    event::{Event, EventKind},
    grant::Grant,
    mint::{MintError, Minted},
    policy::{BeyondRights, LifetimeRefused, Objection},
    record::{Record, Slot},
    scope::{Resolved, Scopes, ScopesRefused},
    seal::Sealing,
    store::{StoreError, StoreErrorKind, TokenStore},
    subject::Actor,
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
        let now = self.0.clock.now()?;
        let (grant, dropped) = self.admissible(grant, now)?;
        self.ask_to_issue(&grant, now).await?;
        let mut attempt = 1;
        loop {
            let Minted { token, record } = self.mint(grant.clone(), now).await?;
            // The policy, or a queue before a slow hash, may have taken its time.
            self.check_switch()?;
            match self.0.store.insert(&record, self.0.issue_policy.limit, now).await {
                Ok(()) => {
                    self.tell_issued(&record, grant.by, now);
                    return Ok(Issued { token, record, dropped });
                }
                Err(error) if came_second(&error) && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The grant under the issue policy, and the scopes that it has dropped.
    pub(super) fn admissible(&self, grant: Grant, now: Timestamp) -> Result<(Grant, Scopes), IssueError> {
        self.check_switch()?;
        let policy = &self.0.issue_policy;
        policy.lifetimes.check(grant.lifetime, now)?;
        let Resolved { scopes, dropped } = policy.resolve(&grant.scopes)?;
        Ok((grant.scopes(scopes), dropped))
    }

    /// Asks the host's policy.
    pub(super) async fn ask_to_issue(&self, grant: &Grant, now: Timestamp) -> Result<(), IssueError> {
        let Some(policy) = &self.0.policy else { return Ok(()) };
        let approval = policy.at_issue(grant).await.inspect_err(|objection| {
            let by = grant.by.clone().map(Into::into).unwrap_or_default();
            let of_owner = |event| Event { owner: Some(grant.owner.clone()), ..event }.by(&by);
            self.tell_objection(objection, now, of_owner);
        })?;
        Ok(approval.check(&grant.scopes)?)
    }

    pub(super) fn tell_issued(&self, record: &Record, by: Option<Actor>, now: Timestamp) {
        let by = by.map(Into::into).unwrap_or_default();
        self.emit(&Event::new(now, EventKind::Issued).of(record).by(&by));
    }

    pub(super) fn check_switch(&self) -> Result<(), IssueError> {
        if self.0.issue_policy.switch.is_stopped() { Err(IssueError::Stopped) } else { Ok(()) }
    }

    /// Tells the sink that the host's policy refuses, if it does.
    pub(super) fn tell_objection(&self, objection: &Objection, now: Timestamp, about: impl FnOnce(Event) -> Event) {
        if let Some(refusal) = objection.refusal() {
            self.emit(&about(Event::new(now, EventKind::Refused { code: refusal.code.clone() })));
        }
    }

    pub(super) async fn mint(&self, grant: Grant, now: Timestamp) -> Result<Minted, MintError> {
        let minting = grant.begin(self.0.families.mint_family(), &self.0.keyring, now, &*self.0.entropy)?;
        Ok(minting.halves.finish(self.seal(minting.sealing).await?))
    }

    pub(super) async fn seal(&self, sealing: Sealing) -> Result<Slot, MintError> {
        match sealing {
            Sealing::Done(slot) => Ok(slot),
            Sealing::Slow(job, unsealed) => Ok(unsealed.finish(self.hash(job).await?)),
        }
    }
}

/// Whether another token has the selector, or another change came first: a new draw on a new reading may succeed.
pub(super) fn came_second(error: &StoreError) -> bool {
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
    #[error("the record could not be stored: {0}")]
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
