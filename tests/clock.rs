//! A clock that is not set is a failure of every operation, and no token passes by it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use common::{START, at, format, grant, minting_k1, owner, stores};
use counterfoil::{
    By, Caller, Clock, Digest, Expiry, Import, Lifetime, MemoryStore, Policy, Record, Registry, Rotation, Timestamp,
    Verified,
    digest::{ImportedAlgorithm, Over},
    policy::{Approval, Assent, Objection},
    registry::{ChangeError, IssueError, ReadError, RotationError, VerifyError},
    store::{Filter, IdempotencyKey, ListQuery, RequestKey, Route},
    time::InvalidTimestamp,
};

/// The clock of a machine, read as [`SystemClock`](counterfoil::SystemClock) reads it.
#[derive(Debug, Clone)]
struct WallClock(Arc<Mutex<SystemTime>>);

impl WallClock {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(set())))
    }

    fn set_to(&self, time: SystemTime) {
        *self.0.lock().unwrap() = time;
    }
}

impl Clock for WallClock {
    fn now(&self) -> Result<Timestamp, InvalidTimestamp> {
        Timestamp::try_from(*self.0.lock().unwrap())
    }
}

/// Loses the time while it is asked, as a machine whose clock is being set.
#[derive(Debug)]
struct LosesTheTime(WallClock, SystemTime);

impl Policy for LosesTheTime {
    async fn at_use(&self, _: &Verified, _: &Caller) -> Result<Assent, Objection> {
        self.0.set_to(self.1);
        Ok(Assent::plain())
    }

    async fn at_issue(&self, _: &counterfoil::Grant) -> Result<Approval, Objection> {
        Ok(Approval::plain())
    }

    async fn at_rotate(&self, _: &Record, _: &By) -> Result<(), Objection> {
        Ok(())
    }
}

fn set() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(START.unsigned_abs())
}

const DAY: Duration = Duration::from_secs(86_400);
/// 2000-01-01T00:00:00Z, the first moment that a clock which is set may show.
const FIRST: Duration = Duration::from_secs(946_684_800);
/// 9999-12-31T23:59:59.999Z, the last one.
const LAST: Duration = Duration::from_millis(253_402_300_799_999);
const MILLISECOND: Duration = Duration::from_millis(1);

/// Moments that a clock shows only if it is not set.
fn not_set() -> [SystemTime; 7] {
    [
        UNIX_EPOCH,
        UNIX_EPOCH + DAY,
        UNIX_EPOCH - MILLISECOND,
        UNIX_EPOCH - 40_000 * DAY,
        UNIX_EPOCH - 3_000_000 * DAY,
        UNIX_EPOCH + FIRST - MILLISECOND,
        UNIX_EPOCH + LAST + MILLISECOND,
    ]
}

#[test]
fn system_time_out_of_range_is_no_timestamp() {
    for time in not_set() {
        let error = Timestamp::try_from(time).expect_err("a moment out of range").to_string();
        assert!(error.starts_with("time out of range: found "), "{error}");
    }
    for (after_epoch, millis) in [
        (FIRST, 946_684_800_000),
        (FIRST + MILLISECOND, 946_684_800_001),
        (FIRST + Duration::from_nanos(1_999_999), 946_684_800_001),
        (LAST, 253_402_300_799_999),
    ] {
        assert_eq!(Timestamp::try_from(UNIX_EPOCH + after_epoch).map(Timestamp::unix_millis), Ok(millis));
    }
    let found = |time: SystemTime| Timestamp::try_from(time).unwrap_err().to_string();
    assert!(found(UNIX_EPOCH).contains("found 0,"));
    assert!(found(UNIX_EPOCH - MILLISECOND).contains("found -1,"));
    // More milliseconds than a number holds do not wrap around.
    let longest_ago = UNIX_EPOCH - Duration::from_secs(u64::MAX >> 1);
    assert!(found(longest_ago).contains(&format!("found {},", i64::MIN)));
}

#[tokio::test]
async fn token_is_not_verified_by_a_clock_that_is_not_set() {
    for (kind, store) in stores().await {
        let clock = WallClock::new();
        let registry = Registry::builder(format(), minting_k1(), store).clock(clock.clone()).build().unwrap();
        let ends = registry.issue(grant()).await.unwrap();
        for time in not_set() {
            clock.set_to(time);
            let error = registry.verify(ends.token.expose()).await.unwrap_err();
            assert!(matches!(error, VerifyError::Clock(_)), "{kind} {time:?}: {error}");
            assert!(!error.is_refusal(), "503, not 401");
            // Whatever the secret is: a wrong one and an unknown token are answered in the same way.
            for text in [wrong_secret(ends.token.expose()), unknown()] {
                let error = registry.verify(&text).await.unwrap_err();
                assert!(matches!(error, VerifyError::Clock(_)), "{kind} {time:?}: {error}");
            }
        }
        clock.set_to(set());
        assert!(registry.verify(ends.token.expose()).await.is_ok());
        // A clock that is set, and wrong, is believed: the token ends by it.
        clock.set_to(set() + 90 * DAY);
        assert!(registry.verify(ends.token.expose()).await.unwrap_err().is_refusal());
    }
}

#[tokio::test]
async fn token_is_not_verified_if_the_clock_is_lost_while_the_policy_is_asked() {
    for (kind, store) in stores().await {
        for time in not_set() {
            let clock = WallClock::new();
            let policy = LosesTheTime(clock.clone(), time);
            let registry = Registry::builder(format(), minting_k1(), store.clone())
                .clock(clock.clone())
                .policy(policy)
                .build()
                .unwrap();
            let issued = registry.issue(grant()).await.unwrap();
            let error = registry.verify(issued.token.expose()).await.unwrap_err();
            assert!(matches!(error, VerifyError::Clock(_)) && !error.is_refusal(), "{kind} {time:?}: {error}");
        }
    }
}

#[tokio::test]
async fn nothing_is_made_or_changed_by_a_clock_that_is_not_set() {
    let store = MemoryStore::new();
    let clock = WallClock::new();
    let registry = Registry::builder(format(), minting_k1(), store.clone()).clock(clock.clone()).build().unwrap();
    let issued = registry.issue(grant()).await.unwrap();
    let (id, text) = (issued.record.id(), issued.token.expose());
    let before = registry.get(id).await.unwrap().unwrap().record;
    let request = || RequestKey::new(Route::new("create").unwrap(), IdempotencyKey::new("k").unwrap(), b"body");
    let by = By::unknown;
    for time in not_set() {
        clock.set_to(time);
        assert!(registry.now().is_err());
        assert!(matches!(registry.issue(grant()).await, Err(IssueError::Clock(_))));
        assert!(registry.issue_once(grant(), &request(), &store).await.is_err_and(|error| is_about_time(&error)));
        assert!(matches!(registry.rotate(id, &Rotation::at_once()).await, Err(RotationError::Clock(_))));
        let rotated = registry.rotate_once(id, &Rotation::at_once(), &request()).await;
        assert!(rotated.is_err_and(|error| is_about_time(&error)));
        for changed in [
            registry.block(id, by()).await,
            registry.unblock(id, by()).await,
            registry.suspend(id, by()).await,
            registry.resume(id, by()).await,
            registry.set_expiry(id, Lifetime::days(1), by()).await,
            registry.narrow_scopes(id, "parts:read".parse().unwrap(), by()).await,
        ] {
            assert!(matches!(changed, Err(ChangeError::Clock(_))), "{changed:?}");
        }
        assert!(matches!(registry.revoke(id, by()).await, Err(ChangeError::Clock(_))));
        let surrendered = registry.revoke_presented(text, by(), &Caller::unknown()).await;
        assert!(surrendered.is_err_and(|error| is_about_time(&error)));
        assert!(matches!(registry.list(&ListQuery::new(Filter::all())).await, Err(ReadError::Clock(_))));
        assert!(registry.maintain().await.is_err());
        assert!(registry.forget_requests(&store).await.is_err());
        assert!(registry.import([import()], by()).await.is_err());
    }
    clock.set_to(set());
    assert_eq!(registry.get(id).await.unwrap().unwrap().record.to_row(), before.to_row());
    assert_eq!(registry.list(&ListQuery::new(Filter::all())).await.unwrap().tokens.len(), 1);
    assert!(registry.verify(text).await.is_ok());
}

fn import() -> Import {
    let digest = Digest::imported(ImportedAlgorithm::Sha256, &"ab".repeat(32), Over::Text).unwrap();
    Import::new(owner("user-42"), "acme_", digest, at(Duration::ZERO), Expiry::Never)
}

/// Whether an error is the clock's, however deep: its text is that of the time out of range.
fn is_about_time(error: &dyn std::error::Error) -> bool {
    error.to_string().starts_with("time out of range") || error.source().is_some_and(is_about_time)
}

/// The token with another secret and the checksum that fits it.
fn wrong_secret(text: &str) -> String {
    let (head, _) = text.split_at(text.len() - 6);
    let last = if head.ends_with('a') { 'b' } else { 'a' };
    let head = format!("{}{last}", &head[..head.len() - 1]);
    format!("{head}{}", checksum(&head))
}

/// CRC-32 of IEEE 802.3 in six base62 digits.
fn checksum(text: &str) -> String {
    let mut crc = text.bytes().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    crc = !crc;
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = [b'0'; 6];
    for place in text.iter_mut().rev() {
        *place = digits[crc as usize % 62];
        crc /= 62;
    }
    String::from_utf8(text.to_vec()).unwrap()
}

/// A token of this format that no store has.
fn unknown() -> String {
    grant().mint(&format(), &minting_k1(), at(Duration::ZERO)).unwrap().token.expose().to_owned()
}
