//! A host that uses `jsonwebtoken` verifies these tokens by the published set, like any other JWT.

use counterfoil_jwt::JwtFormat;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::Value;

use crate::support::{ISSUER, ed25519, grant, mint, p256};

#[test]
fn jsonwebtoken_verifies_what_is_minted() {
    for (key, algorithm) in [(ed25519(), Algorithm::EdDSA), (p256(), Algorithm::ES256)] {
        let format = JwtFormat::builder(ISSUER).signing(key).build().unwrap();
        let set: JwkSet = serde_json::from_str(&format.key_set().to_json()).unwrap();
        let minted = mint(&format, grant());
        let header = decode_header(minted.token.expose()).unwrap();
        assert_eq!(header.typ.as_deref(), Some("pat+jwt"));
        let jwk = set.find(&header.kid.unwrap()).unwrap();
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&["https://billing.example"]);
        validation.validate_exp = false; // the tests have their own time
        let read = decode::<Value>(minted.token.expose(), &DecodingKey::from_jwk(jwk).unwrap(), &validation).unwrap();
        assert_eq!(read.claims["scope"], "parts:read collections:*");
    }
}
