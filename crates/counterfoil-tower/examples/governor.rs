//! A whole service that lets nobody fail for long: failed attempts are limited by address, with the crate `governor`.
//!
//! `cargo run -p counterfoil-tower --example governor`

#![allow(clippy::print_stdout, reason = "an example that is looked at")]

use std::{
    collections::HashMap,
    error::Error,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::extract::connect_info::{ConnectInfo, IntoMakeServiceWithConnectInfo};
use axum::{Extension, Router, http::request::Parts, routing::get};
use counterfoil::{Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat, Verified};
use counterfoil_tower::{Attempt, AttemptLimiter, ClientAddress, Gate, Later, TokenLayer, Transport};
use governor::{DefaultKeyedRateLimiter, Quota, clock::Clock as _, middleware::StateInformationMiddleware};

/// So many failures at once, and one more every twelve seconds.
pub(crate) const FAILURES: NonZeroU32 = NonZeroU32::new(5).unwrap();

/// Who has failed too often, by network: an IPv4 address, or the 64 bits of an IPv6 address that its owner does not
/// choose at will.
///
/// While a network has to wait, its good tokens wait too: a guesser there must not see which guess was right. Where no
/// address is known nobody waits: else a stranger could make everybody wait.
///
/// It counts in this process: behind several nodes a stranger has as many times the failures.
#[derive(Clone)]
pub(crate) struct Failures {
    // `governor` counts whatever it is asked about, so it is asked about failures alone, and its answer is kept here.
    rate: Arc<DefaultKeyedRateLimiter<IpAddr, StateInformationMiddleware>>,
    waiting: Arc<Mutex<HashMap<IpAddr, Instant>>>,
}

impl Failures {
    pub(crate) fn none() -> Self {
        let rate = DefaultKeyedRateLimiter::keyed(Quota::per_minute(FAILURES)).with_middleware();
        Self { rate: Arc::new(rate), waiting: Arc::default() }
    }

    fn waiting<T>(&self, step: impl FnOnce(&mut HashMap<IpAddr, Instant>) -> T) -> T {
        step(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets networks that are as good as new: call it now and then, since each network that fails is remembered.
    fn forget(&self) {
        self.rate.retain_recent();
        self.waiting(|waiting| waiting.retain(|_, until| *until > Instant::now()));
    }
}

impl AttemptLimiter for Failures {
    fn may_try(&self, attempt: &Attempt) -> Result<(), Later> {
        let until = attempt.address.and_then(|address| self.waiting(|waiting| waiting.get(&network(address)).copied()));
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            None | Some(Duration::ZERO) => Ok(()),
            Some(wait) => Err(Later::new("too_many_attempts", "too many bad tokens came from your address", wait)),
        }
    }

    fn failed(&self, attempt: &Attempt) {
        let Some(network) = attempt.address.map(network) else { return };
        let until = match self.rate.check_key(&network) {
            Ok(room) if room.remaining_burst_capacity() > 0 => return,
            Ok(room) => Instant::now() + room.quota().replenish_interval(),
            // Several were under way when the last room was taken.
            Err(not_until) => Instant::now() + not_until.wait_time_from(self.rate.clock().now()),
        };
        self.waiting(|waiting| waiting.insert(network, until));
    }
}

pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// The other end of the connection. Behind a proxy that is the proxy: take [`ClientAddress::forwarded`] there.
fn peer(request: &Parts) -> Option<IpAddr> {
    request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

async fn whoami(Extension(verified): Extension<Verified>) -> String {
    verified.record().owner().subject().to_string()
}

pub(crate) fn app(registry: Registry, failures: &Failures) -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
    let gate = Gate::new(registry, Transport::bearer())
        .client_address(ClientAddress::from_fn(peer))
        .attempt_limiter(failures.clone());
    Router::new().route("/whoami", get(whoami)).layer(TokenLayer::new(gate)).into_make_service_with_connect_info()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let keyring: Keyring = format!("k1:{}:mint", counterfoil::draw_server_key()?).parse()?;
    let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, MemoryStore::new()).build()?;
    let issued = registry.issue(Grant::new(Owner::new("user-42")?, Lifetime::days(90))).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("good until the service ends, and a bad one for the next run:");
    println!("curl -iH 'Authorization: Bearer {}' http://{}/whoami", issued.token.expose(), listener.local_addr()?);

    let failures = Failures::none();
    let to_forget = failures.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(60)).await;
            to_forget.forget();
        }
    });
    Ok(axum::serve(listener, app(registry, &failures)).await?)
}
