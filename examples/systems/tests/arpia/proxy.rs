//! The AI/LLM chat proxy and its budget.

use counterfoil::Owner;
use serde_json::json;

use crate::{
    ELSEWHERE, WORKSPACE, World, is, join,
    page::{NEW, made},
    rig::{DAY, Send as _},
    world,
};

async fn with_proxy(world: &World, session: &str) -> String {
    world.token_of(session, json!({ "scopes": ["llm:proxy"] })).await.0
}

#[tokio::test]
async fn proxy_access_is_unchecked_by_default() {
    let world = world().await;
    let form = world.rig.page(&world.session, NEW).await;
    assert_eq!(form.texts("legend")[1], "AI/LLM Proxy Access");
    let label = "Allow this token to call the AI / LLM chat proxy for custom integrations";
    assert_eq!(form.texts("label").last().unwrap(), label);
    assert!(form.has("AI/LLM usage will count against your workarea's AI budget guardrails."), "{}", form.text);
    assert_eq!(form.checked(), Vec::<String>::new());
    let fields = [("name", "agent"), ("expiry", "30"), ("scopes-collections", "all")];
    let checked = [&fields[..], &[("scopes-proxy", "llm:proxy")]].concat();
    for (fields, access, status) in [(&fields[..], "disabled", 403), (&checked, "enabled", 200)] {
        let apt = made(&world, fields).await;
        assert_eq!(world.chat(&apt).await.status, status, "{fields:?}");
        world.rig.at(DAY); // the second stands behind the first
        assert_eq!(world.rows().await.last().unwrap()["AI/LLM Proxy Access"], access);
    }
}

#[tokio::test]
async fn proxy_access_lets_a_token_call_the_chat_proxy() {
    let world = world().await;
    let (apt, _) = world.token(json!({ "scopes": ["collections:*", "llm:proxy"] })).await;
    let reply = world.chat(&apt).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.json()["choices"][0]["message"]["content"], "ann said: hello");
}

#[tokio::test]
async fn all_permitted_collections_does_not_include_the_proxy() {
    let world = world().await;
    let (apt, _) = world.token(json!({ "scopes": ["collections:*"] })).await;
    is(&world.chat(&apt).await, 403, "proxy_access_not_enabled");
    // Nor does the proxy include a collection.
    let proxy = with_proxy(&world, &world.session).await;
    is(&world.at(&world.sales, &proxy).await, 403, "insufficient_scope");
    assert!(world.permitted(&proxy).await.is_empty());
}

#[tokio::test]
async fn proxy_access_that_is_not_enabled_is_403_and_says_to_regenerate_the_token() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    let reply = world.chat(&apt).await;
    is(&reply, 403, "proxy_access_not_enabled");
    assert_eq!(reply.json()["solution"], "Regenerate token with proxy checkbox enabled");
    let enabled = with_proxy(&world, &world.session).await;
    assert_eq!(world.chat(&enabled).await.status, 200);
}

#[tokio::test]
async fn the_proxy_needs_a_good_token() {
    let world = world().await;
    world.rig.post("/llm/chat", &json!({})).expect(401).await;
    world.rig.post("/llm/chat", &json!({})).session(&world.session).expect(401).await;
    is(&world.chat("nonsense").await, 401, "invalid_token");
}

#[tokio::test]
async fn ai_usage_counts_against_the_budget_that_the_workarea_shares() {
    let world = world().await;
    let bob = join(&world.rig, &Owner::in_tenant(WORKSPACE, "bob").unwrap(), &["sales"]);
    let first = with_proxy(&world, &world.session).await;
    let second = with_proxy(&world, &world.session).await;
    let third = with_proxy(&world, &bob).await;
    world.rig.service.budget.set_daily(WORKSPACE, 3);
    for apt in [&first, &second, &third] {
        assert_eq!(world.chat(apt).await.status, 200);
    }
    world.rig.at(DAY / 2);
    for apt in [&first, &second, &third] {
        let reply = world.chat(apt).await;
        is(&reply, 429, "ai_budget_spent");
        assert_eq!(reply.header("retry-after"), Some("43200"));
    }
    // The budget is of the proxy alone, and of the day.
    let (apt, _) = world.token(json!({})).await;
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
    world.rig.at(DAY);
    assert_eq!(world.chat(&third).await.status, 200);
}

#[tokio::test]
async fn another_workarea_has_a_budget_of_its_own() {
    let world = world().await;
    let carol = join(&world.rig, &Owner::in_tenant(ELSEWHERE, "carol").unwrap(), &["sales"]);
    world.rig.service.budget.set_daily(WORKSPACE, 0);
    let (of_ann, of_carol) = (with_proxy(&world, &world.session).await, with_proxy(&world, &carol).await);
    is(&world.chat(&of_ann).await, 429, "ai_budget_spent");
    assert_eq!(world.chat(&of_carol).await.status, 200);
}

#[tokio::test]
async fn neither_mcp_nor_a_refused_call_counts_against_the_budget() {
    let world = world().await;
    world.rig.service.budget.set_daily(WORKSPACE, 1);
    let (both, _) = world.token(json!({ "scopes": ["collections:*", "llm:proxy"] })).await;
    let (without, _) = world.token(json!({})).await;
    for _ in 0..3 {
        assert_eq!(world.at(&world.sales, &both).await.status, 200);
        is(&world.chat(&without).await, 403, "proxy_access_not_enabled");
        is(&world.chat("nonsense").await, 401, "invalid_token");
    }
    assert_eq!(world.chat(&both).await.status, 200);
    is(&world.chat(&both).await, 429, "ai_budget_spent");
}
