//! How the page answers: HTML that nothing foreign can run in, and that nobody keeps.

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use super::{SettingsPage, view};
use crate::management::ApiError;

/// Nothing but what the page brings itself: no inline script or style, no frame around it, no other place for its forms.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    // With `no-referrer` a browser would send the forms with `Origin: null` (Fetch, section 3.2), which older ones have
    // nothing beside to tell that they come from here.
    (header::REFERRER_POLICY, "same-origin"),
];

/// Headers that a reply may set otherwise by itself.
const OWN: [HeaderName; 2] = [header::CACHE_CONTROL, header::REFERRER_POLICY];

pub(super) fn page(status: StatusCode, view: &impl Template) -> Result<Response, ApiError> {
    let text = view.render().map_err(|_| {
        let text = "the page cannot be written";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", text)
    })?;
    Ok((status, Html(text)).into_response())
}

pub(super) fn see_other(path: &str) -> Response {
    // INVARIANT: made of a path that came in a request, and of ids and words of ours.
    let place = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

/// A style or a script, which holds nothing of anyone's.
pub(super) fn asset(content_type: &'static str, text: &str) -> Response {
    let headers =
        [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, text.to_owned()).into_response()
}

pub(super) fn guarded(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        if !OWN.contains(&name) || !response.headers().contains_key(&name) {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

/// A link of the host's that leads to a page, and runs nothing.
pub(super) fn safe_link(link: &str) -> Option<&str> {
    ["https://", "http://", "/"].iter().any(|start| link.starts_with(start)).then_some(link)
}

impl SettingsPage {
    /// The page for what came to nothing.
    pub(super) fn error(&self, base: &str, error: &ApiError) -> Response {
        let words = &self.words;
        let text = match &*error.code {
            "not_found" => &*words.error_not_found,
            "foreign_form" => &words.error_foreign_form,
            "cross_site" => &words.error_cross_site,
            "token_not_allowed" => &words.error_token,
            "token_revoked" => &words.error_revoked,
            "token_expired" => &words.error_expired,
            "overtaken" => &words.changed_meanwhile,
            "method_not_allowed" => &words.error_method,
            _ if error.status == StatusCode::SERVICE_UNAVAILABLE => &words.error_unavailable,
            _ => &error.text,
        };
        let link = error.link.as_deref().and_then(safe_link);
        let view = view::Message { frame: self.frame(base, &words.error_title), text, link };
        let mut response = page(error.status, &view).unwrap_or_else(|error| error.status.into_response());
        if let Some(wait) = error.retry_after {
            let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
