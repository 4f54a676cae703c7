//! A router with which sessions of the host's manage tokens.
//!
//! [`Management`] collects what the host has to say, [`Session`] is the only way in, and [`Operation`] lists what there
//! is. What clients can rely on is in the OpenAPI document that comes with it.

mod answer;
mod document;
pub(crate) mod guard;
pub(crate) mod json;
pub(crate) mod list;
mod location;
mod mount;
pub(crate) mod names;
mod operation;
mod precondition;
mod problem;
pub(crate) mod public_url;
pub(crate) mod refusal;
pub(crate) mod requests;
mod session;
mod settings;
mod view;
mod wish;

use std::{collections::BTreeMap, time::Duration};

use axum::http::{HeaderName, StatusCode};
use counterfoil::{Registry, record::Statuses, store::IdempotencyStore};
use tower_http::csrf::CsrfLayer;

pub(crate) use self::problem::Detail;
use self::{
    document::SessionScheme, guard::CredentialHeaders, names::Names, public_url::PublicUrl, requests::SharedRequests,
    settings::Settings, view::Showing, wish::Demands,
};
pub use self::{
    mount::InvalidManagement,
    operation::Operation,
    problem::{ApiError, ErrorBody},
    session::{Declined, PathParams, Session},
    view::{ManagedToken, MarkView, RestrictionsView},
};

/// A management API: list, create, show, rotate, block, revoke tokens, in a session of the host's.
///
/// ```
/// use axum::Router;
/// use counterfoil::{MemoryStore, Registry};
/// use counterfoil_axum::management::{InvalidManagement, Management, Operation, Session};
/// # use axum::extract::FromRequestParts;
///
/// fn tokens<User>(registry: Registry, requests: MemoryStore) -> Result<Router, InvalidManagement>
/// where
///     User: Session + FromRequestParts<()>,
/// {
///     Management::new(registry)
///         .collection("/v1/users/{user_id}/tokens")
///         .item("/v1/tokens/{token_id}")
///         .name("token", "token_plain")
///         .without(Operation::Unblock)
///         .idempotency(requests)
///         .document_at("/v1/openapi.json")
///         .router::<User, ()>()
/// }
/// ```
///
/// # What holds for every operation
///
/// - A request that shows a token of ours, good or bad, in any header that a token may come in (but not in the Base64 of
///   `Basic`, where no door looks), is refused with 403, and so is one that comes with a proof of the
///   [`TokenLayer`](counterfoil_tower::TokenLayer) before the router, or of the session extractor: tokens do not manage tokens.
/// - Changes that another site's page has sent are refused with 403, by what browsers say of a request's origin, since a
///   session is usually a cookie.
/// - Then the session is extracted; then the token is looked up and the session [asked](Session::may); then the body and
///   the precondition are read.
/// - The plaintext stands in the replies to create and rotate alone. Nothing of any reply may be stored by anyone.
/// - `ETag` is the token's version, which use does not move, and `If-Match` is looked at for every change of a token. Without
///   it a change that has lost a race is made again. `If-None-Match` is not looked at.
/// - A proxy that compresses responses may weaken the `ETag` to `W/"3"`, which `If-Match` never matches (RFC 9110, section
///   13.1.1). The member `version` of the body is the same number: send `If-Match: "3"`.
/// - The reply to create has the token's path as `Location`, unless [`Get`](Operation::Get) is left out or needs a parameter
///   that the path to create does not have.
/// - A token whose row cannot be read is listed under `corrupt`, and 503 for every operation: whose it is cannot be said. The
///   host ends it by [`Registry::revoke`].
#[derive(Debug, Clone)]
#[must_use = "a management API does nothing until its router is mounted"]
pub struct Management {
    settings: Settings,
    collection: String,
    item: String,
    paths: BTreeMap<Operation, String>,
    left_out: Vec<Operation>,
    cross_site: CsrfLayer,
    invalid: Option<InvalidManagement>,
    wrong_names: Vec<String>,
    document_at: Option<String>,
    title: String,
    session: Option<SessionScheme>,
}

impl Management {
    /// An API for the tokens of this registry: the collection at `/tokens`, a token at `/tokens/{token_id}`.
    pub fn new(registry: Registry) -> Self {
        let settings = Settings {
            registry,
            requests: None,
            showing: Showing::default(),
            demands: Demands::default(),
            limit: StatusCode::TOO_MANY_REQUESTS,
            codes: Names::default(),
            errors: ErrorBody::problem(),
            usual: Statuses::ALL,
            body_limit: 64 * 1024,
            credential_headers: CredentialHeaders::default(),
            public_url: PublicUrl::default(),
            location: None,
        };
        Self {
            settings,
            collection: "/tokens".into(),
            item: "/tokens/{token_id}".into(),
            paths: BTreeMap::new(),
            left_out: Vec::new(),
            cross_site: CsrfLayer::new(),
            invalid: None,
            wrong_names: Vec::new(),
            document_at: None,
            title: "Personal access tokens".into(),
            session: None,
        }
    }

    /// The path of list and create. Its parameters are handed to the [`Session`].
    pub fn collection(self, path: impl Into<String>) -> Self {
        Self { collection: path.into(), ..self }
    }

    /// The path of one token, with the parameter `{token_id}`; the other operations stand behind it.
    pub fn item(self, path: impl Into<String>) -> Self {
        Self { item: path.into(), ..self }
    }

    /// The path of one operation, where it is another than follows from those two.
    pub fn at(mut self, operation: Operation, path: impl Into<String>) -> Self {
        self.paths.insert(operation, path.into());
        self
    }

    /// Leaves an operation out.
    pub fn without(mut self, operation: Operation) -> Self {
        self.left_out.push(operation);
        self
    }

    /// Calls a member of bodies by a name of the host's: `name("token", "token_plain")` for the plaintext, say. The members
    /// are those of [`ManagedToken`], of a page (`tokens`, `corrupt`, `next_cursor`), of a minted token's reply (`token`,
    /// `replayed`, `dropped_scopes`), and of requests, where they are the same words, and `type`, `expires_in`, `overlap`,
    /// `by`, `reason`.
    pub fn name(mut self, ours: &'static str, theirs: impl Into<String>) -> Self {
        if document::members().any(|member| member == ours) {
            self.settings.showing.names.set(ours, theirs.into());
        } else {
            self.wrong_names.push(ours.to_owned());
        }
        self
    }

    /// Answers with a code of the host's where this API would answer with `ours`: `code("limit_reached",
    /// "too_many_tokens")`, say.
    pub fn code(mut self, ours: &'static str, theirs: impl Into<String>) -> Self {
        self.settings.codes.set(ours, theirs.into());
        self
    }

    /// Demands this constant as `type` of a request to create, and shows it with every token.
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        let kind = Some(kind.into());
        self.settings.showing.kind.clone_from(&kind);
        self.settings.demands.kind = kind;
        self
    }

    /// Demands `restrictions` of a request to create, be they empty.
    pub fn restrictions_required(mut self) -> Self {
        self.settings.demands.restrictions = true;
        self
    }

    /// Lets a rotation keep the old secret good for so long at most, in whole seconds: with zero it ends at once, always.
    /// Without this, a request may ask for any overlap.
    pub fn longest_overlap(mut self, longest: Duration) -> Self {
        self.settings.demands.longest_overlap = longest.as_secs().try_into().unwrap_or(u32::MAX);
        self
    }

    /// Lists these where a request names no status: all of them, unless this is said.
    pub fn listing(mut self, usual: Statuses) -> Self {
        self.settings.usual = usual;
        self
    }

    /// Answers with this status where an owner has as many tokens as allowed: 429, unless this is said.
    pub fn limit_status(mut self, status: StatusCode) -> Self {
        self.settings.limit = status;
        self
    }

    /// Writes errors this way.
    pub fn errors(mut self, errors: ErrorBody) -> Self {
        self.settings.errors = errors;
        self
    }

    /// Remembers requests with an `Idempotency-Key` here: a request to create that comes again, to the same path and with
    /// the same body, makes no second token. A request to rotate is remembered with its token, until the next rotation, and
    /// needs no store.
    ///
    /// A repeat is held against the rules as they are now before it is known as one: while minting is stopped, or once the
    /// end that it asks for has passed, it is told so, and makes nothing.
    ///
    /// Give the store to the registry too, with
    /// [`idempotency`](counterfoil::registry::RegistryBuilder::idempotency), which forgets old requests.
    pub fn idempotency(mut self, requests: impl IdempotencyStore) -> Self {
        self.settings.requests = Some(SharedRequests::new(requests));
        self
    }

    /// Looks for tokens in this header too, beside `Authorization` and `X-API-Key`: name every header that a door of the
    /// host's reads.
    pub fn credential_header(mut self, name: HeaderName) -> Self {
        self.settings.credential_headers.add(name);
        self
    }

    /// Lets pages of this origin (`https://app.example.com`) send changes, in addition to those of the API's own. Case, a
    /// default port and a `/` at the end do not matter.
    pub fn trusted_origin(mut self, origin: &str) -> Self {
        let added = public_url::normal_origin(origin)
            .and_then(|origin| self.cross_site.clone().add_trusted_origin(&origin).map_err(|error| error.to_string()));
        match added {
            Ok(layer) => self.cross_site = layer,
            Err(why) => drop(self.invalid.get_or_insert(InvalidManagement::Origin { why })),
        }
        self
    }

    /// Sets the URL under which clients reach your service, if a reverse proxy changes it:
    /// `https://tools.example.com/acme`, or the path alone, `/acme`.
    ///
    /// The path is the prefix that the proxy removes: the `Location` of a new token gets it. The URL is the server in the
    /// OpenAPI document, and its origin is a [trusted](Self::trusted_origin) one. See the
    /// [guide](counterfoil::guide::reverse_proxies).
    pub fn public_url(mut self, url: &str) -> Self {
        match self.settings.public_url.set(url) {
            Ok(()) => match self.settings.public_url.origin.clone() {
                Some(origin) => self.trusted_origin(&origin),
                None => self,
            },
            Err(why) => {
                self.invalid.get_or_insert(InvalidManagement::PublicUrl { why });
                self
            }
        }
    }

    /// Takes the path prefix from the header `X-Forwarded-Prefix`, instead of from [`public_url`](Self::public_url), where a
    /// request has it.
    ///
    /// Use it only behind a proxy that sets or removes this header in every request. If it has several values, the first is
    /// the outermost prefix. A header that holds anything but paths is ignored.
    pub fn trust_forwarded_prefix(mut self) -> Self {
        self.settings.public_url.trusts_header = true;
        self
    }

    /// Reads bodies of at most so many bytes: 65,536, unless this is said.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.settings.body_limit = bytes;
        self
    }

    /// Serves the OpenAPI document here, to anyone.
    pub fn document_at(self, path: impl Into<String>) -> Self {
        Self { document_at: Some(path.into()), ..self }
    }

    /// The document's title.
    pub fn title(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }

    /// How a session is shown, for the document: a cookie, say.
    pub fn session_scheme(
        self,
        name: impl Into<String>,
        scheme: impl Into<utoipa::openapi::security::SecurityScheme>,
    ) -> Self {
        Self { session: Some(SessionScheme { name: name.into(), scheme: scheme.into() }), ..self }
    }

    /// The routes that there are.
    pub fn routes(&self) -> impl Iterator<Item = (Operation, String)> {
        Operation::ALL.into_iter().filter(|operation| !self.left_out.contains(operation)).map(|operation| {
            let place = if operation.is_of_one() { &self.item } else { &self.collection };
            let path = self.paths.get(&operation).cloned();
            (operation, path.unwrap_or_else(|| format!("{place}{}", operation.suffix())))
        })
    }

    /// The OpenAPI 3.1 document of these routes.
    pub fn openapi(&self) -> utoipa::openapi::OpenApi {
        document::of(self)
    }
}
