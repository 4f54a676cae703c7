//! What ARCNM's page on authentication says, statement by statement, over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../rig/mod.rs"]
mod rig;

mod admin_plane;
mod headers;
mod keys;
mod mcp;
mod minting;
mod rest;
mod scopes;
mod webhooks;

use counterfoil_sqlx::SqliteStore;
use rig::{Reply, Rig, Send as _};
use serde_json::{Value, json};
use systems::arcnm::{
    Arcnm,
    session::{Claims, Role},
};

const PARTS: &str = "/api/v1/parts";
const CALCULATIONS: &str = "/api/v1/calculations";
const KEYS: &str = "/api/v1/api-keys";
const MCP: &str = "/mcp-server/mcp";

/// All that can be minted and opens something.
const SCOPES: [&str; 8] = [
    "parts:read",
    "parts:write",
    "uploads:read",
    "uploads:write",
    "webhooks:read",
    "webhooks:write",
    "wallet:read",
    "audit:read",
];

/// Production, with the tenant `acme` of one organisation, and its owner signed in.
async fn acme() -> (Rig<Arcnm>, String) {
    acme_in("production").await
}

async fn acme_in(environment: &str) -> (Rig<Arcnm>, String) {
    let store = SqliteStore::in_memory().await.unwrap();
    let rig = Rig::<Arcnm>::start_with(store, &[("environment", environment)]).await;
    rig.service.organisations.add("acme", "acme-hq");
    let session = sign_in(&rig, claims(&rig));
    (rig, session)
}

/// Of an owner of `acme` whose address is confirmed.
fn claims(rig: &Rig<Arcnm>) -> Claims {
    rig.service.sessions.claims("acme", "ann", Role::Owner).unwrap()
}

fn sign_in(rig: &Rig<Arcnm>, claims: Claims) -> String {
    rig.service.sessions.sign(&claims).unwrap()
}

fn as_role(rig: &Rig<Arcnm>, role: Role) -> String {
    sign_in(rig, Claims { role, sub: "bob".into(), ..claims(rig) })
}

struct Key {
    text: String,
    id: String,
    prefix: String,
}

impl Key {
    fn of(reply: &Reply) -> Self {
        let made = reply.json();
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        Self { text: text("key"), id: text("id"), prefix: text("prefix") }
    }

    /// What follows the public prefix.
    fn secret(&self) -> &str {
        self.text.strip_prefix(&self.prefix).unwrap()
    }

    fn path(&self) -> String {
        format!("{KEYS}/{}", self.id)
    }
}

async fn mint(rig: &Rig<Arcnm>, session: &str, scopes: &[&str]) -> Key {
    mint_as(rig, session, json!({ "name": "production-erp-sync", "scopes": scopes })).await
}

async fn mint_as(rig: &Rig<Arcnm>, session: &str, body: Value) -> Key {
    Key::of(&rig.post(KEYS, &body).bearer_auth(session).expect(201).await)
}

async fn mint_test_key(rig: &Rig<Arcnm>, session: &str) -> Key {
    let body = json!({ "name": "ci", "scopes": ["parts:read", "parts:write"], "environment": "test" });
    mint_as(rig, session, body).await
}

trait Shown {
    /// With an API key as REST reads it.
    fn key(self, key: &Key) -> Self;

    /// The reply, which must have this status and this code.
    async fn refused(self, status: u16, code: &str) -> Reply;
}

impl Shown for reqwest::RequestBuilder {
    fn key(self, key: &Key) -> Self {
        self.header("x-api-key", &key.text)
    }

    async fn refused(self, status: u16, code: &str) -> Reply {
        let reply = self.expect(status).await;
        assert_eq!(reply.json()["code"], code, "{}", reply.text);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        reply
    }
}
