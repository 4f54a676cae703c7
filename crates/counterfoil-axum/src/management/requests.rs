//! Requests that may come twice.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use axum::http::{HeaderMap, HeaderName};
use counterfoil::{
    Grant, Registry,
    registry::{IssueOnceError, IssuedOnce},
    store::{IdempotencyKey, IdempotencyStore, RequestKey},
    text::InvalidText,
};

use super::{ApiError, Operation, PathParams};

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that a reply repeats what an earlier request under the same key came to.
pub(super) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The request, if it is named so that it may come again.
pub(super) fn named(
    headers: &HeaderMap,
    operation: Operation,
    path: &PathParams,
    body: &[u8],
) -> Result<Option<RequestKey>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = |error: &dyn fmt::Display| ApiError::of_field(IDEMPOTENCY_KEY.as_str(), error);
    if values.next().is_some() {
        return Err(wrong(&"given twice"));
    }
    let is_plain = value.as_bytes().iter().all(u8::is_ascii_graphic);
    let text = value.to_str().ok().filter(|_| is_plain).ok_or_else(|| wrong(&"expected visible ascii"))?;
    key(operation, path, text, body).map(Some).map_err(|error| wrong(&error))
}

/// A request under the key `text`.
pub(crate) fn key(operation: Operation, path: &PathParams, text: &str, body: &[u8]) -> Result<RequestKey, InvalidText> {
    // Where it was sent is a part of what it asks for: each parameter behind its length, so that no two paths are alike.
    let mut content: Vec<u8> =
        path.values().flat_map(|value| [&value.len().to_be_bytes(), value.as_bytes()].concat()).collect();
    content.extend_from_slice(body);
    Ok(RequestKey::new(operation.as_str().parse()?, IdempotencyKey::new(text)?, &content))
}

/// Where requests are noted, its type erased.
#[derive(Clone)]
pub(crate) struct SharedRequests(Arc<dyn DynRequests>);

impl SharedRequests {
    pub(crate) fn new(requests: impl IdempotencyStore) -> Self {
        Self(Arc::new(requests))
    }

    pub(crate) async fn issue(
        &self,
        registry: &Registry,
        grant: Grant,
        request: &RequestKey,
    ) -> Result<IssuedOnce, IssueOnceError> {
        self.0.issue_dyn(registry, grant, request).await
    }
}

impl fmt::Debug for SharedRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyStore(..)")
    }
}

type Issuing<'a> = Pin<Box<dyn Future<Output = Result<IssuedOnce, IssueOnceError>> + Send + 'a>>;

trait DynRequests: Send + Sync {
    fn issue_dyn<'a>(&'a self, registry: &'a Registry, grant: Grant, request: &'a RequestKey) -> Issuing<'a>;
}

impl<R: IdempotencyStore> DynRequests for R {
    fn issue_dyn<'a>(&'a self, registry: &'a Registry, grant: Grant, request: &'a RequestKey) -> Issuing<'a> {
        Box::pin(registry.issue_once(grant, request, self))
    }
}
