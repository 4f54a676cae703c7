//! ARKA: personal access tokens for a command-line program, for people with a Pro subscription.

pub mod page;

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    Json, Router,
    routing::{get, post},
};
use counterfoil::{
    Alphabet, By, Caller, Grant, IssuePolicy, Lifetime, Owner, Policy, Record, Registry, Status, TokenFormat, Verified,
    policy::{Approval, Assent, Lifetimes, Objection, Refusal},
    record::Statuses,
};
use counterfoil_axum::{
    Proof,
    management::{ErrorBody, Management, Operation},
    self_service,
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
pub struct Arka {
    registry: Registry,
    store: SqliteStore,
    /// Who has an active Pro subscription.
    pub plans: Plans,
    /// Who is signed in to the workspace.
    pub sessions: Sessions<Owner>,
}

/// `arka_` and 37 base62 characters: 31 of the secret, 6 of the checksum.
///
/// # Errors
///
/// None: the numbers are constants.
pub fn format() -> Result<TokenFormat, Error> {
    Ok(TokenFormat::builder("arka").without_selector().secret(Alphabet::Base62, 31).build()?)
}

/// The subscriptions, as the host's billing knows them.
#[derive(Debug, Clone, Default)]
pub struct Plans(Arc<RwLock<HashSet<Owner>>>);

impl Plans {
    /// Starts a Pro subscription.
    pub fn subscribe(&self, owner: &Owner) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(owner.clone());
    }

    /// Ends it.
    pub fn cancel(&self, owner: &Owner) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(owner);
    }

    fn demand_pro(&self, owner: &Owner) -> Result<(), Objection> {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).contains(owner) {
            return Ok(());
        }
        let refusal = Refusal::new("subscription_required", "Pro subscription required");
        Err(refusal.link("https://arka-ai.com/billing").into())
    }
}

impl Policy for Plans {
    async fn at_use(&self, verified: &Verified, _: &Caller) -> Result<Assent, Objection> {
        self.demand_pro(verified.record().owner()).map(|()| Assent::plain())
    }

    async fn at_issue(&self, grant: &Grant) -> Result<Approval, Objection> {
        self.demand_pro(&grant.owner).map(|()| Approval::plain())
    }

    async fn at_rotate(&self, record: &Record, _: &By) -> Result<(), Objection> {
        self.demand_pro(record.owner())
    }
}

/// The two texts that ARKA's documentation names, and the plan's with its link.
fn words(answer: &Answer) -> String {
    match answer.kind {
        Kind::Missing => json!({ "error": "Unauthorized" }),
        Kind::Invalid => json!({ "error": "Invalid token" }),
        _ => json!({ "error": answer.text, "link": answer.link }),
    }
    .to_string()
}

async fn ask(Proof(token): Proof, Json(question): Json<Value>) -> Json<Value> {
    let prompt = question["prompt"].as_str().unwrap_or_default();
    Json(json!({ "answer": format!("{} asked: {prompt}", token.record().owner().subject()) }))
}

async fn models(_: Proof) -> Json<Value> {
    Json(json!(["arka-code"]))
}

impl Service for Arka {
    const NAME: &'static str = "arka";
    const PAGE: Option<&'static str> = Some(page::PATH);

    fn build(ground: Ground) -> Result<Self, Error> {
        let plans = Plans::default();
        let lifetimes = Lifetimes::any().by_default(Lifetime::Forever)?; // "optionally set an expiration date"
        let registry = ground
            .registry(format()?)
            .issue_policy(IssuePolicy { lifetimes, ..IssuePolicy::default() })
            .policy(plans.clone())
            .build()?;
        Ok(Self { registry, store: ground.store, plans, sessions: Sessions::default() })
    }

    fn router(&self) -> Result<Router, Error> {
        let gate = Gate::new(self.registry.clone(), Transport::bearer()).client_address(ClientAddress::peer());
        let api = Router::new()
            .route("/v1/models", get(models))
            .route("/v1/ask", post(ask))
            .nest("/v1/token", self_service())
            .layer(TokenLayer::new(gate.renderer(Renderer::new("application/json", words))));
        let tokens = Management::new(self.registry.clone())
            .collection("/api/personal/tokens")
            .item("/api/personal/tokens/{token_id}")
            .listing(Statuses::except(Status::Revoked))
            .without(Operation::NarrowScopes)
            .without(Operation::Block)
            .without(Operation::Unblock)
            .errors(ErrorBody::problem())
            .idempotency(self.store.clone())
            .router::<Person, _>()?;
        let app = page::router(&self.registry, &self.store)?;
        Ok(api.merge(tokens).merge(app).with_state(self.sessions.clone()))
    }

    fn registry(&self) -> &Registry {
        &self.registry
    }

    async fn demo(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let owner = Owner::new("demo")?;
        self.plans.subscribe(&owner);
        let grant = Grant::new(owner.clone(), Lifetime::Forever).name("demo".parse()?);
        let issued = self.registry.issue(grant).await?;
        Ok(vec![("SESSION", self.sessions.sign_in(owner)?), ("TOKEN", issued.token.expose().to_owned())])
    }
}
