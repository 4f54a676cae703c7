//! A small service: a part list behind tokens, and the management of tokens behind a session, by an API and by a page.
//!
//! `cargo run -p counterfoil-axum --features page --example axum_service -- --help`

#![allow(clippy::print_stdout, reason = "a program with a command line")]

use std::{collections::HashMap, error::Error, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{FromRequestParts, Path},
    http::{
        HeaderName, StatusCode,
        header::{COOKIE, FORWARDED, SET_COOKIE, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{IntoResponse, Redirect},
    routing::get,
};
use counterfoil::{
    Actor, IssuePolicy, Keyring, Lifetime, Owner, Record, Registry, ScopeCatalog, TokenFormat, UnknownScopes,
    policy::Lifetimes,
};
use counterfoil_axum::{
    Proof, RequireScope,
    management::{ApiError, Declined, Management, Operation, PathParams, Session},
    page::{PageSession, SettingsPage},
    self_service,
};
use counterfoil_sqlx::SqliteStore;
use counterfoil_tower::{ClientAddress, Gate, TokenLayer, Transport};
use lexopt::ValueExt as _;
use tokio::net::TcpListener;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};

const HELP: &str = "\
usage: axum_service [--listen ADDRESS] [--database FILE] [--proxies COUNT] [--openapi]

  --listen ADDRESS   where to listen; 127.0.0.1:3000 unless this is said
  --database FILE    a SQLite file; in memory unless this is said
  --proxies COUNT    how many proxies in front of it add to `Forwarded`; none by default
  --openapi          prints the document of the management API, and ends

The server's key is taken from TOKEN_KEYS, such as `2026:<openssl rand -base64 32>:mint`; without it one is drawn, and
tokens end with the process. One user, `demo`, is signed in: the cookie of that session is printed, and a link that gives it
to a browser.";

/// Who is signed in, by the session's secret. A real service keeps them in its database.
#[derive(Clone)]
struct Sessions(Arc<HashMap<String, Owner>>);

struct User {
    owner: Owner,
    /// The session's secret.
    cookie: String,
}

impl FromRequestParts<Sessions> for User {
    /// A 401 says how to come in (RFC 9110, section 15.5.2).
    type Rejection = ([(HeaderName, &'static str); 1], ApiError);

    async fn from_request_parts(parts: &mut Parts, sessions: &Sessions) -> Result<Self, Self::Rejection> {
        let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let session =
            cookies.flat_map(|cookies| cookies.split("; ")).find_map(|cookie| cookie.strip_prefix("session="));
        let error = || ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", "sign in first");
        let rejection = || ([(WWW_AUTHENTICATE, r#"Cookie realm="parts""#)], error());
        let user = |cookie: &str| Some(Self { owner: sessions.0.get(cookie)?.clone(), cookie: cookie.to_owned() });
        session.and_then(user).ok_or_else(rejection)
    }
}

impl Session for User {
    fn actor(&self) -> Option<Actor> {
        Actor::new(self.owner.subject().as_str()).ok()
    }
    async fn owner(&self, _: Operation, _: &PathParams) -> Result<Owner, Declined> {
        Ok(self.owner.clone())
    }
    async fn may(&self, _: Operation, token: &Record, _: &PathParams) -> Result<(), Declined> {
        if *token.owner() == self.owner { Ok(()) } else { Err(Declined::NotFound) }
    }
}

impl PageSession for User {
    fn form_secret(&self) -> impl AsRef<[u8]> {
        &self.cookie
    }
}

/// Gives the session to a browser. Only a demo signs in by a link: addresses are kept in histories and logs.
async fn sign_in(Path(session): Path<String>) -> impl IntoResponse {
    let cookie = format!("session={session}; Path=/; HttpOnly; SameSite=Lax");
    ([(SET_COOKIE, cookie)], Redirect::to("/settings/tokens"))
}

fn management(registry: &Registry, store: &SqliteStore) -> Management {
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("session")));
    Management::new(registry.clone())
        .idempotency(store.clone())
        .document_at("/openapi.json")
        .session_scheme("session", cookie)
}

fn app(
    registry: &Registry,
    store: &SqliteStore,
    sessions: Sessions,
    client: ClientAddress,
) -> Result<Router, Box<dyn Error>> {
    let parts = get(async |Proof(token): Proof| Json([format!("a bolt of {}", token.record().owner().subject())]));
    let behind_tokens = Router::new()
        .route("/parts", parts.layer(RequireScope::new("parts:read".parse()?)))
        .nest("/token", self_service())
        .layer(TokenLayer::new(Gate::new(registry.clone(), Transport::bearer()).client_address(client)));
    let page = SettingsPage::new(registry.clone()).idempotency(store.clone());
    Ok(behind_tokens
        .merge(management(registry, store).router::<User, _>()?)
        .merge(page.router::<User, _>()?)
        .route("/sign-in/{*session}", get(sign_in))
        .with_state(sessions))
}

/// Listens for Ctrl-C and SIGTERM, which systemd, Docker and Kubernetes send. The future ends with the first of them.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async { drop(tokio::signal::ctrl_c().await) })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut listen, mut database, mut prints_document) = ("127.0.0.1:3000".to_owned(), None, false);
    let mut client = ClientAddress::peer();
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("listen") => listen = arguments.value()?.string()?,
            lexopt::Arg::Long("database") => database = Some(arguments.value()?),
            lexopt::Arg::Long("proxies") => client = ClientAddress::forwarded(FORWARDED, arguments.value()?.parse()?),
            lexopt::Arg::Long("openapi") => prints_document = true,
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => {
                println!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }

    let store = match database {
        Some(file) => SqliteStore::open_or_create(file).await?,
        None => SqliteStore::in_memory().await?,
    };
    let keys = std::env::var("TOKEN_KEYS")
        .or_else(|_| Ok::<_, Box<dyn Error>>(format!("demo:{}:mint", counterfoil::draw_server_key()?)))?;
    let catalog =
        ScopeCatalog::builder().scope("parts:read", "see parts").scope("parts:write", "change parts").build()?;
    let policy = IssuePolicy {
        limit: Some(50),
        lifetimes: Lifetimes::at_most(Duration::from_secs(366 * 86_400)).by_default(Lifetime::days(90))?,
        scopes: Some((catalog.into(), UnknownScopes::Reject)),
        ..IssuePolicy::default()
    };
    let keyring: Keyring = keys.parse()?;
    let format = TokenFormat::builder("acme").build()?;
    let registry =
        Registry::builder(format, keyring, store.clone()).issue_policy(policy).idempotency(store.clone()).build()?;
    if prints_document {
        println!("{}", management(&registry, &store).openapi().to_pretty_json()?);
        return Ok(());
    }

    let session = counterfoil::draw_server_key()?;
    let sessions = Sessions(Arc::new(HashMap::from([(session.clone(), Owner::new("demo")?)])));
    let app = app(&registry, &store, sessions, client)?.into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind(listen).await?;
    println!("signed in as demo with the cookie session={session}");
    let address = listener.local_addr()?;
    println!("settings page, signed in by http://{address}/sign-in/{session}");
    let background = tokio::spawn(registry.background(tokio::time::sleep, Duration::from_secs(5)));
    let stop = stop_signal()?;
    println!("listening on http://{address}"); // whoever reads this may send the signal

    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let graceful = async move {
        stop.await;
        let _ = stopping.send(());
    };
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(graceful).into_future() => served?,
        // A connection may stay open, such as a stream. Docker kills the process 10 seconds after its signal.
        () = async { drop(stopped.await); tokio::time::sleep(Duration::from_secs(5)).await } => {}
    }
    background.abort();
    registry.shutdown().await?; // writes the uses that were noted
    store.close().await; // moves the write-ahead log into the file
    Ok(())
}
