//! The router: where each page stands, and what stands around it.

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRequestParts, OriginalUri, RawPathParams, Request, rejection::RawPathParamsRejection},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, get},
};
use tower_http::csrf::CsrfLayer;

use super::{PageSession, ScopeGroup, SettingsPage, answer::Visit, reply};
use crate::management::{ApiError, Operation, PathParams, guard};

const STYLE: &str = "/style.css";
const SCRIPT: &str = "/script.js";

/// What stands behind the list's path, and the path's number of segments there.
fn place(operation: Operation) -> (String, usize) {
    match operation {
        Operation::List => (String::new(), 0),
        Operation::Create => ("/new".into(), 1),
        Operation::Get => ("/{token_id}".into(), 1),
        _ => (format!("/{{token_id}}{}", super::suffix(operation)), 2),
    }
}

impl SettingsPage {
    /// The router, with the host's session extractor as the only way in.
    ///
    /// Merge it into the host's own, or nest it: links are made from the path of the request. What the extractor answers by
    /// itself, such as a redirect to the sign-in page, is passed on; an [`ApiError`] is shown as a page.
    ///
    /// # Errors
    ///
    /// [`InvalidSettingsPage`].
    ///
    /// # Panics
    ///
    /// As [`Router::route`] does, for paths that axum cannot tell apart.
    pub fn router<M, S>(mut self) -> Result<Router<S>, InvalidSettingsPage>
    where
        M: PageSession + FromRequestParts<S>,
        S: Clone + Send + Sync + 'static,
    {
        self.check()?;
        self.settle();
        let root = self.path.trim_end_matches('/').to_owned();
        let page = Arc::new(self);
        let mut router = Router::new();
        for operation in super::OPERATIONS.into_iter().filter(|operation| page.has(*operation)) {
            let (behind, depth) = place(operation);
            let of_handler = Arc::clone(&page);
            let handler = move |session: M, path: Result<RawPathParams, RawPathParamsRejection>, request: Request| {
                let page = Arc::clone(&of_handler);
                async move {
                    let base = base_of(&request, depth).ok_or_else(ApiError::not_found)?;
                    // A name that is no text names nothing.
                    let path = PathParams::from(&path.map_err(|_| ApiError::not_found())?);
                    let now = page.registry.now()?;
                    Visit { page, session, path, base, now }.answer(operation, request).await
                }
            };
            let methods = match operation {
                Operation::List | Operation::Get => MethodFilter::GET,
                _ => MethodFilter::GET.or(MethodFilter::POST),
            };
            let path = match operation {
                Operation::List => page.path.clone(),
                _ => format!("{root}{behind}"),
            };
            router = router.route(&path, guarded(MethodRouter::new().on(methods, handler), &page, depth));
        }
        for (behind, content_type, text) in [
            (STYLE, "text/css; charset=utf-8", Arc::clone(&page.style)),
            (SCRIPT, "text/javascript; charset=utf-8", Arc::clone(&page.script)),
        ] {
            let place = get(async move || reply::asset(content_type, &text));
            router = router.route(&format!("{root}{behind}"), guarded(place, &page, 1));
        }
        Ok(router)
    }

    fn check(&self) -> Result<(), InvalidSettingsPage> {
        let names_token = self.path.split('/').any(|segment| segment == "{token_id}");
        if !self.path.starts_with('/') || names_token {
            return Err(InvalidSettingsPage::Path { path: self.path.clone() });
        }
        let groups = self.groups.as_deref().unwrap_or_default();
        let is_twice = |(at, group): &(usize, &ScopeGroup)| groups[..*at].iter().any(|other| other.key == group.key);
        match groups.iter().enumerate().find(is_twice) {
            Some((_, group)) => Err(InvalidSettingsPage::GroupTwice { key: group.key.clone() }),
            None => Ok(()),
        }
    }
}

/// The path of the list, from that of a request which stands so many segments behind it.
///
/// A path that a browser would read as another host's is none: it would be written into links.
fn base_of(request: &Request, depth: usize) -> Option<String> {
    let original = request.extensions().get::<OriginalUri>().map_or(request.uri(), |OriginalUri(uri)| uri);
    let mut base = original.path().trim_end_matches('/');
    for _ in 0..depth {
        base = &base[..base.rfind('/')?];
    }
    (!base.starts_with("//") && !base.contains('\\')).then(|| base.to_owned())
}

fn guarded<S: Clone + Send + Sync + 'static>(
    place: MethodRouter<S>,
    page: &Arc<SettingsPage>,
    depth: usize,
) -> MethodRouter<S> {
    let page = Arc::clone(page);
    let guard = from_fn(move |request: Request, next: Next| {
        let page = Arc::clone(&page);
        async move {
            let base = base_of(&request, depth).unwrap_or_default();
            let mut response = match page.shut(&request) {
                Ok(()) => next.run(request).await,
                Err(error) => error.into_response(),
            };
            let error = guard::error_of(&mut response).or_else(|| unspoken(&response));
            reply::guarded(match error {
                Some(error) => guard::reworded(response, page.error(&base, &error)),
                None => response,
            })
        }
    });
    // Around each place and not around the router, whose fallback would be the host's.
    place.layer(CsrfLayer::new()).layer(guard)
}

/// The error that axum answers with a status alone.
fn unspoken(response: &Response) -> Option<ApiError> {
    let is_method = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    is_method.then(|| ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "method not allowed"))
}

/// A settings page that cannot be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidSettingsPage {
    /// A path without `/` at its start, or with `{token_id}` in it.
    Path {
        /// The path.
        path: String,
    },
    /// Two groups of scopes have one key.
    GroupTwice {
        /// The key.
        key: String,
    },
}

impl std::fmt::Display for InvalidSettingsPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path { path } => write!(f, "path `{path}`: expected `/` first, and no segment {{token_id}}"),
            Self::GroupTwice { key } => write!(f, "two groups of scopes have the key `{key}`"),
        }
    }
}

impl std::error::Error for InvalidSettingsPage {}
