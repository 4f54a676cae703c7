//! How the page answers: HTML that nothing foreign can run in, and that nobody keeps.

use std::time::Duration;

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use super::{SettingsPage, links::Links, trouble::Trouble, view};
use crate::management::{ApiError, Detail};

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
        ApiError::own(StatusCode::INTERNAL_SERVER_ERROR, "internal", text)
    })?;
    Ok((status, Html(text)).into_response())
}

/// A form that is shown, perhaps again.
pub(super) fn form(trouble: &Trouble, view: &impl Template) -> Result<Response, ApiError> {
    let mut response = page(trouble.status, view)?;
    wait(&mut response, trouble.retry_after);
    Ok(response)
}

/// Says when to try again: rounded up, so that whoever waits so long comes late enough (RFC 9110, section 10.2.3).
fn wait(response: &mut Response, time: Option<Duration>) {
    if let Some(time) = time {
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
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

/// That a response is the page's own, and none of the host's extractor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours;

/// What everyone is told who is shown a page. What the host's extractor answers by itself is its own matter, except that
/// nobody keeps it unless the host says otherwise.
pub(super) fn guarded(mut response: Response) -> Response {
    let is_ours = response.extensions_mut().remove::<Ours>().is_some();
    for (name, value) in HEADERS.into_iter().filter(|(name, _)| is_ours || name == header::CACHE_CONTROL) {
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
    /// The page for a request that failed. Only the application's own texts are shown as they are.
    pub(super) fn error(&self, links: &Links, error: ApiError) -> Response {
        let words = &self.words;
        let text = match &*error.code {
            _ if error.detail == Detail::Application => &*error.text,
            "not_found" => &words.error_not_found,
            "cross_site" => &words.error_cross_site,
            "token_not_allowed" => &words.error_token,
            "token_revoked" => &words.error_revoked,
            "token_expired" => &words.error_expired,
            "overtaken" => &words.changed_meanwhile,
            "method_not_allowed" => &words.error_method,
            "request_in_flight" => &words.error_in_flight,
            "idempotency_key_reused" => &words.error_reused,
            "token_gone" => &words.error_gone,
            "issuing_stopped" => &words.error_stopped,
            "limit_reached" => &words.limit_reached,
            "body_too_large" => &words.error_too_large,
            _ if error.status == StatusCode::SERVICE_UNAVAILABLE => &words.error_unavailable,
            _ if error.status.is_client_error() => &words.error_request,
            _ => &words.error_internal,
        };
        let link = error.link.as_deref().and_then(safe_link).map(|link| links.application(link));
        let view = view::Message { frame: self.frame(links, &words.error_title), text, link };
        let mut response = page(error.status, &view).unwrap_or_else(|error| error.status.into_response());
        wait(&mut response, error.retry_after);
        response.extensions_mut().insert(error);
        response
    }

    /// The page for a request without a session, which keeps what a form has sent.
    pub(super) fn signed_out(
        &self,
        links: &Links,
        error: Option<&ApiError>,
        kept: Option<&[(String, String)]>,
    ) -> Response {
        let words = &self.words;
        let text = error.filter(|error| error.detail == Detail::Application).map(|error| &*error.text);
        let here: String = form_urlencoded::byte_serialize(links.here().as_bytes()).collect();
        let view = view::SignedOut {
            frame: self.frame(links, &words.signed_out),
            text: text.unwrap_or(&words.signed_out_text),
            link: error.and_then(|error| error.link.as_deref()).and_then(safe_link).map(|link| links.application(link)),
            sign_in: self.sign_in.as_deref().map(|url| links.application(&url.replace("{path}", &here))),
            kept,
            action: links.here(),
        };
        page(StatusCode::UNAUTHORIZED, &view).unwrap_or_else(|error| error.status.into_response())
    }
}
