//! New secrets for old tokens.

use std::sync::Arc;

use super::{ChangeError, Issued, Registry, Target, changing::ATTEMPTS, issuing::came_second};
use crate::{
    event::{Event, EventKind},
    idempotency::NamedRequest,
    mint::Minted,
    policy::Objection,
    record::Record,
    rotate::{self, RotateError, Rotation},
    scope::Scopes,
    store::{RequestKey, TokenStore},
    time::{InvalidTimestamp, Timestamp},
};

/// What a rotation under an idempotency key came to.
#[derive(Debug)]
#[must_use = "the text of a token can be seen only now"]
#[expect(clippy::large_enum_variant, reason = "made once for each rotation, and matched at once")]
pub enum Rotated {
    /// The token has a new secret.
    New(Issued),
    /// It was rotated under this key before, and nothing is changed. The plaintext was shown then and cannot be shown
    /// again: whoever has lost it rotates under another key.
    Replayed(Arc<Record>),
}

impl Registry {
    /// Gives a token a new secret, and stores it. The target's version, if given, must be the stored one; of several
    /// rotations at the same time one succeeds.
    ///
    /// It goes on while minting is [stopped](crate::policy::MintSwitch): after a leak it is the remedy.
    ///
    /// # Errors
    ///
    /// [`RotationError`]; nothing is changed then.
    pub async fn rotate(&self, target: impl Into<Target>, rotation: &Rotation) -> Result<Issued, RotationError> {
        match self.rotate_under(target.into(), rotation, None).await? {
            Rotated::New(issued) => Ok(issued),
            // INVARIANT: only a key can be met again.
            Rotated::Replayed(_) => Err(ChangeError::Overtaken.into()),
        }
    }

    /// Rotates, unless this very request has done so before: its key is kept with the record until the next rotation.
    ///
    /// A repeat changes nothing and asks nobody. It is known by its key, so that it may name the version that the first
    /// request has replaced, and of two such requests at the same time one is the repeat. Under another key, and after any
    /// other rotation, it is a new rotation. The route of the request is not looked at: its place is the record.
    ///
    /// ```
    /// use counterfoil::registry::{Rotated, Target};
    /// use counterfoil::store::{IdempotencyKey, RequestKey, Route};
    /// use counterfoil::{Grant, Lifetime, MemoryStore, Owner, Registry, Rotation, TokenFormat};
    ///
    /// # pollster::block_on(async {
    /// # let keyring: counterfoil::Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse()?;
    /// let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, MemoryStore::new()).build()?;
    /// let issued = registry.issue(Grant::new(Owner::new("user-42")?, Lifetime::days(90))).await?;
    /// let seen = Target { id: issued.record.id(), version: Some(issued.record.version()) };
    /// let request = RequestKey::new(Route::new("rotate")?, IdempotencyKey::new("7f3c")?, br#"{"overlap":0}"#);
    ///
    /// let first = registry.rotate_once(seen, &Rotation::at_once(), &request).await?;
    /// assert!(matches!(first, Rotated::New(_)));
    /// let again = registry.rotate_once(seen, &Rotation::at_once(), &request).await?; // the answer was lost on its way
    /// assert!(matches!(again, Rotated::Replayed(record) if record.version() == 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`RotationError`]; nothing is changed then.
    pub async fn rotate_once(
        &self,
        target: impl Into<Target>,
        rotation: &Rotation,
        request: &RequestKey,
    ) -> Result<Rotated, RotationError> {
        self.rotate_under(target.into(), rotation, Some(request.named())).await
    }

    async fn rotate_under(
        &self,
        target: Target,
        rotation: &Rotation,
        request: Option<&NamedRequest>,
    ) -> Result<Rotated, RotationError> {
        let mut attempt = 1;
        let mut seen = None;
        loop {
            let now = self.0.clock.now()?;
            let earlier = self.stored(target.id).await?;
            // Before anything else: the request that came second of two under one key finds the first one's work.
            if let (Some(request), Some(kept)) = (request, &earlier.rotation_request)
                && request.key == kept.key
            {
                if request.fingerprint != kept.fingerprint {
                    return Err(RotationError::OtherRequest);
                }
                self.0.store.confirm_durable().await.map_err(ChangeError::from)?;
                return Ok(Rotated::Replayed(earlier));
            }
            target.admits(&earlier)?;
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
            let Minted { token, record } = self.turn(&earlier, rotation, request, now).await?;
            match self.0.store.update(&record, earlier.revision(), None, now).await {
                Ok(()) => {
                    let overlap_until = record.slots().retiring.as_ref().map(|retiring| retiring.until);
                    self.emit(&Event::new(now, EventKind::Rotated { overlap_until }).of(&record).by(&rotation.by));
                    return Ok(Rotated::New(Issued { token, record, dropped: Scopes::none() }));
                }
                Err(error) if came_second(&error) && attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(ChangeError::from(error).into()),
            }
        }
    }

    async fn turn(
        &self,
        record: &Record,
        rotation: &Rotation,
        request: Option<&NamedRequest>,
        now: Timestamp,
    ) -> Result<Minted, RotateError> {
        let family = self.0.families.mint_family();
        let rotating = rotate::begin(record, rotation, request, family, &self.0.keyring, now, &*self.0.entropy)?;
        Ok(rotating.turned.finish(self.seal(rotating.sealing).await?))
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
    /// The token was rotated under this key by a request with another content.
    #[error("another request was made under this idempotency key")]
    OtherRequest,
    /// The token is not there, is of another version, or could not be stored.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The clock is not set.
    #[error(transparent)]
    Clock(#[from] InvalidTimestamp),
}
