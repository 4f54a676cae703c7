//! What a request that comes to nothing is answered.

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use counterfoil::policy::{Objection, Refusal};
use serde::Serialize;

use super::Declined;

/// An answer that is no success, of the management API or of the host's session extractor before it.
///
/// As a response by itself it is `application/problem+json` (RFC 9457). Within the management router it is written as
/// the host has said, so a session extractor may have it as its rejection.
///
/// ```
/// use axum::http::StatusCode;
/// use counterfoil_axum::management::ApiError;
///
/// let error = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "sign in first");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// The stable machine code.
    pub code: Cow<'static, str>,
    /// What people are told.
    pub text: Cow<'static, str>,
    /// The member of the body, or the parameter, that is at fault.
    pub field: Option<Box<str>>,
    /// Where people can read on.
    pub link: Option<Box<str>>,
    /// When it may be tried again.
    pub retry_after: Option<Duration>,
    /// The version of the token as it is now, where the request has named another.
    pub current: Option<u64>,
    pub(crate) detail: Detail,
}

/// What the settings page needs for saying an error in the words of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Detail {
    #[default]
    None,
    /// The text is the application's own, and is shown as it is.
    Application,
    /// Scopes are not granted: the text ends with them.
    Scopes,
    TooManyScopes,
    /// The end is later than the longest lifetime allows.
    LateEnd,
    /// The token's own text names an earlier end.
    FixedEnd,
    /// The token would be too long for the restrictions and scopes in its text.
    LongToken,
}

impl ApiError {
    /// An error of the host's.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, text: impl Into<Cow<'static, str>>) -> Self {
        Self { detail: Detail::Application, ..Self::own(status, code, text) }
    }

    /// An error of this crate. Its text is English: the settings page does not show it.
    pub(crate) fn own(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (code, text) = (code.into(), text.into());
        Self { status, code, text, field: None, link: None, retry_after: None, current: None, detail: Detail::None }
    }

    pub(crate) fn with(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// The scopes that are not granted, as [`Detail::Scopes`] says.
    #[cfg(feature = "page")]
    pub(crate) fn scopes(&self) -> &str {
        // None of them holds a space.
        self.text.rsplit(": ").next().unwrap_or_default()
    }

    pub(crate) fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self::own(StatusCode::BAD_REQUEST, "invalid_request", text)
    }

    /// What is wrong with one member of the body, or one parameter.
    /// Of what the request itself holds no more is told than people can read.
    pub(crate) fn of_field(field: impl AsRef<str>, text: impl fmt::Display) -> Self {
        let field: Box<str> = shortened(field.as_ref(), 64).into();
        let text = text.to_string();
        let text = shortened(&text, 300);
        Self { text: format!("{field}: {text}").into(), field: Some(field), ..Self::bad("") }
    }

    pub(crate) fn not_found() -> Self {
        Self::own(StatusCode::NOT_FOUND, "not_found", "no such token")
    }

    pub(crate) fn unavailable() -> Self {
        let text = "this cannot be done now: try again";
        let error = Self::own(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", text);
        Self { retry_after: Some(Duration::from_secs(1)), ..error }
    }

    pub(crate) fn conflict(code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self::own(StatusCode::CONFLICT, code, text)
    }

    /// The token is of another version than the request has named.
    pub(super) fn stale(current: u64) -> Self {
        let text = "the token was changed, or the precondition names no version of it";
        let error = Self::own(StatusCode::PRECONDITION_FAILED, "precondition_failed", text);
        Self { current: Some(current), ..error }
    }

    /// The request names a version of the token by a weak tag, which is never compared (RFC 9110, section 13.1.1).
    pub(super) fn weak(current: u64) -> Self {
        let text = "found a weak entity tag, which a proxy may have made of the one sent: expected the body's `version` in quotes";
        Self { text: text.into(), ..Self::stale(current) }
    }

    pub(super) fn refused(status: StatusCode, refusal: &Refusal) -> Self {
        Self {
            link: refusal.link.as_deref().map(Into::into),
            ..Self::new(status, refusal.code.clone(), refusal.text.clone())
        }
    }
}

fn shortened(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ApiError {}

impl From<Declined> for ApiError {
    fn from(declined: Declined) -> Self {
        match declined {
            Declined::NotFound => Self::not_found(),
            Declined::Refused(refusal) => Self::refused(StatusCode::FORBIDDEN, &refusal),
            Declined::Unavailable => Self::unavailable(),
        }
    }
}

impl From<Objection> for ApiError {
    fn from(objection: Objection) -> Self {
        match &objection {
            Objection::Refused(refusal) => Self::refused(StatusCode::FORBIDDEN, refusal),
            Objection::Later { refusal, retry_after } => {
                let retry_after = Some(*retry_after);
                Self { retry_after, ..Self::refused(StatusCode::TOO_MANY_REQUESTS, refusal) }
            }
            _ => Self::unavailable(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = ErrorBody::problem().response(&self);
        // For the router, which may write it otherwise.
        response.extensions_mut().insert(self);
        response
    }
}

/// How the body of an [`ApiError`] is written. Status and headers are the router's.
#[derive(Clone)]
pub struct ErrorBody {
    content_type: HeaderValue,
    write: Write,
}

#[derive(Clone)]
enum Write {
    Problem,
    Short,
    Own(Arc<dyn Fn(&ApiError) -> String + Send + Sync>),
}

impl ErrorBody {
    /// `application/problem+json` (RFC 9457), with the members `code`, and `field`, `link` and `current_etag` where there
    /// are any.
    pub const fn problem() -> Self {
        Self { content_type: HeaderValue::from_static("application/problem+json"), write: Write::Problem }
    }

    /// `{"error": "…"}`, the error's text.
    pub const fn short() -> Self {
        Self { content_type: HeaderValue::from_static("application/json"), write: Write::Short }
    }

    /// The host's own body.
    pub fn new(content_type: &'static str, write: impl Fn(&ApiError) -> String + Send + Sync + 'static) -> Self {
        Self { content_type: HeaderValue::from_static(content_type), write: Write::Own(Arc::new(write)) }
    }

    pub(super) fn content_type(&self) -> &str {
        // INVARIANT: made from texts above.
        self.content_type.to_str().unwrap_or_default()
    }

    pub(super) const fn is_problem(&self) -> bool {
        matches!(self.write, Write::Problem)
    }

    pub(super) const fn is_short(&self) -> bool {
        matches!(self.write, Write::Short)
    }

    fn body(&self, error: &ApiError) -> String {
        // INVARIANT: texts and numbers, which are JSON always.
        match &self.write {
            Write::Own(write) => write(error),
            Write::Short => serde_json::json!({ "error": error.text }).to_string(),
            Write::Problem => serde_json::to_string(&Problem::of(error)).unwrap_or_default(),
        }
    }

    pub(super) fn response(&self, error: &ApiError) -> Response {
        let mut response = (error.status, self.body(error)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, self.content_type.clone());
        if let Some(wait) = error.retry_after {
            // Rounded up, so that whoever waits so long comes late enough (RFC 9110, section 10.2.3).
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl fmt::Debug for ErrorBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorBody({:?})", self.content_type)
    }
}

/// What went wrong (RFC 9457).
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ApiError)]
pub(super) struct Problem<'a> {
    /// A URI that names the kind of problem; `about:blank` says that the status does.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'a str,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What people are told.
    detail: &'a str,
    /// The stable machine code.
    code: &'a str,
    /// The member of the body, or the parameter, that is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    field: Option<&'a str>,
    /// Where people can read on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    link: Option<&'a str>,
    /// The token's `ETag` as it is now, where the request has named another.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    current_etag: Option<String>,
}

impl<'a> Problem<'a> {
    fn of(error: &'a ApiError) -> Self {
        Self {
            kind: "about:blank",
            title: error.status.canonical_reason().unwrap_or_default(),
            status: error.status.as_u16(),
            detail: &error.text,
            code: &error.code,
            field: error.field.as_deref(),
            link: error.link.as_deref(),
            current_etag: error.current.map(super::precondition::etag),
        }
    }
}
