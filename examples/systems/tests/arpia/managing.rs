//! The table of tokens, revoking, and what the page advises.

use std::collections::BTreeMap;

use serde_json::json;
use systems::arpia::page::PATH;

use crate::{
    DAY_SECONDS, TOKENS, World, is, mcp,
    rig::{DAY, START, Send as _},
    world,
};

/// A use that comes from 127.0.0.2.
async fn from_elsewhere(world: &World, apt: &str) {
    let client = reqwest::Client::builder().local_address("127.0.0.2".parse::<std::net::IpAddr>().unwrap());
    let request = client.build().unwrap().get(format!("{}{}", world.rig.url, mcp(&world.sales)));
    request.bearer_auth(apt).expect(200).await;
}

fn has(row: &BTreeMap<String, String>, mark: &str) -> bool {
    row["Review"].split(", ").any(|found| found == mark)
}

#[tokio::test]
async fn the_profile_shows_name_scope_proxy_access_expiration_last_use_and_status() {
    let world = world().await;
    world.token(json!({ "name": "all" })).await;
    world.rig.at(1);
    let specific = json!(["collections:support", "collections:sales", "llm:proxy"]);
    world.token(json!({ "name": "two", "scopes": specific, "expires_in": 90 * DAY_SECONDS })).await;
    let columns = ["Name", "Scope", "AI/LLM Proxy Access", "Expiration", "Last Used", "Status"];
    let headings = world.rig.page(&world.session, PATH).await.headings();
    assert_eq!(headings, [&columns[..], &["Review", "Actions"]].concat());
    let rows = world.rows().await;
    let told: Vec<_> = rows.iter().map(|row| columns.map(|column| row[column].as_str())).collect();
    let all = ["all", "All permitted collections", "disabled", "2026-01-31 00:00 UTC", "Never used", "ACTIVE"];
    let two = ["two", "sales, support", "enabled", "2026-04-01 00:00 UTC", "Never used", "ACTIVE"];
    assert_eq!(told, [all, two]);
}

#[tokio::test]
async fn the_table_is_whole_however_long_it_is() {
    let world = world().await;
    for _ in 0..53 {
        world.token(json!({})).await;
    }
    assert_eq!(world.rows().await.len(), 53);
}

#[tokio::test]
async fn last_used_is_shown_with_the_ip() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    assert_eq!(world.rows().await[0]["Last Used"], "Never used");
    world.rig.at(DAY);
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
    assert_eq!(world.rows().await[0]["Last Used"], "2026-01-02 00:00 UTC from 127.0.0.1");
    world.rig.at(2 * DAY);
    from_elsewhere(&world, &apt).await;
    assert_eq!(world.rows().await[0]["Last Used"], "2026-01-03 00:00 UTC from 127.0.0.2");
    // A claim of the client's is not taken for its address.
    world.rig.at(3 * DAY);
    let claimed = world.rig.get(&mcp(&world.sales)).header("x-forwarded-for", "198.51.100.1");
    claimed.bearer_auth(&apt).expect(200).await;
    assert_eq!(world.rows().await[0]["Last Used"], "2026-01-04 00:00 UTC from 127.0.0.1");
}

#[tokio::test]
async fn status_is_active_or_revoked() {
    let world = world().await;
    let (_, path) = world.token(json!({})).await;
    assert_eq!(world.rows().await[0]["Status"], "ACTIVE");
    world.rig.delete(&path).session(&world.session).expect(204).await;
    assert_eq!(world.rows().await[0]["Status"], "REVOKED");
    // There is no third to bring about.
    for operation in ["block", "unblock", "suspend"] {
        let asked = world.rig.post(&format!("{path}/{operation}"), &json!({}));
        assert_eq!(asked.session(&world.session).reply().await.status, 404, "{operation}");
    }
}

#[tokio::test]
async fn a_token_that_has_ended_by_itself_is_neither() {
    let world = world().await;
    world.token(json!({})).await;
    world.rig.at(30 * DAY);
    assert_eq!(world.rows().await[0]["Status"], "EXPIRED");
}

#[tokio::test]
async fn a_token_can_be_revoked_anytime() {
    let world = world().await;
    let (apt, path) = world.token(json!({ "scopes": ["collections:*", "llm:proxy"] })).await;
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
    world.rig.delete(&path).session(&world.session).expect(204).await;
    is(&world.at(&world.sales, &apt).await, 401, "invalid_token");
    is(&world.chat(&apt).await, 401, "invalid_token");
    is(&world.rig.get("/mcp/").bearer_auth(&apt).reply().await, 401, "invalid_token");
}

#[tokio::test]
async fn revocation_is_permanent() {
    let world = world().await;
    let (apt, path) = world.token(json!({})).await;
    world.rig.delete(&path).session(&world.session).expect(204).await;
    let expiry = world.rig.put(&format!("{path}/expiry"), &json!({ "expires_at": null }));
    let rotate = world.rig.post(&format!("{path}/rotate"), &json!({}));
    for request in [expiry, rotate] {
        let status = request.session(&world.session).reply().await.status;
        assert_eq!(status, 409);
    }
    world.rig.at(20 * 365 * DAY);
    is(&world.at(&world.sales, &apt).await, 401, "invalid_token");
}

#[tokio::test]
async fn nobody_else_sees_or_revokes_a_token() {
    let world = world().await;
    let (apt, path) = world.token(json!({})).await;
    for tenant in [crate::WORKSPACE, crate::ELSEWHERE] {
        let owner = counterfoil::Owner::in_tenant(tenant, "mallory").unwrap();
        let session = crate::join(&world.rig, &owner, &["sales"]);
        world.rig.get(&path).session(&session).expect(404).await;
        assert!(world.rig.page(&session, PATH).await.rows().is_empty());
        let page = format!("{PATH}/{}/revoke", path.rsplit('/').next().unwrap());
        world.rig.get(&page).session(&session).expect(404).await;
        world.rig.delete(&path).session(&session).expect(404).await;
    }
    world.rig.delete(&path).expect(401).await;
    world.rig.delete(&path).bearer_auth(&apt).expect(403).await;
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
}

#[tokio::test]
async fn separate_tokens_per_tool_live_and_end_by_themselves() {
    let world = world().await;
    let (cursor, path) = world.token(json!({ "name": "Cursor" })).await;
    let (cli, _) = world.token(json!({ "name": "CLI" })).await;
    world.rig.delete(&path).session(&world.session).expect(204).await;
    is(&world.at(&world.sales, &cursor).await, 401, "invalid_token");
    assert_eq!(world.at(&world.sales, &cli).await.status, 200);
}

#[tokio::test]
async fn a_token_is_rotated_with_its_scope_and_end() {
    let world = world().await;
    let (old, path) = world.token(json!({ "scopes": ["collections:sales"] })).await;
    world.rig.at(10 * DAY);
    let rotated =
        world.rig.post(&format!("{path}/rotate"), &json!({})).session(&world.session).expect(200).await.json();
    assert_eq!((&rotated["scopes"], &rotated["expires_at"]), (&json!(["collections:sales"]), &json!(START + 30 * DAY)));
    let new = rotated["token"].as_str().unwrap();
    assert!(new.starts_with("apt_13a4ebf0f1_") && new.len() == old.len(), "{new}");
    assert_eq!(world.at(&world.sales, new).await.status, 200);
    is(&world.at(&world.support, new).await, 403, "insufficient_scope");
    is(&world.at(&world.sales, &old).await, 401, "invalid_token");
}

#[tokio::test]
async fn unused_and_inactive_tokens_are_marked_for_removal() {
    let world = world().await;
    let year = json!({ "expires_in": 365 * DAY_SECONDS });
    let (used, path) = world.token(year.clone()).await;
    world.rig.at(1);
    world.token(year).await;
    world.rig.at(DAY);
    assert_eq!(world.at(&world.sales, &used).await.status, 200);
    let marked = async |mark| world.rows().await.iter().map(|row| has(row, mark)).collect::<Vec<_>>();
    let unused: Vec<_> = world.rows().await.iter().map(|row| row["Last Used"] == "Never used").collect();
    assert_eq!((unused, marked("inactive").await), (vec![false, true], vec![false, false]));
    world.rig.at(1 + 90 * DAY);
    assert_eq!(marked("inactive").await, [false, true]);
    world.rig.at(91 * DAY);
    assert_eq!(marked("inactive").await, [true, true]);
    world.rig.delete(&path).session(&world.session).expect(204).await;
    is(&world.at(&world.sales, &used).await, 401, "invalid_token");
    assert_eq!(marked("inactive").await, [false, true], "what is revoked needs no more of it");
}

#[tokio::test]
async fn unknown_ips_are_marked_until_the_person_has_checked_them() {
    let world = world().await;
    let (apt, _) = world.token(json!({})).await;
    let know = async |ip: &str| {
        world.rig.post("/profile/known-ips", &json!({ "ip": ip })).session(&world.session).expect(204).await
    };
    assert!(!has(&world.rows().await[0], "unknown IP"));
    world.at(&world.sales, &apt).await;
    assert!(has(&world.rows().await[0], "unknown IP"));
    know("127.0.0.1").await;
    assert!(!has(&world.rows().await[0], "unknown IP"));
    world.rig.at(DAY);
    from_elsewhere(&world, &apt).await;
    assert!(has(&world.rows().await[0], "unknown IP"));
    let unknown: Vec<_> = world.audit().await.into_iter().filter(|entry| entry["unknown_ip"] == true).collect();
    assert_eq!(unknown.len(), 1, "{unknown:?}");
    assert_eq!((&unknown[0]["event"], &unknown[0]["ip"]), (&json!("used"), &json!("127.0.0.2")));
    world.rig.post("/profile/known-ips", &json!({ "ip": "nowhere" })).session(&world.session).expect(422).await;
    world.rig.post("/profile/known-ips", &json!({ "ip": "127.0.0.2" })).bearer_auth(&apt).expect(403).await;
}

#[tokio::test]
async fn the_management_api_lists_the_same_tokens() {
    let world = world().await;
    let (_, path) = world.token(json!({})).await;
    let listed = world.rig.get(TOKENS).session(&world.session).expect(200).await.json();
    let id = path.rsplit('/').next().unwrap();
    assert_eq!(listed["tokens"][0]["id"], id);
    let page = world.rig.page(&world.session, PATH).await;
    assert_eq!(page.link("laptop"), Some(format!("{PATH}/{id}")));
}
