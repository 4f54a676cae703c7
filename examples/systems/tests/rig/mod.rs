//! A service on a socket of this machine, with its clock in the test's hand.

#![allow(dead_code, reason = "each service's tests use a part of it")]

pub(crate) mod page;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use counterfoil::{FixedClock, Timestamp};
use counterfoil_sqlx::SqliteStore;
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::Value;
use systems::host::{Ground, Service, serve};
use tokio::net::TcpListener;

/// 2026-01-01T00:00:00Z in Unix milliseconds.
pub(crate) const START: i64 = 1_767_225_600_000;
pub(crate) const DAY: i64 = 86_400_000;

pub(crate) struct Rig<S> {
    pub(crate) service: S,
    pub(crate) url: String,
    clock: FixedClock,
    client: reqwest::Client,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl<S: Service> Rig<S> {
    pub(crate) async fn start() -> Self {
        Self::start_on(SqliteStore::in_memory().await.unwrap()).await
    }

    pub(crate) async fn start_on(store: SqliteStore) -> Self {
        Self::start_with(store, &[]).await
    }

    /// With options of the service's own.
    pub(crate) async fn start_with(store: SqliteStore, options: &[(&'static str, &str)]) -> Self {
        let clock = FixedClock::new(at(0));
        let keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
        let options = options.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let ground = Ground { store, keyring, clock: Arc::new(clock.clone()), database: None, options };
        Self::start_ground(ground, clock).await
    }

    /// On a database in this file, as the binary would start it again.
    pub(crate) async fn start_at(file: &Path) -> Self {
        let clock = FixedClock::new(at(0));
        let keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
        let store = SqliteStore::open_or_create(file).await.unwrap();
        let database = Some(file.to_owned());
        let options = BTreeMap::new();
        Self::start_ground(Ground { store, keyring, clock: Arc::new(clock.clone()), database, options }, clock).await
    }

    async fn start_ground(ground: Ground, clock: FixedClock) -> Self {
        let service = S::build(ground).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(service.router().unwrap(), listener, std::future::pending()));
        let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Self { service, url, clock, client }
    }

    /// Sets the clock to so many milliseconds after the start.
    pub(crate) fn at(&self, millis_after_start: i64) {
        self.clock.set(at(millis_after_start));
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.ask(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.ask(Method::POST, path).json(body)
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> RequestBuilder {
        self.ask(Method::PUT, path).json(body)
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.ask(Method::DELETE, path)
    }
}

fn at(millis_after_start: i64) -> Timestamp {
    Timestamp::from_unix_millis(START + millis_after_start).unwrap()
}

pub(crate) trait Send {
    /// With the cookie of a session.
    fn session(self, session: &str) -> Self;

    /// The reply, whatever it is.
    async fn reply(self) -> Reply;

    /// The reply, which must have this status.
    async fn expect(self, status: u16) -> Reply;
}

impl Send for RequestBuilder {
    fn session(self, session: &str) -> Self {
        self.header("cookie", format!("session={session}"))
    }

    async fn reply(self) -> Reply {
        let response = self.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, text: response.text().await.unwrap() }
    }

    async fn expect(self, status: u16) -> Reply {
        let reply = self.reply().await;
        assert_eq!(reply.status, status, "{}", reply.text);
        reply
    }
}
