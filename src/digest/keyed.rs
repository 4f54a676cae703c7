//! The keyed hashes over a token, and the one comparison of secret bytes.

use hmac::{Hmac, KeyInit, Mac, digest::FixedOutput};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What a digest is made over. Whoever changes any of it has another token.
#[derive(Clone, Copy)]
pub(crate) struct Binding<'a> {
    pub(crate) record: &'a [u8; 16],
    /// Empty for an owner without tenant; a tenant is never empty.
    pub(crate) tenant: &'a str,
    pub(crate) owner: &'a str,
    /// The token as presented, hashed as it stands: nothing of a secret is decoded.
    pub(crate) text: &'a str,
}

/// The keys that one server key gives, one for each use, with their HMAC state computed ahead.
#[derive(Clone)]
pub(crate) struct SubKeys {
    digest: Hmac<Sha256>,
    argon2: Hmac<Sha256>,
    selector: Hmac<Sha256>,
    tag: Hmac<Sha256>,
}

impl SubKeys {
    /// Each sub-key is the HMAC-SHA-256 of its label under the server key, so that none tells anything of another.
    pub(crate) fn derive(server_key: &[u8]) -> Self {
        let root = with_key(server_key);
        let sub = |label: &str| {
            let mut mac = root.clone();
            mac.update(b"counterfoil/1/");
            mac.update(label.as_bytes());
            with_key(&*finish(mac))
        };
        Self { digest: sub("digest"), argon2: sub("argon2"), selector: sub("selector"), tag: sub("tag") }
    }

    /// The stored value of a keyed digest.
    #[inline(always)]
    pub(crate) fn digest(&self, binding: Binding<'_>) -> Zeroizing<[u8; 32]> {
        bound(&self.digest, binding)
    }

    /// What Argon2id is given as its password: nothing of it can be tested without the server key.
    pub(crate) fn argon2_input(&self, binding: Binding<'_>) -> Zeroizing<[u8; 32]> {
        bound(&self.argon2, binding)
    }

    /// What finds the record of a token that prints no selector: 128 bits.
    pub(crate) fn selector(&self, text: &str) -> [u8; 16] {
        let mut mac = self.selector.clone();
        mac.update(text.as_bytes());
        let whole = finish(mac);
        let mut selector = [0; 16];
        selector.copy_from_slice(&whole[..16]);
        selector
    }

    /// The keyed checksum of a token: 32 bits of the HMAC of the text before it.
    pub(crate) fn tag(&self, text: &str) -> u32 {
        let mut mac = self.tag.clone();
        mac.update(text.as_bytes());
        let whole = finish(mac);
        u32::from_be_bytes([whole[0], whole[1], whole[2], whole[3]])
    }
}

/// Compares two secrets of 32 bytes in constant time.
///
/// The words are folded together first and `subtle` sees one value instead of 32: a tenth of the time of comparing byte
/// by byte, and no branch depends on the bytes either way.
#[inline]
pub(crate) fn equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let (one, other) = (one.as_chunks().0, other.as_chunks().0);
    let words = one.iter().zip(other).map(|(one, other)| u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other));
    words.fold(0, |difference, word| difference | word).ct_eq(&0).into()
}

/// Compares two tags in constant time.
pub(crate) fn equal_tags(one: u32, other: u32) -> bool {
    one.ct_eq(&other).into()
}

/// The label and every field, each after its length in two bytes, so that no two bindings give the same input.
#[inline(always)]
fn bound(key: &Hmac<Sha256>, binding: Binding<'_>) -> Zeroizing<[u8; 32]> {
    let mut head = HEAD;
    head[7..].copy_from_slice(binding.record);
    let mut mac = key.clone();
    mac.update(&head);
    for field in [binding.tenant, binding.owner, binding.text] {
        // INVARIANT: tenant and owner are at most 255 bytes long; the text stands last, so that a length of it that does
        // not fit leaves no second way to read the input.
        mac.update(&(field.len() as u16).to_be_bytes());
        mac.update(field.as_bytes());
    }
    finish(mac)
}

/// The label `cf1` after its length, the length of a record id, and room for the id.
const HEAD: [u8; 23] = *b"\0\x03cf1\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

pub(super) fn with_key(key: &[u8]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104, section 2)")]
    Hmac::new_from_slice(key).expect("hmac takes any key")
}

#[inline(always)]
pub(super) fn finish(mac: Hmac<Sha256>) -> Zeroizing<[u8; 32]> {
    // Written where it stays: a MAC that is returned by value leaves copies behind that nobody wipes.
    let mut whole = Zeroizing::new([0; 32]);
    mac.finalize_into((&mut *whole).into());
    whole
}
