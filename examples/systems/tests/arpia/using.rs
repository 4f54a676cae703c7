//! Using a token: two credentials that must agree, and what each way of authentication opens.

use counterfoil::Owner;
use reqwest::Method;
use serde_json::json;

use crate::{
    ELSEWHERE, is, join, mcp,
    rig::{DAY, Send as _},
    world,
};

#[tokio::test]
async fn an_external_tool_authenticates_with_both_credentials() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    let reply = world.at(&world.sales, &apt).await;
    assert_eq!((reply.status, reply.json()), (200, json!({ "collection": { "name": "sales" } })));
    let without_slash = format!("/mcp?token={}", world.sales);
    world.rig.get(&without_slash).bearer_auth(&apt).expect(200).await;
}

#[tokio::test]
async fn each_token_is_scoped_to_exactly_what_it_is_granted() {
    let world = world().await;
    for (scopes, expected) in [
        (json!(["collections:*"]), [200, 200, 403, 403]),
        (json!(["collections:sales"]), [200, 403, 403, 403]),
        (json!(["collections:sales", "llm:proxy"]), [200, 403, 403, 200]),
        (json!(["llm:proxy"]), [403, 403, 403, 200]),
    ] {
        let (apt, _) = world.token(json!({ "scopes": scopes })).await;
        let mut found = Vec::new();
        for collection in [&world.sales, &world.support, &world.board] {
            found.push(world.at(collection, &apt).await.status);
        }
        found.push(world.chat(&apt).await.status);
        assert_eq!(found, expected, "{scopes}");
    }
}

#[tokio::test]
async fn a_token_grants_no_access_to_other_platform_apis() {
    let world = world().await;
    let scopes = json!(["collections:*", "llm:proxy"]);
    let (apt, _) = world.token(json!({ "scopes": scopes })).await;
    for path in ["/api/pipelines", "/api/v1/users/7"] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            world.rig.ask(method.clone(), path).session(&world.session).expect(200).await;
            world.rig.ask(method.clone(), path).bearer_auth(&apt).expect(403).await;
            // Not even beside a session.
            world.rig.ask(method, path).session(&world.session).bearer_auth(&apt).expect(403).await;
        }
    }
    world.rig.get("/api/pipelines").header("x-api-key", &apt).expect(401).await;
    world.rig.get(&format!("/api/pipelines?token={apt}")).expect(401).await;
}

#[tokio::test]
async fn a_bad_token_never_falls_back_to_the_collection_token() {
    let world = world().await;
    let (apt, path) = world.token(json!({})).await;
    let wrong = format!("{}{}", &apt[..apt.len() - 1], if apt.ends_with('0') { '1' } else { '0' });
    world.rig.delete(&path).session(&world.session).expect(204).await;
    let (ended, _) = world.token(json!({})).await;
    world.rig.at(30 * DAY);
    world.rig.get(&mcp(&world.sales)).expect(200).await;
    for bad in [&apt, &wrong, &ended, "nonsense", "eyJhbGciOiJub25lIn0.e30.", &world.sales] {
        is(&world.at(&world.sales, bad).await, 401, "invalid_token");
    }
    for header in [format!("Basic {apt}"), "Basic YTpi".to_owned(), apt.clone(), format!("Token {apt}")] {
        let request = world.rig.get(&mcp(&world.sales)).header("authorization", &header);
        is(&request.reply().await, 401, "invalid_token");
    }
    let empty = world.rig.get(&mcp(&world.sales)).header("authorization", "Bearer ").reply().await;
    is(&empty, 400, "invalid_request");
}

#[tokio::test]
async fn a_good_token_does_not_make_up_for_an_unknown_collection_token() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    let (other, _) = world.token(json!({})).await;
    for unknown in ["", "sales", "YOUR_COLLECTION_TOKEN", &other, &world.sales[1..]] {
        is(&world.at(unknown, &apt).await, 401, "invalid_collection_token");
    }
    let twice = format!("{}&token={}", mcp(&world.sales), world.support);
    is(&world.rig.get(&twice).bearer_auth(&apt).reply().await, 400, "invalid_request");
    is(&world.rig.get(&twice).reply().await, 400, "invalid_request");
}

#[tokio::test]
async fn both_credentials_are_of_one_workspace() {
    let world = world().await;
    let carol = join(&world.rig, &Owner::in_tenant(ELSEWHERE, "carol").unwrap(), &["sales"]);
    let hers = world.rig.service.collections.add(ELSEWHERE, "sales").await.unwrap();
    for scopes in [json!(["collections:*"]), json!(["collections:sales"])] {
        let (of_ann, _) = world.token(json!({ "scopes": scopes })).await;
        let (of_carol, _) = world.token_of(&carol, json!({ "scopes": scopes })).await;
        is(&world.at(&hers, &of_ann).await, 403, "wrong_workspace");
        is(&world.at(&world.sales, &of_carol).await, 403, "wrong_workspace");
        assert_eq!(world.at(&hers, &of_carol).await.status, 200);
    }
}

#[tokio::test]
async fn a_token_without_a_collection_token_lists_what_is_permitted() {
    let world = world().await;
    let (apt, _) = world.token(json!({ "scopes": ["collections:support", "llm:proxy"] })).await;
    let listed = world.rig.get("/mcp/").bearer_auth(&apt).expect(200).await.json();
    assert_eq!(listed, json!({ "collections": [{ "name": "support" }] }));
}

#[tokio::test]
async fn a_personal_token_in_the_query_is_none() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    is(&world.rig.get(&mcp(&apt)).reply().await, 401, "invalid_collection_token");
    is(&world.at(&apt, &apt).await, 401, "invalid_collection_token");
}

#[tokio::test]
async fn without_any_credential_it_is_401() {
    let world = world().await;
    for path in ["/mcp", "/mcp/", "/mcp/?tokens=1"] {
        let reply = world.rig.get(path).reply().await;
        is(&reply, 401, "unauthorized");
        assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    is(&world.rig.get("/mcp/").session(&world.session).reply().await, 401, "unauthorized");
}

// Authentication comparison

#[tokio::test]
async fn a_web_app_is_session_based_and_its_oauth_token_is_no_personal_token() {
    let world = world().await;
    world.rig.get("/api/pipelines").session(&world.session).expect(200).await;
    world.rig.get("/api/pipelines").expect(401).await;
    for token in ["ya29.a0AfH6SMBx", "eyJhbGciOiJub25lIn0.e30."] {
        is(&world.at(&world.sales, token).await, 401, "invalid_token");
    }
}

#[tokio::test]
async fn an_apt_is_per_token_collections() {
    let world = world().await;
    let (apt, _) = world.token(json!({ "scopes": ["collections:sales"] })).await;
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
    assert_eq!(world.at(&world.support, &apt).await.status, 403);
    assert_eq!(world.chat(&apt).await.status, 403);
}

#[tokio::test]
async fn an_apt_with_proxy_is_per_token_collections_and_llm() {
    let world = world().await;
    let (apt, _) = world.token(json!({ "scopes": ["collections:sales", "llm:proxy"] })).await;
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
    assert_eq!(world.at(&world.support, &apt).await.status, 403);
    assert_eq!(world.chat(&apt).await.status, 200);
}

#[tokio::test]
async fn a_collection_token_alone_is_its_full_collection_and_nothing_else() {
    let world = world().await;
    let shown = world.rig.get(&mcp(&world.board)).expect(200).await;
    assert_eq!(shown.json(), json!({ "collection": { "name": "board" } }));
    is(&world.rig.get("/mcp/?token=unknown").reply().await, 401, "invalid_collection_token");
    is(&world.rig.get("/mcp/").bearer_auth(&world.board).reply().await, 401, "invalid_token");
    is(&world.chat(&world.board).await, 401, "invalid_token");
    let chat = format!("/llm/chat?token={}", world.board);
    is(&world.rig.post(&chat, &json!({})).reply().await, 401, "unauthorized");
    world.rig.get(&format!("/api/pipelines?token={}", world.board)).expect(401).await;
}

// Troubleshooting

#[tokio::test]
async fn an_invalid_token_is_401_and_says_to_check_it_and_its_expiration() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    world.rig.at(30 * DAY);
    for bad in [&apt, "apt_nonsense"] {
        let reply = world.at(&world.sales, bad).await;
        is(&reply, 401, "invalid_token");
        assert_eq!(reply.json()["solution"], "Check token / expiration");
        assert!(reply.header("www-authenticate").unwrap().contains("invalid_token"));
    }
    assert_eq!(world.at(&world.sales, &apt).await.json()["message"], "the token is expired");
}

#[tokio::test]
async fn the_wrong_scope_is_403_and_says_to_create_a_new_token() {
    let world = world().await;
    let (apt, _) = world.token(json!({ "scopes": ["collections:sales"] })).await;
    let reply = world.at(&world.support, &apt).await;
    is(&reply, 403, "insufficient_scope");
    assert_eq!(reply.json()["solution"], "Create new token with correct scope");
    assert_eq!(reply.json()["scope"], "collections:support");
    let (new, _) = world.token(json!({ "scopes": ["collections:support"] })).await;
    assert_eq!(world.at(&world.support, &new).await.status, 200);
}

#[tokio::test]
async fn no_collections_is_an_empty_list_and_says_to_contact_the_admin() {
    let world = world().await;
    let (all, _) = world.token(json!({})).await;
    let (one, _) = world.token(json!({ "scopes": ["collections:sales"] })).await;
    world.rig.service.accounts.permit(&world.ann, &[]).unwrap();
    for apt in [&all, &one] {
        assert!(world.permitted(apt).await.is_empty());
        let reply = world.at(&world.sales, apt).await;
        is(&reply, 403, "no_collections");
        let reply = reply.json();
        assert!(reply["message"].as_str().unwrap().contains("missing permissions"), "{reply}");
        assert_eq!(reply["solution"], "Contact admin");
    }
}

#[tokio::test]
async fn a_token_that_was_not_copied_is_followed_by_a_new_one() {
    let world = world().await;
    let (_, lost) = world.token(json!({})).await;
    world.rig.delete(&lost).session(&world.session).expect(204).await;
    let (new, _) = world.token(json!({})).await;
    assert_eq!(world.at(&world.sales, &new).await.status, 200);
}
