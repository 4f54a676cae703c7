//! Profile → ARPIA Personal Tokens, as a person uses it.

use systems::arpia::page::PATH;

use crate::{World, is, world};

pub(crate) const NEW: &str = "/profile/personal-tokens/new";

/// "All permitted collections" in the form.
pub(crate) const ALL: (&str, &str) = ("scopes-collections", "all");

const SOME: (&str, &str) = ("scopes-collections", "some");
const AMONG: &str = "scopes-collections-among";

/// Makes a token at the page: the token as it is shown.
pub(crate) async fn made(world: &World, fields: &[(&str, &str)]) -> String {
    let shown = world.rig.submit(&world.session, NEW, fields).await;
    assert_eq!(shown.status, 201, "{}", shown.text);
    shown.shown().unwrap()
}

/// Sends a form that makes no token, and is shown again.
pub(crate) async fn refused(world: &World, fields: &[(&str, &str)]) {
    let reply = world.rig.submit(&world.session, NEW, fields).await;
    assert_eq!((reply.status, reply.shown()), (422, None), "{fields:?}: {}", reply.text);
    assert!(reply.has("There is a problem"), "{}", reply.text);
}

#[tokio::test]
async fn the_profile_leads_to_personal_tokens() {
    let world = world().await;
    let front = world.rig.page(&world.session, "/").await;
    let profile = world.rig.follow(&world.session, &front, "Profile").await;
    let tokens = world.rig.follow(&world.session, &profile, "ARPIA Personal Tokens").await;
    assert_eq!(tokens.heading(), "ARPIA Personal Tokens");
    assert_eq!(world.rig.follow(&world.session, &tokens, "Profile").await.text, profile.text);
    let form = world.rig.follow(&world.session, &tokens, "Create New Token").await;
    assert_eq!(form.text.matches("<form ").count(), 1);
}

#[tokio::test]
async fn the_form_offers_all_or_specific_collections_and_neither_in_advance() {
    let world = world().await;
    let form = world.rig.page(&world.session, NEW).await;
    let offered = &form.texts("label")[2..6];
    assert_eq!(offered, ["All permitted collections", "Specific collections only", "sales", "support"]);
    assert_eq!(form.checked(), Vec::<String>::new());
    let (name, expiry) = (("name", "laptop"), ("expiry", "30"));
    let sales = (AMONG, "collections:sales");
    let both = [name, expiry, SOME, sales, (AMONG, "collections:support")];
    for (fields, permitted) in [
        (&[name, expiry, ALL][..], &["sales", "support"][..]),
        (&[name, expiry, SOME, sales], &["sales"]),
        (&both, &["sales", "support"]),
    ] {
        let apt = made(&world, fields).await;
        assert_eq!(world.permitted(&apt).await, permitted, "{fields:?}");
    }
    refused(&world, &[name, expiry]).await;
    refused(&world, &[name, expiry, SOME]).await;
}

#[tokio::test]
async fn the_collections_offered_are_those_that_the_owner_has_now() {
    let world = world().await;
    let offered = async || world.rig.page(&world.session, NEW).await.texts("label")[4..].to_vec();
    let proxy = "Allow this token to call the AI / LLM chat proxy for custom integrations";
    assert_eq!(offered().await, ["sales", "support", proxy]);
    let board = [("name", "laptop"), ("expiry", "30"), SOME, (AMONG, "collections:board")];
    refused(&world, &board).await;
    world.rig.service.accounts.permit(&world.ann, &["board", "sales"]).unwrap();
    assert_eq!(offered().await, ["board", "sales", proxy]);
    let apt = made(&world, &board).await;
    assert_eq!(world.at(&world.board, &apt).await.status, 200);
    refused(&world, &[("name", "laptop"), ("expiry", "30"), SOME, (AMONG, "collections:support")]).await;
    // Neither is anything else of the catalog's.
    refused(&world, &[("name", "laptop"), ("expiry", "30"), SOME, (AMONG, "llm:proxy")]).await;
}

#[tokio::test]
async fn create_token_shows_it_once_and_done_leads_back() {
    let world = world().await;
    let form = world.rig.page(&world.session, NEW).await.hidden("form").unwrap();
    let fields = [("form", form.as_str()), ("name", "laptop"), ("expiry", "30"), ALL];
    let shown = world.rig.send_form(&world.session, NEW, &fields).await;
    for text in ["Copy the token immediately", "store it securely (env variables, secrets manager)"] {
        assert!(shown.has(text), "{text}: {}", shown.text);
    }
    assert!(shown.has("⚠️ You will NOT be able to see the token again."), "{}", shown.text);
    let apt = shown.shown().unwrap();
    assert_eq!(world.at(&world.sales, &apt).await.status, 200);
    let list = world.rig.follow(&world.session, &shown, "Done").await;
    assert_eq!((list.heading().as_str(), list.rows().len()), ("ARPIA Personal Tokens", 1));
    // Whoever sends the form again, or goes back to it, sees it no more.
    let again = world.rig.send_form(&world.session, NEW, &fields).await;
    assert_eq!((again.status, again.shown()), (200, None), "{}", again.text);
    assert_eq!(world.rows().await.len(), 1);
    let one = world.rig.follow(&world.session, &list, "laptop").await;
    for page in [&list, &again, &one] {
        assert!(!page.text.contains(&apt["apt_13a4ebf0f1_".len()..][..8]), "{}", page.text);
    }
}

#[tokio::test]
async fn revoke_asks_for_confirmation_and_warns_that_it_is_permanent() {
    let world = world().await;
    let apt = made(&world, &[("name", "laptop"), ("expiry", "30"), ALL]).await;
    let path = world.rig.page(&world.session, PATH).await.link("Revoke laptop").unwrap();
    let asked = world.rig.page(&world.session, &path).await;
    assert!(asked.has("⚠️ Revocation is permanent."), "{}", asked.text);
    assert_eq!(asked.texts("button"), ["Confirm"]);
    assert_eq!(world.at(&world.sales, &apt).await.status, 200, "not confirmed yet");
    let list = world.rig.submit(&world.session, &path, &[]).await;
    assert!(list.status == 200 && list.has("The token laptop is revoked."), "{}", list.text);
    is(&world.at(&world.sales, &apt).await, 401, "invalid_token");
    assert_eq!(world.rows().await[0]["Status"], "REVOKED");
    // It stays in the list, and there is nothing more to do with it.
    let list = world.rig.page(&world.session, PATH).await;
    assert_eq!((list.link("Revoke laptop"), list.link("Rotate laptop")), (None, None));
}

#[tokio::test]
async fn the_page_gives_the_advice_on_monitoring() {
    let world = world().await;
    let page = world.rig.page(&world.session, PATH).await;
    for advice in [
        "Apply least privilege",
        "use separate tokens per tool",
        "Revoke unused tokens",
        "check unknown IPs",
        "remove inactive tokens",
    ] {
        assert!(page.has(advice), "{advice}: {}", page.text);
    }
}
