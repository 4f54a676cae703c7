//! Arca: API keys of 64 hex digits, in either of two headers.

pub mod page;

use std::sync::Arc;

use axum::{Json, Router, routing::get};
use counterfoil::{
    Alphabet, Checksum, Denial, Grant, IssuePolicy, Lifetime, Owner, Registry, ScopeCatalog, TokenFormat,
    UnknownScopes, policy::Lifetimes,
};
use counterfoil_axum::{
    Named, Scoped,
    management::{ErrorBody, Management, Operation},
};
use counterfoil_sqlx::SqliteStore;
use counterfoil_tower::{Answer, ClientAddress, Gate, Kind, Renderer, TokenLayer, Transport};
use serde_json::{Value, json};

use crate::{
    host::{Error, Ground, Service},
    session::{Person, Sessions},
};

/// The service.
#[derive(Debug, Clone)]
pub struct Arca {
    registry: Registry,
    store: SqliteStore,
    /// Who is signed in to the app.
    pub sessions: Sessions<Owner>,
}

/// `arca_` and 64 hex digits: no id is in it, so a keyed hash of the secret finds the record.
fn format() -> Result<TokenFormat, Error> {
    let format = TokenFormat::builder("arca").without_selector().secret(Alphabet::Hex, 64);
    Ok(format.checksum(Checksum::None).build()?)
}

fn catalog() -> Result<ScopeCatalog, Error> {
    let tasks =
        ScopeCatalog::builder().scope("tasks:read", "read tasks").scope("tasks:write", "create and change tasks");
    Ok(tasks.scope("contacts:read", "read contacts").scope("contacts:write", "create and change contacts").build()?)
}

struct TasksRead;
impl Named for TasksRead {
    const SCOPE: &'static str = "tasks:read";
}

struct TasksWrite;
impl Named for TasksWrite {
    const SCOPE: &'static str = "tasks:write";
}

async fn tasks(_: Scoped<TasksRead>) -> Json<Value> {
    Json(json!([{ "title": "water the plants" }]))
}

async fn add_task(_: Scoped<TasksWrite>) -> Json<Value> {
    Json(json!({ "title": "added" }))
}

/// The words of Arca's documentation, where it gives any.
fn words(answer: &Answer) -> String {
    let text = match (answer.kind, answer.denial, &answer.scope) {
        (_, Some(Denial::Expired), _) => "API key has expired".into(),
        (Kind::MissingScope, _, Some(scope)) => format!("Scope '{scope}' is required for this endpoint"),
        (Kind::Missing, ..) => "API key is required".into(),
        (Kind::Invalid, ..) => "Invalid API key".into(),
        _ => answer.text.clone().into_owned(),
    };
    json!({ "error": text }).to_string()
}

impl Service for Arca {
    const NAME: &'static str = "arca";
    const PAGE: Option<&'static str> = Some(page::PATH);

    fn build(ground: Ground) -> Result<Self, Error> {
        let policy = IssuePolicy {
            lifetimes: Lifetimes::any().by_default(Lifetime::Forever)?, // "optionally set an expiration date"
            scopes: Some((Arc::new(catalog()?), UnknownScopes::Reject)),
            ..IssuePolicy::default()
        };
        let registry = ground.registry(format()?).issue_policy(policy).build()?;
        Ok(Self { registry, store: ground.store, sessions: Sessions::default() })
    }

    fn router(&self) -> Result<Router, Error> {
        let transport = Transport::either("x-api-key".parse()?);
        let gate = Gate::new(self.registry.clone(), transport).client_address(ClientAddress::peer());
        let gate = gate.renderer(Renderer::new("application/json", words));
        let api = Router::new().route("/v1/tasks", get(tasks).post(add_task)).layer(TokenLayer::new(gate));
        let keys = Management::new(self.registry.clone())
            .collection("/settings/api-keys")
            .item("/settings/api-keys/{token_id}")
            .name("name", "label")
            .name("token", "key")
            .without(Operation::NarrowScopes) // scopes are what they were at creation
            .without(Operation::Rotate) // a replacement is a new key
            .errors(ErrorBody::short())
            .idempotency(self.store.clone())
            .router::<Person, _>()?;
        let app = page::router(&self.registry, &self.store)?;
        Ok(api.merge(keys).merge(app).with_state(self.sessions.clone()))
    }

    fn registry(&self) -> &Registry {
        &self.registry
    }

    async fn demo(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let owner = Owner::new("demo")?;
        let grant = Grant::new(owner.clone(), Lifetime::Forever).scopes("tasks:read tasks:write".parse()?);
        let issued = self.registry.issue(grant.name("demo".parse()?)).await?;
        Ok(vec![("SESSION", self.sessions.sign_in(owner)?), ("TOKEN", issued.token.expose().to_owned())])
    }
}
