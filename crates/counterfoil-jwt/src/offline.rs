//! Verification without the registry: a text × a key set × now → claims.

use std::{net::IpAddr, time::Duration};

use counterfoil::{Audience, Timestamp};

use crate::{
    claims::{Claims, Payload},
    jws::{self, MAX_LEN, Named, Unopened},
    key_set::KeySet,
};

/// Verifies tokens by the issuer's published keys, without asking it: no network, no clock, no store.
///
/// ```
/// # use counterfoil::{Grant, Keyring, Lifetime, Owner};
/// # use counterfoil_jwt::{JwtFormat, SigningKey};
/// # let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse()?;
/// # let format = JwtFormat::builder("https://id.example").signing(SigningKey::ed25519(&[7; 32])).build()?;
/// # let now = counterfoil::Timestamp::from_unix_millis(1_767_225_600_000)?;
/// # let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(7)).scopes("parts:read".parse()?);
/// # let (published, minted) = (format.key_set().to_json(), grant.mint(&format, &keyring, now)?);
/// # let text = minted.token.expose();
/// use counterfoil_jwt::{KeySet, OfflineVerifier};
///
/// let verifier = OfflineVerifier::new(&KeySet::from_json(&published)?, "https://id.example");
/// let claims = verifier.verify(text, now, None)?;
/// assert_eq!(claims.owner.subject().as_str(), "user-42");
/// assert!(claims.require(&"parts:read".parse()?).is_ok());
/// assert!(claims.require(&"parts:write".parse()?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What it cannot know is on the [crate's page](crate#what-an-offline-verifier-does-not-see).
#[derive(Debug, Clone)]
pub struct OfflineVerifier {
    keys: Vec<Named>,
    issuer: String,
    audience: Option<Audience>,
    leeway: Duration,
}

impl OfflineVerifier {
    /// Takes tokens of this issuer, signed with one of these keys.
    pub fn new(keys: &KeySet, issuer: impl Into<String>) -> Self {
        let keys = keys.keys().iter().cloned().map(Named::from).collect();
        Self { keys, issuer: issuer.into(), audience: None, leeway: Duration::ZERO }
    }

    /// Calls itself this. As with a registry, a token that is meant for one audience is refused by every other, and by a
    /// verifier without a name (RFC 7519, section 4.1.3); one that names none is meant for all.
    pub fn audience(self, audience: Audience) -> Self {
        Self { audience: Some(audience), ..self }
    }

    /// Takes tokens for so much longer than they are good, where clocks differ (RFC 7519, section 4.1.4): nothing unless
    /// it is said.
    pub fn leeway(self, leeway: Duration) -> Self {
        Self { leeway, ..self }
    }

    /// Verifies `text` at `now`, shown by a client at this address, if it is known.
    ///
    /// # Errors
    ///
    /// [`OfflineError`].
    pub fn verify(&self, text: &str, now: Timestamp, client: Option<IpAddr>) -> Result<Claims, OfflineError> {
        let opened = jws::open(text, &self.keys).map_err(|reason| match reason {
            Unopened::NotOurs => OfflineError::NotOurs,
            Unopened::UnknownKey(kid) => OfflineError::UnknownKey { kid },
            Unopened::TooLong => OfflineError::TooLong { found: text.len() },
            Unopened::Character | Unopened::Shape => OfflineError::Malformed,
            Unopened::Signature => OfflineError::WrongSignature,
        })?;
        let payload = Payload::from_json(&opened.payload).ok_or(OfflineError::Malformed)?;
        if payload.iss != self.issuer {
            return Err(OfflineError::WrongIssuer);
        }
        let claims = Claims::of(&payload).ok_or(OfflineError::Malformed)?;
        if let Some(end) = claims.expiry.at()
            && end.checked_add(self.leeway).is_ok_and(|end| now >= end)
        {
            return Err(OfflineError::Expired { end });
        }
        if !claims.restrictions.admit_client(client) {
            return Err(OfflineError::NetworkRefused);
        }
        if !claims.restrictions.admit_audience(self.audience.as_ref()) {
            return Err(OfflineError::WrongAudience);
        }
        Ok(claims)
    }
}

/// A text that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// No token of this kind: another verifier may have its turn.
    #[error("not a personal access token in the form of a jwt")]
    NotOurs,
    /// Signed with a key that is not in the set: it may be newer, so fetch the set again, though not for every such token,
    /// since anybody can write one.
    #[error("the key set holds no key with the name that the token gives")]
    UnknownKey {
        /// The name, as the token has it: anybody's text.
        kid: String,
    },
    /// Longer than any token.
    #[error("token too long: found {found} bytes, expected at most {MAX_LEN}")]
    TooLong {
        /// The length in bytes.
        found: usize,
    },
    /// Of the right kind, and not written as these tokens are.
    #[error("token is not of the expected form")]
    Malformed,
    /// The signature is not the key's.
    #[error("token signature is wrong")]
    WrongSignature,
    /// Signed with a key of the set, for another issuer.
    #[error("token is of another issuer")]
    WrongIssuer,
    /// The end has come.
    #[error("token is expired since {end}")]
    Expired {
        /// When it ended.
        end: Timestamp,
    },
    /// Its networks do not hold the client's address, or that is unknown.
    #[error("token may not be used from this network")]
    NetworkRefused,
    /// It is meant for another audience.
    #[error("token is meant for another audience")]
    WrongAudience,
}
