//! What stands in a token: claims (RFC 7519, section 4) → the payload's bytes, and back.

use counterfoil::{
    Alphabet, Audience, Expiry, MissingScope, Owner, Restrictions, Scope, Scopes, Timestamp,
    token::{Draft, InvalidDraft},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The selector of a token, in characters of base62: 130 bits.
pub(crate) const SELECTOR_LEN: usize = 22;

/// The secret of a token, in characters of base62: 190 bits.
pub(crate) const SECRET_LEN: usize = 32;

/// How many bytes a payload begins with that may be shown: `{"jti":"` and the selector. A multiple of three, so that
/// they are whole characters of base64.
pub(crate) const PUBLIC_LEN: usize = 30;

/// The payload as it is written. The order of the fields is the order in the token: what may be shown stands first.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payload<'a> {
    pub(crate) jti: &'a str,
    pub(crate) iss: String,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    networks: Option<Vec<String>>,
    /// Borrowed from the draft or from the payload, which are wiped.
    sec: &'a str,
}

impl<'a> Payload<'a> {
    pub(crate) fn of(draft: &Draft<'a>, issuer: &str) -> Result<Self, InvalidDraft> {
        if let Some(name) = draft.restrictions.unknown().first() {
            return Err(InvalidDraft::Other(format!("this build does not know restriction `{name}`")));
        }
        let networks: Vec<_> = draft.restrictions.networks().iter().map(ToString::to_string).collect();
        Ok(Self {
            jti: draft.selector,
            iss: issuer.to_owned(),
            sub: draft.owner.subject().as_str().to_owned(),
            tenant: draft.owner.tenant().map(|tenant| tenant.as_str().to_owned()),
            aud: draft.restrictions.audience().map(|audience| audience.as_str().to_owned()),
            iat: seconds(draft.created_at),
            exp: draft.expires_at.map(seconds),
            scope: (!draft.scopes.is_empty()).then(|| draft.scopes.to_string()),
            networks: (!networks.is_empty()).then_some(networks),
            sec: draft.secret,
        })
    }

    /// The one way in which it is written.
    pub(crate) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let texts = [&self.tenant, &self.aud, &self.scope].into_iter().flatten().chain([&self.iss, &self.sub]);
        let networks = self.networks.iter().flatten();
        // A text may hold nothing but quotes, which are escaped: one that outgrows its room leaves an unwiped copy behind.
        let room =
            256 + texts.map(|text| 2 * text.len()).sum::<usize>() + networks.map(|net| net.len() + 3).sum::<usize>();
        let mut json = Zeroizing::new(Vec::with_capacity(room));
        // INVARIANT: texts and numbers can always be written, and memory takes them.
        let _ = serde_json::to_writer(&mut *json, self);
        json
    }

    /// Reads what [`to_json`](Self::to_json) has written, and nothing else: members in another order, unknown, given
    /// twice, or spelled in another way are refused.
    pub(crate) fn from_json(json: &'a [u8]) -> Option<Self> {
        let payload: Self = serde_json::from_slice(json).ok()?;
        let is_drawn =
            |text: &str, width| text.len() == width && text.bytes().all(|byte| Alphabet::Base62.contains(byte));
        let is_written = is_drawn(payload.jti, SELECTOR_LEN) && is_drawn(payload.sec, SECRET_LEN);
        (is_written && *payload.to_json() == json).then_some(payload)
    }
}

/// Rounded down, so that nobody takes a token for longer than it is good.
const fn seconds(at: Timestamp) -> i64 {
    at.unix_millis().div_euclid(1000)
}

/// What a token says of itself, once its signature, issuer, end, audience and network were found right: what
/// [`OfflineVerifier::verify`](crate::OfflineVerifier::verify) returns, and nothing else makes.
///
/// It is no [`Verified`](counterfoil::Verified): the token may have been revoked, narrowed, blocked, suspended or given
/// an earlier end since it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// The token's own id (`jti`): another one after every rotation.
    pub id: String,
    /// On whose behalf the token acts (`sub`, and `tenant` where there is one).
    pub owner: Owner,
    /// What the bearer may do (`scope`).
    pub scopes: Scopes,
    /// Where the token may be used, and for whom it is meant (`networks`, `aud`).
    pub restrictions: Restrictions,
    /// When it was signed (`iat`), in whole seconds.
    pub issued_at: Timestamp,
    /// When it ends (`exp`), in whole seconds.
    pub expiry: Expiry,
}

impl Claims {
    /// Demands a scope.
    ///
    /// # Errors
    ///
    /// [`MissingScope`] unless the token holds it.
    pub fn require(&self, scope: &Scope) -> Result<(), MissingScope> {
        if self.scopes.allow(scope) { Ok(()) } else { Err(MissingScope { scope: scope.clone() }) }
    }

    /// `None` if a claim is none of its kind.
    pub(crate) fn of(payload: &Payload<'_>) -> Option<Self> {
        let moment = |seconds: i64| Timestamp::from_unix_millis(seconds.checked_mul(1000)?).ok();
        let mut restrictions = Restrictions::none();
        for network in payload.networks.iter().flatten() {
            restrictions.add_network(network.parse().ok()?).ok()?;
        }
        if let Some(audience) = &payload.aud {
            restrictions.set_audience(Audience::new(audience).ok()?);
        }
        let owner = match &payload.tenant {
            Some(tenant) => Owner::in_tenant(tenant, &payload.sub),
            None => Owner::new(&payload.sub),
        };
        Some(Self {
            id: payload.jti.to_owned(),
            owner: owner.ok()?,
            scopes: payload.scope.as_deref().unwrap_or_default().parse().ok()?,
            restrictions,
            issued_at: moment(payload.iat)?,
            expiry: match payload.exp {
                Some(exp) => Expiry::At(moment(exp)?),
                None => Expiry::Never,
            },
        })
    }
}
