//! Settings → API Keys, as a person uses it.

use systems::arca::{Arca, page::PATH};

use crate::{
    TASKS, error, reader, rig,
    rig::{DAY, Rig, Send as _},
    sign_in,
};

const NEW: &str = "/app/settings/api-keys/new";

/// Makes a key at the page: the key as it is shown.
async fn made(rig: &Rig<Arca>, session: &str, fields: &[(&str, &str)]) -> String {
    let shown = rig.submit(session, NEW, fields).await;
    assert_eq!(shown.status, 201, "{}", shown.text);
    shown.shown().unwrap()
}

const READER: [(&str, &str); 3] = [("name", "report"), ("expiry", "never"), ("scopes-catalog", "tasks:read")];

#[tokio::test]
async fn the_app_leads_over_settings_to_api_keys() {
    let (rig, session) = rig().await;
    let app = rig.page(&session, "/app").await;
    let settings = rig.follow(&session, &app, "Settings").await;
    let keys = rig.follow(&session, &settings, "API Keys").await;
    assert_eq!(keys.heading(), "API Keys");
    assert_eq!(rig.follow(&session, &keys, "Settings").await.text, settings.text);
    for path in ["/app", "/app/settings", PATH, NEW] {
        rig.get(path).expect(401).await;
    }
}

#[tokio::test]
async fn new_api_key_asks_for_a_label_the_scopes_and_optionally_a_date() {
    let (rig, session) = rig().await;
    let keys = rig.page(&session, PATH).await;
    let form = rig.follow(&session, &keys, "New API key").await;
    assert_eq!(form.texts("legend"), ["Scopes"]);
    let scopes = ["contacts:read", "contacts:write", "tasks:read", "tasks:write"];
    let labels = [&["Label", "Expiration date", "Ends with this day (UTC)"][..], &scopes].concat();
    assert_eq!(form.texts("label"), labels);
    assert_eq!(form.texts("option"), ["No expiration date", "On a date"]);
    let scopes = ("scopes-catalog", "tasks:write");
    for (fields, status) in [
        (vec![("name", "CI"), ("expiry", "never"), scopes], 201),
        (vec![("name", "CI"), ("expiry", "date"), ("date", "2026-01-31"), scopes], 201),
        (vec![("name", "CI"), ("expiry", "date"), ("date", "2025-12-31"), scopes], 422),
        (vec![("name", "CI"), ("expiry", "date"), scopes], 422),
        (vec![("name", ""), ("expiry", "never"), scopes], 422),
        (vec![("name", "CI"), ("expiry", "never"), ("scopes-catalog", "tasks:fly")], 422),
    ] {
        let reply = rig.submit(&session, NEW, &fields).await;
        assert_eq!(reply.status, status, "{fields:?}: {}", reply.text);
    }
    let mut rows = rig.page(&session, PATH).await.rows();
    rows.sort();
    let told: Vec<_> =
        rows.iter().map(|row| ["Label", "Scopes", "Expires"].map(|column| row[column].as_str())).collect();
    assert_eq!(told, [["CI", "tasks:write", "2026-01-31 23:59 UTC"], ["CI", "tasks:write", "Never expires"]]);
}

#[tokio::test]
async fn the_form_grants_nothing_that_was_not_chosen() {
    let (rig, session) = rig().await;
    assert_eq!(rig.page(&session, NEW).await.checked(), Vec::<String>::new());
    let key = made(&rig, &session, &READER[..2]).await;
    rig.get(TASKS).bearer_auth(&key).expect(403).await;
    let key = made(&rig, &session, &READER).await;
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
    rig.post(TASKS, &serde_json::json!({})).bearer_auth(&key).expect(403).await;
}

#[tokio::test]
async fn the_page_shows_a_key_once_and_says_to_copy_it_immediately() {
    let (rig, session) = rig().await;
    let form = rig.page(&session, NEW).await.hidden("form").unwrap();
    let fields = [&[("form", form.as_str())], &READER[..]].concat();
    let shown = rig.send_form(&session, NEW, &fields).await;
    assert!(shown.status == 201 && shown.has("The key is shown once, copy it immediately."), "{}", shown.text);
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    let key = shown.shown().unwrap();
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
    let again = rig.send_form(&session, NEW, &fields).await;
    assert_eq!((again.status, again.shown()), (200, None), "{}", again.text);
    assert!(again.has("if you lose it, you must create a new key"), "{}", again.text);
    let list = rig.page(&session, PATH).await;
    assert_eq!(list.rows().len(), 1);
    let one = rig.follow(&session, &list, "report").await;
    for page in [&again, &list, &one] {
        assert!(!page.text.contains(&key["arca_".len()..][..8]), "{}", page.text);
    }
}

#[tokio::test]
async fn a_new_expiration_is_set_at_the_page_also_after_it_has_passed() {
    let (rig, session) = rig().await;
    let date = [("name", "CI"), ("expiry", "date"), ("date", "2026-01-01"), ("scopes-catalog", "tasks:read")];
    let key = made(&rig, &session, &date).await;
    rig.at(5 * DAY);
    assert_eq!(rig.get(TASKS).bearer_auth(&key).expect(401).await.json(), error("API key has expired"));
    let keys = rig.page(&session, PATH).await;
    assert_eq!(keys.rows()[0]["Status"], "Expired");
    let path = keys.link("Set a new expiration CI").unwrap();
    let reply = rig.submit(&session, &path, &[("expiry", "date"), ("date", "2026-01-20")]).await;
    assert!(reply.status == 200 && reply.has("2026-01-20 23:59 UTC"), "{}", reply.text);
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
    rig.submit(&session, &path, &[("expiry", "never")]).await;
    rig.at(9000 * DAY);
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
}

#[tokio::test]
async fn a_replacement_is_a_new_key_made_at_the_page() {
    let (rig, session) = rig().await;
    let old = made(&rig, &session, &READER).await;
    let list = rig.page(&session, PATH).await;
    let one = rig.follow(&session, &list, "report").await;
    assert!(!one.has("Rotate") && !one.has("Block"), "{}", one.text);
    let new = made(&rig, &session, &READER).await;
    assert_ne!(new, old);
    for key in [old, new] {
        rig.get(TASKS).bearer_auth(&key).expect(200).await;
    }
}

#[tokio::test]
async fn the_page_offers_no_change_of_scopes() {
    let (rig, session) = rig().await;
    let key = made(&rig, &session, &READER).await;
    let list = rig.page(&session, PATH).await;
    let one = rig.follow(&session, &list, "report").await;
    assert_eq!(one.texts("a"), ["Skip to content", "Settings", "Back to all keys", "Set a new expiration", "Revoke"]);
    let path = one.link("Set a new expiration").unwrap();
    let reply = rig.submit(&session, &path, &[("expiry", "never"), ("scopes-catalog", "tasks:write")]).await;
    assert_eq!(reply.status, 400, "{}", reply.text);
    rig.post(TASKS, &serde_json::json!({})).bearer_auth(&key).expect(403).await;
}

#[tokio::test]
async fn a_key_is_revoked_at_the_page_at_any_time() {
    let (rig, session) = rig().await;
    let key = made(&rig, &session, &READER).await;
    let path = rig.page(&session, PATH).await.link("Revoke report").unwrap();
    let asked = rig.page(&session, &path).await;
    assert_eq!(asked.texts("button"), ["Revoke key"]);
    rig.get(TASKS).bearer_auth(&key).expect(200).await;
    let list = rig.submit(&session, &path, &[]).await;
    assert!(list.status == 200 && list.has("The key report is revoked."), "{}", list.text);
    assert_eq!(list.rows()[0]["Status"], "Revoked");
    assert_eq!(rig.get(TASKS).bearer_auth(&key).expect(401).await.json(), error("Invalid API key"));
}

#[tokio::test]
async fn the_page_is_for_the_owner_of_the_keys_and_speaks_of_keys() {
    let (rig, session) = rig().await;
    let (key, id) = reader(&rig, &session).await;
    let bob = sign_in(&rig, "bob");
    assert!(rig.page(&bob, PATH).await.rows().is_empty());
    for path in [format!("{PATH}/{id}"), format!("{PATH}/{id}/expiry"), format!("{PATH}/{id}/revoke")] {
        let page = rig.page(&session, &path).await;
        let foreign = rig.get(&path).session(&bob).expect(404).await;
        let by_key = rig.get(&path).session(&session).header("x-api-key", &key).expect(403).await;
        for page in [page, foreign, by_key] {
            assert!(page.has("key") && !page.visible().to_lowercase().contains("token"), "{path}: {}", page.visible());
        }
    }
    for path in [PATH, NEW] {
        let page = rig.page(&session, path).await;
        assert!(!page.visible().to_lowercase().contains("token"), "{path}: {}", page.visible());
    }
}
