//! From a session's request to its reply.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{NestedPath, Request},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ETAG, LOCATION},
    },
    response::{IntoResponse, Response},
};
use counterfoil::{
    By, Record, Timestamp,
    registry::{IssuedOnce, Rotated, Target},
    store::{RequestKey, Stored},
};
use serde_json::Value;

use super::{
    ApiError, Operation, PathParams, Session,
    json::{self, Members},
    list, precondition,
    requests::{self, IDEMPOTENT_REPLAYED},
    settings::Settings,
    view::Minted,
    wish::{Because, Create, NarrowScopes, Rotate, SetExpiry},
};

/// A request of a session's.
pub(super) struct Asked<M> {
    pub(super) settings: Arc<Settings>,
    pub(super) operation: Operation,
    pub(super) session: M,
    pub(super) path: PathParams,
}

/// A request for a change of one token.
struct Change {
    stored: Stored,
    headers: HeaderMap,
    body: Bytes,
    now: Timestamp,
}

impl<M: Session> Asked<M> {
    pub(super) async fn answer(&self, request: Request) -> Result<Response, ApiError> {
        // Once more: the session extractor may have let itself be shown a token.
        self.settings.shut(&request)?;
        match self.operation {
            Operation::List => self.list(request).await,
            Operation::Create => self.create(request).await,
            Operation::Get => self.get().await,
            Operation::Rotate => self.rotate(request).await,
            _ => self.change(request).await,
        }
    }

    async fn list(&self, request: Request) -> Result<Response, ApiError> {
        let Self { settings, session, path, .. } = self;
        let listed = session.listed(path).await?;
        let query = list::query(request.uri().query().unwrap_or_default(), listed, settings.usual)?;
        let now = settings.registry.now()?;
        let page = settings.registry.list(&query).await?;
        Ok(Json(settings.showing.page(&page, now)).into_response())
    }

    async fn create(&self, request: Request) -> Result<Response, ApiError> {
        let Self { settings, operation, session, path } = self;
        let owner = session.owner(*operation, path).await?;
        let (parts, body) = request.into_parts();
        let body = json::read(body, settings.body_limit).await?;
        let nested = parts.extensions.get::<NestedPath>();
        let names = &settings.showing.names;
        let now = settings.registry.now()?;
        let policy = settings.registry.issue_policy();
        let create: Create = json::parse(&body, &parts.headers, names)?;
        let metadata = create.metadata(json::text_of_member(&body, names.of("metadata")), names)?;
        let grant = create.grant(owner, session.actor(), &settings.demands, policy, now, names)?.metadata(metadata);
        if !grant.restrictions.networks().is_empty() && !settings.registry.are_client_addresses_known() {
            let field = format!("{}.networks", names.of("restrictions"));
            return Err(ApiError::of_field(&field, "no address of a client is known to this service"));
        }
        let grant = session.grant(grant).await?;
        let request = requests::named(&parts.headers, *operation, path, &body)?;
        let outcome = match (request, &settings.requests) {
            (None, _) => {
                let issued = settings.registry.issue(grant).await;
                IssuedOnce::New(issued.map_err(|error| settings.refusals().of_issue(error))?)
            }
            (Some(request), Some(requests)) => {
                let outcome = requests.issue(&settings.registry, grant, &request).await;
                outcome.map_err(|error| settings.refusals().of_issue_once(error))?
            }
            (Some(_), None) => {
                return Err(ApiError::of_field("idempotency-key", "requests are not remembered here"));
            }
        };
        let minted = match &outcome {
            IssuedOnce::New(issued) => {
                let dropped = issued.dropped.texts().map(str::to_owned).collect();
                let minted = Minted { token: Some(&issued.token), dropped };
                (&issued.record, minted)
            }
            IssuedOnce::Replayed(record) => (&**record, Minted { token: None, dropped: Vec::new() }),
        };
        let mut response = settings.minted_reply(StatusCode::CREATED, minted.0, None, now, &minted.1);
        if let Some(location) = &settings.location {
            let prefix = settings.public_url.prefix(&parts.headers);
            let location = location.fill(&prefix, nested, path, &minted.0.id().to_string());
            // INVARIANT: paths of the router are ASCII where axum matches them, and parameters are percent-encoded.
            response.headers_mut().extend(HeaderValue::try_from(location).ok().map(|location| (LOCATION, location)));
        }
        Ok(response)
    }

    async fn get(&self) -> Result<Response, ApiError> {
        let stored = self.stored().await?;
        let now = self.settings.registry.now()?;
        Ok(self.settings.reply(&stored.record, &stored, now))
    }

    async fn rotate(&self, request: Request) -> Result<Response, ApiError> {
        let settings = &self.settings;
        let change = self.begin(request).await?;
        let wish: Rotate = change.wish_or_none(settings)?;
        let rotation = wish.rotation(self.session.actor(), &settings.demands, &settings.showing.names)?;
        let request = requests::named(&change.headers, self.operation, &self.path, &change.body)?;
        let rotated = settings.rotate(change.target()?, &rotation, request.as_ref()).await?;
        let (record, token) = match &rotated {
            Rotated::New(issued) => (&issued.record, Some(&issued.token)),
            Rotated::Replayed(record) => (&**record, None),
        };
        let minted = Minted { token, dropped: Vec::new() };
        Ok(settings.minted_reply(StatusCode::OK, record, Some(&change.stored), change.now, &minted))
    }

    async fn change(&self, request: Request) -> Result<Response, ApiError> {
        let (settings, actor) = (&self.settings, self.session.actor());
        let change = self.begin(request).await?;
        let (registry, names) = (&settings.registry, &settings.showing.names);
        let unnamed = By { actor: actor.clone(), ..By::unknown() };
        let refuse = |error| settings.refusals().of_change(error);
        let record = match self.operation {
            Operation::Delete => {
                registry.revoke(change.target()?, unnamed).await.map_err(refuse)?;
                return Ok(StatusCode::NO_CONTENT.into_response());
            }
            Operation::SetExpiry => {
                let lifetime = change.wish::<SetExpiry>(settings)?.lifetime(change.now, names)?;
                registry.set_expiry(change.target()?, lifetime, unnamed).await.map_err(refuse)?
            }
            Operation::NarrowScopes => {
                let scopes = change.wish::<NarrowScopes>(settings)?.scopes(names)?;
                registry.narrow_scopes(change.target()?, scopes, unnamed).await.map_err(refuse)?
            }
            _ => {
                let by = change.wish_or_none::<Because>(settings)?.by(actor, names)?;
                let target = change.target()?;
                match self.operation {
                    Operation::Block => registry.block(target, by).await.map_err(refuse)?,
                    Operation::Unblock => registry.unblock(target, by).await.map_err(refuse)?,
                    _ => {
                        registry.revoke(target, by).await.map_err(refuse)?;
                        registry.get(target.id).await?.ok_or_else(ApiError::not_found)?.record
                    }
                }
            }
        };
        Ok(settings.reply(&record, &change.stored, change.now))
    }

    /// The token that the path names, if this session may do this to it.
    async fn stored(&self) -> Result<Stored, ApiError> {
        let id =
            self.path.get(Settings::TOKEN_ID).and_then(|text| text.parse().ok()).ok_or_else(ApiError::not_found)?;
        let stored = self.settings.registry.get(id).await?.ok_or_else(ApiError::not_found)?;
        self.session.may(self.operation, &stored.record, &self.path).await?;
        Ok(stored)
    }

    async fn begin(&self, request: Request) -> Result<Change, ApiError> {
        let stored = self.stored().await?;
        let (parts, body) = request.into_parts();
        let body = match self.operation {
            Operation::Delete => Bytes::new(), // nothing can be said with it
            _ => json::read(body, self.settings.body_limit).await?,
        };
        let now = self.settings.registry.now()?;
        Ok(Change { stored, headers: parts.headers, body, now })
    }
}

impl Change {
    /// Asked for once all else is known to be right: a precondition comes last (RFC 9110, section 13.2.1).
    fn target(&self) -> Result<Target, ApiError> {
        precondition::target(&self.headers, &self.stored.record)
    }

    fn wish<T: Members>(&self, settings: &Settings) -> Result<T, ApiError> {
        json::parse(&self.body, &self.headers, &settings.showing.names)
    }

    /// No body at all asks for nothing in particular.
    fn wish_or_none<T: Members + Default>(&self, settings: &Settings) -> Result<T, ApiError> {
        if self.body.is_empty() { Ok(T::default()) } else { self.wish(settings) }
    }
}

impl Settings {
    async fn rotate(
        &self,
        target: Target,
        rotation: &counterfoil::Rotation,
        request: Option<&RequestKey>,
    ) -> Result<Rotated, ApiError> {
        let rotated = match request {
            Some(request) => self.registry.rotate_once(target, rotation, request).await,
            None => self.registry.rotate(target, rotation).await.map(Rotated::New),
        };
        rotated.map_err(|error| self.refusals().of_rotation(error))
    }

    /// A token as it is now; its use as it was read before.
    fn reply(&self, record: &Record, stored: &Stored, now: Timestamp) -> Response {
        tagged(StatusCode::OK, record, self.showing.token(record, stored.usage.as_ref(), now))
    }

    fn minted_reply(
        &self,
        status: StatusCode,
        record: &Record,
        stored: Option<&Stored>,
        now: Timestamp,
        minted: &Minted<'_>,
    ) -> Response {
        let usage = stored.and_then(|stored| stored.usage.as_ref());
        let mut response = tagged(status, record, self.showing.minted(record, usage, now, minted));
        if minted.token.is_none() {
            response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

fn tagged(status: StatusCode, record: &Record, body: Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    // INVARIANT: digits between quotes.
    if let Ok(tag) = HeaderValue::try_from(precondition::etag(record.version())) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}
