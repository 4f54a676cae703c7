//! Verification without the registry.

use std::time::Duration;

use counterfoil::{Audience, Expiry, Lifetime};
use counterfoil_jwt::{JwtFormat, KeySet, OfflineError, OfflineVerifier};

use crate::support::{ISSUER, at, ed25519, format, grant, mint, p256, plain, signed};

fn verifier() -> OfflineVerifier {
    OfflineVerifier::new(&format().key_set(), ISSUER)
}

fn audience(name: &str) -> Audience {
    Audience::new(name).unwrap()
}

#[test]
fn a_token_ends_at_the_second_that_it_names() {
    let token = mint(&format(), plain()).token;
    let expired = Err(OfflineError::Expired { end: at(3600) });
    let later = |seconds| verifier().leeway(Duration::from_secs(seconds));
    for (verifier, second, outcome) in [
        (verifier(), 0, Ok(())),
        (verifier(), 3599, Ok(())),
        (verifier(), 3600, expired.clone()),
        (later(60), 3659, Ok(())),
        (later(60), 3660, expired),
    ] {
        assert_eq!(verifier.verify(token.expose(), at(second), None).map(drop), outcome, "{second}");
    }
    let half = Lifetime::For(Duration::from_millis(1_500));
    let claims = verifier().verify(
        mint(&format(), counterfoil::Grant { lifetime: half, ..plain() }).token.expose(),
        at(0),
        None,
    );
    assert_eq!(claims.unwrap().expiry, Expiry::At(at(1)));
    let forever = counterfoil::Grant { lifetime: Lifetime::Forever, ..plain() };
    let claims = verifier().verify(mint(&format(), forever).token.expose(), at(1_000_000_000), None);
    assert_eq!(claims.unwrap().expiry, Expiry::Never);
}

#[test]
fn a_restricted_token_is_good_where_it_says() {
    let token = mint(&format(), grant()).token;
    let billing = verifier().audience(audience("https://billing.example"));
    let inside = Some("192.0.2.7".parse().unwrap());
    for (what, verifier, client, outcome) in [
        ("both hold", &billing, inside, Ok(())),
        ("mapped address", &billing, Some("::ffff:192.0.2.7".parse().unwrap()), Ok(())),
        ("outside", &billing, Some("198.51.100.7".parse().unwrap()), Err(OfflineError::NetworkRefused)),
        ("address unknown", &billing, None, Err(OfflineError::NetworkRefused)),
        ("no name", &verifier(), inside, Err(OfflineError::WrongAudience)),
        ("another name", &verifier().audience(audience("other")), inside, Err(OfflineError::WrongAudience)),
    ] {
        assert_eq!(verifier.verify(token.expose(), at(0), client).map(drop), outcome, "{what}");
    }
    let free = mint(&format(), plain()).token;
    assert!(verifier().audience(audience("other")).verify(free.expose(), at(0), None).is_ok());
}

#[test]
fn a_refusal_says_what_is_wrong() {
    let token = mint(&format(), plain()).token;
    let text = token.expose();
    let only = |key: counterfoil_jwt::PublicKey| OfflineVerifier::new(&KeySet::new([key]).unwrap(), ISSUER);
    let unknown = Err(OfflineError::UnknownKey { kid: "ed-1".into() });
    let elsewhere = JwtFormat::builder("https://other.example").signing(ed25519()).build().unwrap();
    let other_issuer = mint(&elsewhere, plain()).token;
    let session = signed(r#"{"typ":"JWT","alg":"EdDSA","kid":"ed-1"}"#, "{}");
    let none = format!("{}.", text.rsplit_once('.').unwrap().0);
    let other = mint(&format(), plain()).token;
    let swapped = format!("{}.{}", text.rsplit_once('.').unwrap().0, other.expose().rsplit_once('.').unwrap().1);
    for (what, verifier, text, outcome) in [
        ("good", verifier(), text, Ok(())),
        ("no such key", only(p256().public()), text, unknown.clone()),
        ("no key at all", OfflineVerifier::new(&KeySet::default(), ISSUER), text, unknown),
        ("a session", verifier(), &session, Err(OfflineError::NotOurs)),
        ("no jwt", verifier(), "ghp_0123", Err(OfflineError::NotOurs)),
        ("another issuer", verifier(), other_issuer.expose(), Err(OfflineError::WrongIssuer)),
        ("no signature", verifier(), &none, Err(OfflineError::Malformed)),
        ("another token's signature", verifier(), &swapped, Err(OfflineError::WrongSignature)),
        (
            "too long",
            verifier(),
            &text.replacen('.', &format!(".{}", "A".repeat(4096)), 1),
            Err(OfflineError::TooLong { found: text.len() + 4096 }),
        ),
    ] {
        assert_eq!(verifier.verify(text, at(0), None).map(drop), outcome, "{what}");
    }
}

/// Signed, and as it is written: what it says is none of its kind all the same.
#[test]
fn claims_are_held_against_their_types() {
    let (header, _) = crate::support::opened(mint(&format(), plain()).token.expose());
    let good = r#"{"jti":"0123456789abcdefABCDEF","iss":"https://id.example","sub":"user-42","iat":1767225600,"exp":1767229200,"scope":"a:b","sec":"0123456789abcdefABCDEF0123456789"}"#;
    for (from, to, is_read) in [
        ("", "", true),
        ("user-42", "", false),
        ("a:b", "a::b", false),
        ("a:b", "a  b", false),
        ("1767229200", "1767229200000", false), // milliseconds
        ("1767229200", "-1", false),
        (r#""exp""#, r#""networks""#, false),
        (r#""scope":"a:b""#, r#""scope":"a:b","networks":["192.0.2.7/24"]"#, false),
        (r#""scope":"a:b""#, r#""scope":"a:b","networks":["192.0.2.0/24"]"#, true),
        (r#""iat""#, r#""tenant":"","iat""#, false),
    ] {
        let payload = good.replacen(from, to, 1);
        let read = verifier().verify(&signed(&header, &payload), at(0), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(read.map(drop), if is_read { Ok(()) } else { Err(OfflineError::Malformed) }, "{payload}");
    }
}
