//! The paths of the page's links, as the browser sees them.

use axum::{
    extract::{OriginalUri, Request},
    http::Uri,
};

use crate::management::public_url::PublicUrl;

/// The paths that links, forms and redirects of one response are made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    /// What a proxy has removed from the path of the request.
    prefix: String,
    /// The path that the other pages follow, without `/` at its end.
    base: String,
    list: String,
    /// The path and query of the request.
    here: String,
}

impl Links {
    /// The links for a request to a page whose path is the list's with `depth` more segments.
    ///
    /// `None` for a path that a browser would read as another host, because it would be written into links.
    pub(super) fn of(request: &Request, depth: usize, public_url: &PublicUrl) -> Option<Self> {
        let uri = original_uri(request);
        let mut base = uri.path().trim_end_matches('/');
        for _ in 0..depth {
            base = &base[..base.rfind('/')?];
        }
        if uri.path().starts_with("//") || uri.path().contains('\\') {
            return None;
        }
        let prefix = public_url.prefix(request.headers()).into_owned();
        let list = format!("{prefix}{}", if base.is_empty() { "/" } else { base });
        let here = format!("{prefix}{}", uri.path_and_query().map_or("/", |path| path.as_str()));
        Some(Self { base: format!("{prefix}{base}"), prefix, list, here })
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The path of the list.
    pub(super) fn list(&self) -> &str {
        &self.list
    }

    /// The path and query of the request: where the person wants to be once they have signed in.
    pub(super) fn here(&self) -> &str {
        &self.here
    }

    /// A link of the application: a path gets the prefix, a whole URL does not.
    pub(super) fn application(&self, link: &str) -> String {
        match link.starts_with('/') && !link.starts_with("//") {
            true => format!("{}{link}", self.prefix),
            false => link.to_owned(),
        }
    }
}

fn original_uri(request: &Request) -> &Uri {
    request.extensions().get::<OriginalUri>().map_or(request.uri(), |OriginalUri(uri)| uri)
}
