//! Who is signed in to the dashboard: a JWT, which is no personal access token and can do what none of those can.

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use counterfoil::{Actor, Clock, Environment, Grant, Owner, Record, Verified, policy::Refusal};
use counterfoil_axum::management::{ApiError, Declined, Operation, PathParams, Session};
use counterfoil_tower::{Admission, NotAdmitted, SecondVerifier, Transport};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use super::Arcnm;
use crate::{host::Error, session::not_signed_in};

/// Whom an access token is for: this API, and nothing beside it.
pub const AUDIENCE: &str = "/api/v1";

const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// What a session's JWT says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who.
    pub sub: String,
    /// Of which tenant.
    pub tenant: String,
    /// As what.
    pub role: Role,
    /// Whether the address was confirmed.
    pub email_verified: bool,
    /// What the token is good for.
    pub token_use: TokenUse,
    /// For whom it is.
    pub aud: String,
    /// When it ends, in Unix seconds.
    pub exp: i64,
}

/// What somebody is in a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Owns it.
    Owner,
    /// Administers it.
    Admin,
    /// Works in it.
    Member,
}

/// What a session's JWT is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenUse {
    /// Requests.
    Access,
    /// Another access token, and nothing else.
    Refresh,
}

/// Signs and verifies the JWTs of sessions.
#[derive(Clone)]
pub struct SessionTokens(Arc<Keys>);

struct Keys {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    clock: Arc<dyn Clock>,
}

impl SessionTokens {
    /// With a key that is drawn here, so that sessions end with the process.
    ///
    /// # Errors
    ///
    /// The system gives no randomness.
    pub fn new(clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let secret = counterfoil::draw_server_key()?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["aud", "exp"]);
        validation.validate_exp = false; // below, by the service's own clock
        let (signing, verifying) =
            (EncodingKey::from_secret(secret.as_bytes()), DecodingKey::from_secret(secret.as_bytes()));
        Ok(Self(Arc::new(Keys { signing, verifying, validation, clock })))
    }

    /// A token that says this.
    ///
    /// # Errors
    ///
    /// The claims cannot be written.
    pub fn sign(&self, claims: &Claims) -> Result<String, Error> {
        Ok(encode(&Header::default(), claims, &self.0.signing)?)
    }

    /// The claims of an access token for somebody who signs in now, with a confirmed address.
    ///
    /// # Errors
    ///
    /// The clock is not set.
    pub fn claims(&self, tenant: &str, name: &str, role: Role) -> Result<Claims, Error> {
        let end = self.0.clock.now()?.checked_add(LIFETIME)?;
        Ok(Claims {
            sub: name.to_owned(),
            tenant: tenant.to_owned(),
            role,
            email_verified: true,
            token_use: TokenUse::Access,
            aud: AUDIENCE.to_owned(),
            exp: end.unix_millis() / 1000,
        })
    }

    /// Who shows an access token.
    fn verify(&self, text: &str) -> Option<Claims> {
        let claims = decode::<Claims>(text, &self.0.verifying, &self.0.validation).ok()?.claims;
        let now = self.0.clock.now().ok()?.unix_millis() / 1000;
        (claims.token_use == TokenUse::Access && now < claims.exp).then_some(claims)
    }
}

impl fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionTokens(..)")
    }
}

/// The agents' door asks here once a text is no API key.
impl SecondVerifier for SessionTokens {
    async fn admit(&self, text: &str, _: &Parts) -> Result<Admission, NotAdmitted> {
        self.verify(text).map(Admission::with).ok_or(NotAdmitted::Invalid)
    }
}

/// An owner or administrator who is signed in: the only way to the admin plane, and to keys. No API key is ever one.
#[derive(Debug, Clone)]
pub struct Admin(pub Claims);

impl FromRequestParts<Arcnm> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, arcnm: &Arcnm) -> Result<Self, ApiError> {
        if parts.extensions.get::<Verified>().is_some() {
            return Err(ApiError::new(StatusCode::FORBIDDEN, "insufficient_scope", "no API key reaches this: sign in"));
        }
        let text = Transport::bearer().credential(&parts.headers).ok().flatten();
        let claims = text.and_then(|text| arcnm.sessions.verify(text)).ok_or_else(not_signed_in)?;
        match claims.role {
            Role::Owner | Role::Admin => Ok(Self(claims)),
            Role::Member => Err(Declined::from(Refusal::new("forbidden", "only owners and admins may do this")).into()),
        }
    }
}

impl Admin {
    /// A new secret is given to those alone whose address is confirmed.
    fn may_see_a_secret(&self) -> Result<(), Declined> {
        if self.0.email_verified {
            return Ok(());
        }
        Err(Refusal::new("email_not_verified", "verify your email address first").into())
    }
}

impl Session for Admin {
    fn actor(&self) -> Option<Actor> {
        Actor::new(&self.0.sub).ok()
    }

    /// Keys are the tenant's, whoever of its owners and admins has made them.
    async fn owner(&self, operation: Operation, _: &PathParams) -> Result<Owner, Declined> {
        if operation == Operation::Create {
            self.may_see_a_secret()?;
        }
        Owner::new(&self.0.tenant).map_err(|_| Declined::NotFound)
    }

    async fn may(&self, operation: Operation, key: &Record, _: &PathParams) -> Result<(), Declined> {
        if key.owner().subject().as_str() != self.0.tenant {
            return Err(Declined::NotFound);
        }
        if operation == Operation::Rotate { self.may_see_a_secret() } else { Ok(()) }
    }

    /// A key is for live traffic unless the request says otherwise.
    async fn grant(&self, grant: Grant) -> Result<Grant, Declined> {
        if grant.environment.is_some() {
            return Ok(grant);
        }
        let live = Environment::new("live").map_err(|_| Declined::Unavailable)?;
        Ok(grant.environment(live))
    }
}
