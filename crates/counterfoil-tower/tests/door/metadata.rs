//! Requests for well-known places → answers without a token.

use counterfoil_tower::{Challenge, Gate, ResourceMetadata, Transport};
use serde_json::json;

use crate::support::{registry, request, serve};

fn gate(metadata: ResourceMetadata) -> Gate {
    let challenge = Challenge::realm("mcp").unwrap();
    Gate::new(registry(), Transport::bearer()).challenge(challenge).metadata(metadata).unwrap()
}

#[test]
fn the_document_is_where_the_resource_says() {
    let here = ResourceMetadata::new("https://api.example.com/mcp").unwrap();
    let here = here.member("scopes_supported", vec!["parts:read"]);
    let document = json!({ "resource": "https://api.example.com/mcp", "scopes_supported": ["parts:read"] });
    for (metadata, method, path, status) in [
        (&here, "GET", "/.well-known/oauth-protected-resource/mcp", 200),
        (&here, "HEAD", "/.well-known/oauth-protected-resource/mcp", 200),
        (&here, "POST", "/.well-known/oauth-protected-resource/mcp", 405),
        (&here, "GET", "/.well-known/oauth-protected-resource", 404),
        (&here, "GET", "/.well-known/oauth-protected-resource/other", 404),
        (&here, "GET", "/.well-known/oauth-authorization-server", 404),
        (&here, "GET", "/.well-known/", 404),
        (&here, "GET", "/", 401),
        (&here.clone().at_root_too(), "GET", "/.well-known/oauth-protected-resource", 200),
        (&here.clone().at_root_too(), "GET", "/.well-known/oauth-protected-resource/mcp", 200),
    ] {
        for address in serve(&gate(metadata.clone())) {
            let reply = request(address, method, path, &[]);
            assert_eq!(reply.status, status, "{method} {path}");
            if status == 200 && method == "GET" {
                assert_eq!((reply.json(), reply.header("content-type")), (document.clone(), Some("application/json")));
            }
            if status == 401 {
                let url = "https://api.example.com/.well-known/oauth-protected-resource/mcp";
                let challenge = format!(r#"Bearer realm="mcp", resource_metadata="{url}""#);
                assert_eq!(reply.header("www-authenticate"), Some(&*challenge));
            } else {
                assert_eq!(reply.header("www-authenticate"), None);
            }
        }
    }
}

#[test]
fn nothing_is_served_unless_it_is_switched_on() {
    for address in serve(&Gate::new(registry(), Transport::bearer())) {
        assert_eq!(request(address, "GET", "/.well-known/oauth-protected-resource", &[]).status, 401);
    }
}

#[test]
fn a_resource_is_an_https_url() {
    for (text, url) in [
        ("https://a.example", Some("https://a.example/.well-known/oauth-protected-resource")),
        ("https://a.example/", Some("https://a.example/.well-known/oauth-protected-resource")),
        ("https://a.example:8443/x/y", Some("https://a.example:8443/.well-known/oauth-protected-resource/x/y")),
        ("http://localhost:3000/mcp", Some("http://localhost:3000/.well-known/oauth-protected-resource/mcp")),
        ("http://a.example", None),
        ("https://a.example/x?y", None),
        ("https://a.example/x#y", None),
        ("https://user@a.example", None),
        ("/mcp", None),
        ("", None),
    ] {
        let found = ResourceMetadata::new(text).map(|metadata| metadata.url());
        assert_eq!(found.as_deref().ok(), url, "{text}");
    }
}
