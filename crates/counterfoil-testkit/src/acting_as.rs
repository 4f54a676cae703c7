//! A layer that lets every request in as one token, for tests of handlers.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use counterfoil::{Grant, Keyring, MemoryStore, Registry, TokenFormat, draw_server_key};
use counterfoil_tower::{ClientAddress, Gate, TokenLayer, TokenService, Transport};
use http::{HeaderValue, Request, header::AUTHORIZATION};
use tower_layer::Layer;
use tower_service::Service;

use crate::records::must;

/// Returns a layer that lets every request in as a token of this grant, wherever its restrictions allow it.
///
/// The token is issued by a registry of its own and presented with every request, so extractors, required scopes and
/// routes for the token itself work as behind a real door.
///
/// ```
/// use axum::{Router, routing::get};
/// use counterfoil::{Grant, Lifetime, Owner};
///
/// let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(90)).scopes("parts:read".parse()?);
/// let app: Router = Router::new().route("/parts", get(async || "bolts")).layer(counterfoil_testkit::acting_as(grant));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// If the grant cannot be issued.
#[track_caller]
pub fn acting_as(grant: Grant) -> ActingAs {
    let mut format = TokenFormat::builder("test");
    if let Some(environment) = &grant.environment {
        format = format.environments([environment.as_str()]);
    }
    if let Some(routing) = &grant.routing {
        format = format.routing(routing.len(), routing.len());
    }
    let keyring: Keyring = must(format!("test:{}:mint", must(draw_server_key())).parse());
    let mut builder = Registry::builder(must(format.build()), keyring, MemoryStore::new());
    if let Some(environment) = &grant.environment {
        builder = builder.serving([environment.clone()]);
    }
    if let Some(audience) = grant.restrictions.audience() {
        builder = builder.audience(audience.clone());
    }
    // The first address of the first network.
    let address = grant.restrictions.networks().first().and_then(|network| {
        let text = network.to_string();
        text.split('/').next()?.parse().ok()
    });
    let registry = must(builder.build());
    // A store in memory answers at once, so the future is ready when it is polled first.
    let mut issuing = pin!(registry.issue(grant));
    let Poll::Ready(issued) = issuing.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("a store in memory did not answer at once")
    };
    let mut bearer = must(HeaderValue::try_from(format!("Bearer {}", must(issued).token.expose())));
    bearer.set_sensitive(true);
    let gate =
        Gate::new(registry.clone(), Transport::bearer()).client_address(ClientAddress::from_fn(move |_| address));
    ActingAs { bearer, layer: TokenLayer::new(gate) }
}

/// Lets every request in as one token. See [`acting_as`].
#[derive(Debug, Clone)]
pub struct ActingAs {
    bearer: HeaderValue,
    layer: TokenLayer,
}

impl<S> Layer<S> for ActingAs {
    type Service = ActingAsService<TokenService<S>>;

    fn layer(&self, inner: S) -> Self::Service {
        ActingAsService { bearer: self.bearer.clone(), inner: self.layer.layer(inner) }
    }
}

/// A service behind [`ActingAs`].
#[derive(Debug, Clone)]
pub struct ActingAsService<S> {
    bearer: HeaderValue,
    inner: S,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for ActingAsService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        request.headers_mut().insert(AUTHORIZATION, self.bearer.clone());
        self.inner.call(request)
    }
}
