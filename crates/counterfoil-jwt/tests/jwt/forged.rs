//! Texts that are no tokens: not ours, or ours and bad.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use counterfoil::{
    Families, Family,
    token::{Malformed, ParseError},
};
use counterfoil_jwt::JwtFormat;
use p256::ecdsa;

use crate::support::{ISSUER, SECRET, ed25519, encode, format, grant, mint, opened, p256, plain, signed};

const HEADER: &str = r#"{"alg":"EdDSA","kid":"ed-1","typ":"pat+jwt"}"#;
const PAYLOAD: &str = r#"{"jti":"0123456789abcdefABCDEF","iss":"https://id.example","sub":"user-42","iat":1767225600,"exp":1767229200,"sec":"0123456789abcdefABCDEF0123456789"}"#;

fn read(text: &str) -> Result<String, ParseError> {
    format().parse(text).map(|read| read.selector().unwrap().to_string())
}

const NOT_OURS: Result<&str, ParseError> = Err(ParseError::NotOurs);
const SHAPE: Result<&str, ParseError> = Err(ParseError::Malformed(Malformed::Shape));
const CHARACTER: Result<&str, ParseError> = Err(ParseError::Malformed(Malformed::Character));
const SIGNATURE: Result<&str, ParseError> = Err(ParseError::Malformed(Malformed::Checksum));

#[test]
fn a_token_is_written_in_one_way() {
    let minted = mint(&format(), grant());
    let (header, payload) = opened(minted.token.expose());
    assert_eq!(header, HEADER);
    let (jti, rest) = payload.strip_prefix(r#"{"jti":""#).unwrap().split_at(22);
    assert_eq!(jti, minted.record.slots().current.selector.as_str());
    let told = r#"","iss":"https://id.example","sub":"user-42","tenant":"acme","aud":"https://billing.example","iat":1767225600,"exp":1767229200,"scope":"parts:read collections:*","networks":["192.0.2.0/24"],"sec":""#;
    let secret = rest.strip_prefix(told).unwrap().strip_suffix(r#""}"#).unwrap();
    assert_eq!(secret.len(), 32);
    assert_eq!(read(minted.token.expose()).unwrap(), jti);

    // What may be shown ends behind the id.
    let (head, shown) = minted.token.public().split_once('.').unwrap();
    assert_eq!(head, encode(HEADER));
    assert_eq!(URL_SAFE_NO_PAD.decode(shown).unwrap(), format!(r#"{{"jti":"{jti}"#).into_bytes());
    assert_eq!(format().parse(minted.token.expose()).unwrap().public(), minted.token.public());
}

#[test]
fn only_a_header_of_a_known_key_is_read() {
    for (header, outcome) in [
        (HEADER, Ok("0123456789abcdefABCDEF")),
        // Ours by type and key, and not as the key writes it.
        (r#"{"typ":"pat+jwt","alg":"EdDSA","kid":"ed-1"}"#, SHAPE),
        (r#"{"alg":"EdDSA", "kid":"ed-1","typ":"pat+jwt"}"#, SHAPE),
        (r#"{"alg":"ES256","kid":"ed-1","typ":"pat+jwt"}"#, SHAPE),
        (r#"{"alg":"HS256","kid":"ed-1","typ":"pat+jwt"}"#, SHAPE),
        (r#"{"alg":"none","kid":"ed-1","typ":"pat+jwt"}"#, SHAPE),
        (r#"{"typ":"pat+jwt","kid":"ed-1"}"#, SHAPE),
        (r#"{"alg":"EdDSA","kid":"ed-1","typ":"PAT+JWT"}"#, SHAPE),
        (r#"{"alg":"EdDSA","kid":"ed-1","typ":"application/pat+jwt"}"#, SHAPE),
        (r#"{"typ":"JWT","typ":"pat+jwt","alg":"EdDSA","kid":"ed-1"}"#, SHAPE),
        (r#"{"typ":"pat+jwt","typ":"JWT","alg":"EdDSA","kid":"ed-1"}"#, SHAPE),
        (r#"{"typ":"pat+jwt","alg":"EdDSA","alg":"none","kid":"ed-1"}"#, SHAPE),
        (r#"{"alg":"EdDSA","kid":"other","typ":"pat+jwt","kid":"ed-1"}"#, SHAPE),
        (r#"{"alg":"EdDSA","kid":"ed-1","typ":"pat+jwt","crit":["exp"],"exp":1}"#, SHAPE),
        (r#"{"alg":"EdDSA","kid":"ed-1","typ":"pat+jwt","b64":false}"#, SHAPE),
        (r#"{"alg":"EdDSA","kid":"ed-1","typ":"pat+jwt","jku":"https://evil.example"}"#, SHAPE),
        (r#"{"alg":"EdDSA","kid":"ed-1","typ":"pat+jwt","jwk":{"kty":"OKP"}}"#, SHAPE),
        (r#"{"alg":"EdDSA","kid":"ed-1","typ":"pat+jwt","x5c":["MIIB"]}"#, SHAPE),
        (r#"{"alg":"EdDSA","kid":"ed-1","typ":"pat+j\u0077t"}"#, SHAPE),
        // Another verifier's.
        (r#"{"alg":"EdDSA","kid":"ed-1","typ":"JWT"}"#, NOT_OURS),
        (r#"{"alg":"EdDSA","kid":"ed-1","typ":"at+jwt"}"#, NOT_OURS),
        (r#"{"alg":"EdDSA","kid":"ed-1"}"#, NOT_OURS),
        (r#"{"alg":"EdDSA","kid":"ed-2","typ":"pat+jwt"}"#, NOT_OURS),
        (r#"{"typ":"pat+jwt","alg":"EdDSA"}"#, NOT_OURS),
        (r#"["typ","pat+jwt"]"#, NOT_OURS),
        ("", NOT_OURS),
    ] {
        assert_eq!(read(&signed(header, PAYLOAD)), outcome.map(String::from), "{header}");
    }
}

/// All of them are signed with the right key: a signature is not enough.
#[test]
fn only_a_payload_as_it_is_written_is_read() {
    assert!(read(&signed(HEADER, PAYLOAD)).is_ok());
    for (from, to) in [
        (r#""sub":"user-42""#, r#""sub":"user-42","sub":"root""#),
        (r#""jti":"0"#, r#""jti":"x","jti":"0"#),
        (r#""iat":1767225600,"#, r#""iat":1767225600,"admin":true,"#),
        (r#""iat":1767225600,"exp":1767229200"#, r#""exp":1767229200,"iat":1767225600"#),
        (r#""iat":1767225600,"#, r#""iat":1767225600, "#),
        (r#""iat":1767225600,"#, ""),
        (r#""iat":1767225600,"#, r#""iat":1767225600.0,"#),
        (r#""iat":1767225600,"#, r#""iat":"1767225600","#),
        (r#""exp":1767229200"#, r#""exp":null"#),
        (r#""sub":"user-42""#, r#""sub":"user\u002d42""#),
        (r#""sub":"user-42""#, r#""sub":"user-42","aud":["a"]"#),
        ("https://id.example", "https://other.example"),
        ("ABCDEF0123456789\"", "ABCDEF012345678\""),
        ("ABCDEF0123456789\"", "ABCDEF012345678-\""),
        (r#""0123456789abcdefABCDEF""#, r#""0123456789abcdefABCDE""#),
        (r#","sec":"0123456789abcdefABCDEF0123456789""#, ""),
        ("}", "}\n"),
        ("}", "}{}"),
    ] {
        let payload = PAYLOAD.replacen(from, to, 1);
        assert_ne!(payload, PAYLOAD, "{from}");
        assert_eq!(read(&signed(HEADER, &payload)), SHAPE.map(String::from), "{payload}");
    }
    for payload in ["", "[]", "{}", "null", "\"text\""] {
        assert_eq!(read(&signed(HEADER, payload)), SHAPE.map(String::from), "{payload}");
    }
}

#[test]
fn no_other_key_or_algorithm_signs() {
    let message = |header: &str| format!("{}.{}", encode(header), encode(PAYLOAD));
    let es256 = |header: &str, secret| {
        let signature: ecdsa::Signature =
            ecdsa::signature::Signer::sign(&ecdsa::SigningKey::from_slice(secret).unwrap(), message(header).as_bytes());
        signature.normalize_s()
    };
    let with_signature = |header: &str, signature: &[u8]| format!("{}.{}", message(header), encode(signature));
    let es_header = r#"{"alg":"ES256","kid":"es-1","typ":"pat+jwt"}"#;

    let good = es256(es_header, &SECRET);
    assert!(read(&with_signature(es_header, &good.to_bytes())).is_ok());
    let higher = ecdsa::Signature::from_scalars(good.r(), -good.s()).unwrap();
    let hs256 = |secret: &str, header: &str| {
        let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
        let signature = jsonwebtoken::crypto::sign(message(header).as_bytes(), &key, jsonwebtoken::Algorithm::HS256);
        format!("{}.{}", message(header), signature.unwrap())
    };
    let published = format().key_set().to_json();
    for (what, text, outcome) in [
        ("the other signature of the same key", with_signature(es_header, &higher.to_bytes()), SIGNATURE),
        ("another key", with_signature(es_header, &es256(es_header, &[8; 32]).to_bytes()), SIGNATURE),
        (
            "es256 under the name of an ed25519 key",
            with_signature(HEADER, &es256(HEADER, &SECRET).to_bytes()),
            SIGNATURE,
        ),
        ("ed25519 under the name of a p-256 key", signed(es_header, PAYLOAD), SIGNATURE),
        ("hs256 under our header", hs256(&published, HEADER), SHAPE), // 32 bytes are no signature
        ("hs256 under its own header", hs256(&published, r#"{"alg":"HS256","kid":"ed-1","typ":"pat+jwt"}"#), SHAPE),
        ("nothing", with_signature(HEADER, &[]), SHAPE),
        ("nothing, as none says", with_signature(r#"{"alg":"none","kid":"ed-1","typ":"pat+jwt"}"#, &[]), SHAPE),
        ("zeros", with_signature(HEADER, &[0; 64]), SIGNATURE),
        ("zeros of es256", with_signature(es_header, &[0; 64]), SIGNATURE),
    ] {
        assert_eq!(read(&text), outcome.map(String::from), "{what}");
    }
}

#[test]
fn a_text_has_one_spelling() {
    let text = mint(&format(), plain()).token.expose().to_owned();
    let (signed, signature) = text.rsplit_once('.').unwrap();
    for (what, other, outcome) in [
        ("cut off", text[..text.len() - 1].to_owned(), SHAPE),
        ("without signature", signed.to_owned(), SHAPE),
        ("padded", format!("{text}=="), SHAPE),
        ("line break behind", format!("{text}\n"), SHAPE),
        ("space before", format!(" {text}"), NOT_OURS),
        ("one part more", format!("{text}.e30"), SHAPE),
        ("bits behind the last byte", format!("{signed}.{}", flipped_last(signature)), CHARACTER),
        ("another alphabet", format!("{signed}.+{}", &signature[1..]), CHARACTER),
        ("not ascii", format!("{signed}.{}é", &signature[..84]), CHARACTER),
        ("too long", text.replacen('.', &format!(".{}", "A".repeat(JwtFormat::MAX_LEN)), 1), too_long(&text)),
        ("empty", String::new(), NOT_OURS),
        ("a dot", ".".into(), NOT_OURS),
        ("dots", "..".into(), NOT_OURS),
        ("upper case", text.to_uppercase(), NOT_OURS),
    ] {
        assert_eq!(read(&other), outcome.map(String::from), "{what}");
    }
    let huge = text.replacen('.', &format!(".{}", "A".repeat(Families::MAX_LEN)), 1);
    let refused = Families::minting(format()).parse(&huge).unwrap_err();
    assert!(matches!(refused, ParseError::Malformed(Malformed::TooLong { .. })), "{refused}");
}

fn too_long(text: &str) -> Result<&'static str, ParseError> {
    Err(Malformed::TooLong { found: text.len() + JwtFormat::MAX_LEN, limit: JwtFormat::MAX_LEN }.into())
}

/// The same bytes to a reader that does not look at the bits behind the last one.
fn flipped_last(signature: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = signature.split_at(signature.len() - 1);
    let value = alphabet.iter().position(|byte| last.as_bytes() == [*byte]).unwrap();
    format!("{rest}{}", char::from(alphabet[value ^ 1]))
}

#[test]
fn no_bit_of_a_token_can_be_flipped() {
    for key in [ed25519(), p256()] {
        let format = JwtFormat::builder(ISSUER).signing(key).build().unwrap();
        let text = mint(&format, grant()).token.expose().to_owned();
        assert!(format.parse(&text).is_ok());
        for index in 0..text.len() {
            for bit in 0..7 {
                let mut other = text.clone().into_bytes();
                other[index] ^= 1 << bit;
                assert!(format.parse(&String::from_utf8(other).unwrap()).is_err(), "bit {bit} of byte {index}");
            }
        }
    }
}
