//! Which tenant and which of its organisations a request is about.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use counterfoil_axum::{Proof, management::ApiError};

use super::{Arcnm, bad_request};

/// The organisations of each tenant, by their slugs.
#[derive(Debug, Clone, Default)]
pub struct Organisations(Arc<RwLock<BTreeMap<String, BTreeSet<String>>>>);

impl Organisations {
    /// One more.
    pub fn add(&self, tenant: &str, slug: &str) {
        let mut tenants = self.0.write().unwrap_or_else(PoisonError::into_inner);
        tenants.entry(tenant.to_owned()).or_default().insert(slug.to_owned());
    }

    /// The one that a request is about: the one that it names, else the only one.
    fn pin(&self, tenant: &str, named: Option<&HeaderValue>) -> Result<String, ApiError> {
        let tenants = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut slugs = tenants.get(tenant).into_iter().flatten();
        if let Some(named) = named {
            let found = slugs.find(|slug| slug.as_bytes() == named.as_bytes());
            let foreign =
                || ApiError::new(StatusCode::FORBIDDEN, "forbidden", "X-Org-Slug: no organization of this tenant");
            return found.cloned().ok_or_else(foreign);
        }
        match (slugs.next(), slugs.next()) {
            (Some(only), None) => Ok(only.clone()),
            (None, _) => Err(ApiError::new(StatusCode::FORBIDDEN, "forbidden", "the tenant has no organization")),
            _ => Err(bad_request("X-Org-Slug: missing, and the tenant has more than one organization")),
        }
    }
}

/// On whose behalf a request at the API is made.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) tenant: String,
    pub(super) organisation: String,
    pub(super) mode: String,
}

impl Context {
    /// What a billable request costs, in cents: a test key's nothing.
    pub(super) fn cost(&self) -> u32 {
        if self.mode == "live" { 125 } else { 0 }
    }
}

/// Behind the door and before every route of the API.
pub(super) async fn in_context(
    State(arcnm): State<Arcnm>,
    Proof(key): Proof,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let tenant = key.record().owner().subject().to_string();
    let organisation = arcnm.organisations.pin(&tenant, request.headers().get("x-org-slug"))?;
    let mode = key.environment().map(ToString::to_string).unwrap_or_default();
    request.extensions_mut().insert(Context { tenant, organisation, mode });
    Ok(next.run(request).await)
}
