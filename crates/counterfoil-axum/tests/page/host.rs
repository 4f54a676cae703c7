//! A service with a settings page, on a socket, and the users who have a session there.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::{FromRequestParts, Path},
    http::{HeaderMap, StatusCode, header::SET_COOKIE, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use counterfoil::{
    Actor, FixedClock, Grant, IssuePolicy, Keyring, Lifetime, MemoryStore, Name, Owner, Record, Registry, ScopeCatalog,
    Timestamp, Token, TokenFormat, TokenId, UnknownScopes,
    policy::Refusal,
    registry::{RegistryBuilder, VerifyError},
    store::{Filter, ListQuery},
};
use counterfoil_axum::{
    RequireScope,
    management::{ApiError, Declined, Operation, PathParams, Session},
    page::{PageSession, ScopeChoice, ScopeGroup, SettingsPage},
};
use counterfoil_tower::{Gate, TokenLayer, Transport};
use tokio::{net::TcpListener, runtime::Runtime};

/// 2026-01-01T00:00:00Z.
pub(crate) const START: i64 = 1_767_225_600_000;
pub(crate) const DAY: i64 = 86_400_000;

pub(crate) fn at(millis_after_start: i64) -> Timestamp {
    Timestamp::from_unix_millis(START + millis_after_start).unwrap()
}

/// Whoever the cookie `session` names, such as `ann.and-a-long-secret`, for whom the cookie `for` names, in the mood that the
/// cookie `mood` says, reading the language that the cookie `language` says.
pub(crate) struct User {
    name: String,
    owner: String,
    secret: String,
    mood: Option<Declined>,
    language: Option<String>,
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get("cookie")?.to_str().ok()?;
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='))
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        match cookie(&parts.headers, "session") {
            Some("gone") => Err(Redirect::to("/sign-in/ann").into_response()),
            Some(session) => {
                let mood = cookie(&parts.headers, "mood").map(|mood| match mood {
                    "refused" => Refusal::new("closed", "the account is closed").link("/closed").into(),
                    "not_found" => Declined::NotFound,
                    _ => Declined::Unavailable,
                });
                let name = session.split('.').next().unwrap().to_owned();
                let owner = cookie(&parts.headers, "for").unwrap_or(&name).to_owned();
                let language = cookie(&parts.headers, "language").map(str::to_owned);
                Ok(Self { name, owner, secret: session.to_owned(), mood, language })
            }
            None => {
                let error = ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "sign in first");
                Err(([("www-authenticate", "Cookie")], error).into_response())
            }
        }
    }
}

impl Session for User {
    fn actor(&self) -> Option<Actor> {
        Some(Actor::new(format!("session:{}", self.name)).unwrap())
    }

    async fn owner(&self, operation: Operation, _: &PathParams) -> Result<Owner, Declined> {
        match &self.mood {
            Some(mood) => Err(mood.clone()),
            None if self.name == "kim" && operation == Operation::Create => Err(Refusal::new("no", "look only").into()),
            None => Ok(Owner::new(&self.owner).unwrap()),
        }
    }

    /// Gus is granted more than he asks for.
    async fn grant(&self, grant: Grant) -> Result<Grant, Declined> {
        Ok(if self.name == "gus" { Grant { lifetime: Lifetime::Forever, ..grant } } else { grant })
    }

    async fn may(&self, operation: Operation, token: &Record, _: &PathParams) -> Result<(), Declined> {
        match &self.mood {
            Some(mood) => Err(mood.clone()),
            // Kim may look, and touch nothing.
            None if self.name == "kim" && operation != Operation::Get => Err(Refusal::new("no", "look only").into()),
            // Lou may revoke, and not look.
            None if self.name == "lou" && operation != Operation::Revoke => {
                Err(Refusal::new("no", "revoke only").into())
            }
            None if token.owner().subject().as_str() == self.name => Ok(()),
            None => Err(Declined::NotFound),
        }
    }
}

impl PageSession for User {
    fn form_secret(&self) -> impl AsRef<[u8]> {
        &self.secret
    }

    fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    async fn scope_groups(
        &self,
        owner: &Owner,
        _: &PathParams,
        groups: Vec<ScopeGroup>,
    ) -> Result<Vec<ScopeGroup>, Declined> {
        // Lea is offered one collection of hers, beside what the page offers; the others are offered what cannot be.
        let key = match owner.subject().as_str() {
            "lea" => Some("own"),
            "twice" => Some("catalog"),
            "dash" => Some("catalog-among"),
            _ => None,
        };
        let own = key.map(|key| {
            let choice = ScopeChoice::new("collections:lea".parse().unwrap(), "Lea's");
            ScopeGroup::any_of(key, "Your collections").choice(choice)
        });
        Ok(groups.into_iter().chain(own).collect())
    }
}

pub(crate) struct Host {
    pub(crate) runtime: Runtime,
    pub(crate) address: SocketAddr,
    pub(crate) registry: Registry,
    pub(crate) clock: FixedClock,
}

pub(crate) fn policy() -> IssuePolicy {
    let catalog = ScopeCatalog::builder()
        .scope("parts:read", "List and read parts")
        .scope("parts:write", "Change parts")
        .reserved("parts:later", "For later")
        .family("collections:*", "All collections")
        .build()
        .unwrap();
    IssuePolicy { scopes: Some((catalog.into(), UnknownScopes::Reject)), ..IssuePolicy::default() }
}

impl Host {
    pub(crate) fn plain() -> Self {
        Self::new(policy(), |page, _| page)
    }

    pub(crate) fn new(policy: IssuePolicy, set_up: impl FnOnce(SettingsPage, MemoryStore) -> SettingsPage) -> Self {
        Self::mounted(policy, set_up, |router| router)
    }

    pub(crate) fn mounted(
        policy: IssuePolicy,
        set_up: impl FnOnce(SettingsPage, MemoryStore) -> SettingsPage,
        mount: impl FnOnce(Router) -> Router,
    ) -> Self {
        Self::built(policy, RegistryBuilder::client_addresses_known, set_up, mount)
    }

    pub(crate) fn built(
        policy: IssuePolicy,
        build: impl FnOnce(RegistryBuilder) -> RegistryBuilder,
        set_up: impl FnOnce(SettingsPage, MemoryStore) -> SettingsPage,
        mount: impl FnOnce(Router) -> Router,
    ) -> Self {
        let (clock, store) = (FixedClock::new(at(0)), MemoryStore::new());
        let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
        let format = TokenFormat::builder("acme").build().unwrap();
        let builder = Registry::builder(format, keyring, store.clone()).issue_policy(policy).clock(clock.clone());
        let registry = build(builder).build().unwrap();
        let page = set_up(SettingsPage::new(registry.clone()), store).router::<User, ()>().unwrap();
        let parts = get(async || "bolts").layer(RequireScope::new("parts:read".parse().unwrap()));
        let app = Router::new()
            .route("/parts", parts)
            .layer(TokenLayer::new(Gate::new(registry.clone(), Transport::bearer())))
            .route("/sign-in/{name}", get(sign_in))
            .merge(mount(page));
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { runtime, address, registry, clock }
    }

    pub(crate) fn issue(&self, owner: &str, name: &str, lifetime: Lifetime) -> (Token, Record) {
        let grant = Grant::new(Owner::new(owner).unwrap(), lifetime)
            .name(Name::new(name).unwrap())
            .scopes("parts:read".parse().unwrap());
        let issued = self.runtime.block_on(self.registry.issue(grant)).unwrap();
        (issued.token, issued.record)
    }

    /// A token of ann's.
    pub(crate) fn token(&self, name: &str) -> TokenId {
        self.issue("ann", name, Lifetime::days(90)).1.id()
    }

    pub(crate) fn token_for(&self, name: &str, lifetime: Lifetime) -> TokenId {
        self.issue("ann", name, lifetime).1.id()
    }

    /// A token as it is stored now.
    pub(crate) fn record(&self, id: TokenId) -> Record {
        (*self.runtime.block_on(self.registry.get(id)).unwrap().unwrap().record).clone()
    }

    /// All tokens, of whomever.
    pub(crate) fn records(&self) -> Vec<Record> {
        let query = ListQuery { limit: 1000, ..ListQuery::new(Filter::all()) };
        let page = self.runtime.block_on(self.registry.list(&query)).unwrap();
        page.tokens.into_iter().map(|stored| (*stored.record).clone()).collect()
    }

    /// Of all tokens: a change of any moves its version.
    pub(crate) fn versions(&self) -> Vec<(TokenId, u64)> {
        self.records().iter().map(|record| (record.id(), record.version())).collect()
    }

    /// `ok`, or why a token's text is refused.
    pub(crate) fn verdict(&self, text: &str) -> &'static str {
        match self.runtime.block_on(self.registry.verify(text)) {
            Ok(_) => "ok",
            Err(VerifyError::Denied(denial)) => denial.code(),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn wait(&self, millis_after_start: i64) {
        self.clock.set(at(millis_after_start));
    }

    pub(crate) fn wait_more(&self, millis: i64) {
        self.wait(self.registry.now().unwrap().unix_millis() - START + millis);
    }
}

async fn sign_in(Path(name): Path<String>) -> Result<impl IntoResponse, Infallible> {
    let cookie = format!("session={name}.the-secret-of-a-session; Path=/; HttpOnly; SameSite=Lax");
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/settings/tokens")))
}

/// The time until which a test waits for what it has set going.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
