//! A grant and the system's randomness → the two halves of a token.

use zeroize::Zeroizing;

use crate::{
    check::CheckError,
    digest::Keyring,
    entropy::{Drawn, Entropy, NoEntropy, SystemEntropy},
    expiry::{Expiry, InvalidLifetime},
    grant::Grant,
    record::{Record, Revision, Slot, Slots},
    seal::Sealing,
    time::Timestamp,
    token::{
        Draft, Environment, Family, InvalidDraft, Malformed, Needs, ParseError, Presented, Selector, Token,
        TokenFormat, TokenId,
    },
};

impl Grant {
    /// Mints: draws a secret and makes the two halves. Nothing is stored; Argon2id runs on the calling thread.
    ///
    /// # Errors
    ///
    /// [`MintError`] if the system gives no randomness, the lifetime is over at once, or the family cannot write it.
    pub fn mint(self, family: &dyn Family, keyring: &Keyring, now: Timestamp) -> Result<Minted, MintError> {
        self.mint_with(family, keyring, now, &SystemEntropy)
    }

    /// [`mint`](Self::mint) with a source of randomness of the caller's: for tests.
    #[doc(hidden)]
    pub fn mint_with(
        self,
        family: &dyn Family,
        keyring: &Keyring,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Minted, MintError> {
        let minting = self.begin(family, keyring, now, entropy)?;
        let slot = minting.sealing.finish_here().map_err(CheckError::from)?;
        Ok(minting.halves.finish(slot))
    }

    #[inline(always)]
    pub(crate) fn begin(
        self,
        family: &dyn Family,
        keyring: &Keyring,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Minting, MintError> {
        let expiry = self.lifetime.starting(now)?;
        let mut drawn = Drawn::new(entropy, 10 + family.needs().expected_bytes())?;
        let id = TokenId::new(now, drawn.bytes()?);
        let draft = Draft {
            id,
            selector: "",
            secret: "",
            owner: &self.owner,
            environment: self.environment.as_ref().map(Environment::as_str),
            routing: self.routing.as_deref(),
            created_at: now,
            expires_at: expiry.at(),
            scopes: &self.scopes,
            restrictions: &self.restrictions,
        };
        let (token, sealing) = draw(draft, family, keyring, &mut drawn)?;
        Ok(Minting { halves: Halves { token, id, grant: self, now, expiry }, sealing })
    }
}

/// The two halves of a token.
#[derive(Debug)]
#[must_use = "the text of a token can be seen only now"]
pub struct Minted {
    /// The half for the user, to be shown once.
    pub token: Token,
    /// The half for the service, to be stored.
    pub record: Record,
}

/// A minting that may wait for a slow hash.
pub(crate) struct Minting {
    pub(crate) halves: Halves,
    pub(crate) sealing: Sealing,
}

pub(crate) struct Halves {
    token: Token,
    id: TokenId,
    grant: Grant,
    now: Timestamp,
    expiry: Expiry,
}

impl Halves {
    #[inline(always)]
    pub(crate) fn finish(self, slot: Slot) -> Minted {
        let Self { token, id, grant, now, expiry } = self;
        let record = Record {
            id,
            owner: grant.owner,
            revision: Revision::FIRST,
            created_at: now,
            created_by: grant.by,
            rotated_at: None,
            rotation_request: None,
            expiry,
            revoked: None,
            suspended: None,
            blocked: None,
            slots: Slots::only(slot),
            public: token.public().into(),
            text_end: token.end,
            environment: grant.environment,
            routing: grant.routing.map(Into::into),
            annotations: grant.annotations,
            scopes: grant.scopes,
            restrictions: grant.restrictions,
            unread: None,
        };
        Minted { token, record }
    }
}

/// Draws a secret and writes the token from it and the rest of `draft`, then reads it back: a token that cannot be read is
/// never handed out.
pub(crate) fn draw(
    draft: Draft<'_>,
    family: &dyn Family,
    keyring: &Keyring,
    drawn: &mut Drawn<'_>,
) -> Result<(Token, Sealing), MintError> {
    let needs = family.needs();
    let (secret_alphabet, secret_width) = needs.secret;
    let selector_width = needs.selector.map_or(0, |(_, width)| width);
    if secret_alphabet.bits(secret_width) < TokenFormat::MIN_SECRET_BITS
        || secret_width > TokenFormat::MAX_LEN
        || selector_width > Selector::MAX_LEN
    {
        return Err(MintError::Needs(needs));
    }
    let mut random = Zeroizing::new(Vec::with_capacity(selector_width + secret_width));
    random.resize(selector_width + secret_width, 0); // `vec!` asks for zeroed memory, which takes longer
    let (of_selector, of_secret) = random.split_at_mut(selector_width);
    if let Some((alphabet, _)) = needs.selector {
        alphabet.draw(|| drawn.byte(), of_selector)?;
    }
    secret_alphabet.draw(|| drawn.byte(), of_secret)?;
    // INVARIANT: every character of an alphabet is ASCII.
    let (selector, secret) = std::str::from_utf8(&random).unwrap_or_default().split_at(selector_width);
    let draft = Draft { selector, secret, ..draft };
    if draft.routing.is_some_and(|text| text.len() > 64 || !text.bytes().all(|byte| byte.is_ascii_graphic())) {
        return Err(InvalidDraft::Routing { expected: "at most 64 printable ascii characters".into() }.into());
    }
    let mut text = family.write(&draft)?;
    if let Some(alphabet) = needs.keyed_check {
        let tag = keyring.minting().sub.tag(text.as_str());
        text.push_check(alphabet, tag);
    }
    let token = text.finish();
    if !token.expose().bytes().fold(true, |all, byte| all & byte.is_ascii_graphic()) {
        return Err(MintError::Unreadable(Malformed::Character.into()));
    }
    let read: Presented<'_> = family.parse(token.expose()).map_err(MintError::Unreadable)?;
    let is_drawn = read.printed.is_some_and(|printed| printed.as_bytes() == selector.as_bytes());
    let is_as_drawn = is_drawn || needs.selector.is_none();
    if !is_as_drawn || read.environment() != draft.environment || read.routing() != draft.routing {
        return Err(MintError::Unreadable(Malformed::Shape.into()));
    }
    let sealing = Sealing::begin(&read, draft.id, draft.owner, keyring, || drawn.bytes())?;
    Ok((token, sealing))
}

/// Nothing was minted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The operating system gave no randomness.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The lifetime is over at once, or ends after the last moment that can be stored.
    #[error(transparent)]
    Lifetime(#[from] InvalidLifetime),
    /// The family cannot write what was asked for.
    #[error(transparent)]
    Draft(#[from] InvalidDraft),
    /// The family asks for a weak secret, or for more than a token holds: a fault in the family.
    #[error("the token family asks for {0:?}: expected a secret of at least 128 bits, and short segments")]
    Needs(Needs),
    /// The family cannot read what it wrote, or reads another selector, environment or routing: a fault in the family.
    #[error("the token family does not read a token as it wrote it: {0}")]
    Unreadable(ParseError),
    /// The slow hash could not be made.
    #[error(transparent)]
    Hash(#[from] CheckError),
}
