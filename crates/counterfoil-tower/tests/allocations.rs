//! A request through the layer → how many allocations it adds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    convert::Infallible,
    future::ready,
    task::{Context, Poll, Waker},
};

use counterfoil::{Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat};
use counterfoil_tower::{Attempt, AttemptLimiter, Gate, Later, TokenLayer, Transport};
use http::{HeaderName, HeaderValue, Request, Response, header::CONTENT_TYPE};
use tower_layer::Layer;
use tower_service::Service;

/// Answers with one header, as services do. Where there is none, the door's headers are the first, and the map's two
/// allocations would be counted as the door's.
#[derive(Clone)]
struct Typed;

impl Service<Request<()>> for Typed {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let mut response = Response::new(String::new());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        ready(Ok(response))
    }
}

struct Patient;

impl AttemptLimiter for Patient {
    fn may_try(&self, _: &Attempt) -> Result<(), Later> {
        Ok(())
    }
    fn failed(&self, _: &Attempt) {}
}

#[test]
fn a_good_token_costs_few_allocations_and_a_made_up_one_fewer() {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let garbage = format.fake().unwrap();
    let registry = Registry::builder(format, keyring, MemoryStore::new()).build().unwrap();
    let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90));
    let token = pollster::block_on(registry.issue(grant)).unwrap().token;
    let gate = Gate::new(registry.clone(), Transport::bearer());
    let limited = gate.clone().attempt_limiter(Patient);
    let named = Gate::new(registry, Transport::either(HeaderName::from_static("x-api-key")));
    let answered = allocation_counter::measure(|| drop(Typed.call(Request::new(()))));

    for (gate, text, status, most) in [
        (&named, token.expose(), 200, 6),
        (&gate, token.expose(), 200, 6),
        (&gate, &*garbage, 401, 10),
        (&limited, token.expose(), 200, 6),
        (&limited, &*garbage, 401, 10),
    ] {
        let mut service = TokenLayer::new(gate.clone()).layer(Typed);
        let request = || {
            let request = Request::builder().header("user-agent", "curl/8.17.0");
            request.header("authorization", format!("Bearer {text}")).body(()).unwrap()
        };
        // The first request notes the token's use.
        assert_eq!(pollster::block_on(service.call(request())).unwrap().status(), status);
        let prepared = request();
        // A store in memory answers at once, so the future needs no executor, which would allocate too.
        let mut context = Context::from_waker(Waker::noop());
        let made = allocation_counter::measure(|| {
            assert!(service.call(prepared).as_mut().poll(&mut context).is_ready());
        });
        let made = made.count_total - if status == 200 { answered.count_total } else { 0 };
        assert!(made <= most, "{status}: {made} allocations");
    }
}

#[test]
fn the_future_of_an_admission_is_small() {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let registry =
        Registry::builder(TokenFormat::builder("acme").build().unwrap(), keyring, MemoryStore::new()).build().unwrap();
    let gate = Gate::new(registry, Transport::bearer());
    let (mut parts, ()) = Request::new(()).into_parts();
    // With the request's head beside it, it must stay within what common allocators hand out fast, about a kilobyte.
    let size = size_of_val(&gate.admit(&mut parts));
    assert!(size <= 850, "{size} bytes");
}
