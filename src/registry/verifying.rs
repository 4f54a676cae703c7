//! From a presented text to the proof.

use std::sync::Arc;

use super::{Parts, Registry};
use crate::{
    caller::Caller,
    check::{CheckError, Checking, SecretCheck, Selectors, begin, selectors},
    circumstances::Circumstances,
    denial::Denial,
    event::{Event, EventKind, Unproven},
    policy::Objection,
    record::Record,
    seal::Sealing,
    store::{StoreError, StoreErrorKind, TokenStore},
    time::{InvalidTimestamp, Timestamp},
    token::{ParseError, Selector},
    verify::{Verified, verify},
};

/// What was found by a presented text, and what became of the comparison.
pub(super) struct Checked<'t> {
    pub(super) record: Option<Arc<Record>>,
    pub(super) check: SecretCheck<'t>,
    pub(super) now: Timestamp,
}

impl Registry {
    /// Verifies a presented text about whose request nothing else is known.
    ///
    /// # Errors
    ///
    /// [`VerifyError`]: a refusal, or that nothing could be found out.
    pub async fn verify(&self, text: &str) -> Result<Verified, VerifyError> {
        self.verify_for(text, &Caller::unknown()).await
    }

    /// Verifies a presented text.
    ///
    /// The order is that of [`check`](crate::check()) and [`verify`](crate::verify()), and then the host's policy. A
    /// digest that is out of date is made anew before this returns; if that fails, the request is not touched by it.
    ///
    /// # Errors
    ///
    /// [`VerifyError`]: a refusal, or that nothing could be found out.
    pub async fn verify_for(&self, text: &str, caller: &Caller) -> Result<Verified, VerifyError> {
        // One after the other, so that the second future takes the place of the first.
        let checked = self.check(text, caller).await?;
        self.decide(text, &checked, caller).await
    }

    /// The verdict, and what follows from it. What is rare is boxed, so that the future of every request need not hold it.
    async fn decide(&self, text: &str, checked: &Checked<'_>, caller: &Caller) -> Result<Verified, VerifyError> {
        let parts = &*self.0;
        let Checked { record, check, now } = checked;
        let (check, now) = (*check, *now);
        let circumstances = Circumstances {
            client: caller.address,
            environments: &parts.environments,
            audience: caller.audience.as_ref().or(parts.audience.as_ref()),
            catalog: parts.issue_policy.scopes.as_ref().map(|(catalog, _)| catalog),
            ..Circumstances::at(now)
        };
        let mut verified = match verify(check, record.clone(), &circumstances) {
            Ok(verified) => verified,
            Err(denial) => return Err(Box::pin(self.denied(denial, record.as_deref(), caller, now)).await),
        };
        if self.is_outdated(&verified) && self.0.rehashing.is_over(now) {
            Box::pin(self.rehash(text, &verified, now)).await;
        }
        if let Some(policy) = &parts.policy {
            let assent = policy.at_use(&verified, caller).await.inspect_err(|objection| {
                self.tell_objection(objection, now, |event| event.of(verified.record()).caller(caller));
            })?;
            verified = assent.ceiling.into_iter().fold(verified, Verified::under);
            verified = assent.attached.into_iter().fold(verified, Verified::with);
            // It may have taken its time, and the token may have ended meanwhile.
            let late = parts.clock.now()?;
            let ended = verify(check, record.clone(), &Circumstances { now: late, ..circumstances }).err();
            if let Some(denial) = ended {
                return Err(Box::pin(self.denied(denial, record.as_deref(), caller, late)).await);
            }
        }
        self.note_use(verified.record(), caller, now);
        Ok(verified)
    }

    /// Parses, finds, and does the secret work.
    pub(super) async fn check<'t>(&self, text: &'t str, caller: &Caller) -> Result<Checked<'t>, VerifyError> {
        let Parts { families, keyring, store, clock, .. } = &*self.0;
        let presented = families.parse(text)?;
        let sought = Sought::from(&selectors(&presented, keyring)?);
        let record = store.find(sought.as_slice()).await?;
        let of = match begin(&presented, sought.as_slice(), record.as_deref(), keyring) {
            Ok(Checking::Done(of)) => of,
            Ok(Checking::Slow(job, unchecked)) => Box::pin(self.finish(job, unchecked)).await?,
            Err(error) => return Err(self.unchecked(error, record.as_deref(), caller)),
        };
        let check = SecretCheck { environment: presented.environment(), of };
        // Read late, so that a token that ends during a slow lookup or hash is refused.
        Ok(Checked { record, check, now: clock.now()? })
    }

    fn unchecked(&self, error: CheckError, record: Option<&Record>, caller: &Caller) -> VerifyError {
        if let (CheckError::Unverifiable(unknown), Ok(now), Some(record)) = (&error, self.0.clock.now(), record)
            && self.has_room_for(Unproven::Unverifiable, now)
        {
            self.emit(&Event::new(now, EventKind::Unverifiable { key: unknown.id }).of(record).caller(caller));
        }
        error.into()
    }

    fn is_outdated(&self, verified: &Verified) -> bool {
        let slot = verified.record().slots().get(verified.slot());
        slot.is_some_and(|slot| self.0.keyring.is_outdated(&slot.digest))
    }

    /// Makes the digest anew. A lost race is no failure: another node was first. After a failure none is tried for a
    /// while, so that a store that takes no writes is not asked, and told of, at every use.
    async fn rehash(&self, text: &str, verified: &Verified, now: Timestamp) {
        let event = match self.seal_anew(text, verified, now).await {
            Ok(()) => EventKind::Rehashed { key: self.0.keyring.minting_key() },
            Err(Some(error)) if *error.kind() == StoreErrorKind::LostRace => return,
            Err(_) => {
                self.0.rehashing.fail(now);
                EventKind::RehashFailed
            }
        };
        self.emit(&Event::new(now, event).of(verified.record()));
    }

    async fn seal_anew(&self, text: &str, verified: &Verified, now: Timestamp) -> Result<(), Option<StoreError>> {
        let Parts { families, keyring, store, entropy, .. } = &*self.0;
        let (record, kind) = (verified.record(), verified.slot());
        let salt = || {
            let mut salt = [0; 16];
            entropy.fill(&mut salt).map(|()| salt)
        };
        // Parsed again, which is seldom, so that not every verification carries what was read until here.
        let presented = families.parse(text).map_err(|_| None)?;
        let slot = match Sealing::begin(&presented, record.id(), record.owner(), keyring, salt).map_err(|_| None)? {
            Sealing::Done(slot) => slot,
            Sealing::Slow(job, unsealed) => unsealed.finish(self.hash(job).await.map_err(|_| None)?),
        };
        let next = record.with_digest_anew(kind, slot);
        Ok(store.update(&next, record.revision(), None, now).await?)
    }
}

/// Selectors that are looked for: one as a rule, and then without the room for all that there could be.
enum Sought {
    One([Selector; 1]),
    Several(Box<[Selector]>),
}

impl From<&Selectors> for Sought {
    fn from(selectors: &Selectors) -> Self {
        match selectors.as_slice() {
            [one] => Self::One([*one]),
            several => Self::Several(several.into()),
        }
    }
}

impl Sought {
    fn as_slice(&self) -> &[Selector] {
        match self {
            Self::One(one) => one,
            Self::Several(several) => several,
        }
    }
}

/// A token was not verified.
///
/// Some say no, and all others that nothing could be found out, so that whoever asked should try again:
/// [`is_refusal`](Self::is_refusal) tells them apart. The text of an error is for logs: what a stranger is told must not
/// tell [`Denial::Unknown`] from [`Denial::WrongSecret`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The text is no token of a known family.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// The token is refused.
    #[error(transparent)]
    Denied(Denial),
    /// The host's policy refuses, or cannot be asked.
    #[error(transparent)]
    Policy(#[from] Objection),
    /// The secret could not be checked.
    #[error(transparent)]
    Unchecked(#[from] CheckError),
    /// The store failed.
    #[error("the record could not be looked up: {0}")]
    Store(#[from] StoreError),
    /// The clock is not set.
    #[error(transparent)]
    Clock(#[from] InvalidTimestamp),
}

impl VerifyError {
    /// Whether it is a no, be it for now alone. Otherwise nothing is known, and the answer is "try again".
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Malformed(_) | Self::Denied(_) | Self::Policy(Objection::Refused(_) | Objection::Later { .. })
        )
    }

    /// Whether the text is of no known family, so that another verifier may have its turn.
    pub fn is_not_ours(&self) -> bool {
        matches!(self, Self::Malformed(ParseError::NotOurs))
    }
}
