//! The greatest length of a token, to the byte.

use std::collections::BTreeSet;

use counterfoil::{
    Family, Scopes,
    mint::MintError,
    subject::Subject,
    token::{InvalidDraft, Malformed, ParseError},
};
use counterfoil_jwt::{JwtFormat, OfflineError, OfflineVerifier, SigningKey};

use crate::support::{ISSUER, KEYRING, SECRET, at, mint, opened, plain, signed};

const MAX: usize = JwtFormat::MAX_LEN;

/// Two dots and 64 bytes in base64.
const SIGNATURE: usize = 2 + 86;

/// A family whose key has a name of this length, so that tokens of every length can be made.
fn format(kid: usize) -> JwtFormat {
    let key = SigningKey::ed25519(&SECRET).with_kid(&"k".repeat(kid)).unwrap();
    JwtFormat::builder(ISSUER).signing(key).build().unwrap()
}

/// Scopes that are written in so many bytes.
fn scopes(length: usize) -> Scopes {
    let mut texts = Vec::new();
    let mut left = length;
    while left > 0 {
        let next = if left > 128 { 120 } else { left };
        texts.push(format!("{:0next$}", texts.len()));
        left = left.saturating_sub(next + 1);
    }
    texts.join(" ").parse().unwrap()
}

#[test]
fn token_of_greatest_length_is_minted_and_read_and_a_longer_one_is_not() {
    assert_eq!(MAX, 4096);
    let (mut lengths_read, mut lengths_refused) = (BTreeSet::new(), BTreeSet::new());
    for kid in 1..=4 {
        let format = format(kid);
        let verifier = OfflineVerifier::new(&format.key_set(), ISSUER);
        // Three bytes of a payload are written as four characters.
        let expected = 2600 + (MAX - mint(&format, plain().scopes(scopes(2600))).token.expose().len()) * 3 / 4;
        for length in expected - 4..expected + 4 {
            match plain().scopes(scopes(length)).mint(&format, &KEYRING, at(0)) {
                Ok(minted) => {
                    let text = minted.token.expose();
                    assert!(text.len() <= MAX, "{} bytes were minted", text.len());
                    assert!(format.parse(text).is_ok(), "{} bytes", text.len());
                    assert!(verifier.verify(text, at(0), None).is_ok(), "{} bytes", text.len());
                    lengths_read.insert(text.len());
                }
                Err(MintError::Draft(InvalidDraft::TooLong { found, limit: MAX })) => {
                    assert!(found > MAX, "{found} bytes were refused");
                    lengths_refused.insert(found);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert_eq!(lengths_read.last(), Some(&MAX));
    assert_eq!(lengths_refused.first(), Some(&(MAX + 1)));
}

/// Whoever has stolen the key can sign more than the family writes.
#[test]
fn signed_text_past_the_greatest_length_is_not_read() {
    let mut lengths = BTreeSet::new();
    for kid in 1..=4 {
        let format = format(kid);
        let verifier = OfflineVerifier::new(&format.key_set(), ISSUER);
        let minted = mint(&format, plain().scopes(scopes(2600)));
        let (header, payload) = opened(minted.token.expose());
        for more in 0..=Subject::MAX_LEN - "user-42".len() {
            let payload = payload.replacen("user-42", &format!("user-42{}", "x".repeat(more)), 1);
            let encoded = |text: &str| (text.len() * 4).div_ceil(3);
            // Around the limit alone: a signature takes its time.
            if (encoded(&header) + encoded(&payload) + SIGNATURE).abs_diff(MAX) > 4 {
                continue;
            }
            let text = signed(&header, &payload);
            let expected = (text.len() > MAX).then_some(text.len());
            lengths.insert(text.len());
            let read = format.parse(&text).err();
            let too_long = |found| ParseError::Malformed(Malformed::TooLong { found, limit: MAX });
            assert_eq!(read, expected.map(too_long), "{} bytes", text.len());
            let verified = verifier.verify(&text, at(0), None).err();
            assert_eq!(verified, expected.map(|found| OfflineError::TooLong { found }), "{} bytes", text.len());
        }
    }
    assert!([MAX - 1, MAX, MAX + 1].iter().all(|length| lengths.contains(length)), "{lengths:?}");
}
