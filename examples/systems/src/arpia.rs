//! ARPIA: personal tokens for command lines and AI agents, beside the collection's own token in the query.

pub mod accounts;
pub mod mcp;
pub mod page;
pub mod profile;
pub mod proxy;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{ConnectInfo, FromRequest, Request},
    http::{StatusCode, request::Parts},
    routing::{any, get, post},
};
use counterfoil::{
    Alphabet, Checksum, Grant, IssuePolicy, Lifetime, Owner, Registry, Scope, ScopeCatalog, TokenFormat, UnknownScopes,
    policy::Lifetimes, scope::InvalidScope,
};
use counterfoil_axum::management::{ApiError, Management, Operation};
use counterfoil_sqlx::SqliteStore;
use counterfoil_tower::{Answer, ClientAddress, Codes, Gate, Kind, Renderer, TokenLayer, Transport};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use self::{
    accounts::{Accounts, Member},
    mcp::Collections,
    profile::Audit,
    proxy::Budget,
};
use crate::{
    host::{Error, Ground, Service},
    session::Sessions,
};

/// The scope "All permitted collections".
pub const ALL_COLLECTIONS: &str = "collections:*";

/// The scope "AI/LLM Proxy Access".
pub const LLM_PROXY: &str = "llm:proxy";

/// The service.
#[derive(Debug, Clone)]
pub struct Arpia {
    registry: Registry,
    store: SqliteStore,
    /// Who has an account, and which collections it may use.
    pub accounts: Accounts,
    /// The collections and their tokens.
    pub collections: Collections,
    /// What each workspace may spend on the proxy.
    pub budget: Budget,
    /// What was done with tokens.
    pub audit: Audit,
    /// Who is signed in.
    pub sessions: Sessions<Owner>,
}

/// `apt_`, the workspace's 10 characters, and 40 hex digits: a keyed hash of the whole finds the record.
///
/// # Errors
///
/// None: the numbers are constants.
pub fn format() -> Result<TokenFormat, Error> {
    let format = TokenFormat::builder("apt").routing(10, 10).without_selector().secret(Alphabet::Hex, 40);
    Ok(format.checksum(Checksum::None).build()?)
}

/// A workspace's identifier, which stands in its tokens.
fn workspace(text: &str) -> Result<&str, Error> {
    let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex && text.len() == 10 { Ok(text) } else { Err("a workspace is 10 hex digits".into()) }
}

/// The scope of one collection.
fn scope_of(collection: &str) -> Result<Scope, InvalidScope> {
    format!("collections:{collection}").parse()
}

/// The collection that a scope is of, if it is of one.
fn collection_of(scope: &Scope) -> Option<&str> {
    scope.as_str().strip_prefix("collections:")
}

fn issue_policy() -> Result<IssuePolicy, Error> {
    let catalog = ScopeCatalog::builder()
        .family(ALL_COLLECTIONS, "one API collection, or all permitted ones")
        .scope(LLM_PROXY, "call the AI / LLM chat proxy")
        .build()?;
    let days = [30, 60, 90, 365].map(|days| Duration::from_secs(days * 86_400));
    Ok(IssuePolicy {
        lifetimes: Lifetimes::among(days).or_forever(), // without a default: the choice must be made
        scopes: Some((Arc::new(catalog), UnknownScopes::Reject)),
        ..IssuePolicy::default()
    })
}

/// An answer with what the page on troubleshooting says to do.
fn words(answer: &Answer) -> String {
    let solution = match (answer.kind, &*answer.code) {
        (Kind::Invalid, "invalid_collection_token") => Some("Check the collection token"),
        (Kind::Missing | Kind::Invalid, _) => Some("Check token / expiration"),
        (Kind::MissingScope, "proxy_access_not_enabled") => Some("Regenerate token with proxy checkbox enabled"),
        (Kind::MissingScope, _) => Some("Create new token with correct scope"),
        (Kind::Refused, "no_collections") => Some("Contact admin"),
        _ => None,
    };
    json!({ "error": answer.code, "message": answer.text, "scope": answer.scope, "solution": solution }).to_string()
}

/// The socket's other end: no proxy stands before this.
fn client(parts: &Parts) -> Option<std::net::IpAddr> {
    parts.extensions.get().map(|ConnectInfo(address): &ConnectInfo<SocketAddr>| address.ip())
}

/// A body that is JSON; one that is not is told so in JSON.
#[derive(Debug)]
pub struct Body<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Json::from_request(request, state).await;
        let Json(value) = body.map_err(|why| ApiError::new(why.status(), "invalid_request", why.body_text()))?;
        Ok(Self(value))
    }
}

/// The platform's other API, for people in the web app.
async fn platform(member: Member) -> Json<Value> {
    Json(json!({ "user": member.person.owner.subject().as_str() }))
}

async fn no_such_place() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such place")
}

async fn no_such_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "no such method here")
}

impl Arpia {
    fn gate(&self) -> Gate {
        let gate = Gate::new(self.registry.clone(), Transport::bearer());
        gate.client_address(ClientAddress::from_fn(client)).renderer(Renderer::new("application/json", words))
    }
}

impl Service for Arpia {
    const NAME: &'static str = "arpia";
    const PAGE: Option<&'static str> = Some(page::PATH);

    fn build(ground: Ground) -> Result<Self, Error> {
        let (accounts, audit) = (Accounts::default(), Audit::default());
        let registry = ground.registry(format()?).issue_policy(issue_policy()?);
        let registry = registry.policy(accounts.clone()).sink(audit.clone()).build()?;
        let collections = Collections::new(&ground)?;
        let budget = Budget::new(ground.clock);
        Ok(Self { registry, store: ground.store, accounts, collections, budget, audit, sessions: Sessions::default() })
    }

    fn router(&self) -> Result<Router, Error> {
        let collections = get(mcp::show).post(mcp::message);
        let mcp = Router::new()
            .route("/mcp", collections.clone())
            .route("/mcp/", collections)
            .route_layer(TokenLayer::new(self.gate().optional()));
        let codes = Codes { missing_scope: "proxy_access_not_enabled".into(), ..Codes::default() };
        let proxy_gate = self.gate().require(LLM_PROXY.parse()?).limiter(self.budget.clone()).codes(codes);
        let proxy = Router::new().route("/llm/chat", post(proxy::chat)).route_layer(TokenLayer::new(proxy_gate));
        let tokens = Management::new(self.registry.clone())
            .collection("/profile/tokens")
            .item("/profile/tokens/{token_id}")
            .without(Operation::Block) // a token is active or revoked
            .without(Operation::Unblock)
            .without(Operation::NarrowScopes) // another scope is a new token
            .idempotency(self.store.clone())
            .router::<Member, _>()?;
        let web = Router::new()
            .route("/profile/audit", get(profile::audit))
            .route("/profile/known-ips", post(profile::know))
            .route("/api/{*path}", any(platform));
        let all = mcp.merge(proxy).merge(tokens).merge(page::router(self)?).merge(web);
        Ok(all.fallback(no_such_place).method_not_allowed_fallback(no_such_method).with_state(self.clone()))
    }

    fn registry(&self) -> &Registry {
        &self.registry
    }

    async fn demo(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let workspace = "13a4ebf0f1";
        let owner = Owner::in_tenant(workspace, "demo")?;
        self.accounts.permit(&owner, &["demo"])?;
        let collection = self.collections.add(workspace, "demo").await?;
        let grant = Grant::new(owner.clone(), Lifetime::days(30)).scopes("collections:demo".parse()?);
        let issued = self.registry.issue(grant.name("demo".parse()?).routing(workspace)).await?;
        Ok(vec![
            ("SESSION", self.sessions.sign_in(owner)?),
            ("TOKEN", issued.token.expose().to_owned()),
            ("COLLECTION_TOKEN", collection),
        ])
    }
}
