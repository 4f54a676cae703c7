//! The router: where each page stands, and what stands around it.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{FromRequestParts, OriginalUri, RawPathParams, Request, rejection::RawPathParamsRejection},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, get},
};
use tower_http::csrf::CsrfLayer;

use super::{
    InvalidSettingsPage, PageSession, SettingsPage,
    answer::Visit,
    change::Place,
    reply::{self, Ours},
};
use crate::management::{ApiError, PathParams, guard};

const STYLE: &str = "/style.css";
const SCRIPT: &str = "/script.js";

impl SettingsPage {
    /// The router, with the host's session extractor as the only way in.
    ///
    /// Merge it into the host's own, or nest it: links are made from the path of the request.
    ///
    /// What the extractor answers by itself, such as a redirect to the sign-in page, is passed on as it is, with
    /// `Cache-Control: no-store` if it has no such header: the content security policy and what else stands around the page's
    /// own replies would break a page of the host's. An [`ApiError`] of its is shown as a page of ours.
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
        for place in Place::all().filter(|place| page.has(place.operation())) {
            let (behind, depth) = place.behind();
            let of_handler = Arc::clone(&page);
            let handler = move |session: M, path: Result<RawPathParams, RawPathParamsRejection>, request: Request| {
                let page = Arc::clone(&of_handler);
                async move {
                    let base = base_of(&request, depth).ok_or_else(ApiError::not_found)?;
                    // A name that is no text names nothing.
                    let path = PathParams::from(&path.map_err(|_| ApiError::not_found())?);
                    let now = page.registry.now()?;
                    let mut response = Visit { page, session, path, base, now }.answer(place, request).await?;
                    response.extensions_mut().insert(Ours);
                    Ok::<_, ApiError>(response)
                }
            };
            let methods = match place {
                Place::List | Place::Token => MethodFilter::GET,
                Place::Create | Place::Change(_) => MethodFilter::GET.or(MethodFilter::POST),
            };
            let path = format!("{root}{behind}");
            let path = if path.is_empty() { "/" } else { &path };
            router = router.route(path, guarded(MethodRouter::new().on(methods, handler), &page, depth));
        }
        for (behind, content_type, text) in [
            (STYLE, "text/css; charset=utf-8", Arc::clone(&page.style)),
            (SCRIPT, "text/javascript; charset=utf-8", Arc::clone(&page.script)),
        ] {
            let place = get(async move || (Extension(Ours), reply::asset(content_type, &text)));
            router = router.route(&format!("{root}{behind}"), guarded(place, &page, 1));
        }
        Ok(router)
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
                Some(error) => {
                    let mut response = guard::reworded(response, page.error(&base, &error));
                    response.extensions_mut().insert(Ours);
                    response
                }
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
