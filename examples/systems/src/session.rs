//! Who is signed in: a cookie that stands for a person. A real service keeps its sessions in its database.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, StatusCode, header::COOKIE, request::Parts},
};
use counterfoil::{Actor, Owner, Record};
use counterfoil_axum::{
    management::{ApiError, Declined, Operation, PathParams, Session},
    page::PageSession,
};

use crate::host::Error;

/// The people who are signed in, by the value of the cookie `session`.
pub struct Sessions<U>(Arc<Mutex<HashMap<String, U>>>);

/// Without the cookies.
impl<U> fmt::Debug for Sessions<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(..)")
    }
}

impl<U> Default for Sessions<U> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<U> Clone for Sessions<U> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<U: Clone> Sessions<U> {
    /// Signs somebody in: the cookie's value, which can stand in an address as it is.
    ///
    /// # Errors
    ///
    /// The system gives no randomness.
    pub fn sign_in(&self, user: U) -> Result<String, Error> {
        let drawn = counterfoil::draw_server_key()?;
        let session = drawn.trim_end_matches('=').replace('+', "-").replace('/', "_");
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(session.clone(), user);
        Ok(session)
    }

    /// The cookie of a request with these headers, and who sends it.
    pub fn of<'a>(&self, headers: &'a HeaderMap) -> Option<(&'a str, U)> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let session =
            cookies.flat_map(|cookies| cookies.split("; ")).find_map(|cookie| cookie.strip_prefix("session="))?;
        let user = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(session).cloned()?;
        Some((session, user))
    }
}

/// The answer to somebody who is not signed in.
pub fn not_signed_in() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "sign in first")
}

/// Somebody who is signed in and manages tokens of their own.
#[derive(Clone)]
pub struct Person {
    /// Who.
    pub owner: Owner,
    cookie: String,
}

/// Without the cookie.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({:?})", self.owner)
    }
}

impl Person {
    /// Who sends a request with these headers.
    ///
    /// # Errors
    ///
    /// [`not_signed_in`].
    pub fn of(sessions: &Sessions<Owner>, headers: &HeaderMap) -> Result<Self, ApiError> {
        let (cookie, owner) = sessions.of(headers).ok_or_else(not_signed_in)?;
        Ok(Self { owner, cookie: cookie.to_owned() })
    }
}

impl<S: Sync> FromRequestParts<S> for Person
where
    Sessions<Owner>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Self::of(&Sessions::from_ref(state), &parts.headers)
    }
}

impl Session for Person {
    fn actor(&self) -> Option<Actor> {
        Actor::new(self.owner.subject().as_str()).ok()
    }

    async fn owner(&self, _: Operation, _: &PathParams) -> Result<Owner, Declined> {
        Ok(self.owner.clone())
    }

    async fn may(&self, _: Operation, token: &Record, _: &PathParams) -> Result<(), Declined> {
        if *token.owner() == self.owner { Ok(()) } else { Err(Declined::NotFound) }
    }
}

impl PageSession for Person {
    fn form_secret(&self) -> impl AsRef<[u8]> {
        &self.cookie
    }
}
