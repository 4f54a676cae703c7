//! Published key sets: what is read of them.

use counterfoil_jwt::{InvalidKeySet, KeySet};
use serde_json::{Value, json};

use crate::support::{ed25519, format, p256};

fn key(edit: Value) -> Value {
    let set: Value = serde_json::from_str(&KeySet::new([ed25519().public()]).unwrap().to_json()).unwrap();
    with(set["keys"][0].clone(), edit)
}

fn es_key(edit: Value) -> Value {
    let set: Value = serde_json::from_str(&KeySet::new([p256().public()]).unwrap().to_json()).unwrap();
    with(set["keys"][0].clone(), edit)
}

fn with(mut key: Value, edit: Value) -> Value {
    for (name, value) in edit.as_object().unwrap() {
        if value.is_null() {
            key.as_object_mut().unwrap().remove(name);
        } else {
            key[name] = value.clone();
        }
    }
    key
}

#[test]
fn a_set_is_published_with_all_that_a_key_is_for() {
    let set: Value = serde_json::from_str(&format().key_set().to_json()).unwrap();
    let named = |name: &str| json!([set["keys"][0][name], set["keys"][1][name]]);
    assert_eq!(named("kid"), json!(["ed-1", "es-1"]));
    assert_eq!(named("kty"), json!(["OKP", "EC"]));
    assert_eq!(named("crv"), json!(["Ed25519", "P-256"]));
    assert_eq!(named("alg"), json!(["EdDSA", "ES256"]));
    assert_eq!(named("use"), json!(["sig", "sig"]));
    assert_eq!(named("d"), json!([null, null]));
    assert_eq!(KeySet::from_json(&set.to_string()).unwrap(), format().key_set());
}

#[test]
fn a_key_that_does_not_fit_is_left_out() {
    let x = &key(json!({}))["x"];
    for (jwk, is_read) in [
        (key(json!({})), true),
        (key(json!({ "alg": null, "use": null })), true),
        (key(json!({ "alg": "Ed25519" })), true),
        (key(json!({ "key_ops": ["verify"] })), true),
        (key(json!({ "x5t": "unknown", "note": 7 })), true),
        (es_key(json!({})), true),
        (key(json!({ "alg": "HS256" })), false),
        (key(json!({ "alg": "ES256" })), false),
        (key(json!({ "alg": "none" })), false),
        (key(json!({ "use": "enc" })), false),
        (key(json!({ "key_ops": ["sign"] })), false),
        (key(json!({ "kty": "EC" })), false),
        (key(json!({ "kty": "oct", "k": x })), false),
        (key(json!({ "kty": null })), false),
        (key(json!({ "crv": "Ed448" })), false),
        (key(json!({ "crv": "P-256" })), false),
        (key(json!({ "crv": null })), false),
        (key(json!({ "kid": null })), false),
        (key(json!({ "kid": "" })), false),
        (key(json!({ "x": null })), false),
        (key(json!({ "x": format!("{}=", x.as_str().unwrap()) })), false),
        (key(json!({ "x": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" })), false), // of small order
        (key(json!({ "y": x })), false),
        (es_key(json!({ "alg": "ES384" })), false),
        (es_key(json!({ "alg": "EdDSA" })), false),
        (es_key(json!({ "crv": "secp256k1" })), false),
        (es_key(json!({ "y": null })), false),
        (es_key(json!({ "y": x })), false), // off the curve
        (json!({ "kty": "RSA", "kid": "rsa", "alg": "RS256", "n": "AQAB", "e": "AQAB" }), false),
    ] {
        let set = KeySet::from_json(&json!({ "keys": [jwk] }).to_string()).unwrap();
        assert_eq!(set.keys().len() == 1, is_read, "{jwk}");
    }
}

#[test]
fn a_document_that_is_no_key_set_is_refused() {
    let twice = || InvalidKeySet::Twice { kid: "ed-1".into() };
    for (document, reason) in [
        (String::new(), InvalidKeySet::Json),
        ("[]".into(), InvalidKeySet::Json),
        ("{}".into(), InvalidKeySet::Json),
        (json!({ "keys": 7 }).to_string(), InvalidKeySet::Json),
        (r#"{"keys":[],"keys":[]}"#.into(), InvalidKeySet::Json),
        (json!({ "keys": [key(json!({})), es_key(json!({ "kid": "ed-1" }))] }).to_string(), twice()),
        (json!({ "keys": [key(json!({ "d": "AQAB" }))] }).to_string(), InvalidKeySet::Private),
        (json!({ "keys": [key(json!({ "d": "AQAB", "alg": 7 }))] }).to_string(), InvalidKeySet::Private),
        (
            json!({ "keys": [key(json!({ "d": "AQAB", "exp": 7 }))] }).to_string().replace(":7", ":1e400"),
            InvalidKeySet::Private,
        ),
        (" ".repeat(KeySet::MAX_LEN + 1), InvalidKeySet::TooLong { found: KeySet::MAX_LEN + 1 }),
    ] {
        assert_eq!(KeySet::from_json(&document).unwrap_err(), reason, "{document:.200}");
    }
    assert_eq!(KeySet::from_json(r#"{"keys":[]}"#).unwrap().keys(), []);
}

/// A set as others publish it: each entry that does not concern these tokens is left out, and the others are read.
#[test]
fn odd_entry_does_not_spoil_the_set() {
    let x = key(json!({}))["x"].as_str().unwrap().to_owned();
    let rsa = json!({ "kty": "RSA", "kid": "ed-1", "use": "sig", "alg": "RS256", "n": "AQAB", "e": "AQAB" });
    for odd in [
        json!(null),
        json!(7),
        json!("key"),
        json!([]),
        json!({}),
        rsa, // under the name of a key that is read
        es_key(json!({ "kid": "ed-1", "use": "enc" })),
        json!({ "kty": "oct", "kid": "ed-1", "k": x }),
        json!({ "kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AQAB" }),
        key(json!({ "kid": 7 })),
        key(json!({ "kid": ["ed-1"] })),
        key(json!({ "kid": "a name with spaces" })),
        key(json!({ "alg": 7 })),
        key(json!({ "alg": ["EdDSA"] })),
        key(json!({ "kty": ["OKP"] })),
        key(json!({ "use": ["sig"] })),
        key(json!({ "key_ops": "verify" })),
        key(json!({ "key_ops": ["verify", 7] })),
        key(json!({ "key_ops": {} })),
        key(json!({ "x": 7 })),
        key(json!({ "y": 7 })),
        key(json!({ "crv": { "name": "Ed25519" } })),
        key(json!({})), // the same key again
    ] {
        let document = json!({ "keys": [odd, key(json!({}))], "next": null, "iat": 1.7e9 }).to_string();
        let set = KeySet::from_json(&document).unwrap_or_else(|error| panic!("{error}: {document}"));
        assert_eq!(set.keys(), [ed25519().public()], "{document}");
    }
    // Members that say nothing about the key.
    for more in [
        json!({ "x5c": 7, "x5t": ["a"], "x5u": null, "exp": 1.7e9, "nbf": "soon", "iat": -1, "note": { "d": "AQAB" } }),
        json!({ "alg": "Ed25519", "key_ops": ["verify", "x"], "oth": [], "p": null, "d": null }),
    ] {
        let document = format!("\u{feff}{}", json!({ "keys": [key(more)] }));
        assert_eq!(KeySet::from_json(&document).unwrap().keys().len(), 1, "{document}");
    }
    // A member given twice leaves open which one counts (RFC 7517, section 4).
    let doubled = |name: &str, value: &str| {
        let document = json!({ "keys": [key(json!({})), es_key(json!({}))] }).to_string();
        document.replacen(&format!("\"{name}\""), &format!("\"{name}\":{value},\"{name}\""), 1)
    };
    for (name, value) in [("x", "\"AA\""), ("kid", "\"other\""), ("alg", "\"EdDSA\""), ("kty", "\"OKP\"")] {
        let set = KeySet::from_json(&doubled(name, value)).unwrap();
        assert_eq!(set.keys(), [p256().public()], "{name}");
    }
    let document = json!({ "keys": [key(json!({}))] }).to_string();
    let document =
        document.replacen("{\"keys\"", "{\"a\":1,\"a\":2,\"keys\"", 1).replacen("\"x\"", "\"b\":1,\"b\":2,\"x\"", 1);
    assert_eq!(KeySet::from_json(&document).unwrap().keys(), [ed25519().public()]);
}
