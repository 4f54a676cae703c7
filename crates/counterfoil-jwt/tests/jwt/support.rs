//! Keys, a family of two of them, and a hand that signs whatever it is given.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use counterfoil::{Audience, Grant, Keyring, Lifetime, Owner, Restrictions, Timestamp, mint::Minted};
use counterfoil_jwt::{JwtFormat, SigningKey};
use ed25519_dalek::Signer;

pub(crate) const ISSUER: &str = "https://id.example";

pub(crate) const SECRET: [u8; 32] = [7; 32];

pub(crate) static KEYRING: LazyLock<Keyring> =
    LazyLock::new(|| "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap());

pub(crate) fn ed25519() -> SigningKey {
    SigningKey::ed25519(&SECRET).with_kid("ed-1").unwrap()
}

pub(crate) fn p256() -> SigningKey {
    SigningKey::p256(&SECRET).unwrap().with_kid("es-1").unwrap()
}

/// Signs with Ed25519, and verifies P-256 as well.
pub(crate) fn format() -> JwtFormat {
    JwtFormat::builder(ISSUER).signing(ed25519()).verifying(p256().public()).build().unwrap()
}

/// Seconds after the moment of most tests.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_767_225_600_000 + seconds * 1000).unwrap()
}

/// All that a token can say.
pub(crate) fn grant() -> Grant {
    let mut restrictions = Restrictions::none();
    restrictions.set_audience(Audience::new("https://billing.example").unwrap());
    restrictions.add_network("192.0.2.0/24".parse().unwrap()).unwrap();
    Grant::new(Owner::in_tenant("acme", "user-42").unwrap(), Lifetime::Until(at(3600)))
        .scopes("parts:read collections:*".parse().unwrap())
        .restrictions(restrictions)
}

/// Nothing but an owner and an hour.
pub(crate) fn plain() -> Grant {
    Grant::new(Owner::new("user-42").unwrap(), Lifetime::Until(at(3600)))
}

pub(crate) fn mint(format: &JwtFormat, grant: Grant) -> Minted {
    grant.mint(format, &KEYRING, at(0)).unwrap()
}

/// Header and payload as the family writes them, and a signature by the same key: whoever has stolen it.
pub(crate) fn signed(header: &str, payload: &str) -> String {
    let message = format!("{}.{}", encode(header), encode(payload));
    let signature = ed25519_dalek::SigningKey::from_bytes(&SECRET).sign(message.as_bytes());
    format!("{message}.{}", encode(signature.to_bytes()))
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header and payload of a token, decoded.
pub(crate) fn opened(token: &str) -> (String, String) {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let mut text = || String::from_utf8(parts.next().unwrap()).unwrap();
    (text(), text())
}
