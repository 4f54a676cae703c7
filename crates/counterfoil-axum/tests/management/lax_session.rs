//! Hosts that leave a hole: a session that anybody has, a path that is no part of the owner → what holds all the same.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use counterfoil::{Actor, FixedClock, MemoryStore, Owner, Record};
use counterfoil_axum::management::{ApiError, Declined, Management, Operation, PathParams, Session};
use counterfoil_tower::{Gate, Transport};
use serde_json::json;

use crate::{
    ask::{get, post, send},
    support::{at, builder},
};

/// Ann, whoever asks. It has a token shown to itself, in a header that the management API does not look at.
struct Anybody;

impl FromRequestParts<Arc<Gate>> for Anybody {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, gate: &Arc<Gate>) -> Result<Self, ApiError> {
        let _ = gate.admit(parts).await;
        Ok(Self)
    }
}

impl Session for Anybody {
    fn actor(&self) -> Option<Actor> {
        None
    }
    async fn owner(&self, _: Operation, _: &PathParams) -> Result<Owner, Declined> {
        Ok(Owner::new("ann").unwrap())
    }
    async fn may(&self, _: Operation, _: &Record, _: &PathParams) -> Result<(), Declined> {
        Ok(())
    }
}

#[tokio::test]
async fn a_session_that_is_a_token_manages_nothing_and_a_key_is_of_one_path() {
    let store = MemoryStore::new();
    let registry = builder(store.clone(), &FixedClock::new(at(0))).build().unwrap();
    let gate = Gate::new(registry.clone(), Transport::header("x-door".parse().unwrap()));
    let api = Management::new(registry).idempotency(store).collection("/projects/{project}/tokens");
    let app = api.router::<Anybody, _>().unwrap().with_state(Arc::new(gate));

    let ask = |project: &str| post(format!("/projects/{project}/tokens"), json!({ "name": "CI", "expires_in": 60 }));
    let made = send(&app, ask("a").key("7f3c")).await;
    assert_eq!((made.status, &made.body["replayed"]), (201, &json!(false)), "{}", made.text);
    for (project, status) in [("a", 201), ("b", 422), ("", 422)] {
        assert_eq!(send(&app, ask(project).key("7f3c")).await.status, status, "{project}");
    }

    let token = made.body["token"].as_str().unwrap();
    for (value, status) in [(token, 403), ("other", 200)] {
        assert_eq!(send(&app, get("/projects/a/tokens").header("x-door", value)).await.status, status);
    }
}
