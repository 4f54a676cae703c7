//! Sending a key: `X-API-Key`, and the organisation beside it.

use super::*;

#[tokio::test]
async fn x_api_key_authenticates_rest_calls() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.get(PARTS).header("X-API-Key", &key.text).expect(200).await;
}

#[tokio::test]
async fn no_key_at_all_is_401_invalid_api_key() {
    let (rig, _) = acme().await;
    let reply = rig.get(PARTS).refused(401, "invalid_api_key").await;
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.contains("x-api-key") && !challenge.starts_with("Bearer"), "{challenge}");
}

#[tokio::test]
async fn a_bad_key_is_401_invalid_api_key() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    let mut wrong = key.text.clone();
    wrong.pop();
    let bad = [
        wrong.clone(),
        format!("{wrong}!").replace('!', "0"),
        format!("sk_{}", &key.text[3..]),
        key.text[3..].to_owned(),
        key.text.to_uppercase(),
        "ak_live_dXt8q2Rb_9f3c6Pk".to_owned(),
        session,
    ];
    for text in bad.into_iter().filter(|text| *text != key.text) {
        let reply = rig.get(PARTS).header("x-api-key", &text).refused(401, "invalid_api_key").await;
        assert!(!reply.text.contains(&text), "{}", reply.text);
    }
}

#[tokio::test]
async fn a_key_is_not_sent_as_a_bearer_token_to_rest() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.get(PARTS).bearer_auth(&key.text).refused(401, "invalid_api_key").await;
    rig.post(PARTS, &json!({})).bearer_auth(&key.text).refused(401, "invalid_api_key").await;
    // What stands there is not read, so it does not spoil a good one either.
    rig.get(PARTS).key(&key).bearer_auth("nonsense").expect(200).await;
}

#[tokio::test]
async fn a_session_is_no_key() {
    let (rig, session) = acme().await;
    rig.get(PARTS).bearer_auth(&session).refused(401, "invalid_api_key").await;
}

#[tokio::test]
async fn two_keys_in_one_request_are_400_bad_request() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.get(PARTS).key(&key).key(&key).refused(400, "bad_request").await;
    rig.get(PARTS).header("x-api-key", "").refused(400, "bad_request").await;
}

#[tokio::test]
async fn a_tenant_with_one_organization_needs_no_slug() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    assert_eq!(rig.get(PARTS).key(&key).expect(200).await.json()["organization"], "acme-hq");
    let named = rig.get(PARTS).key(&key).header("x-org-slug", "acme-hq").expect(200).await;
    assert_eq!(named.json()["organization"], "acme-hq");
}

#[tokio::test]
async fn x_org_slug_pins_the_organization_of_a_tenant_with_several() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.service.organisations.add("acme", "acme-labs");
    for slug in ["acme-hq", "acme-labs"] {
        let reply = rig.get(PARTS).key(&key).header("X-Org-Slug", slug).expect(200).await;
        assert_eq!(reply.json()["organization"], slug);
    }
}

#[tokio::test]
async fn without_a_slug_such_a_tenant_gets_400_bad_request() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.service.organisations.add("acme", "acme-labs");
    rig.get(PARTS).key(&key).refused(400, "bad_request").await;
}

#[tokio::test]
async fn the_organization_of_another_tenant_is_403() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &["parts:read"]).await;
    rig.service.organisations.add("globex", "globex-hq");
    for slug in ["globex-hq", "nowhere", "acme-h", ""] {
        rig.get(PARTS).key(&key).header("x-org-slug", slug).refused(403, "forbidden").await;
    }
}
