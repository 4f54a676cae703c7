//! What ARKA's page on personal access tokens says of the service, statement by statement, over HTTP. What it says of the
//! command-line program is in `arka_cli`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../rig/mod.rs"]
mod rig;

mod page;

use counterfoil::Owner;
use rig::{DAY, Rig, START, Send as _};
use serde_json::{Value, json};
use systems::arka::Arka;

const API: &str = "/v1/models";
const TOKENS: &str = "/api/personal/tokens";

fn ann() -> Owner {
    Owner::new("ann").unwrap()
}

/// A workspace in which ann has a Pro subscription.
async fn rig() -> (Rig<Arka>, String) {
    let rig = Rig::<Arka>::start().await;
    rig.service.plans.subscribe(&ann());
    let session = rig.service.sessions.sign_in(ann()).unwrap();
    (rig, session)
}

async fn new_token(rig: &Rig<Arka>, session: &str, body: Value) -> (String, String) {
    let made = rig.post(TOKENS, &body).session(session).expect(201).await.json();
    (made["token"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

async fn named(rig: &Rig<Arka>, session: &str, name: &str) -> (String, String) {
    new_token(rig, session, json!({ "name": name })).await
}

async fn names(rig: &Rig<Arka>, session: &str) -> Vec<String> {
    let page = rig.get(TOKENS).session(session).expect(200).await.json();
    page["tokens"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_api_requires_a_personal_access_token() {
    let (rig, session) = rig().await;
    let (token, _) = named(&rig, &session, "MacBook Pro").await;
    rig.get(API).expect(401).await;
    rig.get(API).bearer_auth(&token).expect(200).await;
}

#[tokio::test]
async fn a_session_is_no_token() {
    let (rig, session) = rig().await;
    rig.get(API).session(&session).expect(401).await;
}

#[tokio::test]
async fn a_pro_subscription_is_required_to_create_a_token() {
    let (rig, session) = rig().await;
    rig.service.plans.cancel(&ann());
    let refused = rig.post(TOKENS, &json!({ "name": "Work Laptop" })).session(&session).expect(403).await.json();
    assert_eq!(refused["detail"], "Pro subscription required");
    assert_eq!(refused["link"], "https://arka-ai.com/billing");
    assert_eq!(names(&rig, &session).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_pro_subscription_is_required_at_use_with_its_text_and_link() {
    let (rig, session) = rig().await;
    let (token, _) = named(&rig, &session, "Work Laptop").await;
    rig.service.plans.cancel(&ann());
    let refused = rig.get(API).bearer_auth(&token).expect(403).await.json();
    assert_eq!(refused, json!({ "error": "Pro subscription required", "link": "https://arka-ai.com/billing" }));
}

#[tokio::test]
async fn an_upgrade_makes_the_same_token_work_again() {
    let (rig, session) = rig().await;
    let (token, _) = named(&rig, &session, "Work Laptop").await;
    rig.service.plans.cancel(&ann());
    rig.get(API).bearer_auth(&token).expect(403).await;
    rig.service.plans.subscribe(&ann());
    rig.get(API).bearer_auth(&token).expect(200).await;
}

#[tokio::test]
async fn somebody_with_a_bad_token_learns_nothing_of_the_plan() {
    let (rig, session) = rig().await;
    let (token, id) = named(&rig, &session, "Work Laptop").await;
    rig.delete(&format!("{TOKENS}/{id}")).session(&session).expect(204).await;
    rig.service.plans.cancel(&ann());
    assert_eq!(rig.get(API).bearer_auth(&token).expect(401).await.json(), json!({ "error": "Invalid token" }));
}

#[tokio::test]
async fn a_token_has_a_descriptive_name() {
    let (rig, session) = rig().await;
    for name in ["MacBook Pro", "Work Laptop", "CI/CD Pipeline"] {
        named(&rig, &session, name).await;
    }
    let mut listed = names(&rig, &session).await;
    listed.sort();
    assert_eq!(listed, ["CI/CD Pipeline", "MacBook Pro", "Work Laptop"]);
}

#[tokio::test]
async fn an_expiration_date_is_optional() {
    let (rig, session) = rig().await;
    let (forever, _) = named(&rig, &session, "MacBook Pro").await;
    let body = json!({ "name": "Work Laptop", "expires_at": START + 30 * DAY });
    let (ending, _) = new_token(&rig, &session, body).await;
    rig.at(30 * DAY - 1);
    rig.get(API).bearer_auth(&ending).expect(200).await;
    rig.at(30 * DAY);
    assert_eq!(rig.get(API).bearer_auth(&ending).expect(401).await.json(), json!({ "error": "Invalid token" }));
    rig.get(API).bearer_auth(&forever).expect(200).await;
}

#[tokio::test]
async fn the_token_is_displayed_once() {
    let (rig, session) = rig().await;
    let (token, id) = named(&rig, &session, "MacBook Pro").await;
    for path in [TOKENS.to_owned(), format!("{TOKENS}/{id}")] {
        let shown = rig.get(&path).session(&session).expect(200).await;
        assert!(!shown.text.contains(&token["arka_".len() + 8..]), "{}", shown.text);
    }
}

#[tokio::test]
async fn a_token_is_arka_and_37_characters() {
    let (rig, session) = rig().await;
    for _ in 0..20 {
        let (token, _) = named(&rig, &session, "MacBook Pro").await;
        let rest = token.strip_prefix("arka_").unwrap();
        assert_eq!(rest.len(), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".len(), "{token}");
        assert!(rest.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
    }
}

#[tokio::test]
async fn a_bad_token_is_told_invalid_token() {
    let (rig, session) = rig().await;
    let (token, _) = named(&rig, &session, "MacBook Pro").await;
    let cut = &token[..token.len() - 1];
    let placeholder = format!("arka_{}", "x".repeat(37));
    let unprefixed = &token["arka_".len()..];
    for bad in [cut, &placeholder, unprefixed, "nonsense"] {
        assert_eq!(
            rig.get(API).bearer_auth(bad).expect(401).await.json(),
            json!({ "error": "Invalid token" }),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn no_token_is_told_unauthorized() {
    let (rig, _) = rig().await;
    assert_eq!(rig.get(API).expect(401).await.json(), json!({ "error": "Unauthorized" }));
}

#[tokio::test]
async fn the_token_must_start_with_arka() {
    let (rig, session) = rig().await;
    let (token, _) = named(&rig, &session, "MacBook Pro").await;
    for other in ["ARKA_", "arca_", "arka-", ""] {
        rig.get(API).bearer_auth(token.replace("arka_", other)).expect(401).await;
    }
}

#[tokio::test]
async fn revoking_is_immediate() {
    let (rig, session) = rig().await;
    let (token, id) = named(&rig, &session, "MacBook Pro").await;
    rig.get(API).bearer_auth(&token).expect(200).await;
    rig.delete(&format!("{TOKENS}/{id}")).session(&session).expect(204).await;
    assert_eq!(rig.get(API).bearer_auth(&token).expect(401).await.json(), json!({ "error": "Invalid token" }));
}

#[tokio::test]
async fn revoking_is_irreversible() {
    let (rig, session) = rig().await;
    let (token, id) = named(&rig, &session, "MacBook Pro").await;
    let item = format!("{TOKENS}/{id}");
    rig.delete(&item).session(&session).expect(204).await;
    for (path, body) in [("unblock", json!({})), ("rotate", json!({}))] {
        let reply = rig.post(&format!("{item}/{path}"), &body).session(&session).reply().await;
        assert!(reply.status >= 400, "{path}: {}", reply.text);
    }
    let reply = rig.put(&format!("{item}/expiry"), &json!({ "expires_at": null })).session(&session).reply().await;
    assert!(reply.status >= 400, "{}", reply.text);
    rig.get(API).bearer_auth(&token).expect(401).await;
}

#[tokio::test]
async fn a_deleted_token_leaves_the_list() {
    let (rig, session) = rig().await;
    named(&rig, &session, "MacBook Pro").await;
    let (_, id) = named(&rig, &session, "Work Laptop").await;
    rig.delete(&format!("{TOKENS}/{id}")).session(&session).expect(204).await;
    assert_eq!(names(&rig, &session).await, ["MacBook Pro"]);
}

#[tokio::test]
async fn an_expired_token_stays_in_the_list() {
    let (rig, session) = rig().await;
    new_token(&rig, &session, json!({ "name": "MacBook Pro", "expires_at": START + DAY })).await;
    rig.at(2 * DAY);
    assert_eq!(names(&rig, &session).await, ["MacBook Pro"]);
}

#[tokio::test]
async fn any_number_of_tokens_can_be_made() {
    let (rig, session) = rig().await;
    for number in 0..60 {
        named(&rig, &session, &format!("device {number}")).await;
    }
    let page = rig.get(&format!("{TOKENS}?limit=100")).session(&session).expect(200).await.json();
    assert_eq!(page["tokens"].as_array().unwrap().len(), 60);
}

#[tokio::test]
async fn each_token_is_revoked_independently() {
    let (rig, session) = rig().await;
    let (laptop, lost) = named(&rig, &session, "Work Laptop").await;
    let (pipeline, _) = named(&rig, &session, "CI/CD Pipeline").await;
    rig.delete(&format!("{TOKENS}/{lost}")).session(&session).expect(204).await;
    rig.get(API).bearer_auth(&laptop).expect(401).await;
    rig.get(API).bearer_auth(&pipeline).expect(200).await;
}

#[tokio::test]
async fn nobody_sees_or_deletes_the_tokens_of_another() {
    let (rig, session) = rig().await;
    let (token, id) = named(&rig, &session, "MacBook Pro").await;
    let bob = rig.service.sessions.sign_in(Owner::new("bob").unwrap()).unwrap();
    assert_eq!(names(&rig, &bob).await, Vec::<String>::new());
    rig.delete(&format!("{TOKENS}/{id}")).session(&bob).expect(404).await;
    rig.get(API).bearer_auth(&token).expect(200).await;
}

#[tokio::test]
async fn a_token_asks_the_api() {
    let (rig, session) = rig().await;
    let (token, _) = named(&rig, &session, "MacBook Pro").await;
    let reply = rig.post("/v1/ask", &json!({ "prompt": "what is 6 by 7?" })).bearer_auth(&token).expect(200).await;
    assert_eq!(reply.json(), json!({ "answer": "ann asked: what is 6 by 7?" }));
}
