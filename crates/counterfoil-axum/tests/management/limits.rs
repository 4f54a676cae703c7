//! As many tokens as an owner may have → 429, or what the host says.

use axum::http::StatusCode;
use counterfoil::{IssuePolicy, registry::RegistryBuilder};
use serde_json::json;

use crate::{
    ask::{Ask, post, put},
    support::{DAY, Rig, START},
};

fn two(builder: RegistryBuilder) -> RegistryBuilder {
    builder.issue_policy(IssuePolicy { limit: Some(2), ..IssuePolicy::default() })
}

fn create() -> Ask {
    post("/tokens", json!({ "name": "CI", "expires_in": 60 }))
}

#[tokio::test]
async fn the_token_over_the_limit_is_refused() {
    for status in [429, 409] {
        let limit = StatusCode::from_u16(status).unwrap();
        for rig in Rig::each_with(two, |api| if status == 429 { api } else { api.limit_status(limit) }).await {
            rig.id().await;
            rig.id().await;
            for ask in [create(), create().key("7f3c")] {
                let reply = rig.send(ask).await;
                assert_eq!(reply.verdict(), (status, "limit_reached"));
                assert!(reply.text.contains('2'), "the limit is told: {}", reply.text);
                assert_eq!(reply.header("retry-after"), None, "time alone does not help");
            }
            assert_eq!(rig.count().await, 2);
            assert_eq!(rig.send(create().by("bob")).await.status, 201);
        }
    }
}

#[tokio::test]
async fn what_is_not_active_does_not_count_until_it_comes_back() {
    for rig in Rig::each_with(two, |api| api).await {
        for (end, back, verdict) in [
            (("POST", "/revoke", json!({})), Some(("POST", "/unblock", json!({}))), (409, "token_revoked")),
            (("DELETE", "", json!(null)), None, (0, "")),
            (("POST", "/block", json!({})), Some(("POST", "/unblock", json!({}))), (429, "limit_reached")),
            (
                ("PUT", "/expiry", json!({ "expires_in": 1 })),
                Some(("PUT", "/expiry", json!({ "expires_in": 3600 }))),
                (429, "limit_reached"),
            ),
        ] {
            let ask = |id: &str, (method, path, body): (&'static str, &str, serde_json::Value)| {
                let ask = Ask::new(method, format!("/tokens/{id}{path}"));
                if body.is_null() { ask } else { ask.text(body.to_string()) }
            };
            let name = end.1.to_owned();
            // Two active ones, of which one ends, so that there is room for a third.
            rig.wait(0);
            let (kept, ended) = (rig.id().await, rig.id().await);
            assert!(rig.send(ask(&ended, end)).await.status < 300, "{name}");
            rig.wait(1000);
            let third = rig.send(create()).await;
            assert_eq!(third.status, 201, "{name}");
            assert_eq!(rig.send(create()).await.status, 429, "{name}");
            if let Some(back) = back {
                let before = rig.now(&ended).await;
                assert_eq!(rig.send(ask(&ended, back)).await.verdict(), verdict, "{name}");
                assert_eq!(rig.now(&ended).await, before, "{name}");
            }
            for id in [kept, ended, third.body["id"].as_str().unwrap().to_owned()] {
                rig.send(Ask::new("DELETE", format!("/tokens/{id}"))).await;
            }
        }
    }
}

#[tokio::test]
async fn what_is_active_stays_so_at_the_limit() {
    for rig in Rig::each_with(two, |api| api).await {
        let (id, _) = (rig.id().await, rig.id().await);
        for ask in [
            Ask::new("POST", format!("/tokens/{id}/rotate")),
            Ask::new("POST", format!("/tokens/{id}/unblock")),
            put(format!("/tokens/{id}/expiry"), json!({ "expires_at": START + DAY })),
        ] {
            assert_eq!(rig.send(ask).await.status, 200);
        }
    }
}

#[tokio::test]
async fn a_token_about_to_end_is_given_a_later_end_at_the_limit() {
    for rig in Rig::each_with(two, |api| api).await {
        let (id, _) = (rig.id().await, rig.id().await);
        for millis in [90 * DAY - 60_000, 90 * DAY - 1] {
            rig.wait(millis);
            let reply =
                rig.send(put(format!("/tokens/{id}/expiry"), json!({ "expires_at": START + 90 * DAY + millis }))).await;
            assert_eq!(reply.status, 200, "{}", reply.text);
            rig.send(put(format!("/tokens/{id}/expiry"), json!({ "expires_at": START + 90 * DAY }))).await;
        }
    }
}
