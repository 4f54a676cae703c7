//! The family: a draft → a signed text, and a text → what finds its record.

use std::{fmt, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use counterfoil::{
    Alphabet, Family,
    token::{Draft, Head, InvalidDraft, Malformed, Needs, ParseError, Presented, Selector, TokenText},
};
use zeroize::Zeroizing;

use crate::{
    claims::{PUBLIC_LEN, Payload, SECRET_LEN, SELECTOR_LEN},
    jws::{self, MAX_LEN, Named, Opened, SIGNATURE_TEXT_LEN, Unopened},
    key::{PublicKey, SigningKey},
    key_set::{InvalidKeySet, KeySet},
};

/// A family of tokens whose text is a JWT, for [`Registry::builder`](counterfoil::Registry::builder).
///
/// ```
/// use counterfoil::{Grant, Lifetime, MemoryStore, Owner, Registry};
/// use counterfoil_jwt::{JwtFormat, SigningKey};
///
/// # pollster::block_on(async {
/// # let keyring: counterfoil::Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse()?;
/// let key = SigningKey::ed25519(&[7; 32]); // from a file or a secret manager
/// let format = JwtFormat::builder("https://id.example").signing(key).build()?;
/// let published = format.key_set().to_json(); // served by a route of the host's
///
/// let registry = Registry::builder(format, keyring, MemoryStore::new()).build()?;
/// let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(7)).scopes("parts:read".parse()?);
/// let issued = registry.issue(grant).await?;
/// assert!(registry.verify(issued.token.expose()).await.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// # Reading
///
/// A text is ours if its header is, to the letter, one that a known key writes. A JWT of another `typ` or `kid` is *not
/// ours*, so that a verifier of sessions may have its turn; one of our `typ` and `kid` whose header is anything else is
/// malformed. The signature is checked here, before any lookup, so that made-up tokens cost no query: a wrong one is
/// [`Malformed::Checksum`], which is what it amounts to, with a key that cannot be guessed.
///
/// What counts online is the record. The secret that each token holds beside its signature is compared by its digest, as
/// for every family: who has stolen the signing key alone, or the database alone, has no token that the registry takes.
#[derive(Clone)]
pub struct JwtFormat(Arc<Inner>);

struct Inner {
    issuer: String,
    signing: Option<SigningKey>,
    // INVARIANT: no two of one name, and the signing key's own stands first.
    keys: Vec<Named>,
}

impl JwtFormat {
    /// The greatest length of a token, in bytes.
    pub const MAX_LEN: usize = MAX_LEN;

    /// Begins a family of this issuer (`iss`, RFC 7519, section 4.1.1): usually the service's `https` address.
    pub fn builder(issuer: impl Into<String>) -> JwtFormatBuilder {
        JwtFormatBuilder { issuer: issuer.into(), signing: None, verifying: Vec::new() }
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The public keys that it verifies with, to be published.
    pub fn key_set(&self) -> KeySet {
        // INVARIANT: the names were looked at when it was built.
        KeySet::new(self.0.keys.iter().map(|named| named.key.clone())).unwrap_or_default()
    }
}

/// The issuer and the names of the keys.
impl fmt::Debug for JwtFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.keys.iter().map(|named| named.key.kid());
        write!(f, "JwtFormat({}, keys {:?})", self.0.issuer, keys.collect::<Vec<_>>())
    }
}

impl Family for JwtFormat {
    fn heads(&self) -> Vec<Head> {
        // Every JWT begins alike; up to the first `.` these do not, since no two keys have one name.
        let head = |named: &Named| Head {
            text: named.head.clone(),
            shortest: named.head.len() + PUBLIC_LEN / 3 * 4 + 1 + SIGNATURE_TEXT_LEN,
            longest: MAX_LEN,
        };
        self.0.keys.iter().map(head).collect()
    }

    fn parse<'t>(&self, text: &'t str) -> Result<Presented<'t>, ParseError> {
        let Opened { head_len, payload } = jws::open(text, &self.0.keys).map_err(|reason| match reason {
            Unopened::NotOurs | Unopened::UnknownKey(_) => ParseError::NotOurs,
            Unopened::TooLong => Malformed::TooLong { found: text.len(), limit: MAX_LEN }.into(),
            Unopened::Character => Malformed::Character.into(),
            Unopened::Shape => Malformed::Shape.into(),
            Unopened::Signature => Malformed::Checksum.into(),
        })?;
        let payload = Payload::from_json(&payload).filter(|payload| payload.iss == self.0.issuer);
        let selector = payload.and_then(|payload| Selector::printed(payload.jti).ok()).ok_or(Malformed::Shape)?;
        Ok(Presented::new(text, head_len + PUBLIC_LEN / 3 * 4, Some(selector)))
    }

    fn needs(&self) -> Needs {
        Needs {
            selector: Some((Alphabet::Base62, SELECTOR_LEN)),
            secret: (Alphabet::Base62, SECRET_LEN),
            keyed_check: None,
        }
    }

    fn write(&self, draft: &Draft<'_>) -> Result<TokenText, InvalidDraft> {
        if let Some(found) = draft.environment {
            return Err(InvalidDraft::Environment { found: Some(found.to_owned()), expected: "none".into() });
        }
        if draft.routing.is_some() {
            return Err(InvalidDraft::Routing { expected: "none".into() });
        }
        let (Some(key), Some(named)) = (&self.0.signing, self.0.keys.first()) else {
            return Err(InvalidDraft::Other("it has no signing key".into()));
        };
        let payload = Payload::of(draft, &self.0.issuer)?.to_json();
        let length = named.head.len() + (payload.len() * 4).div_ceil(3) + 1 + SIGNATURE_TEXT_LEN;
        if length > MAX_LEN {
            return Err(InvalidDraft::TooLong { found: length, limit: MAX_LEN });
        }
        let (public, rest) = payload.split_at(PUBLIC_LEN);
        let mut encoded = Zeroizing::new(String::with_capacity(MAX_LEN));
        let mut text = TokenText::with_capacity(MAX_LEN);
        text.push(&named.head);
        URL_SAFE_NO_PAD.encode_string(public, &mut encoded);
        text.push(&encoded);
        text.end_public();
        encoded.clear();
        URL_SAFE_NO_PAD.encode_string(rest, &mut encoded);
        text.push(&encoded);
        let signature = key.sign(text.as_str().as_bytes());
        text.push(".");
        text.push(&URL_SAFE_NO_PAD.encode(signature));
        if let Some(end) = draft.expires_at {
            text.states_end(end);
        }
        Ok(text)
    }
}

/// Collects a [`JwtFormat`].
#[derive(Debug)]
#[must_use]
pub struct JwtFormatBuilder {
    issuer: String,
    signing: Option<SigningKey>,
    verifying: Vec<PublicKey>,
}

impl JwtFormatBuilder {
    /// Signs new tokens with this key, and verifies with it. Without one the family mints nothing: to be
    /// [accepted](counterfoil::Families::accepting) beside another.
    pub fn signing(mut self, key: SigningKey) -> Self {
        self.signing = Some(key);
        self
    }

    /// Verifies with this key too: an earlier one whose tokens live on, or one that will sign next.
    pub fn verifying(mut self, key: PublicKey) -> Self {
        self.verifying.push(key);
        self
    }

    /// The family.
    ///
    /// # Errors
    ///
    /// [`InvalidJwtFormat`] if there is no key, two different ones of one name, or the issuer is no text of 1 to 255 bytes.
    pub fn build(self) -> Result<JwtFormat, InvalidJwtFormat> {
        let Self { issuer, signing, verifying } = self;
        if issuer.is_empty() || issuer.len() > 255 || issuer.chars().any(char::is_control) {
            return Err(InvalidJwtFormat::Issuer);
        }
        let keys = KeySet::new(signing.iter().map(SigningKey::public).chain(verifying))?;
        let keys: Vec<_> = keys.keys().iter().cloned().map(Named::from).collect();
        if keys.is_empty() {
            return Err(InvalidJwtFormat::NoKey);
        }
        Ok(JwtFormat(Arc::new(Inner { issuer, signing, keys })))
    }
}

/// A family that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidJwtFormat {
    /// The issuer is no name.
    #[error("invalid issuer: expected 1 to 255 bytes without control characters")]
    Issuer,
    /// There is no key.
    #[error("no key: expected one that signs, or at least one that verifies")]
    NoKey,
    /// Two keys have one name.
    #[error(transparent)]
    Keys(#[from] InvalidKeySet),
}
