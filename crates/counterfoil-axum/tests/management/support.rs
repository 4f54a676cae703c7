//! A management API with hands to hold it by, and the users who have a session there.

use axum::{
    Router,
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use counterfoil::{
    Actor, FixedClock, Keyring, MemoryStore, Owner, Record, Registry, Timestamp, TokenFormat, TokenStore,
    policy::Refusal,
    registry::{RegistryBuilder, VerifyError},
    store::IdempotencyStore,
};
use counterfoil_axum::management::{ApiError, Declined, Management, Operation, PathParams, Session};
use counterfoil_sqlx::SqliteStore;
use serde_json::{Value, json};

use crate::{
    ask::{Ask, Reply, get, id_of, post, send},
    schema::Document,
};

/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000;
pub(crate) const DAY: i64 = 86_400_000;

pub(crate) fn at(millis_after_start: i64) -> Timestamp {
    Timestamp::from_unix_millis(START + millis_after_start).unwrap()
}

/// Whoever the header `x-user` says, in the mood that `x-mood` says.
pub(crate) struct User {
    name: String,
    mood: Option<Declined>,
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let unsigned = || ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "sign in first");
        let name = header("x-user").ok_or_else(unsigned)?.to_owned();
        let mood = header("x-mood").map(|mood| match mood {
            "refused" => Refusal::new("closed", "the account is closed").link("https://example.com/closed").into(),
            "not_found" => Declined::NotFound,
            _ => Declined::Unavailable,
        });
        Ok(Self { name, mood })
    }
}

impl Session for User {
    fn actor(&self) -> Option<Actor> {
        Some(Actor::new(format!("session:{}", self.name)).unwrap())
    }

    async fn owner(&self, _: Operation, _: &PathParams) -> Result<Owner, Declined> {
        self.mood.clone().map_or_else(|| Ok(Owner::new(&self.name).unwrap()), Err)
    }

    async fn may(&self, _: Operation, token: &Record, _: &PathParams) -> Result<(), Declined> {
        match &self.mood {
            Some(mood) => Err(mood.clone()),
            None if token.owner().subject().as_str() == self.name => Ok(()),
            None => Err(Declined::NotFound),
        }
    }
}

pub(crate) trait Store: TokenStore + IdempotencyStore + Clone {}
impl<S: TokenStore + IdempotencyStore + Clone> Store for S {}

#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) app: Router,
    pub(crate) registry: Registry,
    pub(crate) clock: FixedClock,
    document: Document,
}

pub(crate) fn builder(store: impl TokenStore, clock: &FixedClock) -> RegistryBuilder {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    Registry::builder(TokenFormat::builder("acme").build().unwrap(), keyring, store)
        .client_addresses_known()
        .clock(clock.clone())
}

impl Rig {
    pub(crate) fn new(
        store: impl Store,
        build: impl FnOnce(RegistryBuilder) -> RegistryBuilder,
        set_up: impl FnOnce(Management) -> Management,
    ) -> Self {
        let clock = FixedClock::new(at(0));
        let registry = build(builder(store.clone(), &clock)).build().unwrap();
        let management = set_up(Management::new(registry.clone()).idempotency(store));
        let document = Document::of(&management);
        Self { app: management.router::<User, ()>().unwrap(), registry, clock, document }
    }

    pub(crate) fn plain() -> Self {
        Self::new(MemoryStore::new(), |builder| builder, |management| management)
    }

    /// One over each kind of store.
    pub(crate) async fn each() -> [Self; 2] {
        Self::each_with(|builder| builder, |management| management).await
    }

    pub(crate) async fn each_with(
        build: impl Fn(RegistryBuilder) -> RegistryBuilder,
        set_up: impl Fn(Management) -> Management,
    ) -> [Self; 2] {
        let sqlite = SqliteStore::in_memory().await.unwrap();
        [Self::new(MemoryStore::new(), &build, &set_up), Self::new(sqlite, build, set_up)]
    }

    /// The reply, which the document must know.
    pub(crate) async fn send(&self, ask: Ask) -> Reply {
        let (method, path) = (ask.method, ask.path.clone());
        let reply = send(&self.app, ask).await;
        self.document.check(method, &path, &reply);
        let kept = self.document.item(&path).is_some().then_some("no-store");
        assert_eq!(reply.header("cache-control"), kept, "{method} {path}");
        reply
    }

    /// A new token of ann's: the reply to its creation.
    pub(crate) async fn create(&self) -> Value {
        let reply = self.send(post("/tokens", json!({ "name": "CI", "expires_at": START + 90 * DAY }))).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.body
    }

    pub(crate) async fn id(&self) -> String {
        id_of(&self.create().await)
    }

    /// A token as it is stored now.
    pub(crate) async fn now(&self, id: &str) -> Value {
        self.send(get(format!("/tokens/{id}"))).await.body
    }

    /// The number of all tokens, of whomever.
    pub(crate) async fn count(&self) -> usize {
        use counterfoil::store::{Filter, ListQuery};
        self.registry.list(&ListQuery { limit: 1000, ..ListQuery::new(Filter::all()) }).await.unwrap().tokens.len()
    }

    /// `ok`, or why a token's text is refused.
    pub(crate) async fn verdict(&self, text: &Value) -> &'static str {
        match self.registry.verify(text.as_str().unwrap()).await {
            Ok(_) => "ok",
            Err(VerifyError::Denied(denial)) => denial.code(),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn wait(&self, millis_after_start: i64) {
        self.clock.set(at(millis_after_start));
    }
}
