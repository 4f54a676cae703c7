//! What stands around every route that manages tokens, for whatever it answers with.

use axum::{
    extract::Request,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{AUTHORIZATION, CONTENT_LENGTH},
    },
    response::Response,
};
use counterfoil::{Families, Verified};
use tower_http::csrf::ProtectionError;

use super::ApiError;

/// The headers that tokens may come in.
#[derive(Debug, Clone)]
pub(crate) struct CredentialHeaders(Vec<HeaderName>);

impl Default for CredentialHeaders {
    fn default() -> Self {
        Self(vec![AUTHORIZATION, HeaderName::from_static("x-api-key")])
    }
}

impl CredentialHeaders {
    pub(crate) fn add(&mut self, name: HeaderName) {
        self.0.push(name);
    }

    /// Why a request may not come in, whoever sends it: it shows a token of ours, or comes with the proof of one. Tokens do
    /// not manage tokens.
    pub(crate) fn shut(&self, request: &Request, families: &Families) -> Result<(), ApiError> {
        let has_proof = request.extensions().get::<Verified>().is_some();
        let mut values = self.0.iter().flat_map(|name| request.headers().get_all(name));
        if has_proof || values.any(|value| holds_token(value, families)) {
            let text = "a token cannot manage tokens: sign in";
            return Err(ApiError::own(StatusCode::FORBIDDEN, "token_not_allowed", text));
        }
        Ok(())
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

/// The error that a response tells, of the cross-site layer, the session extractor, or a handler.
pub(crate) fn error_of(response: &mut Response) -> Option<ApiError> {
    match response.extensions_mut().remove::<ProtectionError>() {
        Some(_) => {
            let text = "the request comes from another site";
            Some(ApiError::own(StatusCode::FORBIDDEN, "cross_site", text))
        }
        None => response.extensions_mut().remove::<ApiError>(),
    }
}

/// The same answer in other words: what else its headers tell stays.
pub(crate) fn reworded(response: Response, written: Response) -> Response {
    let (of_written, body) = written.into_parts();
    let mut parts = response.into_parts().0;
    parts.status = of_written.status;
    for (name, value) in &of_written.headers {
        parts.headers.insert(name, value.clone());
    }
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, body)
}
