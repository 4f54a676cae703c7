//! Scopes that a route or a handler asks for.

use std::{
    convert::Infallible,
    future::Future,
    marker::PhantomData,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    extract::{FromRequestParts, Request},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use counterfoil::{Scope, Verified};
use tower_layer::Layer;
use tower_service::Service;

use crate::proof::{NotLetIn, proof_with};

/// Lets requests through whose token holds a scope: for one route or for many, behind the door.
#[derive(Debug, Clone)]
pub struct RequireScope(Scope);

impl RequireScope {
    /// Asks for this scope.
    pub const fn new(scope: Scope) -> Self {
        Self(scope)
    }
}

impl<S> Layer<S> for RequireScope {
    type Service = RequireScopeService<S>;

    fn layer(&self, inner: S) -> RequireScopeService<S> {
        RequireScopeService { scope: self.0.clone(), inner }
    }
}

/// A service behind [`RequireScope`].
#[derive(Debug, Clone)]
pub struct RequireScopeService<S> {
    scope: Scope,
    inner: S,
}

impl<S> Service<Request> for RequireScopeService<S>
where
    S: Service<Request, Error = Infallible>,
    S::Response: IntoResponse,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (parts, body) = request.into_parts();
        if let Err(refused) = proof_with(&parts, &self.scope) {
            return Box::pin(std::future::ready(Ok(refused.into_response())));
        }
        let reply = self.inner.call(Request::from_parts(parts, body));
        Box::pin(async move { reply.await.map(IntoResponse::into_response) })
    }
}

/// A scope with a type of its own, for [`Scoped`].
pub trait Named: Send + Sync + 'static {
    /// The scope as it is written. A text that is no scope answers every request with 500: no test passes by it.
    const SCOPE: &'static str;
}

/// The proof of a good token that holds the scope `N`: what a handler needs stands in its arguments.
///
/// ```
/// use counterfoil_axum::{Named, Scoped};
///
/// struct PartsWrite;
///
/// impl Named for PartsWrite {
///     const SCOPE: &'static str = "parts:write";
/// }
///
/// async fn add_part(proof: Scoped<PartsWrite>) -> String {
///     format!("added by {}", proof.record().id())
/// }
/// # let _ = axum::Router::<()>::new().route("/", axum::routing::post(add_part));
/// ```
pub struct Scoped<N> {
    verified: Verified,
    named: PhantomData<fn() -> N>,
}

impl<N> Scoped<N> {
    /// The proof without the scope's name.
    pub fn into_inner(self) -> Verified {
        self.verified
    }
}

impl<N> Deref for Scoped<N> {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.verified
    }
}

impl<N: Named> std::fmt::Debug for Scoped<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scoped({:?}, {})", self.verified, N::SCOPE)
    }
}

impl<S: Sync, N: Named> FromRequestParts<S> for Scoped<N> {
    type Rejection = NotLetIn;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotLetIn> {
        let scope = N::SCOPE.parse().map_err(|_| NotLetIn::no_scope(N::SCOPE))?;
        Ok(Self { verified: proof_with(parts, &scope)?, named: PhantomData })
    }
}
