//! What Arca's page on authentication says, statement by statement, over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../rig/mod.rs"]
mod rig;

mod page;

use counterfoil::Owner;
use counterfoil_sqlx::SqliteStore;
use rig::{DAY, Rig, START, Send as _};
use serde_json::{Value, json};
use systems::{arca::Arca, host::Service as _};

const TASKS: &str = "/v1/tasks";
const KEYS: &str = "/settings/api-keys";

async fn rig() -> (Rig<Arca>, String) {
    let rig = Rig::<Arca>::start().await;
    let session = sign_in(&rig, "ann");
    (rig, session)
}

fn sign_in(rig: &Rig<Arca>, name: &str) -> String {
    rig.service.sessions.sign_in(Owner::new(name).unwrap()).unwrap()
}

async fn new_key(rig: &Rig<Arca>, session: &str, body: Value) -> (String, String) {
    let made = rig.post(KEYS, &body).session(session).expect(201).await.json();
    (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

async fn reader(rig: &Rig<Arca>, session: &str) -> (String, String) {
    new_key(rig, session, json!({ "label": "report", "scopes": ["tasks:read"] })).await
}

fn error(text: &str) -> Value {
    json!({ "error": text })
}

#[tokio::test]
async fn all_requests_must_be_authenticated_with_a_key() {
    let (rig, _) = rig().await;
    let reply = rig.get(TASKS).expect(401).await;
    assert_eq!(reply.json(), error("API key is required"));
    assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"));
    rig.post(TASKS, &json!({})).expect(401).await;
}

#[tokio::test]
async fn a_session_is_no_authentication_for_the_api() {
    let (rig, session) = rig().await;
    rig.get(KEYS).session(&session).expect(200).await;
    assert_eq!(rig.get(TASKS).session(&session).expect(401).await.json(), error("API key is required"));
}

#[tokio::test]
async fn oauth_is_no_authentication_for_the_api() {
    let (rig, _) = rig().await;
    for token in ["ya29.a0AfH6SMBx", "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(rig.get(TASKS).bearer_auth(token).expect(401).await.json(), error("Invalid API key"), "{token}");
    }
}

#[tokio::test]
async fn a_new_key_has_a_label_the_chosen_scopes_and_an_optional_expiration_date() {
    let (rig, session) = rig().await;
    for expires_at in [Value::Null, json!(START + 30 * DAY)] {
        let body = json!({ "label": "CI", "scopes": ["tasks:read", "tasks:write"], "expires_at": expires_at });
        let made = rig.post(KEYS, &body).session(&session).expect(201).await.json();
        assert_eq!(made["label"], "CI");
        assert_eq!(made["scopes"], body["scopes"]);
        assert_eq!(made["expires_at"], expires_at);
    }
}

#[tokio::test]
async fn a_key_is_made_by_its_owner_in_the_app_alone() {
    let (rig, session) = rig().await;
    let (key, id) = reader(&rig, &session).await;
    let body = json!({ "label": "CI", "scopes": ["tasks:read"] });
    rig.post(KEYS, &body).expect(401).await;
    rig.post(KEYS, &body).bearer_auth(&key).expect(403).await;
    rig.post(KEYS, &body).header("x-api-key", &key).session(&session).expect(403).await;
    rig.get(&format!("{KEYS}/{id}")).session(&sign_in(&rig, "bob")).expect(404).await;
}

#[tokio::test]
async fn the_key_is_shown_once() {
    let (rig, session) = rig().await;
    let body = json!({ "label": "CI", "scopes": ["tasks:read"] });
    let made = rig.post(KEYS, &body).session(&session).expect(201).await;
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let key = made.json()["key"].as_str().unwrap().to_owned();
    let secret = &key["arca_".len() + 8..];
    for path in [KEYS.to_owned(), format!("{KEYS}/{}", made.json()["id"].as_str().unwrap())] {
        let shown = rig.get(&path).session(&session).expect(200).await;
        assert!(shown.text.contains("CI") && !shown.text.contains(secret), "{path}");
    }
}

#[tokio::test]
async fn every_key_is_arca_and_64_hex_characters() {
    let (rig, session) = rig().await;
    for _ in 0..20 {
        let (key, _) = reader(&rig, &session).await;
        let digits = key.strip_prefix("arca_").unwrap();
        assert_eq!(digits.len(), 64, "{key}");
        assert!(digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{key}");
    }
}

#[tokio::test]
async fn the_example_key_of_the_page_is_of_another_length_and_is_401() {
    let (rig, _) = rig().await;
    // 66 digits: the page says 64.
    let example = "arca_4f3a1b9e2c8d76f05e3a1b9e2c8d76f05e3a1b9e2c8d76f05e3a1b9e2c8d76f0";
    assert_eq!(rig.get(TASKS).bearer_auth(example).expect(401).await.json(), error("Invalid API key"));
}

#[tokio::test]
async fn authorization_bearer_carries_the_key() {
    let (rig, session) = rig().await;
    let (key, _) = reader(&rig, &session).await;
    rig.get(TASKS).header("authorization", format!("Bearer {key}")).expect(200).await;
}

#[tokio::test]
async fn x_api_key_carries_the_key() {
    let (rig, session) = rig().await;
    let (key, _) = reader(&rig, &session).await;
    rig.get(TASKS).header("x-api-key", &key).expect(200).await;
}

#[tokio::test]
async fn both_headers_are_400_even_if_equal() {
    let (rig, session) = rig().await;
    let (key, _) = reader(&rig, &session).await;
    let (other, _) = reader(&rig, &session).await;
    for second in [&key, &other, "nonsense"] {
        let reply = rig.get(TASKS).bearer_auth(&key).header("x-api-key", second).expect(400).await;
        assert!(reply.json()["error"].is_string(), "{}", reply.text);
    }
}

#[tokio::test]
async fn the_authorization_header_without_bearer_is_401() {
    let (rig, session) = rig().await;
    let (key, _) = reader(&rig, &session).await;
    for value in [key.clone(), format!("Basic {key}"), format!("Token {key}"), format!("ApiKey {key}")] {
        rig.get(TASKS).header("authorization", &value).expect(401).await;
    }
}

#[tokio::test]
async fn a_key_that_does_not_start_with_arca_is_401() {
    let (rig, session) = rig().await;
    let (key, _) = reader(&rig, &session).await;
    let bare = &key["arca_".len()..];
    for value in [bare.to_owned(), format!("ARCA_{bare}"), format!("arka_{bare}"), format!("_{bare}")] {
        rig.get(TASKS).bearer_auth(&value).expect(401).await;
        rig.get(TASKS).header("x-api-key", &value).expect(401).await;
    }
}

#[tokio::test]
async fn a_key_without_an_expiration_date_does_not_expire() {
    let (rig, session) = rig().await;
    let (key, _) = reader(&rig, &session).await;
    rig.at(20 * 365 * DAY);
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
}

#[tokio::test]
async fn every_request_past_the_expiration_date_returns_api_key_has_expired() {
    let (rig, session) = rig().await;
    let body = json!({ "label": "CI", "scopes": ["tasks:read"], "expires_at": START + DAY });
    let (key, _) = new_key(&rig, &session, body).await;
    rig.at(DAY - 1);
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
    rig.at(DAY);
    for _ in 0..2 {
        assert_eq!(rig.get(TASKS).bearer_auth(&key).expect(401).await.json(), error("API key has expired"));
        assert_eq!(rig.get(TASKS).header("x-api-key", &key).expect(401).await.json(), error("API key has expired"));
        // Not even the scope is looked at before.
        assert_eq!(
            rig.post(TASKS, &json!({})).bearer_auth(&key).expect(401).await.json(),
            error("API key has expired")
        );
    }
}

#[tokio::test]
async fn a_new_expiration_can_be_set_also_after_it_has_passed() {
    let (rig, session) = rig().await;
    let body = json!({ "label": "CI", "scopes": ["tasks:read"], "expires_at": START + DAY });
    let (key, id) = new_key(&rig, &session, body).await;
    rig.at(40 * DAY);
    let kept = rig.service.registry().maintain().await.unwrap();
    assert_eq!(kept.purged, 0, "upkeep leaves an expired key where it is");
    rig.get(TASKS).bearer_auth(&key).expect(401).await;
    let path = format!("{KEYS}/{id}/expiry");
    rig.put(&path, &json!({ "expires_at": START + 50 * DAY })).session(&session).expect(200).await;
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
    rig.put(&path, &json!({ "expires_at": null })).session(&session).expect(200).await;
    rig.at(9000 * DAY);
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
}

#[tokio::test]
async fn a_replacement_key_can_be_made() {
    let (rig, session) = rig().await;
    let body = json!({ "label": "CI", "scopes": ["tasks:read"], "expires_at": START + DAY });
    let (old, _) = new_key(&rig, &session, body).await;
    rig.at(2 * DAY);
    let (new, _) = reader(&rig, &session).await;
    rig.get(TASKS).bearer_auth(&old).expect(401).await;
    rig.get(TASKS).bearer_auth(&new).expect(200).await;
}

#[tokio::test]
async fn a_key_is_granted_scopes_at_creation() {
    let (rig, session) = rig().await;
    let (_, id) = new_key(&rig, &session, json!({ "label": "CI", "scopes": ["tasks:read", "contacts:read"] })).await;
    let shown = rig.get(&format!("{KEYS}/{id}")).session(&session).expect(200).await.json();
    assert_eq!(shown["scopes"], json!(["contacts:read", "tasks:read"]));
    for scopes in [json!(["tasks:fly"]), json!(["tasks:read", "tasks:fly"])] {
        rig.post(KEYS, &json!({ "label": "CI", "scopes": scopes })).session(&session).expect(400).await;
    }
}

#[tokio::test]
async fn scopes_cannot_be_changed_after_the_key_is_created() {
    let (rig, session) = rig().await;
    let (key, id) = reader(&rig, &session).await;
    let wider = json!({ "scopes": ["tasks:read", "tasks:write"] });
    for path in [format!("{KEYS}/{id}/scopes"), format!("{KEYS}/{id}")] {
        for request in
            [rig.put(&path, &wider), rig.post(&path, &wider), rig.ask(reqwest::Method::PATCH, &path).json(&wider)]
        {
            let status = request.session(&session).reply().await.status;
            assert!(status == 404 || status == 405, "{path}: {status}");
        }
    }
    rig.post(TASKS, &json!({})).bearer_auth(&key).expect(403).await;
}

#[tokio::test]
async fn a_request_without_the_required_scope_is_403_and_names_it() {
    let (rig, session) = rig().await;
    let (key, _) = reader(&rig, &session).await;
    let reply = rig.post(TASKS, &json!({})).bearer_auth(&key).expect(403).await;
    assert_eq!(reply.json(), error("Scope 'tasks:write' is required for this endpoint"));
    let (writer, _) = new_key(&rig, &session, json!({ "label": "w", "scopes": ["tasks:write"] })).await;
    let reply = rig.get(TASKS).bearer_auth(&writer).expect(403).await;
    assert_eq!(reply.json(), error("Scope 'tasks:read' is required for this endpoint"));
}

#[tokio::test]
async fn keys_carry_full_access_within_their_granted_scopes() {
    let (rig, session) = rig().await;
    let body = json!({ "label": "CI", "scopes": ["tasks:read", "tasks:write"] });
    let (key, _) = new_key(&rig, &session, body).await;
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
    rig.post(TASKS, &json!({})).bearer_auth(&key).expect(200).await;
}

#[tokio::test]
async fn a_reporting_key_does_not_need_any_write_scope() {
    let (rig, session) = rig().await;
    let (key, _) = reader(&rig, &session).await;
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
    rig.post(TASKS, &json!({})).bearer_auth(&key).expect(403).await;
}

#[tokio::test]
async fn an_expiration_date_can_be_set_for_a_short_lived_script() {
    let (rig, session) = rig().await;
    let body = json!({ "label": "pipeline", "scopes": ["tasks:read"], "expires_at": START + 60_000 });
    let (key, _) = new_key(&rig, &session, body).await;
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
    rig.at(60_000);
    rig.get(TASKS).bearer_auth(&key).expect(401).await;
}

#[tokio::test]
async fn a_key_can_be_revoked_at_any_time() {
    let (rig, session) = rig().await;
    let (key, id) = reader(&rig, &session).await;
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
    rig.delete(&format!("{KEYS}/{id}")).session(&session).expect(204).await;
    assert_eq!(rig.get(TASKS).bearer_auth(&key).expect(401).await.json(), error("Invalid API key"));
}

#[tokio::test]
async fn the_raw_value_is_never_stored() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("arca.sqlite");
    let rig = Rig::<Arca>::start_on(SqliteStore::open_or_create(&file).await.unwrap()).await;
    let session = sign_in(&rig, "ann");
    let (key, id) = reader(&rig, &session).await;
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
    let mut read = Vec::new();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        read.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let holds = |text: &str| read.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(&id) || holds("report"), "the record is in the file");
    assert!(!holds(&key["arca_".len()..]) && !holds(&key[20..]), "the raw value is in the file");
}

#[tokio::test]
async fn a_lost_key_cannot_be_seen_again_and_a_new_one_is_made() {
    let (rig, session) = rig().await;
    let (lost, id) = reader(&rig, &session).await;
    let shown = rig.get(&format!("{KEYS}/{id}")).session(&session).expect(200).await;
    assert!(!shown.json().as_object().unwrap().contains_key("key"), "{}", shown.text);
    let (new, _) = reader(&rig, &session).await;
    assert_ne!(new, lost);
    rig.get(TASKS).bearer_auth(&new).expect(200).await;
}
