//! What the services share: the command line, what they stand on, and the way they listen.

#![allow(clippy::print_stdout, reason = "programs with a command line")]

use std::{
    collections::BTreeMap, ffi::OsString, future::Future, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration,
};

use axum::{
    Router,
    http::header::SET_COOKIE,
    response::Redirect,
    routing::{MethodRouter, get},
};
use counterfoil::{Clock, Families, Keyring, Registry, SystemClock, registry::RegistryBuilder};
use counterfoil_sqlx::SqliteStore;
use lexopt::ValueExt as _;
use tokio::net::TcpListener;

/// Whatever stops a service from starting.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A service that a binary runs and a test holds.
pub trait Service: Sized + Send + Sync + 'static {
    /// The name of its binary.
    const NAME: &'static str;

    /// Its own options on the command line: the name, the value unless one is given, and what it is about.
    const OPTIONS: &'static [(&'static str, &'static str, &'static str)] = &[];

    /// Where people manage their tokens, if they do so in a browser.
    const PAGE: Option<&'static str> = None;

    /// The service on this ground.
    ///
    /// # Errors
    ///
    /// What its parts say.
    fn build(ground: Ground) -> Result<Self, Error>;

    /// All its routes.
    ///
    /// # Errors
    ///
    /// What its parts say.
    fn router(&self) -> Result<Router, Error>;

    /// Its tokens.
    fn registry(&self) -> &Registry;

    /// Signs a demo owner in and makes them a token: the names and values to print, `SESSION` and `TOKEN` among them.
    fn demo(&self) -> impl Future<Output = Result<Vec<(&'static str, String)>, Error>> + Send;
}

/// What a service stands on.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Where tokens are kept.
    pub store: SqliteStore,
    /// The server's keys.
    pub keyring: Keyring,
    /// The time, which a test moves.
    pub clock: Arc<dyn Clock>,
    /// The file of the database, unless that is in memory.
    pub database: Option<PathBuf>,
    /// What the service's [own options](Service::OPTIONS) are, if the command line has said it.
    pub options: BTreeMap<&'static str, String>,
}

impl Ground {
    /// A registry on this ground.
    pub fn registry(&self, families: impl Into<Families>) -> RegistryBuilder {
        Registry::builder(families, self.keyring.clone(), self.store.clone())
            .idempotency(self.store.clone())
            .clock(self.clock.clone())
    }

    /// The value of an option of this service's own.
    pub fn option<S: Service>(&self, name: &str) -> Option<&str> {
        let given = self.options.get(name).map(String::as_str);
        given.or_else(|| S::OPTIONS.iter().find(|(known, ..)| *known == name).map(|(_, value, _)| *value))
    }
}

struct Options {
    listen: String,
    database: Option<OsString>,
    demo: bool,
    own: BTreeMap<&'static str, String>,
}

/// What the command line says; none if it asked for help, which is printed.
fn options<S: Service>() -> Result<Option<Options>, Error> {
    let mut options = Options { listen: "127.0.0.1:0".to_owned(), database: None, demo: false, own: BTreeMap::new() };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("listen") => options.listen = arguments.value()?.string()?,
            lexopt::Arg::Long("database") => options.database = Some(arguments.value()?),
            lexopt::Arg::Long("demo") => options.demo = true,
            lexopt::Arg::Long("help") | lexopt::Arg::Short('h') => {
                println!("usage: {} [--listen ADDRESS] [--database FILE] [--demo] [OPTIONS]\n", S::NAME);
                println!("  --listen ADDRESS   where to listen; a free port of 127.0.0.1 unless this is said");
                println!("  --database FILE    a SQLite file; in memory unless this is said");
                println!("  --demo             signs a demo owner in, makes them a token, and prints both");
                if S::PAGE.is_some() {
                    println!("                     and a link by which a browser is signed in");
                }
                for (name, usual, about) in S::OPTIONS {
                    println!("  --{name} VALUE   {about}; {usual} unless this is said");
                }
                println!();
                println!("The server's key is taken from TOKEN_KEYS, such as `2026:<openssl rand -base64 32>:mint`;");
                println!("without it one is drawn, and tokens end with the process.");
                return Ok(None);
            }
            other => match S::OPTIONS.iter().find(|(name, ..)| other == lexopt::Arg::Long(name)) {
                Some((name, ..)) => drop(options.own.insert(name, arguments.value()?.string()?)),
                None => return Err(other.unexpected().into()),
            },
        }
    }
    Ok(Some(options))
}

/// Runs a service as the command line says, until Ctrl-C or SIGTERM.
///
/// # Errors
///
/// What stops it from starting, or its listener.
pub async fn run<S: Service>() -> Result<(), Error> {
    let Some(options) = options::<S>()? else { return Ok(()) };
    let database = options.database.map(PathBuf::from);
    let store = match &database {
        Some(file) => SqliteStore::open_or_create(file).await?,
        None => SqliteStore::in_memory().await?,
    };
    let keyring = match std::env::var("TOKEN_KEYS") {
        Ok(keys) => keys.parse()?,
        Err(_) => format!("demo:{}:mint", counterfoil::draw_server_key()?).parse()?,
    };
    let service = S::build(Ground {
        store: store.clone(),
        keyring,
        clock: Arc::new(SystemClock),
        database,
        options: options.own,
    })?;
    let listener = TcpListener::bind(options.listen).await?;
    let mut routes = service.router()?;
    if options.demo {
        let made = service.demo().await?;
        for (name, value) in &made {
            println!("{name}={value}");
        }
        let session = made.iter().find(|(name, _)| *name == "SESSION");
        if let (Some(page), Some((_, session))) = (S::PAGE, session) {
            let link = format!("/sign-in/{session}");
            println!("SIGN_IN=http://{}{link}", listener.local_addr()?);
            routes = routes.route(&link, signing_in(session, page));
        }
    }
    let background = tokio::spawn(service.registry().background(tokio::time::sleep, Duration::from_secs(5)));
    let stop = stop_signal()?;
    println!("LISTENING=http://{}", listener.local_addr()?); // whoever reads this may send the signal
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let graceful = async move {
        stop.await;
        let _ = stopping.send(());
    };
    tokio::select! {
        served = serve(routes, listener, graceful) => served?,
        // A connection may stay open, such as a stream. Docker kills the process 10 seconds after its signal.
        () = async { drop(stopped.await); tokio::time::sleep(Duration::from_secs(5)).await } => {}
    }
    background.abort();
    service.registry().shutdown().await?; // writes the uses that were noted
    store.close().await; // moves the write-ahead log into the file
    Ok(())
}

/// Listens for Ctrl-C and SIGTERM, which systemd, Docker and Kubernetes send. The future ends with the first of them.
fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
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

/// Gives a session to a browser. Only a demo signs in by a link: addresses are kept in histories and logs.
fn signing_in(session: &str, page: &'static str) -> MethodRouter {
    let cookie = format!("session={session}; Path=/; HttpOnly; SameSite=Lax");
    get(async move || ([(SET_COOKIE, cookie)], Redirect::to(page)))
}

/// Answers at `listener` until `stop` comes.
///
/// # Errors
///
/// What the listener says.
pub async fn serve(
    routes: Router,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, routes).with_graceful_shutdown(stop).await?)
}
