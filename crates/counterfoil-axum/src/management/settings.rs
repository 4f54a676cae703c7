//! What a management router is made with, once it is made.

use axum::{
    extract::Request,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_LENGTH},
    },
    response::Response,
};
use counterfoil::{Families, Registry, Verified, record::Statuses};
use tower_http::csrf::ProtectionError;

use super::{ApiError, ErrorBody, Names, refusal::Refusals, requests::SharedRequests, view::Showing, wish::Demands};

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
    pub(super) credential_headers: Vec<HeaderName>,
}

impl Settings {
    /// The parameter of the path that names a token.
    pub(super) const TOKEN_ID: &str = "token_id";

    pub(super) const fn refusals(&self) -> Refusals<'_> {
        Refusals { names: &self.showing.names, limit: self.limit }
    }

    /// Why a request may not come in, whoever sends it: it shows a token of ours, or comes with the proof of one. Tokens do
    /// not manage tokens.
    pub(super) fn shut(&self, request: &Request) -> Result<(), ApiError> {
        let has_proof = request.extensions().get::<Verified>().is_some();
        let shows_token = self
            .credential_headers
            .iter()
            .flat_map(|name| request.headers().get_all(name))
            .any(|value| holds_token(value, self.registry.families()));
        if has_proof || shows_token {
            let text = "a token cannot manage tokens: sign in";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "token_not_allowed", text));
        }
        Ok(())
    }

    /// The last word on every response: errors as the host writes them, and nothing is kept by anyone.
    pub(super) fn finish(&self, mut response: Response) -> Response {
        let error = match response.extensions_mut().remove::<ProtectionError>() {
            Some(_) => {
                let text = "the request comes from another site";
                Some(ApiError::new(StatusCode::FORBIDDEN, "cross_site", text))
            }
            None => response.extensions_mut().remove::<ApiError>(),
        };
        if let Some(error) = error {
            let code = self.codes.of(&error.code).to_owned();
            let written = self.errors.response(&ApiError { code: code.into(), ..error });
            let (of_written, body) = written.into_parts();
            let mut parts = response.into_parts().0;
            parts.status = of_written.status;
            for (name, value) in &of_written.headers {
                parts.headers.insert(name, value.clone());
            }
            parts.headers.remove(CONTENT_LENGTH);
            response = Response::from_parts(parts, body);
        }
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Whether any word of a header's value is a token of ours, or begins as one and is bad.
fn holds_token(value: &HeaderValue, families: &Families) -> bool {
    // At whatever no token holds (RFC 6750, section 2.1), quotes and colons as well as spaces.
    let is_between = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"-._~+/".contains(byte);
    let words = value.as_bytes().split(is_between);
    // Bytes that are no text make a bad token of one of ours, and not a stranger's.
    words.map(String::from_utf8_lossy).any(|word| match families.parse(&word) {
        Ok(_) => true,
        Err(error) => !error.is_not_ours(),
    })
}
