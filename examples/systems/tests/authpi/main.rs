//! What AuthPI's page on personal tokens says, statement by statement, over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "../rig/mod.rs"]
mod rig;

use counterfoil::{By, Timestamp};
use counterfoil_jwt::{KeySet, OfflineError, OfflineVerifier};
use rig::{DAY, Reply, Rig, START, Send as _};
use serde_json::{Value, json};
use systems::{
    authpi::{API, Admin, AuthPi, KEYS},
    host::Service as _,
};

const TOKENS: &str = "/v1/accounts/acc_1/issuers/iss_1/users/ann/tokens";
const ME: &str = "/v1/me";

async fn rig() -> (Rig<AuthPi>, String) {
    let rig = Rig::<AuthPi>::start().await;
    let session = sign_in(&rig, "acc_1", true);
    (rig, session)
}

fn sign_in(rig: &Rig<AuthPi>, account: &str, may_write: bool) -> String {
    let users = ["ann", "bob"].map(|user| ("iss_1".to_owned(), user.to_owned())).to_vec();
    rig.service.sessions.sign_in(Admin { account: account.into(), users, may_write }).unwrap()
}

fn wish() -> Value {
    json!({ "type": "personal_token", "name": "CI Pipeline", "restrictions": {} })
}

/// The wish with these members beside or instead of its own.
fn with(members: Value) -> Value {
    let mut body = wish();
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

async fn create(rig: &Rig<AuthPi>, session: &str, body: &Value) -> Reply {
    rig.post(TOKENS, body).session(session).reply().await
}

/// The plaintext and the path of a new token.
async fn token(rig: &Rig<AuthPi>, session: &str, members: Value) -> (String, String) {
    let made = create(rig, session, &with(members)).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    (made["token_plain"].as_str().unwrap().to_owned(), item(made["id"].as_str().unwrap()))
}

fn item(id: &str) -> String {
    format!("/v1/accounts/acc_1/tokens/{id}")
}

async fn shown(rig: &Rig<AuthPi>, session: &str, path: &str) -> Value {
    rig.get(path).session(session).expect(200).await.json()
}

async fn ids(rig: &Rig<AuthPi>, session: &str, query: &str) -> Vec<String> {
    let page = shown(rig, session, &format!("{TOKENS}{query}")).await;
    page["tokens"].as_array().unwrap().iter().map(|token| token["id"].as_str().unwrap().to_owned()).collect()
}

/// The members of the schema `ApiError`.
fn is_api_error(reply: &Reply) {
    let error = reply.json();
    assert_eq!(error["status"], reply.status, "{}", reply.text);
    assert!(error["code"].is_string() && error["detail"].is_string(), "{}", reply.text);
}

/// A verifier that has fetched the published keys, and asks nothing more.
async fn offline(rig: &Rig<AuthPi>) -> OfflineVerifier {
    let published = rig.get(KEYS).expect(200).await;
    assert_eq!(published.header("content-type"), Some("application/jwk-set+json"));
    OfflineVerifier::new(&KeySet::from_json(&published.text).unwrap(), API)
}

fn at(millis_after_start: i64) -> Timestamp {
    Timestamp::from_unix_millis(START + millis_after_start).unwrap()
}

// The page's beginning

#[tokio::test]
async fn a_token_authenticates_a_script_on_behalf_of_the_user() {
    let (rig, session) = rig().await;
    let (plain, _) = token(&rig, &session, json!({})).await;
    let me = rig.get(ME).bearer_auth(&plain).expect(200).await.json();
    assert_eq!((&me["user_id"], &me["within"]), (&json!("ann"), &json!(["acc_1", "iss_1"])));
    rig.get(ME).expect(401).await;
}

#[tokio::test]
async fn the_document_names_the_paths_the_statuses_and_the_schemas() {
    let (rig, _) = rig().await;
    let document = rig.get("/v1/openapi.json").expect(200).await.json();
    let collection = "/v1/accounts/{account_id}/issuers/{issuer_id}/users/{user_id}/tokens";
    let one = "/v1/accounts/{account_id}/tokens/{token_id}";
    let revoke = format!("{one}/revoke");
    for (path, method, statuses) in [
        (collection, "get", vec!["200", "401", "403"]),
        (collection, "post", vec!["201", "400", "401", "403", "429"]),
        (one, "get", vec!["200", "401", "403", "404"]),
        (one, "delete", vec!["204", "401", "403", "404", "412"]),
        (&revoke, "post", vec!["200", "400", "401", "403", "404"]),
    ] {
        for status in statuses {
            let answer = &document["paths"][path][method]["responses"][status];
            let schema = match status {
                "200" | "201" | "204" => None,
                "412" => Some("PreconditionFailedError"),
                _ => Some("ApiError"),
            };
            let found = answer["content"].as_object().and_then(|content| content.values().next());
            let found = found.and_then(|content| content["schema"]["$ref"].as_str());
            assert!(answer.is_object(), "{method} {path} {status}");
            if let Some(schema) = schema {
                assert_eq!(found, Some(&*format!("#/components/schemas/{schema}")), "{method} {path} {status}");
            }
        }
    }
    let required = document["components"]["schemas"]["CreateToken"]["required"].as_array().unwrap();
    for member in ["name", "restrictions", "type"] {
        assert!(required.contains(&member.into()), "{member} in {required:?}");
    }
    assert_eq!(required.len(), 3, "{required:?}");
}

// List

#[tokio::test]
async fn the_list_holds_all_tokens_of_one_user() {
    let (rig, session) = rig().await;
    let mut made = Vec::new();
    for millis in 0..3 {
        rig.at(millis);
        made.push(token(&rig, &session, json!({})).await.1.rsplit('/').next().unwrap().to_owned());
    }
    rig.post(&TOKENS.replace("ann", "bob"), &wish()).session(&session).expect(201).await;
    assert_eq!(ids(&rig, &session, "").await, made);
}

#[tokio::test]
async fn each_user_has_up_to_50_active_tokens_and_the_51st_is_429() {
    let (rig, session) = rig().await;
    for _ in 0..49 {
        token(&rig, &session, json!({})).await;
    }
    let (_, last) = token(&rig, &session, json!({ "expires_at": START + DAY })).await;
    let refused = create(&rig, &session, &wish()).await;
    assert_eq!(refused.status, 429);
    is_api_error(&refused);
    assert_eq!(refused.json()["detail"], "the owner has 50 active tokens, the most allowed");
    rig.post(&TOKENS.replace("ann", "bob"), &wish()).session(&session).expect(201).await;
    // "Active": one that is over makes room. "Revoke unused tokens before creating new ones."
    rig.at(DAY);
    assert_eq!(shown(&rig, &session, &last).await["status"], "expired");
    let (_, path) = token(&rig, &session, json!({})).await;
    assert_eq!(create(&rig, &session, &wish()).await.status, 429);
    rig.delete(&path).session(&session).expect(204).await;
    assert_eq!(create(&rig, &session, &wish()).await.status, 201);
}

#[tokio::test]
async fn limit_is_1_to_100_and_50_unless_it_is_said() {
    let (rig, session) = rig().await;
    for _ in 0..50 {
        token(&rig, &session, json!({})).await;
    }
    let first = ids(&rig, &session, "?limit=1").await;
    rig.delete(&item(&first[0])).session(&session).expect(204).await;
    token(&rig, &session, json!({})).await; // 51 rows, 50 of them active
    for (query, count) in [("", 50), ("?limit=1", 1), ("?limit=50", 50), ("?limit=51", 51), ("?limit=100", 51)] {
        assert_eq!(ids(&rig, &session, query).await.len(), count, "{query}");
    }
    for query in ["?limit=0", "?limit=101", "?limit=-1", "?limit=ten", "?limit="] {
        is_api_error(&rig.get(&format!("{TOKENS}{query}")).session(&session).expect(400).await);
    }
}

#[tokio::test]
async fn cursor_is_the_token_id_to_start_after() {
    let (rig, session) = rig().await;
    for _ in 0..5 {
        token(&rig, &session, json!({})).await;
    }
    let all = ids(&rig, &session, "").await;
    assert_eq!(ids(&rig, &session, &format!("?cursor={}", all[1])).await, all[2..]);
    assert_eq!(ids(&rig, &session, &format!("?cursor={}&limit=2", all[1])).await, all[2..4]);
    assert_eq!(ids(&rig, &session, &format!("?cursor={}", all[4])).await, [""; 0]);
    let page = shown(&rig, &session, &format!("{TOKENS}?limit=2")).await;
    assert_eq!(page["next_cursor"], all[1].as_str());
}

#[tokio::test]
async fn status_filters_by_active_blocked_revoked_expired_or_suspended() {
    let (rig, session) = rig().await;
    let mut paths = Vec::new();
    for members in [json!({}), json!({}), json!({}), json!({ "expires_at": START + DAY }), json!({})] {
        paths.push(token(&rig, &session, members).await.1);
    }
    rig.post(&format!("{}/block", paths[1]), &json!({})).session(&session).expect(200).await;
    rig.delete(&paths[2]).session(&session).expect(204).await;
    let suspended = paths[4].rsplit('/').next().unwrap().parse::<counterfoil::TokenId>().unwrap();
    rig.service.registry().suspend(suspended, By::unknown()).await.unwrap(); // the account has not paid, say
    rig.at(DAY);
    for (status, path) in ["active", "blocked", "revoked", "expired", "suspended"].into_iter().zip(&paths) {
        let found = ids(&rig, &session, &format!("?status={status}")).await;
        assert_eq!(found.iter().map(|id| item(id)).collect::<Vec<_>>(), [path.as_str()], "{status}");
        assert_eq!(shown(&rig, &session, path).await["status"], status);
    }
    rig.get(&format!("{TOKENS}?status=lost")).session(&session).expect(400).await;
}

#[tokio::test]
async fn without_authentication_everything_is_401() {
    let (rig, session) = rig().await;
    let (_, path) = token(&rig, &session, json!({})).await;
    for request in [
        rig.get(TOKENS),
        rig.post(TOKENS, &wish()),
        rig.get(&path),
        rig.delete(&path),
        rig.post(&format!("{path}/revoke"), &json!({})),
    ] {
        is_api_error(&request.try_clone().unwrap().expect(401).await);
        is_api_error(&request.session("nobody's").expect(401).await);
    }
    assert_eq!(shown(&rig, &session, &path).await["status"], "active");
}

#[tokio::test]
async fn without_permission_everything_is_403() {
    let (rig, session) = rig().await;
    let (plain, path) = token(&rig, &session, json!({})).await;
    let (other, reader) = (sign_in(&rig, "acc_2", true), sign_in(&rig, "acc_1", false));
    let revoke = format!("{path}/revoke");
    let all = || {
        [
            (rig.get(TOKENS), 200),
            (rig.post(TOKENS, &wish()), 403),
            (rig.get(&path), 200),
            (rig.delete(&path), 403),
            (rig.post(&revoke, &json!({})), 403),
        ]
    };
    for (request, _) in all() {
        let refused = request.session(&other).expect(403).await;
        is_api_error(&refused);
        assert_eq!(refused.json()["detail"], "You don't have permission to perform this action.");
    }
    for (request, status) in all() {
        request.session(&reader).expect(status).await;
    }
    // A token manages no tokens, and there are no tokens of users that there are not.
    for (request, _) in all() {
        request.bearer_auth(&plain).session(&session).expect(403).await;
    }
    rig.get(&TOKENS.replace("ann", "nobody")).session(&session).expect(403).await;
    assert_eq!(shown(&rig, &session, &path).await["status"], "active");
}

// Create

#[tokio::test]
async fn the_jwt_is_returned_only_once() {
    let (rig, session) = rig().await;
    let made = create(&rig, &session, &wish()).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let plain = made.json()["token_plain"].as_str().unwrap().to_owned();
    assert_eq!(plain.split('.').count(), 3);
    assert!(plain.starts_with("eyJ"));
    let signature = plain.rsplit('.').next().unwrap();
    let path = item(made.json()["id"].as_str().unwrap());
    for path in [TOKENS, &path] {
        let shown = rig.get(path).session(&session).expect(200).await;
        assert!(!shown.text.contains("token_plain") && !shown.text.contains(signature), "{}", shown.text);
    }
}

#[tokio::test]
async fn a_token_has_name_description_tags_and_metadata() {
    let (rig, session) = rig().await;
    let told = json!({
        "name": "CLI Access", "description": "for the laptop", "tags": ["cli", "laptop"], "metadata": { "team": 7 },
    });
    let (_, path) = token(&rig, &session, told.clone()).await;
    let token = shown(&rig, &session, &path).await;
    for (member, value) in told.as_object().unwrap() {
        assert_eq!(token[member], *value, "{member}");
    }
    assert_eq!(token["type"], "personal_token");
}

#[tokio::test]
async fn scopes_are_the_permissions_granted_to_the_token() {
    let (rig, session) = rig().await;
    let (reader, path) = token(&rig, &session, json!({ "restrictions": { "scopes": ["read:users"] } })).await;
    let (beside, _) = token(&rig, &session, json!({ "scopes": ["read:users", "write:api-keys"] })).await;
    let (none, _) = token(&rig, &session, json!({})).await;
    assert_eq!(shown(&rig, &session, &path).await["scopes"], json!(["read:users"]));
    for (plain, status) in [(reader, 200), (beside, 200), (none, 403)] {
        rig.get("/v1/users").bearer_auth(&plain).expect(status).await;
    }
    for unknown in [json!(["read:everything"]), json!(["read:users", "read:everything"])] {
        create_is_400(&rig, &session, json!({ "restrictions": { "scopes": unknown } })).await;
    }
}

#[tokio::test]
async fn restrictions_are_where_a_token_may_be_used() {
    let (rig, session) = rig().await;
    let networks = json!({ "networks": ["192.0.2.0/24"] });
    let (plain, path) = token(&rig, &session, json!({ "restrictions": networks })).await;
    assert_eq!(shown(&rig, &session, &path).await["restrictions"], networks);
    rig.get(ME).bearer_auth(&plain).expect(401).await;
    let verifier = offline(&rig).await;
    assert!(verifier.verify(&plain, at(0), Some("192.0.2.7".parse().unwrap())).is_ok());
    assert_eq!(verifier.verify(&plain, at(0), None), Err(OfflineError::NetworkRefused));
}

#[tokio::test]
async fn expires_at_is_optional_and_in_milliseconds() {
    let (rig, session) = rig().await;
    let (short, path) = token(&rig, &session, json!({ "expires_at": START + DAY })).await;
    let (long, forever) = token(&rig, &session, json!({})).await;
    assert_eq!(shown(&rig, &session, &path).await["expires_at"], START + DAY);
    assert_eq!(shown(&rig, &session, &forever).await["expires_at"], Value::Null);
    rig.at(DAY - 1);
    rig.get(ME).bearer_auth(&short).expect(200).await;
    rig.at(DAY);
    rig.get(ME).bearer_auth(&short).expect(401).await;
    rig.get(ME).bearer_auth(&long).expect(200).await;
    for wrong in [json!(START / 1000 + 86_400), json!(START), json!("tomorrow"), json!(1.5)] {
        create_is_400(&rig, &session, json!({ "expires_at": wrong })).await;
    }
    // The end is in the JWT as well, so no later one can be set.
    let later = rig.put(&format!("{path}/expiry"), &json!({ "expires_at": START + 2 * DAY })).session(&session);
    let refused = later.expect(409).await;
    is_api_error(&refused);
    assert_eq!(
        (&refused.json()["code"], &refused.json()["field"]),
        (&json!("token_ends_earlier"), &json!("expires_at"))
    );
}

async fn create_is_400(rig: &Rig<AuthPi>, session: &str, members: Value) {
    is_api_error(&rig.post(TOKENS, &with(members)).session(session).expect(400).await);
}

#[tokio::test]
async fn name_restrictions_and_type_are_required_and_what_is_malformed_is_400() {
    let (rig, session) = rig().await;
    for missing in ["name", "restrictions", "type"] {
        let mut body = wish();
        body.as_object_mut().unwrap().remove(missing);
        let refused = rig.post(TOKENS, &body).session(&session).expect(400).await;
        is_api_error(&refused);
        assert_eq!(refused.json()["field"], missing);
    }
    for members in [
        json!({ "name": "" }),
        json!({ "name": 7 }),
        json!({ "type": "api_key" }),
        json!({ "restrictions": [] }),
        json!({ "restrictions": { "hours": "9-17" } }),
        json!({ "tags": "ci" }),
        json!({ "metadata": [] }),
        json!({ "colour": "red" }),
    ] {
        create_is_400(&rig, &session, members).await;
    }
    let cut = rig.ask(reqwest::Method::POST, TOKENS).header("content-type", "application/json").body("{");
    is_api_error(&cut.session(&session).expect(400).await);
    assert_eq!(ids(&rig, &session, "").await, [""; 0]);
}

#[tokio::test]
async fn audience_is_for_whom_the_token_is_meant() {
    let (rig, session) = rig().await;
    let (here, _) = token(&rig, &session, json!({ "audience": API })).await;
    let (elsewhere, path) = token(&rig, &session, json!({ "audience": "https://billing.example" })).await;
    assert_eq!(shown(&rig, &session, &path).await["audience"], "https://billing.example");
    rig.get(ME).bearer_auth(&here).expect(200).await;
    rig.get(ME).bearer_auth(&elsewhere).expect(401).await;
    let billing = offline(&rig).await.audience("https://billing.example".parse().unwrap());
    assert!(billing.verify(&elsewhere, at(0), None).is_ok());
    assert_eq!(billing.verify(&here, at(0), None), Err(OfflineError::WrongAudience));
}

#[tokio::test]
async fn the_jwt_is_verified_offline_by_the_published_keys() {
    let (rig, session) = rig().await;
    let wish = json!({ "restrictions": { "scopes": ["read:users"] }, "expires_at": START + DAY });
    let (plain, path) = token(&rig, &session, wish).await;
    let verifier = offline(&rig).await;
    let claims = verifier.verify(&plain, at(0), None).unwrap();
    assert_eq!((claims.owner.tenant_or_empty(), claims.owner.subject().as_str()), ("acc_1/iss_1", "ann"));
    assert!(claims.require(&"read:users".parse().unwrap()).is_ok());
    assert_eq!(claims.expiry.at(), Some(at(DAY)));
    // What has happened since is known online alone; the end is known everywhere.
    rig.delete(&path).session(&session).expect(204).await;
    rig.get(ME).bearer_auth(&plain).expect(401).await;
    assert!(verifier.verify(&plain, at(DAY - 1), None).is_ok());
    assert_eq!(verifier.verify(&plain, at(DAY), None), Err(OfflineError::Expired { end: at(DAY) }));
}

/// Each start draws a new signing key, as a restart with another `SIGNING_KEY` has one.
#[tokio::test]
async fn restart_with_a_new_signing_key_keeps_earlier_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("authpi.db");
    let before = Rig::<AuthPi>::start_at(&file).await;
    let (old, _) = token(&before, &sign_in(&before, "acc_1", true), json!({})).await;
    let kept = offline(&before).await;
    drop(before);

    let after = Rig::<AuthPi>::start_at(&file).await;
    let (new, _) = token(&after, &sign_in(&after, "acc_1", true), json!({})).await;
    after.get(ME).bearer_auth(&old).expect(200).await;
    after.get(ME).bearer_auth(&new).expect(200).await;
    // A set from before the restart: the new key is unknown, which is the sign to fetch the set again.
    assert!(kept.verify(&old, at(0), None).is_ok());
    assert!(matches!(kept.verify(&new, at(0), None), Err(OfflineError::UnknownKey { .. })));
    let fetched = offline(&after).await;
    assert!(fetched.verify(&old, at(0), None).is_ok() && fetched.verify(&new, at(0), None).is_ok());

    let keys = after.get(KEYS).expect(200).await.json();
    let kids: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!((kids.len(), kids.iter().all(|kid| kid.len() == 43)), (2, true), "{kids:?}");
    assert!(Rig::<AuthPi>::start_at(&file).await.get(KEYS).expect(200).await.json()["keys"][2].is_object());
}

#[tokio::test]
async fn unreadable_kept_keys_stop_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("authpi.db");
    drop(Rig::<AuthPi>::start_at(&file).await);
    std::fs::write(directory.path().join("authpi.db.keys.json"), "{").unwrap();
    let store = counterfoil_sqlx::SqliteStore::open(&file).await.unwrap();
    let ground = systems::host::Ground {
        store,
        keyring: "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap(),
        clock: std::sync::Arc::new(counterfoil::SystemClock),
        database: Some(file),
        options: std::collections::BTreeMap::new(),
    };
    let error = AuthPi::build(ground).err().unwrap().to_string();
    assert!(
        error.ends_with("authpi.db.keys.json: not a json web key set: expected an object with an array `keys`"),
        "{error}"
    );
}

// Get

#[tokio::test]
async fn details_are_shown_and_the_secret_is_not() {
    let (rig, session) = rig().await;
    let (plain, path) = token(&rig, &session, json!({ "scopes": ["read:users"], "expires_at": START + DAY })).await;
    let reply = rig.get(&path).session(&session).expect(200).await;
    let token = reply.json();
    assert_eq!(token["name"], "CI Pipeline");
    assert_eq!(token["scopes"], json!(["read:users"]));
    assert_eq!(token["status"], "active");
    assert_eq!(token["expires_at"], START + DAY);
    assert!(token.get("token_plain").is_none());
    let public = token["public"].as_str().unwrap();
    assert!(plain.starts_with(public) && plain.len() > public.len() + 200, "{public}");
    assert_eq!(reply.header("etag"), Some("\"1\""));
}

#[tokio::test]
async fn an_active_token_authenticates_and_a_blocked_one_can_be_unblocked() {
    let (rig, session) = rig().await;
    let (plain, path) = token(&rig, &session, json!({})).await;
    for (operation, status, found) in
        [(None, "active", 200), (Some("block"), "blocked", 401), (Some("unblock"), "active", 200)]
    {
        if let Some(operation) = operation {
            rig.post(&format!("{path}/{operation}"), &json!({})).session(&session).expect(200).await;
        }
        assert_eq!(shown(&rig, &session, &path).await["status"], status);
        rig.get(ME).bearer_auth(&plain).expect(found).await;
    }
}

#[tokio::test]
async fn a_revoked_token_cannot_be_restored() {
    let (rig, session) = rig().await;
    let (plain, path) = token(&rig, &session, json!({})).await;
    rig.post(&format!("{path}/revoke"), &json!({})).session(&session).expect(200).await;
    for operation in ["unblock", "rotate"] {
        rig.post(&format!("{path}/{operation}"), &json!({})).session(&session).expect(409).await;
    }
    rig.put(&format!("{path}/expiry"), &json!({ "expires_at": null })).session(&session).expect(409).await;
    assert_eq!(shown(&rig, &session, &path).await["status"], "revoked");
    rig.get(ME).bearer_auth(&plain).expect(401).await;
}

#[tokio::test]
async fn a_token_that_does_not_exist_is_404() {
    let (rig, session) = rig().await;
    let (_, path) = token(&rig, &session, json!({})).await;
    let other = sign_in(&rig, "acc_2", true);
    let unknown = item("0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa");
    // One of another account does not exist in this one.
    let foreign = path.replace("acc_1", "acc_2");
    for (path, session) in [(&unknown, &session), (&item("nonsense"), &session), (&foreign, &other)] {
        is_api_error(&rig.get(path).session(session).expect(404).await);
        is_api_error(&rig.delete(path).session(session).expect(404).await);
        is_api_error(&rig.post(&format!("{path}/revoke"), &json!({})).session(session).expect(404).await);
    }
    assert_eq!(shown(&rig, &session, &path).await["status"], "active");
}

// Delete

#[tokio::test]
async fn delete_is_204_and_revokes_immediately() {
    let (rig, session) = rig().await;
    let (plain, path) = token(&rig, &session, json!({})).await;
    rig.get(ME).bearer_auth(&plain).expect(200).await;
    let reply = rig.delete(&path).session(&session).expect(204).await;
    assert_eq!(reply.text, "");
    rig.get(ME).bearer_auth(&plain).expect(401).await;
    // "Equivalent to revoking", and not to be undone.
    let token = shown(&rig, &session, &path).await;
    assert_eq!((&token["status"], &token["revoked"]["at"]), (&json!("revoked"), &json!(START)));
    rig.delete(&path).session(&session).expect(204).await;
}

#[tokio::test]
async fn a_deleted_token_is_retained_for_31_days() {
    let (rig, session) = rig().await;
    let (_, path) = token(&rig, &session, json!({})).await;
    rig.delete(&path).session(&session).expect(204).await;
    purged_after_31_days(&rig, &session, &path).await;
}

async fn purged_after_31_days(rig: &Rig<AuthPi>, session: &str, path: &str) {
    for (millis, purged) in [(0, 0), (31 * DAY - 1, 0)] {
        rig.at(millis);
        assert_eq!(rig.service.registry().maintain().await.unwrap().purged, purged);
        assert_eq!(ids(rig, session, "?status=revoked").await.len(), 1);
        assert_eq!(shown(rig, session, path).await["status"], "revoked");
    }
    rig.at(31 * DAY + 1);
    assert_eq!(rig.service.registry().maintain().await.unwrap().purged, 1);
    rig.get(path).session(session).expect(404).await;
    assert_eq!(ids(rig, session, "").await, [""; 0]);
}

#[tokio::test]
async fn delete_with_an_outdated_etag_is_412() {
    let (rig, session) = rig().await;
    let (plain, path) = token(&rig, &session, json!({})).await;
    let seen = rig.get(&path).session(&session).expect(200).await;
    let seen = seen.header("etag").unwrap();
    rig.post(&format!("{path}/block"), &json!({})).session(&session).expect(200).await;
    rig.post(&format!("{path}/unblock"), &json!({})).session(&session).expect(200).await;
    let failed = rig.delete(&path).header("if-match", seen).session(&session).expect(412).await;
    is_api_error(&failed);
    assert_eq!(
        (&failed.json()["code"], &failed.json()["current_etag"]),
        (&json!("precondition_failed"), &json!("\"3\""))
    );
    rig.get(ME).bearer_auth(&plain).expect(200).await;
    rig.delete(&path).header("if-match", "\"3\"").session(&session).expect(204).await;
    rig.get(ME).bearer_auth(&plain).expect(401).await;
}

// Revoke

#[tokio::test]
async fn revoke_is_200_and_authentication_fails_immediately() {
    let (rig, session) = rig().await;
    let (plain, path) = token(&rig, &session, json!({})).await;
    rig.get(ME).bearer_auth(&plain).expect(200).await;
    let revoked = rig.post(&format!("{path}/revoke"), &json!({})).session(&session).expect(200).await.json();
    assert_eq!(revoked["status"], "revoked");
    let refused = rig.get(ME).bearer_auth(&plain).expect(401).await;
    assert!(refused.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
}

#[tokio::test]
async fn revoke_takes_by_and_reason_or_neither() {
    let (rig, session) = rig().await;
    for (body, by, reason) in [
        (json!({ "by": "user-7", "reason": "leaked" }), json!("user-7"), json!("leaked")),
        (json!({ "reason": "offboarding" }), Value::Null, json!("offboarding")),
        (json!({}), Value::Null, Value::Null),
    ] {
        let (_, path) = token(&rig, &session, json!({})).await;
        let mark = rig.post(&format!("{path}/revoke"), &body).session(&session).expect(200).await.json();
        // What a request claims stands beside who has sent it.
        assert_eq!((&mark["revoked"]["claimed_by"], &mark["revoked"]["reason"]), (&by, &reason), "{body}");
        assert_eq!(mark["revoked"]["by"], "admin of acc_1");
    }
    let (_, path) = token(&rig, &session, json!({})).await;
    rig.ask(reqwest::Method::POST, &format!("{path}/revoke")).session(&session).expect(200).await; // no body at all
}

#[tokio::test]
async fn a_malformed_revocation_is_400_and_revokes_nothing() {
    let (rig, session) = rig().await;
    let (plain, path) = token(&rig, &session, json!({})).await;
    for body in [json!({ "reason": 7 }), json!({ "reason": "x".repeat(501) }), json!({ "why": "leaked" }), json!([])] {
        is_api_error(&rig.post(&format!("{path}/revoke"), &body).session(&session).expect(400).await);
    }
    rig.get(ME).bearer_auth(&plain).expect(200).await;
}

#[tokio::test]
async fn a_revoked_token_is_retained_for_31_days() {
    let (rig, session) = rig().await;
    let (_, path) = token(&rig, &session, json!({})).await;
    rig.post(&format!("{path}/revoke"), &json!({ "reason": "audit" })).session(&session).expect(200).await;
    purged_after_31_days(&rig, &session, &path).await;
}
