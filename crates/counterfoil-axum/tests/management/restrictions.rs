//! Scopes at two places, and what the host demands of a creation.

use std::time::Duration;

use axum::http::header::FORWARDED;
use counterfoil::{
    FixedClock, IssuePolicy, Keyring, Lifetime, MemoryStore, Registry, TokenFormat, policy::Lifetimes,
    registry::RegistryBuilder,
};
use counterfoil_axum::management::Management;
use counterfoil_tower::{ClientAddress, Gate, Transport};
use serde_json::{Value, json};

use crate::{
    ask::{get, id_of, post, put, send},
    support::{DAY, Rig, START, User, at},
};

fn rig(lifetimes: Lifetimes, set_up: impl FnOnce(Management) -> Management) -> Rig {
    let policy = IssuePolicy { lifetimes, ..IssuePolicy::default() };
    Rig::new(MemoryStore::new(), |builder: RegistryBuilder| builder.issue_policy(policy), set_up)
}

async fn verdict(rig: &Rig, body: Value) -> (u16, String) {
    let reply = rig.send(post("/tokens", body)).await;
    let (status, word) = reply.verdict();
    (status, word.to_owned())
}

#[tokio::test]
async fn scopes_within_restrictions_are_those_beside_them() {
    let rig = Rig::plain();
    for (scopes, within, expected) in [
        (json!(null), json!(null), Some(json!([]))),
        (json!(["a"]), json!(null), Some(json!(["a"]))),
        (json!(null), json!(["a"]), Some(json!(["a"]))),
        (json!(["a", "b:*"]), json!(["b:*", "a", "a"]), Some(json!(["a", "b:*"]))),
        (json!([]), json!([]), Some(json!([]))),
        (json!(["a"]), json!([]), None),
        (json!([]), json!(["a"]), None),
        (json!(["a"]), json!(["a", "b"]), None),
        (json!(["a:*"]), json!(["a:b"]), None),
    ] {
        let body = json!({ "name": "CI", "expires_in": 60, "scopes": scopes, "restrictions": { "scopes": within } });
        let reply = rig.send(post("/tokens", body)).await;
        match expected {
            Some(scopes) => assert_eq!((reply.status, &reply.body["scopes"]), (201, &scopes), "{within}"),
            None => assert_eq!(reply.verdict(), (400, "scopes"), "{scopes} {within}"),
        }
    }
}

#[tokio::test]
async fn networks_are_taken_only_where_clients_addresses_are_known() {
    let forwarded = |hops| ClientAddress::forwarded(FORWARDED, hops);
    for (source, is_stated, expected) in [
        (ClientAddress::unknown(), false, (400, "restrictions.networks")),
        (forwarded(0), false, (400, "restrictions.networks")),
        (ClientAddress::unknown(), true, (201, "")),
        (ClientAddress::peer(), false, (201, "")),
        (forwarded(1), false, (201, "")),
        (ClientAddress::from_fn(|_| None), false, (201, "")),
    ] {
        let keyring: Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap();
        let format = TokenFormat::builder("acme").build().unwrap();
        let builder = Registry::builder(format, keyring, MemoryStore::new()).clock(FixedClock::new(at(0)));
        let builder = if is_stated { builder.client_addresses_known() } else { builder };
        let registry = builder.build().unwrap();
        let app = Management::new(registry.clone()).router::<User, ()>().unwrap();
        // The door may be built after the router.
        drop(Gate::new(registry, Transport::bearer()).client_address(source.clone()));
        for (networks, expected) in [(json!(["192.0.2.1"]), expected), (json!([]), (201, ""))] {
            let body = json!({ "name": "CI", "expires_in": 60, "restrictions": { "networks": networks } });
            assert_eq!(
                send(&app, post("/tokens", body)).await.verdict(),
                expected,
                "{source:?} {is_stated} {networks}"
            );
        }
    }
}

#[tokio::test]
async fn a_host_demands_its_type_and_restrictions() {
    let rig = rig(Lifetimes::any(), |api| api.kind("personal").restrictions_required());
    for (with, expected) in [
        (json!({ "type": "personal", "restrictions": {} }), (201, "")),
        (json!({ "type": "personal", "restrictions": { "networks": ["192.0.2.1"] } }), (201, "")),
        (json!({ "restrictions": {} }), (400, "type")),
        (json!({ "type": null, "restrictions": {} }), (400, "type")),
        (json!({ "type": "service", "restrictions": {} }), (400, "type")),
        (json!({ "type": "Personal", "restrictions": {} }), (400, "type")),
        (json!({ "type": 1, "restrictions": {} }), (400, "type")),
        (json!({ "type": "personal" }), (400, "restrictions")),
        (json!({ "type": "personal", "restrictions": null }), (400, "restrictions")),
    ] {
        let mut body = json!({ "name": "CI", "expires_in": 60 });
        for (name, value) in with.as_object().unwrap() {
            body[name] = value.clone();
        }
        assert_eq!(verdict(&rig, body).await, (expected.0, expected.1.to_owned()), "{with}");
    }
    let page = rig.send(get("/tokens")).await.body;
    assert!(page["tokens"].as_array().unwrap().iter().all(|token| token["type"] == "personal"));
    assert_eq!(rig.count().await, 2);
}

#[tokio::test]
async fn an_end_is_what_the_host_allows_and_its_default_where_none_is_said() {
    const HOUR: i64 = 3_600_000;
    let day = Duration::from_secs(86_400);
    let ending = || Lifetimes::at_most(day).by_default(Lifetime::For(Duration::from_secs(60))).unwrap();
    let forever = || Lifetimes::any().by_default(Lifetime::Forever).unwrap();
    for (lifetimes, end, expected) in [
        (Lifetimes::any(), json!({}), None),
        (Lifetimes::any(), json!({ "expires_at": null }), Some(json!(null))),
        (ending(), json!({}), Some(json!(START + 60_000))),
        (ending(), json!({ "expires_in": null }), Some(json!(START + 60_000))),
        (ending(), json!({ "expires_in": 86_400 }), Some(json!(START + DAY))),
        (ending(), json!({ "expires_in": 86_401 }), None),
        (ending(), json!({ "expires_at": START + DAY }), Some(json!(START + DAY))),
        (ending(), json!({ "expires_at": START + DAY + 1 }), None),
        (ending(), json!({ "expires_at": null }), None),
        (forever(), json!({}), Some(json!(null))),
        (forever(), json!({ "expires_at": START + HOUR }), Some(json!(START + HOUR))),
        (Lifetimes::among([day]).or_forever(), json!({ "expires_in": 86_400 }), Some(json!(START + DAY))),
        (Lifetimes::among([day]).or_forever(), json!({ "expires_in": 86_399 }), None),
        (Lifetimes::among([day]).or_forever(), json!({ "expires_at": null }), Some(json!(null))),
        (Lifetimes::ending(), json!({ "expires_at": null }), None),
    ] {
        let rig = rig(lifetimes.clone(), |api| api);
        let mut body = end.clone();
        body["name"] = json!("CI");
        let reply = rig.send(post("/tokens", body)).await;
        match expected {
            None => assert_eq!(reply.verdict(), (400, "expires_at"), "{lifetimes:?} {end}"),
            Some(expected) => {
                assert_eq!((reply.status, &reply.body["expires_at"]), (201, &expected), "{lifetimes:?} {end}");
                // A new end obeys the same rule, but has no default.
                let changed = rig.send(put(format!("/tokens/{}/expiry", id_of(&reply.body)), end.clone())).await;
                let is_said = end.as_object().unwrap().values().any(|value| !value.is_null())
                    || end == json!({ "expires_at": null });
                assert_eq!(changed.status, if is_said { 200 } else { 400 }, "{lifetimes:?} {end}");
            }
        }
    }
}
