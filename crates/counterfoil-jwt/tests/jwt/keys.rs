//! Keys: what is read, what is shown, and what becomes of tokens when they change.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use counterfoil::{
    Environment, Families, Family, Grant, Record, Rotation, TokenFormat,
    rotate::rotate,
    token::{InvalidDraft, ParseError},
};
use counterfoil_jwt::{
    InvalidJwtFormat, InvalidKey, InvalidKeySet, JwtFormat, JwtFormatBuilder, KeySet, OfflineError, OfflineVerifier,
    PublicKey, SigningKey,
};
use ed25519_dalek::pkcs8::{EncodePrivateKey, EncodePublicKey};

use crate::support::{ISSUER, KEYRING, SECRET, at, ed25519, format, mint, p256, plain};

fn key(kid: &str, secret: u8) -> SigningKey {
    SigningKey::ed25519(&[secret; 32]).with_kid(kid).unwrap()
}

fn family() -> JwtFormatBuilder {
    JwtFormat::builder(ISSUER)
}

#[test]
fn a_key_is_read_from_pem_and_der_of_either_kind() {
    let ed = ed25519_dalek::SigningKey::from_bytes(&SECRET);
    let es = p256::ecdsa::SigningKey::from_slice(&SECRET).unwrap();
    let lf = Default::default;
    for (der, pem, public, expected) in [
        (ed.to_pkcs8_der(), ed.to_pkcs8_pem(lf()), ed.verifying_key().to_public_key_pem(lf()), ed25519()),
        (es.to_pkcs8_der(), es.to_pkcs8_pem(lf()), es.verifying_key().to_public_key_pem(lf()), p256()),
    ] {
        let kid = expected.kid();
        let of_der = SigningKey::from_pkcs8_der(der.unwrap().as_bytes()).unwrap().with_kid(kid).unwrap();
        let of_pem = SigningKey::from_pem(&pem.unwrap()).unwrap().with_kid(kid).unwrap();
        assert_eq!([of_der.public(), of_pem.public()], [expected.public(), expected.public()]);
        let public = public.unwrap();
        assert_eq!(PublicKey::from_pem(&public).unwrap().with_kid(kid).unwrap(), expected.public());
        assert_eq!(SigningKey::from_pem(&public).unwrap_err(), InvalidKey::Private);
    }
    assert_eq!(SigningKey::from_pem("").unwrap_err(), InvalidKey::Private);
    assert_eq!(PublicKey::from_pem("-----BEGIN PUBLIC KEY-----").unwrap_err(), InvalidKey::Public);
    assert_eq!(SigningKey::p256(&[0; 32]).unwrap_err(), InvalidKey::Private);
    for kid in ["", "a b", "a\"b", "é", &"k".repeat(65)] {
        assert_eq!(SigningKey::ed25519(&SECRET).with_kid(kid).unwrap_err(), InvalidKey::Kid, "{kid}");
    }
}

/// RFC 8037, appendix A.3, and RFC 7638, section 3, by Python's `hashlib` for P-256.
#[test]
fn key_is_named_by_its_thumbprint() {
    let bytes = |text: &str| -> [u8; 32] { URL_SAFE_NO_PAD.decode(text).unwrap().try_into().unwrap() };
    let ed = SigningKey::ed25519(&bytes("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"));
    let es = SigningKey::p256(&bytes("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI")).unwrap();
    for (key, thumbprint) in
        [(ed, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"), (es, "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U")]
    {
        assert_eq!(key.kid(), thumbprint);
        let (public, named) = (key.public(), key.with_kid("2026-01").unwrap().public());
        assert_eq!((public.kid(), public.thumbprint()), (thumbprint, thumbprint.to_owned()));
        assert_eq!((named.kid(), named.thumbprint()), ("2026-01", thumbprint.to_owned()));
    }
}

/// Two keys under one name, in a set that a verifier has kept: its tokens look forged. By their thumbprints the second key
/// is unknown, which is the sign to fetch the set again.
#[test]
fn new_key_is_unknown_to_a_kept_set_unless_it_has_the_old_name() {
    let (old, new) = (SigningKey::ed25519(&[1; 32]), SigningKey::ed25519(&[2; 32]));
    let named = |key: &SigningKey| key.clone().with_kid("1").unwrap();
    let token = |key: SigningKey| mint(&family().signing(key).build().unwrap(), plain()).token;
    let kept = |key: &SigningKey| OfflineVerifier::new(&KeySet::new([key.public()]).unwrap(), ISSUER);
    let unknown = OfflineError::UnknownKey { kid: new.kid().to_owned() };
    let verified = kept(&old).verify(token(new.clone()).expose(), at(0), None);
    assert_eq!(verified.unwrap_err(), unknown);
    let verified = kept(&named(&old)).verify(token(named(&new)).expose(), at(0), None);
    assert_eq!(verified.unwrap_err(), OfflineError::WrongSignature);
}

#[test]
fn a_drawn_key_is_new_and_signs() {
    let (one, other) = (SigningKey::draw().unwrap(), SigningKey::draw().unwrap());
    assert_ne!(one.public(), other.public());
    let drawn = family().signing(one).build().unwrap();
    let token = mint(&drawn, plain()).token;
    assert!(drawn.parse(token.expose()).is_ok());
    assert!(family().signing(other).build().unwrap().parse(token.expose()).is_err());
}

#[test]
fn a_key_shows_its_name_and_its_algorithm() {
    let builder = family().signing(ed25519());
    let shown = format!("{:?} {:?} {builder:?} {:?}", ed25519(), p256(), format());
    assert!(shown.contains("SigningKey(ed-1, EdDSA, ..) SigningKey(es-1, ES256, ..)"), "{shown}");
    assert!(shown.contains(r#"JwtFormat(https://id.example, keys ["ed-1", "es-1"])"#), "{shown}");
    for secret in ["7, 7", "0707", "BwcH", "\\x07"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn a_family_has_a_name_and_keys_of_different_names() {
    let twice = || InvalidJwtFormat::Keys(InvalidKeySet::Twice { kid: "ed-1".into() });
    for (builder, outcome) in [
        (family().signing(ed25519()), None),
        (family().verifying(ed25519().public()), None),
        (family(), Some(InvalidJwtFormat::NoKey)),
        (family().signing(ed25519()).verifying(ed25519().public()), None), // one key, given twice
        (family().signing(SigningKey::ed25519(&[1; 32])).verifying(SigningKey::ed25519(&[2; 32]).public()), None),
        (family().signing(ed25519()).verifying(key("ed-1", 8).public()), Some(twice())),
        (JwtFormat::builder("").signing(ed25519()), Some(InvalidJwtFormat::Issuer)),
        (JwtFormat::builder("a\nb").signing(ed25519()), Some(InvalidJwtFormat::Issuer)),
    ] {
        assert_eq!(builder.build().err(), outcome);
    }
}

#[test]
fn families_that_share_a_key_name_are_ambiguous_and_others_stand_side_by_side() {
    let of = |kid: &str| family().signing(key(kid, 9)).build().unwrap();
    let beside = |other: JwtFormat| Families::minting(format()).accepting(other).is_ok();
    // Each name with a beginning of the other: their headers part at the quote behind it.
    for (kid, is_apart) in
        [("ed-1", false), ("es-1", true), ("ed-2", true), ("ed", true), ("ed-11", true), ("ed-", true)]
    {
        assert_eq!(beside(of(kid)), is_apart, "{kid}");
    }
    let plain_tokens = TokenFormat::builder("eyJhbGci").build().unwrap();
    assert!(Families::minting(format()).accepting(plain_tokens).is_ok());
}

#[test]
fn a_family_of_earlier_tokens_reads_and_writes_none() {
    let old = family().verifying(ed25519().public()).build().unwrap();
    let text = mint(&format(), plain()).token;
    assert!(old.parse(text.expose()).is_ok());
    let refused = plain().mint(&old, &KEYRING, at(0)).unwrap_err();
    assert_eq!(refused.to_string(), "the token family cannot write this token: it has no signing key");
}

/// The four steps of the crate's page.
#[test]
fn a_signing_key_is_replaced_without_a_token_lost() {
    let (old, new) = (key("2026-01", 1), key("2026-02", 2));
    let before = family().signing(old.clone()).build().unwrap();
    let staged = family().signing(old.clone()).verifying(new.public()).build().unwrap();
    let moved = family().signing(new.clone()).verifying(old.public()).build().unwrap();
    let after = family().signing(new).build().unwrap();

    let first = mint(&before, plain()).token;
    let second = mint(&moved, plain()).token;
    for (family, reads_first, reads_second) in
        [(&before, true, false), (&staged, true, true), (&moved, true, true), (&after, false, true)]
    {
        let keys: Vec<_> = family.key_set().keys().iter().map(|key| key.kid().to_owned()).collect();
        let offline = OfflineVerifier::new(&family.key_set(), ISSUER);
        for (token, reads, kid) in [(&first, reads_first, "2026-01"), (&second, reads_second, "2026-02")] {
            assert_eq!(keys.contains(&kid.to_owned()), reads);
            let online = family.parse(token.expose()).map(drop);
            assert_eq!(online, if reads { Ok(()) } else { Err(ParseError::NotOurs) }, "{family:?}");
            let verified = offline.verify(token.expose(), at(0), None).map(drop);
            let unknown = OfflineError::UnknownKey { kid: kid.into() };
            assert_eq!(verified, if reads { Ok(()) } else { Err(unknown) }, "{family:?}");
        }
    }
}

#[test]
fn what_a_token_cannot_hold_is_not_written() {
    let many: String = (0..128).map(|index| format!("parts:{:0>60} ", index)).collect();
    let long = plain().scopes(many.trim_end().parse().unwrap());
    let written = |grant: Grant| grant.mint(&format(), &KEYRING, at(0)).map(drop).map_err(|error| error.to_string());
    let expected = "at most 4096: fewer or shorter scopes and restrictions fit";
    assert!(written(long).unwrap_err().ends_with(expected));
    assert_eq!(
        written(plain().environment(Environment::new("live").unwrap())),
        Err(InvalidDraft::Environment { found: Some("live".into()), expected: "none".into() }.to_string())
    );
    assert_eq!(written(plain().routing("eu")), Err(InvalidDraft::Routing { expected: "none".into() }.to_string()));

    // A restriction that a newer build has written, which an offline verifier would not see.
    let mut row = mint(&format(), plain()).record.to_row();
    row.body = row.body.replace("\"v\":1", "\"v\":1,\"restrictions\":{\"hours\":\"9-17\"}");
    let refused =
        rotate(&Record::from_row(row).unwrap(), &Rotation::at_once(), &format(), &KEYRING, at(0)).unwrap_err();
    let reason = "the token family cannot write this token: this build does not know restriction `hours`";
    assert_eq!(refused.to_string(), reason);
}
