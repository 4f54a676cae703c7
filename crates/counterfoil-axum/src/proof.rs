//! The proof, as an argument of a handler.

use std::{ops::Deref, sync::Arc};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{Extensions, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use counterfoil::{Scope, Verified};
use counterfoil_tower::{Answer, Gate};

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
pub(crate) fn proof_with(extensions: &Extensions, scope: &Scope) -> Result<Verified, NotLetIn> {
    let gate = gate_of(extensions)?;
    let verified = proof_of(extensions)?;
    match verified.require(scope) {
        Ok(()) => Ok(verified),
        Err(missing) => Err(refused(gate, Answer::missing_scope(missing.scope, gate.used_codes()))),
    }
}

fn refused(gate: &Arc<Gate>, answer: Answer) -> NotLetIn {
    NotLetIn(Reason::Refused(Arc::clone(gate), Box::new(answer)))
}

/// Why a handler was not reached; as a response it is the door's own answer.
#[derive(Debug)]
pub struct NotLetIn(Reason);

#[derive(Debug)]
enum Reason {
    Refused(Arc<Gate>, Box<Answer>),
    /// The route stands behind no door: the host's mistake, which must not look like a client's.
    NoGate,
    /// A scope that is written in the host's code is none.
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
            Reason::NoGate => f.write_str("the route stands behind no token layer"),
            Reason::NoScope(text) => write!(f, "`{text}` is required by the code, and is no scope"),
        }
    }
}

impl std::error::Error for NotLetIn {}

impl IntoResponse for NotLetIn {
    fn into_response(self) -> Response {
        match self.0 {
            Reason::Refused(gate, answer) => gate.refuse(&answer),
            Reason::NoGate | Reason::NoScope(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}
