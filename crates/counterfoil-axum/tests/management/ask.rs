//! Requests, and replies taken apart.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A request, ann's unless it is said.
#[derive(Clone)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Ask {
    pub(crate) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: vec![("x-user", b"ann".to_vec())], body: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    pub(crate) fn by(self, user: &str) -> Self {
        self.nobody().header("x-user", user)
    }

    pub(crate) fn nobody(mut self) -> Self {
        self.headers.retain(|(name, _)| *name != "x-user");
        self
    }

    pub(crate) fn if_match(self, tag: &str) -> Self {
        self.header("if-match", tag)
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// With this body, byte for byte, as JSON.
    pub(crate) fn text(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }.header("content-type", "application/json")
    }
}

pub(crate) fn get(path: impl Into<String>) -> Ask {
    Ask::new("GET", path)
}

pub(crate) fn post(path: impl Into<String>, body: Value) -> Ask {
    Ask::new("POST", path).text(body.to_string())
}

pub(crate) fn put(path: impl Into<String>, body: Value) -> Ask {
    Ask::new("PUT", path).text(body.to_string())
}

/// One request of each operation, in the order of `Operation::ALL`, each of which would do something to `id`.
pub(crate) fn each_operation(id: &str) -> [Ask; 10] {
    [
        get("/tokens"),
        post("/tokens", json!({ "name": "CI", "expires_in": 60 })),
        get(format!("/tokens/{id}")),
        Ask::new("DELETE", format!("/tokens/{id}")),
        Ask::new("POST", format!("/tokens/{id}/revoke")),
        Ask::new("POST", format!("/tokens/{id}/block")),
        Ask::new("POST", format!("/tokens/{id}/unblock")),
        Ask::new("POST", format!("/tokens/{id}/rotate")),
        put(format!("/tokens/{id}/expiry"), json!({ "expires_in": 60 })),
        put(format!("/tokens/{id}/scopes"), json!({ "scopes": [] })),
    ]
}

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null if it is no JSON.
    pub(crate) body: Value,
}

impl Reply {
    /// The value of a header, if it is there once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "`{name}` stands in the reply more than once");
        value
    }

    /// The status and, of an error, the field at fault or else the code.
    pub(crate) fn verdict(&self) -> (u16, &str) {
        let word = self.body["field"].as_str().or(self.body["code"].as_str());
        (self.status, if self.status < 400 { "" } else { word.unwrap_or_default() })
    }
}

pub(crate) async fn send(app: &Router, ask: Ask) -> Reply {
    let mut request = Request::builder().method(ask.method).uri(ask.path);
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    let response = app.clone().oneshot(request.body(Body::from(ask.body)).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    Reply { status: parts.status.as_u16(), headers: parts.headers, text, body }
}

pub(crate) fn id_of(token: &Value) -> String {
    token["id"].as_str().unwrap().to_owned()
}
