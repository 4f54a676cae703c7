//! Who manages tokens: the host's session.

use std::future::Future;

use axum::extract::RawPathParams;
use counterfoil::{Actor, Grant, Owner, Record, policy::Refusal, store::Filter};

use super::Operation;

/// The host's session, as an extractor: the only way into the management API.
///
/// It says who acts, and what this session may do to whose tokens. Nothing is allowed by silence: the two questions have
/// no default answer.
///
/// ```
/// use axum::{extract::FromRequestParts, http::{StatusCode, request::Parts}};
/// use counterfoil::{Actor, Owner, Record};
/// use counterfoil_axum::management::{Declined, Operation, PathParams, Session};
///
/// struct User(Owner);
///
/// impl<S: Sync> FromRequestParts<S> for User {
///     type Rejection = StatusCode;
///
///     async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
///         // A session cookie would be looked up here.
///         let name = parts.headers.get("x-demo-user").and_then(|name| name.to_str().ok());
///         let owner = name.and_then(|name| Owner::new(name).ok());
///         owner.map(Self).ok_or(StatusCode::UNAUTHORIZED)
///     }
/// }
///
/// impl Session for User {
///     fn actor(&self) -> Option<Actor> {
///         Actor::new(self.0.subject().as_str()).ok()
///     }
///     async fn owner(&self, _: Operation, _: &PathParams) -> Result<Owner, Declined> {
///         Ok(self.0.clone())
///     }
///     async fn may(&self, _: Operation, token: &Record, _: &PathParams) -> Result<(), Declined> {
///         if *token.owner() == self.0 { Ok(()) } else { Err(Declined::NotFound) }
///     }
/// }
/// ```
pub trait Session: Send + Sync + 'static {
    /// Who acts: noted with every change.
    fn actor(&self) -> Option<Actor>;

    /// Whose tokens are meant: of whom a list is asked for, or for whom a token is to be made.
    ///
    /// # Errors
    ///
    /// [`Declined`], if this session may not do that for them.
    fn owner(&self, operation: Operation, path: &PathParams) -> impl Future<Output = Result<Owner, Declined>> + Send;

    /// Whether this session may do this to this token, which the path names.
    ///
    /// A new end is held against the registry's [`Lifetimes`](counterfoil::policy::Lifetimes) and its limit beside this, and
    /// no policy is asked: a rule on how long a token may live belongs there.
    ///
    /// # Errors
    ///
    /// [`Declined`]; a token that is none of the session's is [`NotFound`](Declined::NotFound), so that nobody learns of it.
    fn may(
        &self,
        operation: Operation,
        token: &Record,
        path: &PathParams,
    ) -> impl Future<Output = Result<(), Declined>> + Send;

    /// Which tokens a list is about: those of the [owner](Self::owner), unless the host lets a session see more, such as
    /// an administrator all of a tenant. Status and use are set by the request.
    ///
    /// # Errors
    ///
    /// [`Declined`].
    fn listed(&self, path: &PathParams) -> impl Future<Output = Result<Filter, Declined>> + Send {
        async { Ok(Filter::owner(self.owner(Operation::List, path).await?)) }
    }

    /// The grant that a request to create comes to: for what the host adds by itself, such as a routing segment or
    /// metadata of its own. What it changes is held against the registry's rules as well.
    ///
    /// # Errors
    ///
    /// [`Declined`].
    fn grant(&self, grant: Grant) -> impl Future<Output = Result<Grant, Declined>> + Send {
        async { Ok(grant) }
    }
}

/// A session's no.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Declined {
    /// There is no such thing as far as this session can see: 404.
    NotFound,
    /// It may not, in the host's own words: 403.
    Refused(Refusal),
    /// It cannot be said now: 503.
    Unavailable,
}

impl From<Refusal> for Declined {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The parameters of a request's path, decoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathParams(Vec<(String, String)>);

impl PathParams {
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl PathParams {
    pub(crate) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, value)| value.as_str())
    }
}

impl From<&RawPathParams> for PathParams {
    fn from(params: &RawPathParams) -> Self {
        Self(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for PathParams {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(params: I) -> Self {
        Self(params.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
