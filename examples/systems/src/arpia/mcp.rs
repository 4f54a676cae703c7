//! The MCP door: one collection by its token in the query, a person by their token in the header, or both, which must
//! agree then.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{FromRequestParts, Query},
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
    response::{IntoResponse, Response},
};
use counterfoil::{Grant, Lifetime, MemoryStore, Owner, Registry, TokenFormat, policy::Refusal};
use counterfoil_axum::Proof;
use counterfoil_tower::{Answer, Codes, Gate, Kind, MalformedCredential};
use serde_json::{Value, json};

use super::{
    Arpia, Body,
    accounts::{Account, no_collections},
    collection_of, scope_of,
};
use crate::host::{Error, Ground};

/// The collections: the owner of each collection token is its collection, the tenant its workspace.
#[derive(Debug, Clone)]
pub struct Collections(Registry);

impl Collections {
    pub(super) fn new(ground: &Ground) -> Result<Self, Error> {
        let format = TokenFormat::builder("collection").build()?;
        let registry = Registry::builder(format, ground.keyring.clone(), MemoryStore::new());
        Ok(Self(registry.clock(ground.clock.clone()).build()?))
    }

    /// Makes a collection: its token.
    ///
    /// # Errors
    ///
    /// A workspace that is not 10 hex digits; a name that no scope can hold; no randomness.
    pub async fn add(&self, workspace: &str, name: &str) -> Result<String, Error> {
        scope_of(name)?;
        let collection = Owner::in_tenant(super::workspace(workspace)?, name)?;
        let issued = self.0.issue(Grant::new(collection, Lifetime::Forever)).await?;
        Ok(issued.token.expose().to_owned())
    }

    /// The collection of this token.
    async fn find(&self, token: &str, codes: &Codes) -> Result<Owner, Answer> {
        match self.0.verify(token).await {
            Ok(found) => Ok(found.record().owner().clone()),
            Err(error) => {
                let mut answer = Answer::to_error(&error, codes);
                if answer.kind == Kind::Invalid {
                    answer.code = "invalid_collection_token".into();
                    answer.text = "the collection token in the query is not valid".into();
                }
                Err(answer)
            }
        }
    }
}

/// What a request to this door is let in to.
#[derive(Debug)]
pub enum Entry {
    /// One collection.
    One(Owner),
    /// Whatever the person's token allows.
    Permitted(Vec<String>),
}

impl Entry {
    async fn of(parts: &Parts, proof: Option<Proof>, arpia: &Arpia, codes: &Codes) -> Result<Self, Answer> {
        let token = collection_token(parts, codes)?;
        match (proof, token) {
            // Something is shown that is no bearer token: whoever does so does not mean the collection's alone.
            (None, _) if parts.headers.contains_key(AUTHORIZATION) => Err(Answer::invalid(codes)),
            (None, None) => Err(Answer::missing(codes)),
            (None, Some(token)) => arpia.collections.find(&token, codes).await.map(Self::One),
            (Some(Proof(apt)), None) => {
                let scopes = apt.scopes();
                Ok(Self::Permitted(scopes.exact().filter_map(collection_of).map(str::to_owned).collect()))
            }
            (Some(Proof(apt)), Some(token)) => {
                let collection = arpia.collections.find(&token, codes).await?;
                if collection.tenant() != apt.record().owner().tenant() {
                    let text = "the collection is of another workspace than the token";
                    return Err(Answer::refused(&Refusal::new("wrong_workspace", text)));
                }
                if !apt.attached::<Account>().is_some_and(Account::has_collections) {
                    return Err(Answer::refused(&no_collections()));
                }
                // INVARIANT: it was a scope when the collection was made.
                let scope = scope_of(collection.subject().as_str()).map_err(|_| Answer::unavailable(codes))?;
                apt.require(&scope).map_err(|missing| Answer::missing_scope(missing.scope, codes))?;
                Ok(Self::One(collection))
            }
        }
    }

    fn to_json(&self) -> Value {
        let shown = |name: &str| json!({ "name": name });
        match self {
            Self::One(collection) => json!({ "collection": shown(collection.subject().as_str()) }),
            Self::Permitted(names) => json!({ "collections": names.iter().map(|name| shown(name)).collect::<Value>() }),
        }
    }
}

/// The value of `?token=`, which may stand there once.
fn collection_token(parts: &Parts, codes: &Codes) -> Result<Option<String>, Answer> {
    let malformed = |reason, text: &'static str| {
        let mut answer = Answer::malformed(reason, codes);
        answer.text = text.into();
        answer
    };
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
        .map_err(|_| malformed(MalformedCredential::Bytes, "the query cannot be read"))?;
    let mut tokens = pairs.into_iter().filter_map(|(name, value)| (name == "token").then_some(value));
    match (tokens.next(), tokens.next()) {
        (_, Some(_)) => Err(malformed(MalformedCredential::Repeated, "`token` is given more than once")),
        (only, None) => Ok(only),
    }
}

impl FromRequestParts<Arpia> for Entry {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, arpia: &Arpia) -> Result<Self, Response> {
        let proof = Option::<Proof>::from_request_parts(parts, arpia).await.map_err(IntoResponse::into_response)?;
        let gate =
            Extension::<Arc<Gate>>::from_request_parts(parts, arpia).await.map_err(IntoResponse::into_response)?;
        Self::of(parts, proof, arpia, gate.used_codes()).await.map_err(|answer| gate.refuse(&answer))
    }
}

/// `GET`: what there is.
pub async fn show(entry: Entry) -> Json<Value> {
    Json(entry.to_json())
}

/// `POST`: the messages of an MCP client (JSON-RPC 2.0), as far as an example goes.
pub async fn message(entry: Entry, Body(message): Body<Value>) -> Response {
    let Some(id) = message.get("id") else { return StatusCode::ACCEPTED.into_response() };
    let version = message["params"]["protocolVersion"].as_str().unwrap_or("2025-06-18");
    let server = json!({ "name": "arpia", "version": env!("CARGO_PKG_VERSION") });
    let (member, value) = match message["method"].as_str() {
        Some("initialize") => {
            let capabilities = json!({ "tools": {} });
            ("result", json!({ "protocolVersion": version, "capabilities": capabilities, "serverInfo": server }))
        }
        Some("tools/list") => {
            let names = match &entry {
                Entry::One(collection) => vec![collection.subject().as_str().to_owned()],
                Entry::Permitted(names) => names.clone(),
            };
            let tool = |name| json!({ "name": name, "inputSchema": { "type": "object" } });
            ("result", json!({ "tools": names.into_iter().map(tool).collect::<Value>() }))
        }
        _ => ("error", json!({ "code": -32601, "message": "no such method" })),
    };
    Json(json!({ "jsonrpc": "2.0", "id": id, member: value })).into_response()
}
