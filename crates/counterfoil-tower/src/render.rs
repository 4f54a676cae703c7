//! How an answer becomes a response.

use std::{fmt, sync::Arc, time::Duration};

use counterfoil::Scope;
use http::{
    HeaderValue, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;

use crate::answer::Answer;

/// How the body of an answer is written. Status and headers are the layer's.
///
/// ```
/// use counterfoil_tower::Renderer;
///
/// let own = Renderer::new("application/json", |answer| format!(r#"{{"ok":false,"code":"{}"}}"#, answer.code));
/// ```
#[derive(Clone)]
pub struct Renderer {
    content_type: HeaderValue,
    write: Write,
}

#[derive(Clone)]
enum Write {
    Problem,
    Short,
    Own(Arc<dyn Fn(&Answer) -> String + Send + Sync>),
}

impl Renderer {
    /// `application/problem+json` (RFC 9457), with the members `code`, and `scope` and `link` where there are any.
    pub const fn problem() -> Self {
        Self { content_type: HeaderValue::from_static("application/problem+json"), write: Write::Problem }
    }

    /// `{"error": "…"}`, the answer's text.
    pub const fn short() -> Self {
        Self { content_type: HeaderValue::from_static("application/json"), write: Write::Short }
    }

    /// The host's own body.
    pub fn new(content_type: &'static str, write: impl Fn(&Answer) -> String + Send + Sync + 'static) -> Self {
        Self { content_type: HeaderValue::from_static(content_type), write: Write::Own(Arc::new(write)) }
    }

    /// The body.
    pub fn body(&self, answer: &Answer) -> String {
        match &self.write {
            Write::Own(write) => write(answer),
            Write::Short => text_of(&Short { error: &answer.text }),
            Write::Problem => text_of(&Problem {
                kind: "about:blank",
                title: answer.status().canonical_reason().unwrap_or_default(),
                status: answer.status().as_u16(),
                detail: &answer.text,
                code: &answer.code,
                scope: answer.scope.as_ref().map(Scope::as_str),
                link: answer.link.as_deref(),
            }),
        }
    }

    /// The response, but for its challenge.
    pub fn response<B: From<String>>(&self, answer: &Answer) -> Response<B> {
        let mut response = Response::new(self.body(answer).into());
        *response.status_mut() = answer.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = answer.retry_after {
            headers.insert(RETRY_AFTER, whole_seconds(wait).into());
        }
        response
    }
}

#[derive(Serialize)]
struct Short<'a> {
    error: &'a str,
}

/// The members of RFC 9457, section 3.1, and extensions (section 3.2).
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
}

fn text_of(body: &impl Serialize) -> String {
    // INVARIANT: texts and a number, which are JSON always.
    serde_json::to_string(body).unwrap_or_default()
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Renderer({:?})", self.content_type)
    }
}

/// Rounded up, so that whoever waits so long comes late enough (RFC 9110, section 10.2.3).
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}
