//! ARCNM: API keys in `X-API-Key` for machines, the same keys as bearer tokens for agents, and sessions for people.

mod audit;
mod mcp;
mod organisations;
pub mod session;
mod webhooks;

use std::{num::NonZero, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    extract::{FromRequest, Path, Request, State, rejection::JsonRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header::CONTENT_TYPE},
    middleware::{from_fn_with_state, map_request},
    routing::{any, get, patch, post},
};
use counterfoil::{
    Alphabet, Argon2Cost, Environment, Grant, IssuePolicy, Lifetime, Owner, Registry, ScopeCatalog, Status,
    TokenFormat, UnknownScopes, policy::Lifetimes, record::Statuses,
};
use counterfoil_axum::{
    RequireScope,
    management::{ApiError, Management, Operation},
};
use counterfoil_sqlx::SqliteStore;
use counterfoil_tower::{ClientAddress, Codes, Gate, TokenLayer, Transport};
use serde_json::{Value, json};
use tower_http::{
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
};

pub use self::{audit::AuditLog, organisations::Organisations, webhooks::Webhooks};
use self::{
    organisations::{Context, in_context},
    session::{Admin, Role, SessionTokens},
};
use crate::host::{Error, Ground, Service};

/// The scopes that open something, in the words of the documentation.
const CATALOG: [(&str, &str); 8] = [
    ("parts:read", "List and read parts, revisions, and calculation results"),
    ("parts:write", "Create, update and delete parts and revisions, and create and run calculations (billable)"),
    ("uploads:read", "List and read existing uploads"),
    ("uploads:write", "Upload new CAD, drawings, RFQ text"),
    ("webhooks:read", "List webhook endpoints and deliveries"),
    ("webhooks:write", "Create, update and delete webhook endpoints"),
    ("wallet:read", "Read wallet balance and usage"),
    ("audit:read", "Export the audit log"),
];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What people do in the dashboard alone. No scope can be listed under these, by whatever mistake.
const ADMIN_PLANE: [&str; 9] = ["admin", "billing", "members", "vault", "sso", "scim", "settings", "oauth", "api-keys"];

/// The service.
#[derive(Debug, Clone)]
pub struct Arcnm {
    registry: Registry,
    store: SqliteStore,
    audit: AuditLog,
    webhooks: Webhooks,
    /// Which organisations each tenant has.
    pub organisations: Organisations,
    /// Who is signed in to the dashboard.
    pub sessions: SessionTokens,
}

/// `ak_live_dXt8q2Rb_…`: the mode, eight characters that may be shown, and the secret.
fn format() -> Result<TokenFormat, Error> {
    Ok(TokenFormat::builder("ak").environments(["live", "test"]).selector(Alphabet::Base62, 8).build()?)
}

fn catalog() -> Result<ScopeCatalog, Error> {
    let listed = CATALOG.into_iter().fold(ScopeCatalog::builder(), |catalog, (scope, text)| catalog.scope(scope, text));
    let listed = listed
        .reserved("parts:calculations:read", "for later: parts:read is what counts")
        .reserved("parts:calculations:write", "for later: parts:write is what counts");
    let never = ADMIN_PLANE.into_iter().fold(listed, |catalog, plane| catalog.never(&format!("{plane}:*")));
    Ok(never.build()?)
}

/// The codes of ARCNM's page on errors.
fn codes() -> Codes {
    let invalid = "invalid_api_key";
    Codes { missing: invalid.into(), malformed: "bad_request".into(), invalid: invalid.into(), ..Codes::default() }
}

fn bad_request(text: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_request", text)
}

fn unavailable() -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "this cannot be done now: try again")
}

/// A JSON body; anything else is `bad_request`.
struct Body(Value);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Json::from_request(request, state).await;
        body.map(|Json(value)| Self(value)).map_err(|error: JsonRejection| bad_request(error.body_text()))
    }
}

async fn read(Extension(context): Extension<Context>, uri: Uri) -> Json<Value> {
    Json(json!({ "path": uri.path(), "organization": context.organisation, "mode": context.mode, "data": [] }))
}

async fn create_part(
    State(arcnm): State<Arcnm>,
    Extension(context): Extension<Context>,
    Body(part): Body,
) -> (StatusCode, Json<Value>) {
    arcnm.webhooks.tell(&context.tenant, "part.created", &part);
    (StatusCode::CREATED, Json(part))
}

async fn update_part(Path(id): Path<String>, Body(part): Body) -> Json<Value> {
    Json(json!({ "id": id, "part": part }))
}

async fn delete_part(Path(_): Path<String>) -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn run_calculation(Extension(context): Extension<Context>, Body(_): Body) -> (StatusCode, Json<Value>) {
    let cost = json!({ "currency": "EUR", "cents": context.cost() });
    (StatusCode::CREATED, Json(json!({ "status": "done", "mode": context.mode, "cost": cost })))
}

async fn upload(headers: HeaderMap, body: axum::body::Bytes) -> Result<(StatusCode, Json<Value>), ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind != "application/json" && !kind.starts_with("multipart/form-data;") {
        return Err(bad_request("content-type: expected multipart/form-data or application/json"));
    }
    Ok((StatusCode::CREATED, Json(json!({ "bytes": body.len() }))))
}

/// What belongs to people who are signed in.
async fn admin_plane(Admin(claims): Admin, uri: Uri) -> Json<Value> {
    Json(json!({ "path": uri.path(), "tenant": claims.tenant }))
}

async fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here")
}

/// A request's id is drawn here: one of the client's own could be that of another request.
async fn without_request_id(mut request: Request) -> Request {
    request.headers_mut().remove(REQUEST_ID);
    request
}

/// The routes of the API, by the scope that opens them.
fn routes() -> Result<Router<Arcnm>, Error> {
    let parts = Router::new()
        .route("/api/v1/parts", get(read))
        .route("/api/v1/parts/{id}", get(read))
        .route("/api/v1/parts/{id}/revisions", get(read))
        .route("/api/v1/calculations", get(read))
        .route("/api/v1/calculations/{id}", get(read));
    let parts_change = Router::new()
        .route("/api/v1/parts", post(create_part))
        .route("/api/v1/parts/{id}", patch(update_part).delete(delete_part))
        .route("/api/v1/calculations", post(run_calculation));
    let hooks = Router::new()
        .route("/api/v1/webhooks", get(webhooks::list))
        .route("/api/v1/webhooks/{id}/deliveries", get(webhooks::deliveries));
    let hooks_change = Router::new()
        .route("/api/v1/webhooks", post(webhooks::create))
        .route("/api/v1/webhooks/{id}", patch(webhooks::update).delete(webhooks::delete));
    let by_scope = [
        ("parts:read", parts),
        ("parts:write", parts_change),
        ("uploads:read", Router::new().route("/api/v1/uploads", get(read))),
        ("uploads:write", Router::new().route("/api/v1/uploads", post(upload))),
        ("webhooks:read", hooks),
        ("webhooks:write", hooks_change),
        ("wallet:read", Router::new().route("/api/v1/wallet", get(read)).route("/api/v1/wallet/usage", get(read))),
        ("audit:read", Router::new().route("/api/v1/audit/export", get(audit::export))),
    ];
    by_scope.into_iter().try_fold(Router::new(), |all, (scope, routes)| {
        Ok(all.merge(routes.route_layer(RequireScope::new(scope.parse()?))))
    })
}

impl Arcnm {
    /// What the doors have in common. The client's address is that of the connection: this service has no proxy in front.
    fn gate(&self, transport: Transport) -> Gate {
        let gate = Gate::new(self.registry.clone(), transport).codes(codes());
        gate.client_address(ClientAddress::peer()).request_id(REQUEST_ID)
    }

    /// The door of REST: `X-API-Key` alone.
    fn rest(&self) -> Gate {
        self.gate(Transport::header(HeaderName::from_static("x-api-key")))
    }

    fn api(&self) -> Result<Router<Self>, Error> {
        let context = from_fn_with_state(self.clone(), in_context);
        Ok(routes()?.layer(context).layer(TokenLayer::new(self.rest())))
    }

    fn people(&self) -> Result<Router<Self>, Error> {
        let keys = Management::new(self.registry.clone())
            .collection("/api/v1/api-keys")
            .item("/api/v1/api-keys/{token_id}")
            .name("public", "prefix")
            .name("token", "key")
            .name("tokens", "keys")
            .code("invalid_request", "bad_request")
            .code("token_not_allowed", "insufficient_scope")
            .longest_overlap(Duration::ZERO) // "the old secret stops working immediately"
            .listing(Statuses::only(Status::Active))
            .without(Operation::Block)
            .without(Operation::Unblock)
            .without(Operation::SetExpiry)
            .without(Operation::NarrowScopes)
            .idempotency(self.store.clone())
            .router::<Admin, _>()?;
        let planes =
            ["/billing", "/billing/plan", "/members", "/vault", "/sso", "/scim", "/settings", "/oauth-providers"];
        let admin = planes
            .into_iter()
            .fold(Router::new(), |routes, plane| routes.route(&format!("/api/v1{plane}"), any(admin_plane)))
            .layer(TokenLayer::new(self.rest().optional())); // so that a key is seen, and refused
        Ok(keys.merge(admin))
    }
}

impl Service for Arcnm {
    const NAME: &'static str = "arcnm";
    const OPTIONS: &'static [(&'static str, &'static str, &'static str)] =
        &[("environment", "production", "production, or sandbox, where test keys are good too")];

    fn build(ground: Ground) -> Result<Self, Error> {
        let environments: &[&str] = match ground.option::<Self>("environment") {
            Some("production") => &["live"],
            Some("sandbox") => &["live", "test"],
            other => return Err(format!("--environment: found {other:?}, expected production or sandbox").into()),
        };
        let environments = environments.iter().copied().map(Environment::new).collect::<Result<Vec<_>, _>>()?;
        let policy = IssuePolicy {
            lifetimes: Lifetimes::any().by_default(Lifetime::Forever)?,
            scopes: Some((Arc::new(catalog()?), UnknownScopes::Drop)),
            ..IssuePolicy::default()
        };
        // "A one-way Argon2 hash": OWASP's first choice, 19 MiB and two passes, made once for each key in use.
        let ground = Ground { keyring: ground.keyring.with_argon2id(Argon2Cost::default())?, ..ground };
        let audit = AuditLog::default();
        let registry = ground
            .registry(format()?)
            .serving(environments)
            .issue_policy(policy)
            .remember_slow_hashes(NonZero::new(10_000).unwrap_or(NonZero::<usize>::MIN))
            .sink(audit.clone())
            .build()?;
        let sessions = SessionTokens::new(ground.clock)?;
        let (webhooks, organisations) = (Webhooks::new()?, Organisations::default());
        Ok(Self { registry, store: ground.store, audit, webhooks, organisations, sessions })
    }

    fn router(&self) -> Result<Router, Error> {
        let all = self.api()?.merge(self.people()?).merge(mcp::router(self)?);
        let version = SetResponseHeaderLayer::overriding(
            HeaderName::from_static("x-api-version"),
            HeaderValue::from_static("2026-01-01"),
        );
        // Outermost, so that refusals and what is not there are stamped as well.
        Ok(all
            .fallback(not_found)
            .with_state(self.clone())
            .layer(PropagateRequestIdLayer::x_request_id())
            .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
            .layer(map_request(without_request_id))
            .layer(version))
    }

    fn registry(&self) -> &Registry {
        &self.registry
    }

    async fn demo(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let (tenant, slug) = ("demo", "demo-org");
        self.organisations.add(tenant, slug);
        let key = async |mode: &str| -> Result<String, Error> {
            let scopes = CATALOG.map(|(scope, _)| scope).join(" ").parse()?;
            let grant = Grant::new(Owner::new(tenant)?, Lifetime::Forever).scopes(scopes);
            let grant = grant.name("demo".parse()?).environment(Environment::new(mode)?);
            Ok(self.registry.issue(grant).await?.token.expose().to_owned())
        };
        let session = self.sessions.sign(&self.sessions.claims(tenant, "ann", Role::Owner)?)?;
        let (live, test) = (key("live").await?, key("test").await?);
        Ok(vec![("SESSION", session), ("TOKEN", live), ("TEST_TOKEN", test), ("ORG_SLUG", slug.to_owned())])
    }
}
