//! The protected resource's metadata document (RFC 9728).

use http::{
    HeaderValue, Method, Response, StatusCode, Uri,
    header::{ALLOW, CONTENT_TYPE},
};
use serde_json::{Map, Value};

/// What a client may learn about the protected resource without a token (RFC 9728, section 2).
///
/// Only the members that are set are in the document.
///
/// ```
/// use counterfoil_tower::ResourceMetadata;
///
/// let metadata = ResourceMetadata::new("https://api.example.com/mcp")?
///     .member("authorization_servers", ["https://login.example.com"])
///     .member("resource_name", "Example MCP");
/// assert_eq!(metadata.url(), "https://api.example.com/.well-known/oauth-protected-resource/mcp");
/// # Ok::<(), counterfoil_tower::InvalidResource>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceMetadata {
    origin: String,
    /// Of the resource, without a final slash.
    path: String,
    at_root_too: bool,
    members: Map<String, Value>,
}

const WELL_KNOWN: &str = "/.well-known/";
const DOCUMENT: &str = "/.well-known/oauth-protected-resource";

impl ResourceMetadata {
    /// For the resource of this identifier.
    ///
    /// # Errors
    ///
    /// [`InvalidResource`] unless it is a URL of scheme `https` without query and fragment (RFC 9728, section 1.2); for a
    /// loopback address also of scheme `http`.
    pub fn new(resource: &str) -> Result<Self, InvalidResource> {
        let uri: Uri = resource.parse().map_err(|_| InvalidResource)?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(InvalidResource)?;
        let is_loopback = matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]");
        let scheme = uri.scheme_str().ok_or(InvalidResource)?;
        if !(scheme == "https" || scheme == "http" && is_loopback) || uri.query().is_some() || resource.contains('#') {
            return Err(InvalidResource);
        }
        let mut members = Map::new();
        members.insert("resource".into(), resource.into());
        let path = uri.path().strip_suffix('/').unwrap_or(uri.path()).to_owned();
        Ok(Self { origin: format!("{scheme}://{authority}"), path, at_root_too: false, members })
    }

    /// With this member, a text or a list of texts.
    pub fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Served at the root of the well-known place too, for clients that do not insert the resource's path.
    pub fn at_root_too(self) -> Self {
        Self { at_root_too: true, ..self }
    }

    /// Where the document is: the well-known place stands between the host and the resource's path (RFC 9728,
    /// section 3.1).
    pub fn url(&self) -> String {
        format!("{}{DOCUMENT}{}", self.origin, self.path)
    }

    /// The document.
    pub fn document(&self) -> String {
        Value::Object(self.members.clone()).to_string()
    }

    /// The answer to a request for a well-known place: the document, or that there is nothing. `None` for any other
    /// path.
    pub(crate) fn answer<B: From<String>>(&self, method: &Method, path: &str) -> Option<Response<B>> {
        if !path.starts_with(WELL_KNOWN) {
            return None;
        }
        let rest = path.strip_prefix(DOCUMENT);
        let is_here = rest.is_some_and(|rest| rest == self.path || self.at_root_too && matches!(rest, "" | "/"));
        let mut response = Response::new(String::new().into());
        if !is_here {
            *response.status_mut() = StatusCode::NOT_FOUND;
        } else if method == Method::GET || method == Method::HEAD {
            // The server sends no body for HEAD.
            response = Response::new(self.document().into());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        } else {
            *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        Some(response)
    }
}

/// A text that identifies no protected resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidResource;

impl std::fmt::Display for InvalidResource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a protected resource: expected an https url without user, query and fragment")
    }
}

impl std::error::Error for InvalidResource {}
