//! What the library is measured against: the same work on the same bytes, written by hand.
//!
//! A floor is only worth something if it neither does less nor dawdles. So each one here
//! - takes the token and the stored digest that the library made, under keys derived by its own hand, and must reach
//!   the same verdict: work left out would be a wrong digest;
//! - uses the same low-level crates with the same features, the same wiping and the same number of random bytes;
//! - knows at compile time what the library learns at run time (prefix, widths, alphabet, checksum), holds one key and
//!   one secret, and decides nothing but right or wrong: that is the price of a library, and what the ratio shows.

use std::{
    hint::black_box,
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Duration,
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac, digest::FixedOutput};
use rand::{TryRng, rngs::SysRng};
use sha2::Sha256;
use sqlx::{
    Row as _, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
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

/// The value of a stored digest.
pub(crate) struct Loaded([u8; 32]);

impl Loaded {
    /// `stored` is the record's keyed digest.
    pub(crate) fn new(stored: &str) -> Self {
        Self(URL_SAFE_NO_PAD.decode(stored.rsplit('$').next().unwrap()).unwrap().try_into().unwrap())
    }
}

impl Floor {
    /// The keys of `use_label`, `digest` or `argon2`, under `server_key`.
    pub(crate) fn new(server_key: &[u8], use_label: &str, record: [u8; 16], tenant: &str, owner: &str) -> Self {
        let root = keyed(server_key).chain_update(b"counterfoil/1/").chain_update(use_label);
        Self { key: keyed(&root.finalize().into_bytes()), record, tenant: tenant.into(), owner: owner.into() }
    }

    /// Keyed verify: the text's shape and checksum, one HMAC, one comparison in constant time.
    #[inline(never)]
    pub(crate) fn verify(&self, text: &str, loaded: &Loaded) -> bool {
        is_token(text) && equal(&self.mac(&self.record, text), &loaded.0)
    }

    /// The label and every field, each after its length; the MAC is wiped when it is dropped.
    pub(crate) fn mac(&self, record: &[u8; 16], text: &str) -> Zeroizing<[u8; 32]> {
        // Label and record id are of one length each and go in at once, as in the library.
        let mut head = *b"\0\x03cf1\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        head[7..].copy_from_slice(record);
        let mut mac = self.key.clone();
        mac.update(&head);
        for field in [&*self.tenant, &*self.owner, text] {
            mac.update(&(field.len() as u16).to_be_bytes());
            mac.update(field.as_bytes());
        }
        let mut whole = Zeroizing::new([0; 32]);
        mac.finalize_into((&mut *whole).into());
        whole
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

fn keyed(key: &[u8]) -> Hmac<Sha256> {
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
///
/// The hand-off is a channel there and a channel back; the caller sleeps until the hash is made, as it does in the
/// library.
pub(crate) struct Argon2Floor {
    floor: Floor,
    salt: [u8; 16],
    expected: [u8; 32],
    jobs: SyncSender<(Zeroizing<[u8; 32]>, [u8; 16])>,
    hashes: Receiver<Zeroizing<[u8; 32]>>,
}

impl Argon2Floor {
    /// `stored` is the record's digest.
    pub(crate) fn new(floor: Floor, stored: &str) -> Self {
        let mut sections = stored.rsplit('$').map(|section| STANDARD_NO_PAD.decode(section).unwrap());
        let expected = sections.next().unwrap().try_into().unwrap();
        let salt = sections.next().unwrap().try_into().unwrap();
        let (jobs, waiting) = sync_channel::<(Zeroizing<[u8; 32]>, [u8; 16])>(64);
        let (made, hashes) = sync_channel(1);
        std::thread::spawn(move || {
            let params = Params::new(19 * 1024, 2, 1, Some(32)).unwrap();
            let mut memory = vec![Block::new(); params.block_count()];
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            for (input, salt) in waiting {
                let mut hash = Zeroizing::new([0; 32]);
                argon2.hash_password_into_with_memory(&*input, &salt, &mut *hash, &mut memory).unwrap();
                memory.iter_mut().for_each(Zeroize::zeroize);
                if made.send(hash).is_err() {
                    return;
                }
            }
        });
        Self { floor, salt, expected, jobs, hashes }
    }

    pub(crate) fn verify(&self, text: &str) -> bool {
        if !is_token(text) {
            return false;
        }
        self.jobs.send((self.floor.mac(&self.floor.record, text), self.salt)).unwrap();
        equal(&self.hashes.recv().unwrap(), &self.expected)
    }
}

/// The driver's own statement over the store's tables: the same columns, join and index, through a pool that is set up
/// alike. Every column is read out of the row; of the values nothing is made.
pub(crate) struct SqliteFloor(SqlitePool);

impl SqliteFloor {
    pub(crate) async fn open(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .pragma("query_only", "ON");
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false);
        Self(pool.connect_with(options).await.unwrap())
    }

    /// Finds the row of a token's text; the number of bytes in it is what the caller may look at.
    pub(crate) async fn find(&self, text: &str) -> usize {
        let selector = &text[SELECTOR];
        let row = sqlx::query(
            "SELECT t.id, t.tenant, t.owner, t.version, t.digest_version, t.created_at, t.expires_at, t.revoked_at, \
             t.revoked_detail, t.suspended_at, t.suspended_detail, t.blocked_at, t.blocked_detail, t.selector, \
             t.digest, t.key_id, t.retiring_selector, t.retiring_digest, t.retiring_key_id, t.spent_selector, \
             t.spent_digest, t.spent_key_id, t.retiring_until, t.body \
             FROM counterfoil_selector AS s JOIN counterfoil_token AS t ON t.id = s.token_id WHERE s.selector IN (?1)",
        )
        .bind(selector)
        .fetch_optional(&self.0)
        .await
        .unwrap()
        .unwrap();
        const NUMBERS: [usize; 8] = [3, 4, 5, 6, 7, 9, 11, 22];
        const TEXTS: [usize; 15] = [1, 2, 8, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 23];
        let numbers = NUMBERS.map(|column| black_box(row.get::<Option<i64>, _>(column))).len();
        let texts = TEXTS.map(|column| black_box(row.get::<Option<&str>, _>(column)).map_or(0, str::len));
        row.get::<&[u8], _>(0).len() + 8 * numbers + texts.iter().sum::<usize>()
    }
}
