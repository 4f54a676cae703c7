//! The signed text: header, payload and signature (RFC 7515, section 7.1), in the one form in which it is written here.

use std::fmt;

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::key::{PublicKey, SIGNATURE_LEN};

/// Explicit typing (RFC 8725, section 3.11): what tells these tokens from every other JWT.
pub(crate) const TYP: &str = "pat+jwt";

/// The greatest length of a token, in bytes: what a header line of common servers has room for, with some to spare.
pub(crate) const MAX_LEN: usize = 4096;

/// How many characters 64 bytes of signature take.
pub(crate) const SIGNATURE_TEXT_LEN: usize = 86;

/// A key and the header of the tokens that it signs.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) key: PublicKey,
    /// The header as it stands in a token, with the `.` behind it.
    pub(crate) head: String,
}

impl From<PublicKey> for Named {
    fn from(key: PublicKey) -> Self {
        // INVARIANT: none of the three needs escaping.
        let header = format!(r#"{{"alg":"{}","kid":"{}","typ":"{TYP}"}}"#, key.algorithm(), key.kid());
        let mut head = URL_SAFE_NO_PAD.encode(header);
        head.push('.');
        Self { key, head }
    }
}

/// A text whose signature is right.
pub(crate) struct Opened {
    /// How long the header is, with the `.` behind it.
    pub(crate) head_len: usize,
    pub(crate) payload: Zeroizing<Vec<u8>>,
}

/// Why a text is not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// Of no type of ours.
    NotOurs,
    /// Of our type, and signed with a key of this name, which is not known.
    UnknownKey(String),
    TooLong,
    Character,
    Shape,
    Signature,
}

/// Reads `text` and checks its signature.
///
/// The header is compared as a whole with the one that each key writes. So the key fixes the algorithm (RFC 8725, section
/// 3.1) and nothing in a token can choose: a header with another `alg`, with members in another order or given twice, with
/// `crit`, `b64`, `jku`, `jwk` or `x5c` is simply not the one.
pub(crate) fn open(text: &str, keys: &[Named]) -> Result<Opened, Unopened> {
    let Some(named) = keys.iter().find(|named| text.starts_with(&named.head)) else { return Err(whose(text, keys)) };
    if text.len() > MAX_LEN {
        return Err(Unopened::TooLong);
    }
    let head_len = named.head.len();
    let (payload, signature) = text[head_len..].split_once('.').ok_or(Unopened::Shape)?;
    if signature.len() != SIGNATURE_TEXT_LEN {
        return Err(Unopened::Shape);
    }
    let mut bytes = [0; SIGNATURE_LEN];
    // Without padding, and with the bits behind the last byte zero, or it is an error: one spelling (RFC 4648, section 3.5).
    URL_SAFE_NO_PAD.decode_slice(signature, &mut bytes).map_err(|_| Unopened::Character)?;
    if !named.key.verifies(&text.as_bytes()[..head_len + payload.len()], &bytes) {
        return Err(Unopened::Signature);
    }
    let mut decoded = Zeroizing::new(vec![0; payload.len() / 4 * 3 + 3]);
    let length = URL_SAFE_NO_PAD.decode_slice(payload, &mut decoded).map_err(|_| Unopened::Character)?;
    decoded.truncate(length);
    Ok(Opened { head_len, payload: decoded })
}

/// A header that is not one of ours to the letter: what it says it is. It is read as laxly as any verifier might read it,
/// so that no spelling of our type goes on to one that takes it for something else.
#[cold]
fn whose(text: &str, keys: &[Named]) -> Unopened {
    let beginning = &text.as_bytes()[..text.len().min(MAX_LEN)];
    let Some(end) = beginning.iter().position(|byte| *byte == b'.') else { return Unopened::NotOurs };
    let Ok(json) = LAX.decode(&beginning[..end]) else { return Unopened::NotOurs };
    let Ok(Said { typs, kids }) = serde_json::from_slice(&json) else { return Unopened::NotOurs };
    let is_ours = |typ: &String| {
        let subtype = typ.to_ascii_lowercase();
        subtype.strip_prefix("application/").unwrap_or(&subtype) == TYP // RFC 7515, section 4.1.9
    };
    if !typs.iter().any(is_ours) {
        return Unopened::NotOurs;
    }
    if kids.iter().any(|kid| keys.iter().any(|named| named.key.kid() == kid)) {
        return Unopened::Shape;
    }
    kids.into_iter().next().map_or(Unopened::NotOurs, Unopened::UnknownKey)
}

const LAX: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Every `typ` and every `kid` of a header, however often each is given.
struct Said {
    typs: Vec<String>,
    kids: Vec<String>,
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Said;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Said, A::Error> {
                let mut said = Said { typs: Vec::new(), kids: Vec::new() };
                while let Some((name, value)) = members.next_entry::<String, Value>()? {
                    match (name.as_str(), value) {
                        ("typ", Value::String(typ)) => said.typs.push(typ),
                        ("kid", Value::String(kid)) => said.kids.push(kid),
                        _ => {}
                    }
                }
                Ok(said)
            }
        }

        deserializer.deserialize_map(Members)
    }
}
