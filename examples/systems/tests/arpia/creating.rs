//! What is a token, its format, and creating one.

use counterfoil::Owner;
use counterfoil_sqlx::SqliteStore;
use serde_json::{Value, json};
use systems::arpia::{self, page::PATH};

use crate::{
    DAY_SECONDS, ELSEWHERE, TOKENS, WORKSPACE, is, join, mcp,
    page::{ALL, NEW, made, refused},
    rig::{DAY, START, Send as _},
    wish, world, world_on,
};

#[tokio::test]
async fn a_token_is_generated_by_its_user_from_the_profile() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    world.rig.post(TOKENS, &wish(json!({}))).expect(401).await;
    world.rig.post(TOKENS, &wish(json!({}))).bearer_auth(&apt).expect(403).await;
    world.rig.post(TOKENS, &wish(json!({}))).session(&world.session).bearer_auth(&apt).expect(403).await;
    world.rig.post(TOKENS, &wish(json!({}))).bearer_auth(&world.sales).expect(403).await;
}

#[tokio::test]
async fn all_usage_is_auditable_by_the_person_whose_identity_it_is() {
    let world = world().await;
    let (apt, path) = world.token(json!({})).await;
    let (other, _) = world.token(json!({})).await;
    world.rig.at(5);
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
    world.rig.at(9);
    world.rig.delete(&path).session(&world.session).expect(204).await;
    assert_eq!(world.at(&world.sales, &apt).await.status, 401);
    let audit = world.audit().await;
    let id = path.rsplit('/').next().unwrap();
    let of_it: Vec<_> = audit.iter().filter(|entry| entry["token"] == id).collect();
    let told: Vec<_> =
        of_it.iter().map(|entry| (entry["at"].as_i64().unwrap(), entry["event"].as_str().unwrap())).collect();
    let expected = [(START, "issued"), (START + 5, "used"), (START + 9, "revoked"), (START + 9, "denied")];
    assert_eq!(told, expected);
    assert_eq!((&of_it[1]["ip"], &of_it[3]["ip"]), (&json!("127.0.0.1"), &json!("127.0.0.1")));
    let text = json!(audit).to_string();
    for secret in [&apt, &other] {
        assert!(!text.contains(&secret[15..]) && !text.contains(&secret[15..35]), "{text}");
    }
}

#[tokio::test]
async fn the_audit_is_shown_to_nobody_else() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    world.at(&world.sales, &apt).await;
    let bob = join(&world.rig, &Owner::in_tenant(WORKSPACE, "bob").unwrap(), &["sales"]);
    let namesake = join(&world.rig, &Owner::in_tenant(ELSEWHERE, "ann").unwrap(), &["sales"]);
    for session in [bob, namesake] {
        assert_eq!(world.rig.get("/profile/audit").session(&session).expect(200).await.json(), json!([]));
    }
    world.rig.get("/profile/audit").expect(401).await;
    world.rig.get("/profile/audit").session(&world.session).bearer_auth(&apt).expect(403).await;
}

#[tokio::test]
async fn a_token_is_apt_the_workspace_and_40_hex_digits() {
    let world = world().await;
    for _ in 0..20 {
        let (apt, _) = world.token(json!({})).await;
        let parts: Vec<_> = apt.split('_').collect();
        assert_eq!((parts.len(), parts[0], parts[1], parts[2].len()), (3, "apt", WORKSPACE, 40), "{apt}");
        assert!(parts[2].bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{apt}");
    }
}

#[tokio::test]
async fn the_example_of_the_page_has_the_format_and_is_unknown() {
    let example = "apt_13a4ebf0f1_a7c3f9e1b2d4e5f6a7c3f9e1b2d4e5f6a7c3f9e1";
    assert!(arpia::format().unwrap().parse(example).is_ok());
    let world = world().await;
    is(&world.at(&world.sales, example).await, 401, "invalid_token");
}

#[tokio::test]
async fn a_token_of_another_shape_is_401() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    let secret = &apt[15..];
    for text in [
        secret.to_owned(),
        format!("apt_{secret}"),
        format!("APT_{WORKSPACE}_{secret}"),
        format!("apt_{WORKSPACE}_{}", secret.to_uppercase()),
        format!("apt_{WORKSPACE}_{}", &secret[1..]),
        format!("{apt}0"),
        format!("apt_{WORKSPACE}0_{secret}"),
        format!("apt_{}_{secret}", &WORKSPACE[1..]),
    ] {
        // A secret of digits alone has no case.
        if text != apt {
            is(&world.at(&world.sales, &text).await, 401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn the_short_token_is_the_workspace_of_the_owner_and_cannot_be_replaced() {
    let world = world().await;
    let carol = join(&world.rig, &Owner::in_tenant(ELSEWHERE, "carol").unwrap(), &["sales"]);
    let (hers, _) = world.token_of(&carol, json!({})).await;
    assert!(hers.starts_with("apt_0badc0ffee_"), "{hers}");
    let moved = hers.replace(ELSEWHERE, WORKSPACE);
    is(&world.at(&world.sales, &moved).await, 401, "invalid_token");
    // Nor is it a person's to choose.
    let asked = world.refused(&wish(json!({ "routing": ELSEWHERE })), 400).await;
    assert_eq!(asked["code"], "invalid_request", "{asked}");
}

#[tokio::test]
async fn a_workspace_identifier_is_10_hex_digits() {
    let world = world().await;
    for wrong in ["", "acme", "13A4EBF0F1", "13a4ebf0f", "13a4ebf0f12", "13a4ebf0-1"] {
        assert!(world.rig.service.collections.add(wrong, "sales").await.is_err(), "{wrong}");
    }
    let acme = Owner::in_tenant("acme", "ann").unwrap();
    assert!(world.rig.service.accounts.permit(&acme, &["sales"]).is_err());
}

#[tokio::test]
async fn a_token_is_shown_only_once() {
    let world = world().await;
    let made = world.rig.post(TOKENS, &wish(json!({}))).session(&world.session).expect(201).await;
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let made = made.json();
    let secret = &made["token"].as_str().unwrap()[15..];
    let item = format!("{TOKENS}/{}", made["id"].as_str().unwrap());
    for path in [TOKENS, &item, PATH, "/profile/audit"] {
        let shown = world.rig.get(path).session(&world.session).expect(200).await;
        assert!(shown.text.contains(made["id"].as_str().unwrap()), "{path}: {}", shown.text);
        assert!(!shown.text.contains(secret) && !shown.text.contains(&secret[..20]), "{path}: {}", shown.text);
    }
}

#[tokio::test]
async fn a_token_is_stored_hashed() {
    let directory = tempfile::tempdir().unwrap();
    let world = world_on(SqliteStore::open_or_create(&directory.path().join("arpia.sqlite")).await.unwrap()).await;
    let (apt, path) = world.token(json!({ "name": "stored here" })).await;
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
    world.rows().await;
    world.rig.get(&path).session(&world.session).expect(200).await;
    let mut read = Vec::new();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        read.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let holds = |text: &[u8]| read.windows(text.len()).any(|window| window == text);
    assert!(holds(b"stored here"), "the record is in the file");
    let secret = &apt[15..];
    let bytes = hex::decode(secret).unwrap();
    assert!(!holds(secret.as_bytes()) && !holds(&secret.as_bytes()[..20]) && !holds(&bytes), "the secret is in it");
}

#[tokio::test]
async fn a_lost_token_is_regenerated() {
    let world = world().await;
    let (lost, path) = world.token(json!({})).await;
    let again = world.rig.post(&format!("{path}/rotate"), &json!({})).session(&world.session).expect(200).await.json();
    let found = again["token"].as_str().unwrap();
    assert_ne!(found, lost);
    assert_eq!(world.at(&world.sales, found).await.status, 200);
    is(&world.at(&world.sales, &lost).await, 401, "invalid_token");
}

#[tokio::test]
async fn an_active_account_is_a_prerequisite() {
    let world = world().await;
    let (apt, path) = world.token(json!({})).await;
    world.rig.service.accounts.deactivate(&world.ann);
    assert_eq!(world.refused(&wish(json!({})), 403).await["code"], "account_inactive");
    world.rig.post(&format!("{path}/rotate"), &json!({})).session(&world.session).expect(403).await;
    is(&world.at(&world.sales, &apt).await, 403, "account_inactive");
    let nobody = world.rig.service.sessions.sign_in(Owner::in_tenant(WORKSPACE, "nobody").unwrap()).unwrap();
    world.rig.post(TOKENS, &wish(json!({}))).session(&nobody).expect(403).await;
}

#[tokio::test]
async fn access_to_at_least_one_collection_is_a_prerequisite() {
    let world = world().await;
    let bob = join(&world.rig, &Owner::in_tenant(WORKSPACE, "bob").unwrap(), &[]);
    for scopes in [json!(["collections:*"]), json!(["llm:proxy"]), json!([])] {
        let body = wish(json!({ "scopes": scopes }));
        let reply = world.rig.post(TOKENS, &body).session(&bob).expect(403).await.json();
        assert_eq!(reply["code"], "no_collections", "{reply}");
    }
    let page = world.rig.get(NEW).session(&bob).expect(403).await;
    assert!(page.has("No collections: missing permissions, contact your admin"), "{}", page.text);
}

#[tokio::test]
async fn the_profile_is_for_somebody_who_is_signed_in() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    for path in ["/", "/profile", PATH, NEW] {
        world.rig.get(path).session(&world.session).expect(200).await;
        world.rig.get(path).expect(401).await;
        world.rig.get(path).session(&world.session).bearer_auth(&apt).expect(403).await;
    }
}

#[tokio::test]
async fn the_form_asks_for_a_name_an_expiration_a_scope_and_proxy_access() {
    let world = world().await;
    let form = world.rig.page(&world.session, NEW).await;
    assert_eq!(form.texts("label")[..2], ["Token Name", "Expiration"]);
    assert_eq!(form.texts("legend"), ["API Collection Scope (required)", "AI/LLM Proxy Access"]);
    for hint in ["Friendly name (e.g., \"Claude Code - Laptop\")", "Token validity period", "Allowed collections"] {
        assert!(form.has(hint), "{hint}: {}", form.text);
    }
    assert_eq!(form.texts("button"), ["Create Token"]);
}

#[tokio::test]
async fn a_token_has_a_friendly_name() {
    let world = world().await;
    world.token(json!({ "name": "Claude Code - Laptop" })).await;
    assert_eq!(world.rows().await[0]["Name"], "Claude Code - Laptop");
    let mut unnamed = wish(json!({}));
    unnamed.as_object_mut().unwrap().remove("name");
    world.refused(&unnamed, 400).await;
    refused(&world, &[("name", ""), ("expiry", "30"), ALL]).await;
}

#[tokio::test]
async fn a_token_expires_after_30_60_or_90_days_or_1_year() {
    let world = world().await;
    let options = world.rig.page(&world.session, NEW).await.texts("option");
    assert_eq!(options, ["Choose", "30 days", "60 days", "90 days", "1 year", "No expiration"]);
    for (days, end) in [(30, "2026-01-31"), (60, "2026-03-02"), (90, "2026-04-01"), (365, "2027-01-01")] {
        let world = crate::world().await;
        let apt = made(&world, &[("name", "laptop"), ("expiry", &days.to_string()), ALL]).await;
        assert_eq!(world.rows().await[0]["Expiration"].split(' ').next().unwrap(), end);
        world.rig.at(days * DAY - 1);
        assert_eq!(world.at(&world.sales, &apt).await.status, 200, "{days}");
        world.rig.at(days * DAY);
        is(&world.at(&world.sales, &apt).await, 401, "invalid_token");
    }
}

#[tokio::test]
async fn a_token_without_expiration_lasts() {
    let world = world().await;
    let (apt, _) = world.token(json!({ "expires_in": null, "expires_at": null })).await;
    world.rig.at(20 * 365 * DAY);
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
}

#[tokio::test]
async fn no_expiration_comes_with_a_warning() {
    let world = world().await;
    let form = world.rig.page(&world.session, NEW).await;
    assert!(form.has("⚠️ No expiration: use carefully."), "{}", form.text);
    made(&world, &[("name", "laptop"), ("expiry", "never"), ALL]).await;
    assert_eq!(world.rows().await[0]["Expiration"], "No expiration");
}

#[tokio::test]
async fn no_other_expiration_is_taken_behind_the_form() {
    let world = world().await;
    for seconds in [1, 29 * DAY_SECONDS, 30 * DAY_SECONDS + 1, 31 * DAY_SECONDS, 366 * DAY_SECONDS, 3650 * DAY_SECONDS]
    {
        world.refused(&wish(json!({ "expires_in": seconds })), 400).await;
    }
    world.refused(&wish(json!({ "expires_in": null, "expires_at": START + 30 * DAY + 1 })), 400).await;
    world.refused(&wish(json!({ "expires_in": null, "expires_at": START - 1 })), 400).await;
    let exact = wish(json!({ "expires_in": null, "expires_at": START + 30 * DAY }));
    world.rig.post(TOKENS, &exact).session(&world.session).expect(201).await;
    for expiry in ["1", "29", "31", "366", "2592000", "date", "0", "Never"] {
        refused(&world, &[("name", "laptop"), ("expiry", expiry), ALL]).await;
    }
}

#[tokio::test]
async fn an_expiration_must_be_chosen() {
    let world = world().await;
    let mut body = wish(json!({}));
    body.as_object_mut().unwrap().remove("expires_in");
    world.refused(&body, 400).await;
    refused(&world, &[("name", "laptop"), ALL]).await;
    refused(&world, &[("name", "laptop"), ("expiry", ""), ALL]).await;
    assert!(world.rows().await.is_empty());
}

#[tokio::test]
async fn a_later_end_is_one_of_the_same_five() {
    let world = world().await;
    let (apt, path) = world.token(json!({})).await;
    let expiry = format!("{path}/expiry");
    world.rig.at(DAY);
    for wrong in [json!({ "expires_in": 31 * DAY_SECONDS }), json!({ "expires_at": START + 30 * DAY })] {
        world.rig.put(&expiry, &wrong).session(&world.session).expect(400).await;
    }
    world.rig.put(&expiry, &json!({ "expires_in": 60 * DAY_SECONDS })).session(&world.session).expect(200).await;
    world.rig.at(61 * DAY - 1);
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
    let page = format!("{PATH}/{}/expiry", path.rsplit('/').next().unwrap());
    let options = world.rig.page(&world.session, &page).await.texts("option");
    assert_eq!(options, ["Choose", "30 days", "60 days", "90 days", "1 year", "No expiration"]);
    for (expiry, status) in [("31", 422), ("date", 422), ("", 422), ("365", 200)] {
        let reply = world.rig.submit(&world.session, &page, &[("expiry", expiry)]).await;
        assert_eq!(reply.status, status, "{expiry}: {}", reply.text);
    }
    world.rig.put(&expiry, &json!({ "expires_at": null })).session(&world.session).expect(200).await;
    world.rig.at(9000 * DAY);
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
}

#[tokio::test]
async fn all_permitted_collections_follows_the_owners_rights() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    assert_eq!(world.permitted(&apt).await, ["sales", "support"]);
    is(&world.at(&world.board, &apt).await, 403, "insufficient_scope");
    world.rig.service.accounts.permit(&world.ann, &["board", "sales"]).unwrap();
    assert_eq!(world.permitted(&apt).await, ["board", "sales"]);
    assert_eq!(world.at(&world.board, &apt).await.status, 200);
    is(&world.at(&world.support, &apt).await, 403, "insufficient_scope");
}

#[tokio::test]
async fn specific_collections_only_are_opened() {
    let world = world().await;
    let (apt, _) = world.token(json!({ "scopes": ["collections:sales"] })).await;
    assert_eq!(world.permitted(&apt).await, ["sales"]);
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
    is(&world.at(&world.support, &apt).await, 403, "insufficient_scope");
    world.rig.service.accounts.permit(&world.ann, &["board", "sales", "support"]).unwrap();
    assert_eq!(world.permitted(&apt).await, ["sales"]);
}

#[tokio::test]
async fn a_specific_collection_is_closed_when_the_owner_loses_it() {
    let world = world().await;
    let (apt, _) = world.token(json!({ "scopes": ["collections:sales", "collections:support"] })).await;
    world.rig.service.accounts.permit(&world.ann, &["support"]).unwrap();
    assert_eq!(world.permitted(&apt).await, ["support"]);
    is(&world.at(&world.sales, &apt).await, 403, "insufficient_scope");
    world.rig.service.accounts.permit(&world.ann, &["sales", "support"]).unwrap();
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
}

#[tokio::test]
async fn nothing_beyond_the_owners_rights_or_the_catalog_can_be_granted() {
    let world = world().await;
    let refused = world.refused(&wish(json!({ "scopes": ["collections:sales", "collections:board"] })), 403).await;
    assert!(refused.to_string().contains("collections:board"), "{refused}");
    world.refused(&wish(json!({ "scopes": ["collections:sales:*"] })), 403).await;
    for scope in ["collections", "llm:*", "llm:admin", "admin:*", "platform:read", "*"] {
        world.refused(&wish(json!({ "scopes": [scope] })), 400).await;
    }
    let none: Value = json!([]);
    let (apt, _) = world.token(json!({ "scopes": none })).await;
    assert!(world.permitted(&apt).await.is_empty());
    is(&world.at(&world.sales, &apt).await, 403, "insufficient_scope");
}

#[tokio::test]
async fn the_token_is_used_at_once_as_it_was_copied() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    world.rig.get(&mcp(&world.sales)).header("authorization", format!("Bearer {apt}")).expect(200).await;
}
