//! Settings → Personal Access Tokens, as a person uses it.

use counterfoil::Owner;
use serde_json::json;
use systems::arka::{Arka, page::PATH};

use crate::{
    API, ann, named, rig,
    rig::{DAY, Rig, Send as _},
};

const NEW: &str = "/app/personal/settings/tokens/new";
const LAPTOP: [(&str, &str); 2] = [("name", "Work Laptop"), ("expiry", "never")];

/// Makes a token at the page: the token as it is shown.
async fn made(rig: &Rig<Arka>, session: &str, fields: &[(&str, &str)]) -> String {
    let shown = rig.submit(session, NEW, fields).await;
    assert_eq!(shown.status, 201, "{}", shown.text);
    shown.shown().unwrap()
}

async fn listed(rig: &Rig<Arka>, session: &str) -> Vec<String> {
    let page = rig.page(session, PATH).await;
    let mut names: Vec<_> = page.rows().into_iter().map(|row| row["Name"].clone()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_workspace_leads_over_settings_to_personal_access_tokens() {
    let (rig, session) = rig().await;
    let workspace = rig.page(&session, "/app/personal").await;
    let settings = rig.follow(&session, &workspace, "Settings").await;
    let tokens = rig.follow(&session, &settings, "Personal Access Tokens").await;
    assert_eq!(tokens.heading(), "Personal Access Tokens");
    assert_eq!(rig.page(&session, "/app/personal/settings/tokens").await.text, tokens.text);
    assert_eq!(rig.follow(&session, &tokens, "Settings").await.text, settings.text);
    for path in ["/app/personal", "/app/personal/settings", PATH, NEW] {
        rig.get(path).expect(401).await;
    }
}

#[tokio::test]
async fn create_token_asks_for_a_name_and_optionally_for_a_date() {
    let (rig, session) = rig().await;
    let tokens = rig.page(&session, PATH).await;
    let form = rig.follow(&session, &tokens, "Create Token").await;
    assert_eq!(form.texts("label"), ["Name", "Expiration", "Ends with this day (UTC)"]);
    assert_eq!(form.texts("option"), ["No expiration", "Custom date"]);
    assert_eq!(form.texts("button"), ["Create Token"]);
    for name in ["MacBook Pro", "Work Laptop", "CI/CD Pipeline"] {
        assert!(form.has(&format!("\"{name}\"")), "{name}");
    }
    for (fields, status) in [
        (vec![("name", "MacBook Pro"), ("expiry", "never")], 201),
        (vec![("name", "Work Laptop"), ("expiry", "date"), ("date", "2026-01-31")], 201),
        (vec![("name", "CI/CD Pipeline"), ("expiry", "date")], 422),
        (vec![("name", "CI/CD Pipeline"), ("expiry", "date"), ("date", "2025-12-31")], 422),
        (vec![("name", ""), ("expiry", "never")], 422),
    ] {
        let reply = rig.submit(&session, NEW, &fields).await;
        assert_eq!(reply.status, status, "{fields:?}: {}", reply.text);
    }
    assert_eq!(listed(&rig, &session).await, ["MacBook Pro", "Work Laptop"]);
}

#[tokio::test]
async fn a_token_ends_with_the_day_that_was_chosen_at_the_page() {
    let (rig, session) = rig().await;
    let ending = made(&rig, &session, &[("name", "CI"), ("expiry", "date"), ("date", "2026-01-31")]).await;
    let lasting = made(&rig, &session, &LAPTOP).await;
    rig.at(31 * DAY - 1001);
    rig.get(API).bearer_auth(&ending).expect(200).await;
    rig.at(31 * DAY);
    assert_eq!(rig.get(API).bearer_auth(&ending).expect(401).await.json(), json!({ "error": "Invalid token" }));
    rig.get(API).bearer_auth(&lasting).expect(200).await;
    // What has expired by itself was not deleted.
    assert_eq!(listed(&rig, &session).await, ["CI", "Work Laptop"]);
}

#[tokio::test]
async fn the_page_demands_a_pro_subscription_with_its_text_and_link() {
    let (rig, session) = rig().await;
    assert!(rig.page(&session, PATH).await.has("requires a Pro subscription"));
    rig.service.plans.cancel(&ann());
    let refused = rig.submit(&session, NEW, &LAPTOP).await;
    assert!(refused.status == 403 && refused.has("Pro subscription required"), "{}", refused.text);
    let link = refused.link("Upgrade at arka-ai.com/billing");
    assert_eq!((link.as_deref(), refused.shown()), (Some("https://arka-ai.com/billing"), None));
    assert!(listed(&rig, &session).await.is_empty());
    rig.service.plans.subscribe(&ann());
    made(&rig, &session, &LAPTOP).await;
}

#[tokio::test]
async fn the_page_shows_a_token_once_and_says_to_copy_it_now() {
    let (rig, session) = rig().await;
    let form = rig.page(&session, NEW).await.hidden("form").unwrap();
    let fields = [&[("form", form.as_str())], &LAPTOP[..]].concat();
    let shown = rig.send_form(&session, NEW, &fields).await;
    assert!(shown.has("Copy your token now - it won't be shown again!"), "{}", shown.text);
    let token = shown.shown().unwrap();
    rig.get(API).bearer_auth(&token).expect(200).await;
    let again = rig.send_form(&session, NEW, &fields).await;
    assert_eq!((again.status, again.shown()), (200, None), "{}", again.text);
    assert!(again.has("You won't be able to see the full token again"), "{}", again.text);
    let list = rig.page(&session, PATH).await;
    assert_eq!(list.rows().len(), 1);
    let one = rig.follow(&session, &list, "Work Laptop").await;
    for page in [&again, &list, &one] {
        assert!(!page.text.contains(&token["arka_".len()..][..8]), "{}", page.text);
    }
}

#[tokio::test]
async fn the_trash_icon_next_to_a_token_deletes_it() {
    let (rig, session) = rig().await;
    let (lost, kept) = (
        made(&rig, &session, &LAPTOP).await,
        made(&rig, &session, &[("name", "MacBook Pro"), ("expiry", "never")]).await,
    );
    let path = rig.page(&session, PATH).await.link("🗑 Delete Work Laptop").unwrap();
    let asked = rig.page(&session, &path).await;
    let text = "Revoking a token is immediate and irreversible. Any applications or scripts using that token will \
                stop working.";
    assert!(asked.has(text), "{}", asked.text);
    rig.get(API).bearer_auth(&lost).expect(200).await;
    let list = rig.submit(&session, &path, &[]).await;
    assert!(list.status == 200 && list.has("The token Work Laptop is revoked and deleted."), "{}", list.text);
    assert_eq!(listed(&rig, &session).await, ["MacBook Pro"]);
    rig.get(API).bearer_auth(&lost).expect(401).await;
    rig.get(API).bearer_auth(&kept).expect(200).await;
}

#[tokio::test]
async fn the_page_does_not_show_a_deleted_token() {
    let (rig, session) = rig().await;
    made(&rig, &session, &LAPTOP).await;
    let path = rig.page(&session, PATH).await.link("🗑 Delete Work Laptop").unwrap();
    rig.submit(&session, &path, &[]).await;
    let list = rig.page(&session, PATH).await;
    assert!(list.rows().is_empty() && list.has("No tokens yet."), "{}", list.text);
    // Nor is there a link that would.
    assert_eq!(list.texts("a"), ["Skip to content", "Settings", "Create Token"]);
}

#[tokio::test]
async fn the_page_lists_the_tokens_of_each_device() {
    let (rig, session) = rig().await;
    let headings = ["Name", "Created", "Expires", "Last used", "Status", "Actions"];
    for name in ["MacBook Pro", "Work Laptop"] {
        named(&rig, &session, name).await; // by the API or at the page: the tokens are the same
    }
    let page = rig.page(&session, PATH).await;
    assert_eq!(page.headings(), headings);
    assert_eq!(listed(&rig, &session).await, ["MacBook Pro", "Work Laptop"]);
    for row in page.rows() {
        let told = ["Created", "Expires", "Last used", "Status"].map(|column| row[column].as_str());
        assert_eq!(told, ["2026-01-01 00:00 UTC", "Never expires", "Never used", "Active"]);
    }
}

#[tokio::test]
async fn the_page_is_for_the_owner_of_the_tokens() {
    let (rig, session) = rig().await;
    let (token, id) = named(&rig, &session, "MacBook Pro").await;
    let bob = rig.service.sessions.sign_in(Owner::new("bob").unwrap()).unwrap();
    assert!(listed(&rig, &bob).await.is_empty());
    for path in [format!("{PATH}/{id}"), format!("{PATH}/{id}/revoke")] {
        rig.page(&session, &path).await;
        rig.get(&path).session(&bob).expect(404).await;
        rig.get(&path).session(&session).bearer_auth(&token).expect(403).await;
    }
    rig.get(API).bearer_auth(&token).expect(200).await;
}
