//! What a token may do with itself.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header::CACHE_CONTROL},
    response::{IntoResponse, Response},
    routing::get,
};
use counterfoil::{By, Expiry, Status, Timestamp, TokenId, store::Stored};
use counterfoil_tower::{Answer, Gate};
use serde::Serialize;

use crate::proof::{NotLetIn, Proof, gate_of};

/// Routes at `/` for the presented token itself: `GET` shows what is kept of it, `DELETE` revokes it.
///
/// Mount them behind the door, wherever the host likes. A token can do no more than this: it cannot list, make or change
/// tokens.
///
/// ```
/// use axum::Router;
/// use counterfoil::Registry;
/// use counterfoil_axum::self_service;
/// use counterfoil_tower::{Gate, TokenLayer, Transport};
///
/// fn app(registry: Registry) -> Router {
///     Router::new().nest("/token", self_service()).layer(TokenLayer::new(Gate::new(registry, Transport::bearer())))
/// }
/// ```
pub fn self_service<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(show).delete(revoke))
}

async fn show(proof: Proof, request: Request) -> Result<Response, NotLetIn> {
    let gate = Arc::clone(gate_of(request.extensions())?);
    let now = gate.registry().now();
    Ok(match (gate.registry().get(proof.record().id()).await, now) {
        (Ok(Some(stored)), Ok(now)) => kept_by_nobody(Json(TokenView::of(&stored, now)).into_response()),
        // Deleted between the verdict and here.
        (Ok(None), _) => gate.refuse(&Answer::invalid(gate.used_codes())),
        _ => unavailable(&gate),
    })
}

async fn revoke(proof: Proof, request: Request) -> Result<Response, NotLetIn> {
    let gate = Arc::clone(gate_of(request.extensions())?);
    Ok(match gate.registry().revoke(proof.record().id(), By::unknown()).await {
        Ok(()) => kept_by_nobody(StatusCode::NO_CONTENT.into_response()),
        Err(_) => unavailable(&gate),
    })
}

fn unavailable(gate: &Gate) -> Response {
    gate.refuse(&Answer::unavailable(gate.used_codes()))
}

fn kept_by_nobody(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What a token is told of itself. Times are Unix milliseconds.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct TokenView {
    /// Its public name, for lists and logs.
    pub id: TokenId,
    /// The part of its text that may be shown.
    pub public: String,
    /// What a person calls it.
    pub name: Option<String>,
    /// What its bearer may do.
    pub scopes: Vec<String>,
    /// The environment it is for.
    pub environment: Option<String>,
    /// What it comes to now.
    pub status: Status,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; null if it never does.
    pub expires_at: Expiry,
    /// When it was last used, as far as that is stored.
    pub last_used_at: Option<Timestamp>,
}

impl TokenView {
    /// What is shown of a record at `now`.
    pub fn of(stored: &Stored, now: Timestamp) -> Self {
        let Stored { record, usage } = stored;
        Self {
            id: record.id(),
            public: record.public().to_owned(),
            name: record.annotations().name.as_ref().map(ToString::to_string),
            scopes: record.scopes().texts().map(str::to_owned).collect(),
            environment: record.environment().map(ToString::to_string),
            status: record.status(now),
            created_at: record.created_at(),
            expires_at: record.expiry(),
            last_used_at: usage.as_ref().map(|usage| usage.at),
        }
    }
}
