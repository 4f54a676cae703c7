//! A format with environments: a creation says which.

use counterfoil::{Environment, FixedClock, Keyring, MemoryStore, Registry, TokenFormat};
use counterfoil_axum::management::Management;
use serde_json::json;

use crate::{
    ask::{post, send},
    schema::Document,
    support::{User, at},
};

#[tokio::test]
async fn an_environment_is_one_of_the_formats() {
    let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
    let format = TokenFormat::builder("acme").environments(["live", "test"]).build().unwrap();
    let registry = Registry::builder(format, keyring, MemoryStore::new()).clock(FixedClock::new(at(0)));
    let management = Management::new(registry.serving([Environment::new("live").unwrap()]).build().unwrap());
    let document = Document::of(&management);
    let app = management.router::<User, ()>().unwrap();
    for (environment, expected) in [
        (json!("live"), (201, "")),
        (json!("test"), (201, "")),
        (json!("stage"), (400, "environment")),
        (json!("LIVE"), (400, "environment")),
        (json!(""), (400, "environment")),
        (json!(null), (400, "environment")),
    ] {
        let reply =
            send(&app, post("/tokens", json!({ "name": "CI", "expires_in": 60, "environment": environment }))).await;
        document.check("POST", "/tokens", &reply);
        assert_eq!(reply.verdict(), expected, "{environment}");
        if reply.status == 201 {
            assert_eq!(reply.body["environment"], environment);
            let public = format!("acme_{}_", environment.as_str().unwrap());
            assert!(reply.body["public"].as_str().unwrap().starts_with(&public));
        }
    }
    let told = &document.json()["components"]["schemas"]["CreateToken"];
    assert_eq!(told["properties"]["environment"]["enum"], json!(["live", "test"]));
}
