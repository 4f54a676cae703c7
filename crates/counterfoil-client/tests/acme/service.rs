//! A service on a socket: registry, door and self-service route, as a host would have them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    extract::Request,
    http::HeaderName,
    middleware::{Next, from_fn},
};
use counterfoil::{
    By, Caller, Grant, Keyring, Lifetime, MemoryStore, Owner, Policy, Record, Registry, Timestamp, Token, TokenFormat,
    Verified,
    policy::{Approval, Assent, Objection},
};
use counterfoil_axum::self_service;
use counterfoil_tower::{Gate, TokenLayer, Transport};
use tokio::{net::TcpListener, runtime::Runtime};

/// Until when the tokens here are good.
pub(crate) const END: &str = "2100-01-01T00:00:00Z";

pub(crate) struct Service {
    runtime: Runtime,
    registry: Registry,
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Service {
    pub(crate) fn new() -> Self {
        Self::of(Transport::bearer(), AtUse(|| Ok(())))
    }

    pub(crate) fn with_header(name: &'static str) -> Self {
        Self::of(Transport::header(HeaderName::from_static(name)), AtUse(|| Ok(())))
    }

    /// A service whose policy objects at use.
    pub(crate) fn that_objects(objection: fn() -> Result<(), Objection>) -> Self {
        Self::of(Transport::bearer(), AtUse(objection))
    }

    fn of(transport: Transport, policy: AtUse) -> Self {
        let runtime = Runtime::new().unwrap();
        let key = counterfoil::draw_server_key().unwrap();
        let keyring: Keyring = format!("test:{key}:mint").parse().unwrap();
        let format = TokenFormat::builder("acme").build().unwrap();
        let registry = Registry::builder(format, keyring, MemoryStore::new()).policy(policy).build().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let counting = from_fn(move |request: Request, next: Next| {
            count.fetch_add(1, Ordering::SeqCst);
            next.run(request)
        });
        let gate = Gate::new(registry.clone(), transport);
        let app = Router::new().nest("/token", self_service()).layer(TokenLayer::new(gate)).layer(counting);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async { axum::serve(listener, app).await });
        Self { runtime, registry, address, asked }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests have come.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn issue(&self, name: &str) -> Token {
        let end = Timestamp::from_unix_millis(4_102_444_800_000).unwrap();
        let grant = Grant::new(Owner::new("ada").unwrap(), Lifetime::Until(end))
            .name(name.parse().unwrap())
            .scopes("parts:read parts:write".parse().unwrap());
        self.runtime.block_on(self.registry.issue(grant)).unwrap().token
    }

    pub(crate) fn revoke(&self, token: &Token) {
        let caller = Caller::default();
        let revoking = self.registry.revoke_presented(token.expose(), By::unknown(), &caller);
        self.runtime.block_on(revoking).unwrap();
    }
}

/// The host's say at use alone.
#[derive(Debug)]
struct AtUse(fn() -> Result<(), Objection>);

impl Policy for AtUse {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        self.0().map(|()| Assent::plain())
    }
    async fn at_issue(&self, _: &Grant) -> Result<Approval, Objection> {
        Ok(Approval::plain())
    }
    async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> {
        Ok(())
    }
}
