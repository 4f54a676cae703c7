//! Webhook endpoints and their deliveries, signed as Standard Webhooks 1.0.0 says.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use counterfoil::{Clock as _, SystemClock};
use counterfoil_axum::management::ApiError;
use reqwest::{Url, redirect::Policy};
use serde::Serialize;
use serde_json::{Value, json};
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use super::{Arcnm, Body, Context, bad_request, unavailable};
use crate::host::Error;

/// The endpoints of all tenants.
#[derive(Debug, Clone)]
pub struct Webhooks {
    endpoints: Arc<Mutex<Vec<Endpoint>>>,
    client: reqwest::Client,
}

#[derive(Debug, Clone)]
struct Endpoint {
    id: String,
    tenant: String,
    url: Url,
    signer: Signer,
    deliveries: Vec<Delivery>,
}

/// An endpoint's secret. It must be readable here, since it signs; nobody is shown it again.
#[derive(Clone)]
struct Signer(Arc<Webhook>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer(..)")
    }
}

/// One attempt. A real service makes more than one.
#[derive(Debug, Clone, Serialize)]
struct Delivery {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// What the endpoint has answered; null if nothing came.
    status: Option<u16>,
}

impl Webhooks {
    /// None yet.
    ///
    /// # Errors
    ///
    /// No client can be made.
    pub fn new() -> Result<Self, Error> {
        let client =
            reqwest::Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(15)).build()?;
        Ok(Self { endpoints: Arc::default(), client })
    }

    fn endpoints(&self) -> MutexGuard<'_, Vec<Endpoint>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells a tenant's endpoints what has happened; nobody waits for them.
    pub fn tell(&self, tenant: &str, kind: &'static str, data: &Value) {
        let endpoints =
            self.endpoints().iter().filter(|endpoint| endpoint.tenant == tenant).cloned().collect::<Vec<_>>();
        for endpoint in endpoints {
            let (webhooks, data) = (self.clone(), data.clone());
            tokio::spawn(async move {
                let Ok((id, status)) = webhooks.deliver(&endpoint, kind, &data).await else { return };
                let mut endpoints = webhooks.endpoints();
                if let Some(endpoint) = endpoints.iter_mut().find(|known| known.id == endpoint.id) {
                    endpoint.deliveries.push(Delivery { id, kind, status });
                }
            });
        }
    }

    async fn deliver(
        &self,
        endpoint: &Endpoint,
        kind: &'static str,
        data: &Value,
    ) -> Result<(String, Option<u16>), Error> {
        // The system's clock and no other: the receiver holds the time of the attempt against its own.
        let now = SystemClock.now()?;
        let (id, seconds) = (drawn("msg")?, now.unix_millis() / 1000);
        let body = json!({ "type": kind, "timestamp": now.to_string(), "data": data }).to_string();
        let signature = endpoint.signer.0.sign(&id, seconds, body.as_bytes())?;
        let request = self
            .client
            .post(endpoint.url.clone())
            .header("content-type", "application/json")
            .header(HEADER_WEBHOOK_ID, &id)
            .header(HEADER_WEBHOOK_TIMESTAMP, seconds.to_string())
            .header(HEADER_WEBHOOK_SIGNATURE, signature)
            .body(body);
        let status = request.send().await.ok().map(|reply| reply.status().as_u16());
        Ok((id, status))
    }
}

/// A name that nothing else has.
fn drawn(kind: &str) -> Result<String, Error> {
    let letters = counterfoil::draw_server_key()?;
    Ok(format!("{kind}_{}", letters.chars().filter(char::is_ascii_alphanumeric).take(20).collect::<String>()))
}

/// Plain HTTP to this machine alone, so that nobody sends this service into a network of its own. A real one takes
/// `https` alone, and looks at the address that it connects to.
fn url_of(body: &Value) -> Result<Url, ApiError> {
    let url = body["url"].as_str().and_then(|url| Url::parse(url).ok());
    url.filter(|url| url.scheme() == "http" && matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")))
        .ok_or_else(|| bad_request("url: expected an http url of this machine"))
}

fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "no such webhook endpoint")
}

/// The endpoint, and its secret for the only time.
pub(super) async fn create(
    State(arcnm): State<Arcnm>,
    Extension(context): Extension<Context>,
    Body(body): Body,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let url = url_of(&body)?;
    let secret = format!("whsec_{}", counterfoil::draw_server_key().map_err(|_| unavailable())?);
    let signer = Signer(Arc::new(Webhook::new(&secret).map_err(|_| unavailable())?));
    let id = drawn("we").map_err(|_| unavailable())?;
    let shown = json!({ "id": id, "url": url.as_str(), "secret": secret });
    let endpoint = Endpoint { id, tenant: context.tenant, url, signer, deliveries: Vec::new() };
    arcnm.webhooks.endpoints().push(endpoint);
    Ok((StatusCode::CREATED, Json(shown)))
}

pub(super) async fn list(State(arcnm): State<Arcnm>, Extension(context): Extension<Context>) -> Json<Value> {
    let endpoints = arcnm.webhooks.endpoints();
    let own = endpoints.iter().filter(|endpoint| endpoint.tenant == context.tenant);
    Json(own.map(|endpoint| json!({ "id": endpoint.id, "url": endpoint.url.as_str() })).collect())
}

pub(super) async fn update(
    State(arcnm): State<Arcnm>,
    Extension(context): Extension<Context>,
    Path(id): Path<String>,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let url = url_of(&body)?;
    let mut endpoints = arcnm.webhooks.endpoints();
    let endpoint = endpoints.iter_mut().find(|endpoint| endpoint.id == id && endpoint.tenant == context.tenant);
    let endpoint = endpoint.ok_or_else(not_found)?;
    endpoint.url = url;
    Ok(Json(json!({ "id": endpoint.id, "url": endpoint.url.as_str() })))
}

pub(super) async fn delete(
    State(arcnm): State<Arcnm>,
    Extension(context): Extension<Context>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let mut endpoints = arcnm.webhooks.endpoints();
    let at = endpoints.iter().position(|endpoint| endpoint.id == id && endpoint.tenant == context.tenant);
    endpoints.remove(at.ok_or_else(not_found)?);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn deliveries(
    State(arcnm): State<Arcnm>,
    Extension(context): Extension<Context>,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let endpoints = arcnm.webhooks.endpoints();
    let endpoint = endpoints.iter().find(|endpoint| endpoint.id == id && endpoint.tenant == context.tenant);
    Ok(Json(json!(endpoint.ok_or_else(not_found)?.deliveries)))
}
