//! What is for people alone.

use super::*;
use crate::rig::DAY;
use systems::arcnm::session::TokenUse;

const PLANES: [&str; 8] = [
    "/api/v1/billing",
    "/api/v1/billing/plan",
    "/api/v1/members",
    "/api/v1/vault",
    "/api/v1/sso",
    "/api/v1/scim",
    "/api/v1/settings",
    "/api/v1/oauth-providers",
];

#[tokio::test]
async fn no_key_reaches_the_admin_plane_whatever_its_scopes() {
    let (rig, session) = acme().await;
    let key = mint(&rig, &session, &SCOPES).await;
    for path in PLANES {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let ask = || rig.ask(method.parse().unwrap(), path);
            ask().key(&key).refused(403, "insufficient_scope").await;
            ask().bearer_auth(&key.text).refused(401, "unauthorized").await;
        }
        // Not beside a session either: the machine that holds the key is not the person.
        rig.get(path).key(&key).bearer_auth(&session).refused(403, "insufficient_scope").await;
    }
}

#[tokio::test]
async fn the_admin_plane_takes_a_session() {
    let (rig, session) = acme().await;
    for path in PLANES {
        rig.get(path).refused(401, "unauthorized").await;
        assert_eq!(rig.get(path).bearer_auth(&session).expect(200).await.json()["tenant"], "acme");
    }
}

#[tokio::test]
async fn the_dashboard_takes_an_access_token_that_is_current_and_for_this_api() {
    let (rig, session) = acme().await;
    let good = claims(&rig);
    let refused = [
        Claims { token_use: TokenUse::Refresh, ..good.clone() },
        Claims { aud: "/api/v2".into(), ..good.clone() },
        Claims { exp: 0, ..good },
    ];
    for claims in refused {
        rig.get(KEYS).bearer_auth(sign_in(&rig, claims.clone())).refused(401, "unauthorized").await;
    }
    rig.get(KEYS).bearer_auth(&session).expect(200).await;
    rig.at(DAY);
    rig.get(KEYS).bearer_auth(&session).refused(401, "unauthorized").await;
}
