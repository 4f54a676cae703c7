//! Where a request comes from, as browsers tell → whether a change is made.

use counterfoil::MemoryStore;

use crate::{
    ask::{Ask, each_operation, get, post, send},
    support::Rig,
};

const TRUSTED: &str = "https://app.example.com";

/// (Sec-Fetch-Site, Origin, whether a change may come so). The API is at tokens.example.com.
const CASES: [(Option<&str>, Option<&str>, bool); 34] = [
    (None, None, true),
    (None, Some(""), true),
    (None, Some("https://tokens.example.com"), true),
    (None, Some("http://tokens.example.com"), true), // not to be told apart behind a proxy that ends TLS
    (None, Some("https://tokens.example.com:8443"), false),
    (None, Some("https://other.example.com"), false),
    (None, Some(TRUSTED), true),
    (None, Some("https://app.example.com.evil.test"), false),
    (None, Some("https://app.example.com:444"), false),
    (None, Some("null"), false),
    (None, Some("tokens.example.com"), false),
    (None, Some("file://tokens.example.com"), false),
    (Some("same-origin"), None, true),
    (Some("same-origin"), Some("https://tokens.example.com"), true),
    (Some("same-origin"), Some("https://other.example.com"), true),
    (Some("same-origin"), Some(TRUSTED), true),
    (Some("same-origin"), Some("null"), true),
    (Some("none"), None, true),
    (Some("none"), Some("null"), true),
    (Some("none"), Some("https://other.example.com"), true),
    (Some("same-site"), None, false),
    (Some("same-site"), Some("https://tokens.example.com"), false),
    (Some("same-site"), Some("https://other.example.com"), false),
    (Some("same-site"), Some(TRUSTED), true),
    (Some("same-site"), Some("null"), false),
    (Some("cross-site"), None, false),
    (Some("cross-site"), Some("https://tokens.example.com"), false),
    (Some("cross-site"), Some("https://other.example.com"), false),
    (Some("cross-site"), Some(TRUSTED), true),
    (Some("cross-site"), Some("null"), false),
    (Some("cross-site"), Some("http://app.example.com"), false),
    (Some("Same-Origin"), None, false),
    (Some("unheard-of"), None, false),
    (Some("unheard-of"), Some(TRUSTED), true),
];

#[tokio::test]
async fn a_change_comes_from_a_page_of_the_apis_own_or_of_a_trusted_origin() {
    let rig = Rig::new(MemoryStore::new(), |builder| builder, |api| api.trusted_origin(TRUSTED));
    let id = rig.id().await;
    for (site, origin, may_change) in CASES {
        let from = |ask: Ask| {
            let ask = ask.header("host", "tokens.example.com");
            let ask = site.into_iter().fold(ask, |ask, site| ask.header("sec-fetch-site", site));
            origin.into_iter().fold(ask, |ask, origin| ask.header("origin", origin))
        };
        for path in ["/tokens".to_owned(), format!("/tokens/{id}")] {
            assert_eq!(rig.send(from(get(path))).await.status, 200, "GET {site:?} {origin:?}");
        }
        for ask in each_operation("0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa").into_iter().skip(3) {
            let (method, path) = (ask.method, ask.path.clone());
            let reply = rig.send(from(ask.clone())).await;
            let expected = if may_change { (404, "not_found") } else { (403, "cross_site") };
            assert_eq!(reply.verdict(), expected, "{method} {path} {site:?} {origin:?}");
            // Whoever is not signed in learns no less of it.
            let reply = rig.send(from(ask.nobody())).await;
            assert_eq!(reply.status, if may_change { 401 } else { 403 }, "{method} {path} {site:?} {origin:?}");
        }
        let tokens = rig.count().await;
        let reply = rig.send(from(post("/tokens", serde_json::json!({ "name": "CI", "expires_in": 60 })))).await;
        assert_eq!(reply.status, if may_change { 201 } else { 403 }, "{site:?} {origin:?}");
        assert_eq!(rig.count().await, tokens + usize::from(may_change));
    }
}

#[tokio::test]
async fn a_request_without_a_host_is_held_against_its_own_authority() {
    let rig = Rig::plain();
    for (uri, origin, status) in [
        ("https://tokens.example.com/tokens", "https://tokens.example.com", 201),
        ("https://tokens.example.com/tokens", "https://other.example.com", 403),
        ("/tokens", "https://tokens.example.com", 403),
    ] {
        let ask = Ask::new("POST", uri).text(r#"{"name":"CI","expires_in":60}"#).header("origin", origin);
        assert_eq!(send(&rig.app, ask).await.status, status, "{uri} {origin}");
    }
}
