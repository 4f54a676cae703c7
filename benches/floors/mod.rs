//! What the library is measured against: the same work on the same bytes, written by hand.
//!
//! A floor is only worth something if it neither does less nor dawdles. So each one here
//! - takes the token and the stored digest that the library made, under keys derived by its own hand, and must reach
//!   the same verdict: work left out would be a wrong digest;
//! - uses the same low-level crates with the same features, the same wiping and the same number of random bytes;
//! - knows at compile time what the library learns at run time (prefix, widths, alphabet, checksum), holds one key and
//!   one secret, and decides nothing but right or wrong: that is the price of a library, and what the ratio shows.

use std::sync::{
    Arc,
    mpsc::{Receiver, SyncSender, sync_channel},
};

use argon2::{Argon2, Block, Params, Version};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use rand::{TryRng, rngs::SysRng};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// The default format under the prefix `acme`: `acme_`, 12 base62 characters, `_`, 32 base62 characters, 6 of CRC-32.
pub(crate) const PREFIX: &str = "acme";
const SELECTOR: std::ops::Range<usize> = 5..17;
const SECRET: std::ops::Range<usize> = 18..50;
const LEN: usize = 56;

/// A server key, and all that a digest is bound to beside the text.
pub(crate) struct Floor {
    /// With the key's two blocks hashed ahead.
    key: Hmac<Sha256>,
    record: [u8; 16],
    tenant: Arc<str>,
    owner: Arc<str>,
}

impl Floor {
    /// The keys of `use_label`, `digest` or `argon2`, under `server_key`.
    pub(crate) fn new(server_key: &[u8], use_label: &str, record: [u8; 16], tenant: &str, owner: &str) -> Self {
        let root = keyed(server_key).chain_update(b"counterfoil/1/").chain_update(use_label);
        Self { key: keyed(&root.finalize().into_bytes()), record, tenant: tenant.into(), owner: owner.into() }
    }

    /// Keyed verify: the text's shape and checksum, one HMAC, one comparison in constant time.
    pub(crate) fn verify(&self, text: &str, expected: &[u8; 32]) -> bool {
        is_token(text) && equal(&self.mac(&self.record, text), expected)
    }

    /// The label and every field, each after its length; the MAC is wiped when it is dropped.
    pub(crate) fn mac(&self, record: &[u8; 16], text: &str) -> Zeroizing<[u8; 32]> {
        let mut mac = self.key.clone();
        for field in [b"cf1", &record[..], self.tenant.as_bytes(), self.owner.as_bytes(), text.as_bytes()] {
            mac.update(&(field.len() as u16).to_be_bytes());
            mac.update(field);
        }
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// Mint: one call for randomness, the id, the token's text and the three things that a record keeps of it.
    pub(crate) fn mint(&self, now_millis: u64) -> Minted {
        // 10 for the id, one for each of the 44 characters, and 6 to spare for those that are thrown away.
        let mut random = Zeroizing::new([0; 60]);
        fill(&mut *random);
        let mut next = 10;
        let record = uuid::Builder::from_unix_timestamp_millis(now_millis, random[..10].try_into().unwrap());
        let record = *record.as_uuid().as_bytes();

        // The characters and the token are two strings in the library as well: a family is given the one to write the
        // other from.
        let mut characters = Zeroizing::new(String::with_capacity(44));
        while characters.len() < 44 {
            if next == random.len() {
                fill(&mut *random);
                next = 0;
            }
            // 248 is the last multiple of 62 in a byte: no character is favoured.
            if random[next] < 248 {
                characters.push(base62(u32::from(random[next]) % 62));
            }
            next += 1;
        }
        let mut text = Zeroizing::new(String::with_capacity(LEN));
        text.push_str("acme_");
        text.push_str(&characters[..12]);
        text.push('_');
        text.push_str(&characters[12..]);
        for digit in check_digits(text.as_bytes()) {
            text.push(char::from(digit));
        }
        let digest = *self.mac(&record, &text);
        Minted { record, owner: self.owner.clone(), public: text[..SELECTOR.end].into(), digest, text }
    }
}

/// What a mint leaves: dropped, and so wiped, by whoever asked.
#[expect(dead_code, reason = "nobody reads what was minted only to be timed")]
pub(crate) struct Minted {
    pub(crate) text: Zeroizing<String>,
    record: [u8; 16],
    owner: Arc<str>,
    public: Arc<str>,
    digest: [u8; 32],
}

/// The HMAC of the same length alone: what no verify can go below.
pub(crate) fn bare_mac(key: &Hmac<Sha256>, message: &[u8]) -> [u8; 32] {
    key.clone().chain_update(message).finalize().into_bytes().into()
}

pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap()
}

/// Whether `text` is of the format: every length and place is fixed.
pub(crate) fn is_token(text: &str) -> bool {
    let bytes = text.as_bytes();
    let all_base62 = |bytes: &[u8]| bytes.iter().fold(true, |all, byte| all & byte.is_ascii_alphanumeric());
    bytes.len() == LEN
        && bytes.starts_with(b"acme_")
        && bytes[SELECTOR.end] == b'_'
        && all_base62(&bytes[SELECTOR])
        && all_base62(&bytes[SECRET])
        && bytes[SECRET.end..] == check_digits(&bytes[..SECRET.end])
}

fn check_digits(covered: &[u8]) -> [u8; 6] {
    let mut check = crc32fast::hash(covered);
    let mut digits = [0; 6];
    for digit in digits.iter_mut().rev() {
        *digit = base62(check % 62) as u8;
        check /= 62;
    }
    digits
}

/// By arithmetic, not by a table, as the library does it: a table's cache lines would tell of the secret.
fn base62(value: u32) -> char {
    let (past_digits, past_upper) = (u32::from(value > 9), u32::from(value > 35));
    char::from((48 + value + 7 * past_digits + 6 * past_upper) as u8)
}

fn equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let word = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().unwrap());
    let pairs = one.chunks_exact(8).zip(other.chunks_exact(8));
    let difference = pairs.fold(0, |difference, (one, other)| difference | (word(one) ^ word(other)));
    difference.ct_eq(&0).into()
}

fn fill(bytes: &mut [u8]) {
    SysRng.try_fill_bytes(bytes).unwrap();
}

/// Argon2id at the default cost on a thread of its own, in memory that is used again and wiped in between.
pub(crate) struct Argon2Floor {
    floor: Floor,
    jobs: SyncSender<(Zeroizing<[u8; 32]>, [u8; 16])>,
    hashes: Receiver<Zeroizing<[u8; 32]>>,
}

impl Argon2Floor {
    pub(crate) fn new(floor: Floor) -> Self {
        let (jobs, waiting) = sync_channel::<(Zeroizing<[u8; 32]>, [u8; 16])>(64);
        let (made, hashes) = sync_channel(1);
        std::thread::spawn(move || {
            let params = Params::new(19 * 1024, 2, 1, Some(32)).unwrap();
            let mut memory = vec![Block::new(); params.block_count()];
            let argon2 = Argon2::new(argon2::Algorithm::Argon2id, Version::V0x13, params);
            for (input, salt) in waiting {
                let mut hash = Zeroizing::new([0; 32]);
                argon2.hash_password_into_with_memory(&*input, &salt, &mut *hash, &mut memory).unwrap();
                memory.iter_mut().for_each(Zeroize::zeroize);
                if made.send(hash).is_err() {
                    return;
                }
            }
        });
        Self { floor, jobs, hashes }
    }

    pub(crate) fn verify(&self, text: &str, salt: [u8; 16], expected: &[u8; 32]) -> bool {
        if !is_token(text) {
            return false;
        }
        self.jobs.send((self.floor.mac(&self.floor.record, text), salt)).unwrap();
        equal(&self.hashes.recv().unwrap(), expected)
    }
}

/// The value of a keyed digest as it is stored.
pub(crate) fn keyed_value(digest: &str) -> [u8; 32] {
    URL_SAFE_NO_PAD.decode(digest.rsplit('$').next().unwrap()).unwrap().try_into().unwrap()
}

/// The salt and the value of an Argon2id digest as it is stored.
pub(crate) fn argon2_values(digest: &str) -> ([u8; 16], [u8; 32]) {
    let mut sections = digest.rsplit('$').map(|section| STANDARD_NO_PAD.decode(section).unwrap());
    let value = sections.next().unwrap().try_into().unwrap();
    (sections.next().unwrap().try_into().unwrap(), value)
}
