//! The router: where each page stands, and what stands around it.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{FromRequestParts, RawPathParams, Request, rejection::RawPathParamsRejection},
    http::{Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, get},
};

use super::{
    InvalidSettingsPage, PageSession, SettingsPage,
    answer::Visit,
    change::Place,
    form::Form,
    language::Languages,
    links::Links,
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
    /// A page that tells of an error has the [`ApiError`] in the extensions of its response, for your logs: what people read
    /// holds no more than the [`Words`](super::Words) and your own texts.
    ///
    /// # Errors
    ///
    /// [`InvalidSettingsPage`].
    ///
    /// # Panics
    ///
    /// As [`Router::route`] does, for paths that axum cannot tell apart.
    pub fn router<M, S>(self) -> Result<Router<S>, InvalidSettingsPage>
    where
        M: PageSession + FromRequestParts<S>,
        S: Clone + Send + Sync + 'static,
    {
        let root = self.path.trim_end_matches('/').to_owned();
        let languages = Arc::new(Languages::of(self)?);
        let page = Arc::clone(languages.first());
        let mut router = Router::new();
        for place in Place::all().filter(|place| page.has(place.operation())) {
            let (behind, depth) = place.behind();
            let of_handler = Arc::clone(&languages);
            let handler = move |session: M, path: Result<RawPathParams, RawPathParamsRejection>, request: Request| {
                let page = Arc::clone(of_handler.choose(session.language(), request.headers()));
                async move {
                    let links = Links::of(&request, depth, &page.public_url);
                    let answer = async {
                        let links = links.clone().ok_or_else(ApiError::not_found)?;
                        // A name that is no text names nothing.
                        let path = PathParams::from(&path.map_err(|_| ApiError::not_found())?);
                        let (page, now) = (Arc::clone(&page), page.registry.now()?);
                        Visit { page, session, path, links, now }.answer(place, request).await
                    };
                    // In the language of the session, which the layer around does not know.
                    let mut response = match answer.await {
                        Ok(response) => response,
                        Err(error) => page.error(&links.unwrap_or_default(), error),
                    };
                    response.extensions_mut().insert(Ours);
                    response
                }
            };
            let methods = match place {
                Place::List | Place::Token => MethodFilter::GET,
                Place::Create | Place::Change(_) => MethodFilter::GET.or(MethodFilter::POST),
            };
            let path = format!("{root}{behind}");
            let path = if path.is_empty() { "/" } else { &path };
            router = router.route(path, guarded(MethodRouter::new().on(methods, handler), &languages, depth));
        }
        for (behind, content_type, text) in [
            (STYLE, "text/css; charset=utf-8", Arc::clone(&page.style)),
            (SCRIPT, "text/javascript; charset=utf-8", Arc::clone(&page.script)),
        ] {
            let place = get(async move || (Extension(Ours), reply::asset(content_type, &text)));
            router = router.route(&format!("{root}{behind}"), guarded(place, &languages, 1));
        }
        Ok(router)
    }
}

fn guarded<S: Clone + Send + Sync + 'static>(
    place: MethodRouter<S>,
    languages: &Arc<Languages>,
    depth: usize,
) -> MethodRouter<S> {
    let cross_site = languages.first().cross_site.clone();
    let languages = Arc::clone(languages);
    let guard = from_fn(move |request: Request, next: Next| {
        let languages = Arc::clone(&languages);
        async move {
            let page = languages.choose(None, request.headers());
            let links = Links::of(&request, depth, &page.public_url).unwrap_or_default();
            let is_form = *request.method() == Method::POST;
            let (mut response, kept) = match admitted(page, request, is_form).await {
                Ok((request, form)) => (next.run(request).await, form),
                Err(error) => (error.into_response(), None),
            };
            let is_ours = response.extensions().get::<Ours>().is_some();
            let error = if is_ours { None } else { guard::error_of(&mut response).or_else(|| unspoken(&response)) };
            let is_signed_out = !is_ours
                && match &error {
                    Some(error) => error.status == StatusCode::UNAUTHORIZED,
                    None if page.sign_in.is_none() => false,
                    // A redirect would lose what was entered.
                    None => {
                        response.status() == StatusCode::UNAUTHORIZED || is_form && response.status().is_redirection()
                    }
                };
            let written = match (is_signed_out, error) {
                (true, error) => {
                    response.headers_mut().remove(header::LOCATION);
                    Some(page.signed_out(&links, error.as_ref(), kept.map(Form::entered).as_deref()))
                }
                (false, Some(error)) => Some(page.error(&links, error)),
                (false, None) => None,
            };
            reply::guarded(match written {
                Some(written) => {
                    let mut response = guard::reworded(response, written);
                    response.extensions_mut().insert(Ours);
                    response
                }
                None => response,
            })
        }
    });
    // Around each place and not around the router, whose fallback would be the host's.
    place.layer(cross_site).layer(guard)
}

/// The request, and the form that it holds: kept in case there is no session for it.
async fn admitted(page: &SettingsPage, request: Request, is_form: bool) -> Result<(Request, Option<Form>), ApiError> {
    page.shut(&request)?;
    if is_form { Form::peek(request).await } else { Ok((request, None)) }
}

/// The error that axum answers with a status alone.
fn unspoken(response: &Response) -> Option<ApiError> {
    let is_method = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    is_method.then(|| ApiError::own(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "method not allowed"))
}
