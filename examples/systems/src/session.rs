//! Who is signed in: a cookie that stands for a person. A real service keeps its sessions in its database.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, StatusCode, header::COOKIE, request::Parts},
};
use counterfoil::{Actor, Owner, Record};
use counterfoil_axum::management::{ApiError, Declined, Operation, PathParams, Session};

use crate::host::Error;

/// The people who are signed in, by the value of the cookie `session`.
#[derive(Debug)]
pub struct Sessions<U>(Arc<Mutex<HashMap<String, U>>>);

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
    /// Signs somebody in: the cookie's value.
    ///
    /// # Errors
    ///
    /// The system gives no randomness.
    pub fn sign_in(&self, user: U) -> Result<String, Error> {
        let session = counterfoil::draw_server_key()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(session.clone(), user);
        Ok(session)
    }

    /// Who sends a request with these headers.
    pub fn of(&self, headers: &HeaderMap) -> Option<U> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let session =
            cookies.flat_map(|cookies| cookies.split("; ")).find_map(|cookie| cookie.strip_prefix("session="))?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(session).cloned()
    }
}

/// The answer to somebody who is not signed in.
pub fn not_signed_in() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "sign in first")
}

/// Somebody who is signed in and manages tokens of their own.
#[derive(Debug, Clone)]
pub struct Person(pub Owner);

impl<S: Sync> FromRequestParts<S> for Person
where
    Sessions<Owner>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Sessions::from_ref(state).of(&parts.headers).map(Self).ok_or_else(not_signed_in)
    }
}

impl Session for Person {
    fn actor(&self) -> Option<Actor> {
        Actor::new(self.0.subject().as_str()).ok()
    }

    async fn owner(&self, _: Operation, _: &PathParams) -> Result<Owner, Declined> {
        Ok(self.0.clone())
    }

    async fn may(&self, _: Operation, token: &Record, _: &PathParams) -> Result<(), Declined> {
        if *token.owner() == self.0 { Ok(()) } else { Err(Declined::NotFound) }
    }
}
