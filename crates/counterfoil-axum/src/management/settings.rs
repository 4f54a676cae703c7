//! What a management router is made with, once it is made.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header::CACHE_CONTROL},
    response::Response,
};
use counterfoil::{Registry, record::Statuses};

use super::{
    ApiError, ErrorBody, Names,
    guard::{self, CredentialHeaders},
    location::LocationPath,
    public_url::PublicUrl,
    refusal::Refusals,
    requests::SharedRequests,
    view::Showing,
    wish::Demands,
};

/// How a management router works.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) registry: Registry,
    pub(super) requests: Option<SharedRequests>,
    pub(super) showing: Showing,
    pub(super) demands: Demands,
    /// What an owner with as many tokens as allowed is answered.
    pub(super) limit: StatusCode,
    pub(super) codes: Names,
    pub(super) errors: ErrorBody,
    /// What a list shows where the request names no status.
    pub(super) usual: Statuses,
    pub(super) body_limit: usize,
    pub(super) credential_headers: CredentialHeaders,
    pub(super) public_url: PublicUrl,
    /// Set when the router is made.
    pub(super) location: Option<LocationPath>,
}

impl Settings {
    /// The parameter of the path that names a token.
    pub(super) const TOKEN_ID: &str = "token_id";

    pub(super) const fn refusals(&self) -> Refusals<'_> {
        Refusals { names: &self.showing.names, limit: self.limit }
    }

    pub(super) fn shut(&self, request: &Request) -> Result<(), ApiError> {
        self.credential_headers.shut(request, self.registry.families())
    }

    /// The last word on every response: errors as the host writes them, and nothing is kept by anyone.
    pub(super) fn finish(&self, mut response: Response) -> Response {
        if let Some(error) = guard::error_of(&mut response) {
            let code = self.codes.of(&error.code).to_owned();
            let written = self.errors.response(&ApiError { code: code.into(), ..error });
            response = guard::reworded(response, written);
        }
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
