//! The door for agents: `Authorization: Bearer` alone, with an API key or a session's access token.

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{any, post},
};
use counterfoil_axum::{Proof, management::ApiError};
use counterfoil_tower::{Answer, Gate, ResourceMetadata, TokenLayer, Transport};
use serde_json::{Value, json};

use super::{Arcnm, Body, CATALOG, session::Claims};
use crate::host::Error;

/// What agents may call, and the scope that a key needs for it.
const TOOLS: [(&str, &str); 2] = [("list_parts", "parts:read"), ("run_calculation", "parts:write")];

pub(super) fn router(arcnm: &Arcnm) -> Result<Router<Arcnm>, Error> {
    let metadata = ResourceMetadata::new("https://api.arcnm.io/mcp-server/mcp")?
        .member("authorization_servers", ["https://app.arcnm.io"])
        .member("bearer_methods_supported", ["header"])
        .member("scopes_supported", CATALOG.map(|(scope, _)| scope).to_vec())
        .member("resource_name", "ARCNM MCP")
        .at_root_too();
    let gate = arcnm.gate(Transport::bearer()).or_else(arcnm.sessions.clone()).metadata(metadata)?;
    Ok(Router::new()
        .route("/mcp-server/mcp", post(call))
        .route("/.well-known/{*document}", any(nothing)) // the gate answers at these
        .layer(TokenLayer::new(gate)))
}

async fn nothing() -> StatusCode {
    StatusCode::NOT_FOUND
}

/// A tiny part of MCP: which tools there are, and calling one.
async fn call(
    key: Option<Proof>,
    session: Option<Extension<Claims>>,
    Extension(gate): Extension<Arc<Gate>>,
    Body(call): Body,
) -> Result<Response, ApiError> {
    let tenant = match (&key, session) {
        (Some(key), _) => key.record().owner().subject().to_string(),
        (None, Some(Extension(claims))) => claims.tenant,
        (None, None) => return Ok(gate.refuse(&Answer::missing(gate.used_codes()))),
    };
    let invalid = |_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "a scope of this server is none");
    let may = |scope: &str| -> Result<_, ApiError> {
        let scope = scope.parse().map_err(invalid)?;
        Ok(key.as_ref().map_or(Ok(()), |key| key.require(&scope)))
    };
    let result = match call["method"].as_str() {
        Some("tools/list") => {
            let mut tools = Vec::new();
            for (name, scope) in TOOLS {
                if may(scope)?.is_ok() {
                    tools.push(json!({ "name": name, "inputSchema": { "type": "object" } }));
                }
            }
            json!({ "tools": tools })
        }
        Some("tools/call") => {
            let tool = call["params"]["name"].as_str().unwrap_or_default();
            let Some((name, scope)) = TOOLS.into_iter().find(|(name, _)| *name == tool) else {
                return Ok(reply(&call, "error", &json!({ "code": -32602, "message": "no such tool" })));
            };
            if let Err(missing) = may(scope)? {
                return Ok(gate.refuse(&Answer::missing_scope(missing.scope, gate.used_codes())));
            }
            json!({ "content": [{ "type": "text", "text": format!("{name} of {tenant}") }] })
        }
        _ => return Ok(reply(&call, "error", &json!({ "code": -32601, "message": "no such method" }))),
    };
    Ok(reply(&call, "result", &result))
}

fn reply(call: &Value, member: &str, value: &Value) -> Response {
    Json(json!({ "jsonrpc": "2.0", "id": call["id"], member: value })).into_response()
}
