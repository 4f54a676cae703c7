//! The router: routes, what stands around each, and what is wrong with how it was set up.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::{FromRequestParts, RawPathParams, Request, rejection::RawPathParamsRejection},
    http::header,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};

use super::{ApiError, Management, Operation, PathParams, Session, answer::Asked, document, location::LocationPath};

impl Management {
    /// The router, with the host's session extractor as the only way in.
    ///
    /// Merge it into your own router. Nested under a prefix it works as well, but its document does not know of the prefix:
    /// give whole paths instead.
    ///
    /// # Errors
    ///
    /// [`InvalidManagement`].
    ///
    /// # Panics
    ///
    /// As [`Router::route`] does, for paths that axum cannot tell apart.
    pub fn router<M, S>(self) -> Result<Router<S>, InvalidManagement>
    where
        M: Session + FromRequestParts<S>,
        S: Clone + Send + Sync + 'static,
    {
        let routes = self.checked_routes()?;
        let mut settings = self.settings.clone();
        settings.location = LocationPath::of(&self);
        let document = self.document_at.as_ref().map(|path| (path.clone(), self.openapi()));
        let settings = Arc::new(settings);
        let mut places: BTreeMap<String, MethodRouter<S>> = BTreeMap::new();
        for (operation, path) in routes {
            let settings = Arc::clone(&settings);
            let handler = move |session: M, path: Result<RawPathParams, RawPathParamsRejection>, request: Request| {
                let settings = Arc::clone(&settings);
                async move {
                    // A name that is no text names nothing.
                    let path = PathParams::from(&path.map_err(|_| ApiError::not_found())?);
                    Asked { settings, operation, session, path }.answer(request).await
                }
            };
            let place = places.remove(&path).unwrap_or_default();
            places.insert(path, place.on(operation.filter(), handler));
        }
        let guard = from_fn(move |request: Request, next: Next| {
            let settings = Arc::clone(&settings);
            async move {
                match settings.shut(&request) {
                    Ok(()) => settings.finish(next.run(request).await),
                    Err(error) => settings.finish(error.into_response()),
                }
            }
        });
        // Around each place and not around the router, whose fallback would be the host's.
        let guarded = |place: MethodRouter<S>| place.layer(self.cross_site.clone()).layer(guard.clone());
        let router =
            places.into_iter().fold(Router::new(), |router, (path, place)| router.route(&path, guarded(place)));
        Ok(match document {
            Some((path, document)) => {
                let text: Arc<str> = document.to_json().unwrap_or_default().into();
                router.route(&path, get(async move || json_text(&text)))
            }
            None => router,
        })
    }

    fn checked_routes(&self) -> Result<Vec<(Operation, String)>, InvalidManagement> {
        if let Some(invalid) = &self.invalid {
            return Err(invalid.clone());
        }
        if let Some(name) = self.wrong_names.first() {
            return Err(InvalidManagement::Name { name: name.clone() });
        }
        if let Some(name) = document::clash(&self.settings.showing.names) {
            return Err(InvalidManagement::NameTwice { name });
        }
        let routes: Vec<_> = self.routes().collect();
        for (at, (operation, path)) in routes.iter().enumerate() {
            let names_token = path.split('/').any(|segment| segment == "{token_id}");
            if !path.starts_with('/') || names_token != operation.is_of_one() {
                return Err(InvalidManagement::Path { operation: *operation, path: path.clone() });
            }
            let is_same = |(other, place): &(Operation, String)| place == path && other.method() == operation.method();
            if routes[..at].iter().any(is_same) {
                return Err(InvalidManagement::PathTwice { path: path.clone() });
            }
        }
        Ok(routes)
    }
}

fn json_text(text: &str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text.to_owned()).into_response()
}

/// A management API that cannot be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidManagement {
    /// A path without `/` at its start, without `{token_id}` where one token is meant, or with it where none is.
    Path {
        /// Of which operation.
        operation: Operation,
        /// The path.
        path: String,
    },
    /// Two operations of one method have one path.
    PathTwice {
        /// The path.
        path: String,
    },
    /// No member of any body is called so here.
    Name {
        /// The name.
        name: String,
    },
    /// Two members of one body would have one name.
    NameTwice {
        /// The name.
        name: String,
    },
    /// A [trusted origin](Management::trusted_origin) that is none.
    Origin {
        /// What was found and what is expected.
        why: String,
    },
    /// A [public URL](Management::public_url) that is neither an http or https URL nor a path.
    PublicUrl {
        /// What was found and what is expected.
        why: String,
    },
}

impl std::fmt::Display for InvalidManagement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path { operation, path } => {
                let with = if operation.is_of_one() { "with" } else { "without" };
                write!(f, "path `{path}` of {}: expected `/` first, {with} a segment {{token_id}}", operation.as_str())
            }
            Self::PathTwice { path } => write!(f, "path `{path}` has two operations of one method"),
            Self::Name { name } => write!(f, "no member is called `{name}` here"),
            Self::NameTwice { name } => write!(f, "two members would be called `{name}`"),
            Self::Origin { why } | Self::PublicUrl { why } => f.write_str(why),
        }
    }
}

impl std::error::Error for InvalidManagement {}
