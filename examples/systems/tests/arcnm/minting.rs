//! Minting a key, and its format.

use super::*;
use crate::rig::{DAY, START};

fn wish() -> Value {
    json!({ "name": "production-erp-sync", "scopes": ["parts:read"] })
}

#[tokio::test]
async fn a_new_key_has_a_name_and_the_picked_scopes() {
    let (rig, session) = acme().await;
    let body = json!({ "name": "production-erp-sync", "scopes": ["parts:read", "wallet:read"] });
    let made = rig.post(KEYS, &body).bearer_auth(&session).expect(201).await.json();
    assert_eq!(made["name"], "production-erp-sync");
    assert_eq!(made["scopes"], json!(["parts:read", "wallet:read"]));
    rig.post(KEYS, &json!({ "scopes": ["parts:read"] })).bearer_auth(&session).refused(400, "bad_request").await;
}

#[tokio::test]
async fn the_plaintext_is_shown_once() {
    let (rig, session) = acme().await;
    let reply = rig.post(KEYS, &wish()).bearer_auth(&session).expect(201).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let key = Key::of(&reply);
    for path in [KEYS.to_owned(), key.path()] {
        let shown = rig.get(&path).bearer_auth(&session).expect(200).await;
        assert!(shown.text.contains(&key.prefix) && !shown.text.contains(key.secret()), "{path}: {}", shown.text);
    }
}

#[tokio::test]
async fn an_argon2_hash_is_stored_and_the_plaintext_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_or_create(directory.path().join("arcnm.sqlite")).await.unwrap();
    let rig = Rig::<Arcnm>::start_on(store).await;
    rig.service.organisations.add("acme", "acme-hq");
    let session = sign_in(&rig, claims(&rig));
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.get(PARTS).key(&key).expect(200).await;
    let mut stored = Vec::new();
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        stored.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let holds = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("$argon2id$"), "the digest is no Argon2id hash");
    assert!(holds(&key.prefix), "the public prefix is stored");
    assert!(!holds(key.secret()) && !holds(&key.secret()[1..33]), "the secret is stored");
}

#[tokio::test]
async fn a_lost_key_is_revoked_and_minted_anew() {
    let (rig, session) = acme().await;
    let lost = mint(&rig, &session, &["parts:read"]).await;
    rig.delete(&lost.path()).bearer_auth(&session).expect(204).await;
    let new = mint(&rig, &session, &["parts:read"]).await;
    assert_ne!(new.text, lost.text);
    rig.get(PARTS).key(&lost).refused(401, "invalid_api_key").await;
    rig.get(PARTS).key(&new).expect(200).await;
}

#[tokio::test]
async fn an_owner_or_an_admin_mints_with_a_user_session() {
    let (rig, _) = acme().await;
    for role in [Role::Owner, Role::Admin] {
        let key = mint(&rig, &as_role(&rig, role), &["parts:read"]).await;
        rig.get(PARTS).key(&key).expect(200).await;
    }
}

#[tokio::test]
async fn a_member_cannot_mint() {
    let (rig, _) = acme().await;
    rig.post(KEYS, &wish()).bearer_auth(as_role(&rig, Role::Member)).refused(403, "forbidden").await;
}

#[tokio::test]
async fn minting_needs_a_verified_email() {
    let (rig, session) = acme().await;
    let unverified = sign_in(&rig, Claims { email_verified: false, ..claims(&rig) });
    rig.post(KEYS, &wish()).bearer_auth(&unverified).refused(403, "email_not_verified").await;
    // Nor is a secret got by way of a key that is there.
    let key = mint(&rig, &session, &["parts:read"]).await;
    let rotate = format!("{}/rotate", key.path());
    rig.post(&rotate, &json!({})).bearer_auth(&unverified).refused(403, "email_not_verified").await;
    rig.get(PARTS).key(&key).expect(200).await;
}

#[tokio::test]
async fn nobody_mints_without_a_session() {
    let (rig, session) = acme().await;
    rig.post(KEYS, &wish()).refused(401, "unauthorized").await;
    rig.post(KEYS, &wish()).bearer_auth(format!("{session}x")).refused(401, "unauthorized").await;
}

#[tokio::test]
async fn unknown_scopes_are_dropped_and_reported() {
    let (rig, session) = acme().await;
    let body = json!({ "name": "n", "scopes": ["parts:read", "parts:fly", "admin:plan"] });
    let made = rig.post(KEYS, &body).bearer_auth(&session).expect(201).await.json();
    assert_eq!(made["scopes"], json!(["parts:read"]));
    assert_eq!(made["dropped_scopes"], json!(["admin:plan", "parts:fly"]));
}

#[tokio::test]
async fn only_unknown_scopes_are_400_bad_request() {
    let (rig, session) = acme().await;
    for scopes in [json!(["parts:fly"]), json!(["parts:fly", "sso:write"]), json!(["parts:*"])] {
        let body = json!({ "name": "n", "scopes": scopes });
        let reply = rig.post(KEYS, &body).bearer_auth(&session).refused(400, "bad_request").await;
        assert_eq!(reply.json()["field"], "scopes");
    }
    let listed = rig.get(KEYS).bearer_auth(&session).expect(200).await.json();
    assert_eq!(listed["keys"], json!([]), "nothing was minted");
}

#[tokio::test]
async fn a_key_cannot_mint_keys() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &SCOPES).await;
    rig.post(KEYS, &wish()).key(&key).refused(403, "insufficient_scope").await;
    rig.post(KEYS, &wish()).bearer_auth(&key.text).refused(403, "insufficient_scope").await;
    // Nor beside a session, as a program that is fooled would send it.
    rig.post(KEYS, &wish()).key(&key).bearer_auth(&session).refused(403, "insufficient_scope").await;
    let listed = rig.get(KEYS).bearer_auth(&session).expect(200).await.json();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_compromised_key_has_no_successor() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    let wider = json!({ "scopes": ["parts:read", "parts:write"] });
    let ways = [("POST", "/rotate"), ("PUT", "/scopes"), ("PUT", "/expiry"), ("POST", "/unblock"), ("PATCH", "")];
    for (method, path) in ways {
        let request = rig.ask(method.parse().unwrap(), &format!("{}{path}", key.path())).json(&wider);
        let status = request.key(&key).reply().await.status;
        assert!(matches!(status, 403..=405), "{method} {path}: {status}");
    }
    rig.post(PARTS, &json!({})).key(&key).refused(403, "insufficient_scope").await;
}

#[tokio::test]
async fn every_key_is_ak_a_mode_a_public_prefix_and_a_secret() {
    let (rig, session) = acme().await;
    for mode in ["live", "test"] {
        let body = json!({ "name": "n", "scopes": ["parts:read"], "environment": mode });
        let key = mint_as(&rig, &session, body).await;
        let segments: Vec<_> = key.text.split('_').collect();
        let [marker, of_mode, public, secret] = segments[..] else { panic!("{}", key.text) };
        assert_eq!((marker, of_mode, public.len()), ("ak", mode, 8));
        assert!(secret.len() >= 32 && segments[2..].concat().bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(key.prefix.trim_end_matches('_'), format!("ak_{mode}_{public}"));
    }
}

#[tokio::test]
async fn the_mode_is_live_or_test_and_live_unless_it_is_said() {
    let (rig, session) = acme().await;
    assert!(mint(&rig, &session, &["parts:read"]).await.text.starts_with("ak_live_"));
    for mode in ["prod", "LIVE", ""] {
        let body = json!({ "name": "n", "scopes": ["parts:read"], "environment": mode });
        rig.post(KEYS, &body).bearer_auth(&session).refused(400, "bad_request").await;
    }
}

#[tokio::test]
async fn the_public_prefix_identifies_the_key_in_the_list() {
    let (rig, session) = acme().await;
    let (one, other) = (mint(&rig, &session, &["parts:read"]).await, mint(&rig, &session, &["parts:read"]).await);
    assert_ne!(one.prefix, other.prefix);
    let listed = rig.get(KEYS).bearer_auth(&session).expect(200).await.json();
    let named = |key: &Key| listed["keys"].as_array().unwrap().iter().any(|row| row["prefix"] == key.prefix.as_str());
    assert!(named(&one) && named(&other));
}

#[tokio::test]
async fn a_key_has_an_end_if_one_is_asked_for_and_lives_long_if_not() {
    let (rig, session) = acme().await;
    let body = json!({ "name": "n", "scopes": ["parts:read"], "expires_at": START + DAY });
    let (ending, lasting) = (mint_as(&rig, &session, body).await, mint(&rig, &session, &["parts:read"]).await);
    rig.at(DAY - 1);
    rig.get(PARTS).key(&ending).expect(200).await;
    rig.at(DAY);
    rig.get(PARTS).key(&ending).refused(401, "invalid_api_key").await;
    rig.at(20 * 365 * DAY);
    rig.get(PARTS).key(&lasting).expect(200).await;
}
