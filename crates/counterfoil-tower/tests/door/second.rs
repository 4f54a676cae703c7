//! Texts of no known family, and requests without a credential.

use counterfoil_tower::{Admission, Gate, NotAdmitted, SecondVerifier, Transport};
use http::{HeaderName, request::Parts};

use crate::support::{issue, registry, send, serve};

struct Sessions;

impl SecondVerifier for Sessions {
    async fn admit(&self, text: &str, _: &Parts) -> Result<Admission, NotAdmitted> {
        match text {
            "session" => Ok(Admission::with(())),
            "refresh" => Err(NotAdmitted::Invalid),
            "outage" => Err(NotAdmitted::Unavailable),
            long if long.bytes().all(|byte| byte == b'l') => Ok(Admission::with(())),
            ours => panic!("asked about `{ours}`"),
        }
    }
}

#[test]
fn another_verifier_is_asked_about_what_is_not_ours_alone() {
    let registry = registry();
    let token = issue(&registry);
    let gate = Gate::new(registry, Transport::bearer()).or_else(Sessions);
    for address in serve(&gate) {
        for (text, status, served) in [
            (token.expose(), 200, "user-42"),
            ("session", 200, "nobody"),
            ("refresh", 401, ""),
            ("outage", 503, ""),
            ("acme_bad", 401, ""),
        ] {
            let reply = send(address, &[format!("Authorization: Bearer {text}").as_bytes()]);
            assert_eq!(reply.status, status, "{text}");
            assert!(status != 200 || reply.body.starts_with(served), "{reply:?}");
        }
    }
}

#[test]
fn another_verifier_is_asked_about_nothing_longer_than_its_limit() {
    let gate = Gate::new(registry(), Transport::bearer()).or_else(Sessions);
    for (gate, length, status) in [
        (gate.clone(), 16 * 1024, 200),
        (gate.clone(), 16 * 1024 + 1, 401),
        (gate.clone(), 1 << 20, 401),
        (gate.clone().second_limit(1 << 20), 1 << 20, 200),
        (gate.clone().second_limit(1 << 20), (1 << 20) + 1, 401),
        (gate.clone().second_limit(100), 100, 200),
        (gate.clone().second_limit(100), 101, 401),
    ] {
        let line = format!("Authorization: Bearer {}", "l".repeat(length));
        let [_, hyper] = serve(&gate); // whose own limit is lifted
        assert_eq!(send(hyper, &[line.as_bytes()]).status, status, "{length} bytes");
    }
}

#[test]
fn an_optional_door_lets_nobody_in_and_refuses_a_bad_token() {
    let registry = registry();
    let token = issue(&registry);
    for address in serve(&Gate::new(registry, Transport::bearer()).optional()) {
        for (line, status, served) in [
            (String::from("Accept: */*"), 200, "nobody"),
            (String::from("Authorization: Basic dXNlcjpwYXNz"), 200, "nobody"),
            (format!("Authorization: Bearer {}", token.expose()), 200, "user-42"),
            (String::from("Authorization: Bearer acme_bad"), 401, ""),
            (String::from("Authorization: Bearer"), 400, ""),
        ] {
            let reply = send(address, &[line.as_bytes()]);
            assert_eq!(reply.status, status, "{line}");
            assert!(status != 200 || reply.body.starts_with(served), "{reply:?}");
        }
    }
}

#[test]
fn a_door_can_keep_the_credential_to_itself() {
    let registry = registry();
    let token = issue(&registry);
    let transport = Transport::either(HeaderName::from_static("x-api-key"));
    for (gate, shown) in [
        (Gate::new(registry.clone(), transport.clone()), "user-42 connection,host,x-api-key"),
        (Gate::new(registry.clone(), transport).strip(), "user-42 connection,host"),
    ] {
        for address in serve(&gate) {
            let reply = send(address, &[format!("X-API-Key: {}", token.expose()).as_bytes()]);
            assert_eq!(reply.body, shown);
        }
    }
}
