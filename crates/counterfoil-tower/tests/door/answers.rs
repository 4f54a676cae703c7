//! What became of a token → the whole answer.

use std::time::Duration;

use counterfoil::{
    By, Caller, Denial, FixedClock, Grant, Lifetime, Policy, Record, Registry, Rotation, Scope, Timestamp, TokenFormat,
    Verified,
    policy::{Approval, Assent, Objection, Refusal},
    registry::VerifyError,
};
use counterfoil_tower::{Challenge, Codes, Gate, Later, Limiter, Renderer, Transport};
use http::HeaderName;
use serde_json::json;

use crate::support::{Reply, builder, grant, issue, registry, runtime, send, serve};

fn bearer(text: &str) -> String {
    format!("Authorization: Bearer {text}")
}

fn ask(gate: &Gate, line: &str) -> [Reply; 2] {
    serve(gate).map(|address| send(address, &[line.as_bytes()]))
}

#[test]
fn what_is_wrong_with_a_token_is_told_once_its_secret_is_proven() {
    let registry = registry();
    let gate = Gate::new(registry.clone(), Transport::bearer());
    let id = |text: &str| runtime().block_on(registry.verify(text)).unwrap().record().id();
    let tokens = ["revoked", "suspended", "blocked", "replaced by a newer one"].map(|state| {
        let token = issue(&registry);
        let id = id(token.expose());
        runtime().block_on(async {
            match state {
                "revoked" => registry.revoke(id, By::unknown()).await.unwrap(),
                "suspended" => drop(registry.suspend(id, By::unknown()).await.unwrap()),
                "blocked" => drop(registry.block(id, By::unknown()).await.unwrap()),
                _ => drop(registry.rotate(id, &Rotation::at_once()).await.unwrap()),
            }
        });
        (state, token)
    });
    for (state, token) in &tokens {
        for reply in ask(&gate, &bearer(token.expose())) {
            assert_eq!(reply.status, 401);
            assert_eq!(reply.header("www-authenticate"), Some(r#"Bearer error="invalid_token""#));
            assert!(reply.json()["detail"].as_str().unwrap().contains(state), "{reply:?}");
        }
    }
    // One of another registry's: well formed, and unknown here.
    let unknown = issue(&crate::support::registry());
    for reply in ask(&gate, &bearer(unknown.expose())) {
        assert_eq!((reply.status, reply.json()["detail"].as_str()), (401, Some("the token is not valid")));
    }
}

/// A text whose secret differs from that of `token` in its middle, with the right checksum.
fn with_another_secret(format: &TokenFormat, token: &str) -> String {
    let fake = format.fake().unwrap();
    let public = token.rfind('_').unwrap() + 1;
    let covered = format!("{}{}", &token[..public], &fake[public..fake.len() - 6]);
    let check = crc32(covered.as_bytes());
    let mut digits = [b'0'; 6];
    let mut rest = check;
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[(rest % 62) as usize];
        rest /= 62;
    }
    format!("{covered}{}", std::str::from_utf8(&digits).unwrap())
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn wrong_secret_is_answered_byte_for_byte_like_an_unknown_token() {
    let clock = FixedClock::new(Timestamp::from_unix_millis(1_767_225_600_000).unwrap());
    let registry = builder().clock(clock.clone()).build().unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let states = ["good", "revoked", "blocked", "suspended", "superseded", "expired"].map(|state| {
        let lifetime = Lifetime::days(if state == "expired" { 1 } else { 90 });
        let issued = runtime().block_on(registry.issue(Grant { lifetime, ..grant() })).unwrap();
        let id = issued.record.id();
        runtime().block_on(async {
            match state {
                "revoked" => registry.revoke(id, By::unknown()).await.unwrap(),
                "suspended" => drop(registry.suspend(id, By::unknown()).await.unwrap()),
                "blocked" => drop(registry.block(id, By::unknown()).await.unwrap()),
                "superseded" => drop(registry.rotate(id, &Rotation::at_once()).await.unwrap()),
                _ => {}
            }
        });
        (state, issued.token)
    });
    clock.set(Timestamp::from_unix_millis(1_767_225_600_000 + 2 * 86_400_000).unwrap());

    let unknown = format.fake().unwrap();
    let mut texts = vec![
        ("unknown", unknown.clone()),
        ("too short", "acme_1".into()),
        ("wrong checksum", format!("{}x", &unknown[..unknown.len() - 1])),
        ("too long", format!("acme_{}", "a".repeat(600))),
        ("of another family", "ghp_0123456789".into()),
        ("no token at all", "x".into()),
        ("padded", format!("{unknown}=")),
    ];
    for (state, token) in &states {
        let wrong = with_another_secret(&format, token.expose());
        let verdict = runtime().block_on(registry.verify(&wrong)).unwrap_err();
        assert!(matches!(verdict, VerifyError::Denied(Denial::WrongSecret)), "{state}: {verdict}");
        texts.push((state, wrong));
    }
    let gate = Gate::new(registry, Transport::bearer());
    for address in serve(&gate) {
        let whole = |text: &str| {
            let reply = send(address, &[bearer(text).as_bytes()]);
            let head: Vec<_> = reply.head.lines().filter(|line| !line.to_lowercase().starts_with("date:")).collect();
            (head.join("\n"), reply.body)
        };
        let expected = whole(&unknown);
        assert!(expected.0.starts_with("HTTP/1.1 401"), "{expected:?}");
        for (what, text) in &texts {
            assert_eq!(whole(text), expected, "{what}");
        }
        // With the right secret the reason is told; a text that cannot be a credential is 400.
        for (state, token) in &states {
            assert_ne!(whole(token.expose()), expected, "{state}");
        }
        for malformed in ["=", "a,b", "a b"] {
            assert!(whole(malformed).0.starts_with("HTTP/1.1 400"), "{malformed}");
        }
    }
}

#[test]
fn a_host_writes_the_reason_of_a_refusal_in_its_own_words() {
    let registry = registry();
    let write = |answer: &counterfoil_tower::Answer| format!("{:?}", answer.denial);
    let gate = Gate::new(registry.clone(), Transport::bearer()).renderer(Renderer::new("text/plain", write));
    let blocked = issue(&registry);
    let id = runtime().block_on(registry.verify(blocked.expose())).unwrap().record().id();
    runtime().block_on(registry.block(id, By::unknown())).unwrap();
    let unknown = issue(&crate::support::registry());
    let cases = [(blocked.expose(), "Some(Blocked)"), (unknown.expose(), "None"), ("acme_short", "None")];
    for (token, expected) in cases {
        for reply in ask(&gate, &bearer(token)) {
            assert_eq!((reply.status, reply.body.as_str()), (401, expected), "{token}");
        }
    }
}

#[test]
fn a_problem_says_what_a_client_can_act_on() {
    let registry = registry();
    let token = issue(&registry);
    let gate = Gate::new(registry, Transport::bearer()).require("parts:write".parse::<Scope>().unwrap());
    let gate = gate.challenge(Challenge::realm("api").unwrap());
    for reply in ask(&gate, &bearer(token.expose())) {
        assert_eq!(reply.status, 403);
        let challenge = r#"Bearer realm="api", error="insufficient_scope", scope="parts:write""#;
        assert_eq!(reply.header("www-authenticate"), Some(challenge));
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let expected = json!({
            "type": "about:blank", "title": "Forbidden", "status": 403, "code": "insufficient_scope",
            "detail": "the token lacks the scope `parts:write`", "scope": "parts:write",
        });
        assert_eq!(reply.json(), expected);
    }
    for reply in ask(&gate, "Accept: */*") {
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some(r#"Bearer realm="api""#)));
    }
}

#[test]
fn bodies_and_codes_are_the_hosts() {
    let own = |answer: &counterfoil_tower::Answer| format!("<{}>", answer.code);
    let codes = Codes { invalid: "invalid_api_key".into(), ..Codes::default() };
    for (renderer, content_type, body) in [
        (Renderer::short(), "application/json", r#"{"error":"the token is not valid"}"#),
        (Renderer::new("text/plain", own), "text/plain", "<invalid_api_key>"),
    ] {
        let gate = Gate::new(registry(), Transport::bearer()).renderer(renderer).codes(codes.clone());
        for reply in ask(&gate, &bearer("acme_")) {
            assert_eq!((reply.header("content-type"), &*reply.body), (Some(content_type), body));
        }
    }
}

#[test]
fn a_door_that_reads_no_bearer_asks_for_none() {
    let gate = Gate::new(registry(), Transport::header(HeaderName::from_static("x-api-key")));
    for reply in ask(&gate, "X-API-Key: acme_") {
        let challenge = r#"ApiKey header="x-api-key", error="invalid_token""#;
        assert_eq!((reply.header("www-authenticate"), reply.header("vary")), (Some(challenge), Some("x-api-key")));
    }
}

#[derive(Debug)]
struct Says(fn() -> Objection);

impl Policy for Says {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        Err((self.0)())
    }
    async fn at_issue(&self, _: &Grant) -> Result<Approval, Objection> {
        Ok(Approval::plain())
    }
    async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> {
        Ok(())
    }
}

fn under(says: fn() -> Objection) -> Registry {
    builder().policy(Says(says)).build().unwrap()
}

#[test]
fn a_policy_answers_in_its_own_words_or_not_at_all() {
    let refuses = || Refusal::new("subscription_required", "Pro only").link("https://example.com/plans").into();
    let registry = under(refuses);
    let token = issue(&registry);
    for reply in ask(&Gate::new(registry, Transport::bearer()), &bearer(token.expose())) {
        assert_eq!((reply.status, reply.header("www-authenticate")), (403, None));
        let json = reply.json();
        let told = [&json["code"], &json["detail"], &json["link"]];
        assert_eq!(told, ["subscription_required", "Pro only", "https://example.com/plans"]);
    }
    let registry = under(|| Refusal::new("rate_limited", "60 a minute").later(Duration::from_secs(12)));
    let token = issue(&registry);
    for reply in ask(&Gate::new(registry, Transport::bearer()), &bearer(token.expose())) {
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("12")));
        assert_eq!(reply.json()["code"], "rate_limited");
    }
    let registry = under(|| Objection::Unavailable("billing is down".into()));
    let token = issue(&registry);
    for reply in ask(&Gate::new(registry, Transport::bearer()), &bearer(token.expose())) {
        assert_eq!(
            (reply.status, reply.header("retry-after"), reply.header("www-authenticate")),
            (503, Some("1"), None)
        );
        assert!(!reply.body.contains("billing"), "what is wrong inside is not told");
    }
}

struct Spent;

impl Limiter for Spent {
    async fn admit(&self, _: &Verified) -> Result<(), Later> {
        Err(Later::new("budget_spent", "the budget is spent", Duration::from_millis(1500)))
    }
}

#[test]
fn a_limiter_is_asked_last() {
    let registry = registry();
    let token = issue(&registry);
    let gate = Gate::new(registry, Transport::bearer()).limiter(Spent);
    for reply in ask(&gate, &bearer(token.expose())) {
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("2")));
        assert_eq!(reply.json()["code"], "budget_spent");
    }
    for reply in ask(&gate, &bearer("acme_")) {
        assert_eq!(reply.status, 401);
    }
    let demanding = gate.require("parts:write".parse::<Scope>().unwrap());
    for reply in ask(&demanding, &bearer(token.expose())) {
        assert_eq!(reply.status, 403);
    }
}

#[test]
fn the_end_of_a_good_token_can_be_told() {
    let registry = registry();
    let issued = runtime().block_on(registry.issue(grant())).unwrap();
    let end = issued.record.expiry().at().unwrap().unix_millis().div_euclid(1000).to_string();
    let gate = Gate::new(registry, Transport::bearer()).expiry_header(HeaderName::from_static("x-token-expires"));
    for reply in ask(&gate, &bearer(issued.token.expose())) {
        assert_eq!((reply.status, reply.header("x-token-expires")), (200, Some(&*end)));
    }
    for reply in ask(&gate, &bearer("acme_")) {
        assert_eq!(reply.header("x-token-expires"), None);
    }
}
