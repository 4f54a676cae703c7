//! The door before a Tower service.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use counterfoil::Verified;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::gate::Gate;

/// Puts a [`Gate`] before a service.
///
/// Behind it a handler finds in the request's extensions the proof, a [`Verified`], and the door itself, an `Arc<Gate>`, so
/// that what it asks for beyond the door's own demands is refused in the same words.
///
/// # CORS
///
/// A preflight request (`OPTIONS`) carries no token, so the CORS layer must answer it before this layer sees it. In axum,
/// the layer that is added last comes first:
///
/// ```text
/// Router::new().route("/parts", get(parts)).layer(TokenLayer::new(gate)).layer(CorsLayer::new()...)
/// ```
///
/// Allow the header that the door reads, such as `Authorization`. Then responses that refuse a token have the CORS headers
/// too, and scripts can read `WWW-Authenticate`, which the door exposes. Where the order cannot be changed, there is
/// [`Gate::pass_preflights`].
///
/// # Connections that outlive a request
///
/// A token is verified once, when a WebSocket or a stream is opened. A revocation does not close it.
/// [`Registry::wait_for_end`](counterfoil::Registry::wait_for_end) returns when the token is no longer good.
///
/// The service's response body must be made from a `String`, as those of axum and of `http-body-util` are.
///
/// ```
/// use axum::{Extension, Router, routing::get};
/// use counterfoil::{Registry, Verified};
/// use counterfoil_tower::{Gate, TokenLayer, Transport};
///
/// async fn whoami(Extension(verified): Extension<Verified>) -> String {
///     verified.record().owner().subject().to_string()
/// }
///
/// fn app(registry: Registry) -> Router {
///     Router::new().route("/whoami", get(whoami)).layer(TokenLayer::new(Gate::new(registry, Transport::bearer())))
/// }
/// ```
#[derive(Debug, Clone)]
pub struct TokenLayer(Arc<Gate>);

impl TokenLayer {
    /// A layer with this door.
    pub fn new(gate: Gate) -> Self {
        Self(Arc::new(gate))
    }
}

impl<S> Layer<S> for TokenLayer {
    type Service = TokenService<S>;

    fn layer(&self, inner: S) -> TokenService<S> {
        TokenService { gate: Arc::clone(&self.0), inner }
    }
}

/// A service behind a [`Gate`].
#[derive(Debug, Clone)]
pub struct TokenService<S> {
    gate: Arc<Gate>,
    inner: S,
}

impl<S, B, R> Service<Request<B>> for TokenService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready goes along; its clone may not be.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let gate = Arc::clone(&self.gate);
        // Out here, so that the future holds the request once, not whole and in parts.
        let (mut parts, body) = request.into_parts();
        Box::pin(async move {
            if let Some(response) = gate.answer_openly(&parts) {
                return Ok(response);
            }
            let is_presented = gate.is_credential_presented(&parts.headers);
            if let Err(answer) = gate.admit(&mut parts).await {
                return Ok(gate.refuse(&answer));
            }
            // The proof is copied only where the response tells of it.
            let verified = if gate.tells_expiry() { parts.extensions.get::<Verified>().cloned() } else { None };
            parts.extensions.insert(Arc::clone(&gate));
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            gate.mark(&mut response, is_presented, verified.as_ref());
            Ok(response)
        })
    }
}
