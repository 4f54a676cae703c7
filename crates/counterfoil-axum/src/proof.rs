//! The proof, as an argument of a handler.

use std::{ops::Deref, sync::Arc};

use axum::{
    Json,
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{
        Extensions, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use counterfoil::{Scope, Verified};
use counterfoil_tower::{Answer, Gate};
use serde::Serialize;

/// The proof of a good token: a handler that takes one is reached with it alone.
///
/// `Option<Proof>` is for routes behind an [optional](Gate::optional) door: none if no token was shown. A bad one never
/// comes so far.
///
/// ```
/// use counterfoil_axum::Proof;
///
/// async fn greet(proof: Option<Proof>) -> String {
///     proof.map_or("hello".into(), |proof| format!("hello {}", proof.record().owner().subject()))
/// }
/// # let _ = axum::Router::<()>::new().route("/", axum::routing::get(greet));
/// ```
#[derive(Debug, Clone)]
pub struct Proof(pub Verified);

impl Deref for Proof {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Proof {
    type Rejection = NotLetIn;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotLetIn> {
        proof_of(&parts.extensions).map(Self)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Proof {
    type Rejection = NotLetIn;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, NotLetIn> {
        gate_of(&parts.extensions)?;
        Ok(parts.extensions.get::<Verified>().cloned().map(Self))
    }
}

pub(crate) fn gate_of(extensions: &Extensions) -> Result<&Arc<Gate>, NotLetIn> {
    extensions.get::<Arc<Gate>>().ok_or(NotLetIn(Reason::NoGate))
}

pub(crate) fn proof_of(extensions: &Extensions) -> Result<Verified, NotLetIn> {
    let gate = gate_of(extensions)?;
    let proof = extensions.get::<Verified>().cloned();
    proof.ok_or_else(|| refused(gate, Answer::missing(gate.used_codes())))
}

/// The proof, if the token holds the scope.
pub(crate) fn proof_with(parts: &Parts, scope: &Scope) -> Result<Verified, NotLetIn> {
    let gate = gate_of(&parts.extensions)?;
    let verified = proof_of(&parts.extensions)?;
    match gate.require_scope(&verified, scope, parts) {
        Ok(()) => Ok(verified),
        Err(answer) => Err(refused(gate, answer)),
    }
}

fn refused(gate: &Arc<Gate>, answer: Answer) -> NotLetIn {
    NotLetIn(Reason::Refused(Arc::clone(gate), Box::new(answer)))
}

/// The reason a handler was not reached. As a response it is the door's own answer.
///
/// If no [`TokenLayer`](counterfoil_tower::TokenLayer) is in front of the route, the response is 500 with a body that says
/// so, and the same text is logged with the feature `tracing`. In tests of handlers, `counterfoil_testkit::acting_as` is a
/// layer that lets every request in.
#[derive(Debug)]
pub struct NotLetIn(Reason);

#[derive(Debug)]
enum Reason {
    Refused(Arc<Gate>, Box<Answer>),
    /// No token layer is in front of the route: a mistake of the application, which must not look like a client's.
    NoGate,
    /// A scope that is written in the application's code is none.
    NoScope(&'static str),
}

impl NotLetIn {
    pub(crate) const fn no_scope(text: &'static str) -> Self {
        Self(Reason::NoScope(text))
    }

    /// The door's answer; none where the host's own code is at fault.
    pub fn answer(&self) -> Option<&Answer> {
        match &self.0 {
            Reason::Refused(_, answer) => Some(answer),
            Reason::NoGate | Reason::NoScope(_) => None,
        }
    }
}

impl std::fmt::Display for NotLetIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Reason::Refused(_, answer) => f.write_str(&answer.text),
            Reason::NoGate => f.write_str(
                "this route's handler or layer needs a verified token, but no TokenLayer is in front of the route",
            ),
            Reason::NoScope(text) => write!(f, "this route requires the scope `{text}`, which is not a valid scope"),
        }
    }
}

impl std::error::Error for NotLetIn {}

/// The members of RFC 9457, section 3.1, and `code`.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
}

impl IntoResponse for NotLetIn {
    fn into_response(self) -> Response {
        let detail = self.to_string();
        let code = match self.0 {
            Reason::Refused(gate, answer) => return gate.refuse(&answer),
            Reason::NoGate => "no_token_layer",
            Reason::NoScope(_) => "invalid_scope_name",
        };
        #[cfg(feature = "tracing")]
        tracing::error!(code, "{detail}");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let problem =
            Problem { kind: "about:blank", title: "Internal Server Error", status: 500, detail: &detail, code };
        let headers = [(CONTENT_TYPE, "application/problem+json"), (CACHE_CONTROL, "no-store")];
        (status, headers, Json(problem)).into_response()
    }
}
