//! A token in the life of its record, on SQLite, and what an offline verifier sees of it.

use counterfoil::{
    Audience, By, Denial, FixedClock, Lifetime, Registry, Rotation, Timestamp,
    change::ChangeRefused,
    registry::{ChangeError, VerifyError},
};
use counterfoil_jwt::{JwtFormat, OfflineVerifier};
use counterfoil_sqlx::SqliteStore;

use crate::support::{ISSUER, KEYRING, at, ed25519, format, opened, plain, signed};

struct Host {
    registry: Registry,
    clock: FixedClock,
    offline: OfflineVerifier,
    _directory: tempfile::TempDir,
}

impl Host {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = SqliteStore::open_or_create(directory.path().join("tokens.db")).await.unwrap();
        let clock = FixedClock::new(at(0));
        let registry = Registry::builder(format(), KEYRING.clone(), store)
            .clock(clock.clone())
            .audience(Audience::new("https://api.example").unwrap())
            .build()
            .unwrap();
        let offline = OfflineVerifier::new(&format().key_set(), ISSUER);
        Self { registry, clock, offline, _directory: directory }
    }

    fn now(&self) -> Timestamp {
        self.registry.now().unwrap()
    }

    /// Online, and offline.
    async fn sees(&self, text: &str) -> (Result<(), Denial>, bool) {
        let online = match self.registry.verify(text).await {
            Ok(_) => Ok(()),
            Err(VerifyError::Denied(denial)) => Err(denial),
            Err(error) => panic!("{error}"),
        };
        (online, self.offline.verify(text, self.now(), None).is_ok())
    }
}

#[tokio::test]
async fn what_happens_to_a_token_is_seen_online_alone() {
    let host = Host::new().await;
    let issued = host.registry.issue(plain().scopes("parts:read parts:write".parse().unwrap())).await.unwrap();
    let (id, text) = (issued.record.id(), issued.token.expose());
    assert_eq!(host.sees(text).await, (Ok(()), true));

    host.registry.block(id, By::unknown()).await.unwrap();
    assert_eq!(host.sees(text).await, (Err(Denial::Blocked), true));
    host.registry.unblock(id, By::unknown()).await.unwrap();
    host.registry.suspend(id, By::unknown()).await.unwrap();
    assert_eq!(host.sees(text).await, (Err(Denial::Suspended), true));
    host.registry.resume(id, By::unknown()).await.unwrap();

    host.registry.narrow_scopes(id, "parts:read".parse().unwrap(), By::unknown()).await.unwrap();
    let write = "parts:write".parse().unwrap();
    assert!(host.registry.verify(text).await.unwrap().require(&write).is_err());
    assert!(host.offline.verify(text, host.now(), None).unwrap().require(&write).is_ok());

    host.registry.revoke(id, By::unknown()).await.unwrap();
    assert_eq!(host.sees(text).await, (Err(Denial::Revoked), true));
    host.clock.set(at(3600));
    assert_eq!(host.sees(text).await, (Err(Denial::Revoked), false));
}

#[tokio::test]
async fn an_end_is_moved_within_what_was_signed() {
    let host = Host::new().await;
    let issued = host.registry.issue(plain()).await.unwrap();
    let (id, text) = (issued.record.id(), issued.token.expose());
    let set = |seconds| host.registry.set_expiry(id, Lifetime::Until(at(seconds)), By::unknown());

    set(60).await.unwrap();
    host.clock.set(at(60));
    assert_eq!(host.sees(text).await, (Err(Denial::Expired), true));
    set(3600).await.unwrap(); // good again
    assert_eq!(host.sees(text).await, (Ok(()), true));
    for lifetime in [Lifetime::Until(at(3601)), Lifetime::days(30)] {
        let refused = host.registry.set_expiry(id, lifetime, By::unknown()).await.unwrap_err();
        let reason = matches!(refused, ChangeError::Refused(ChangeRefused::PastTextEnd { text_end, .. }) if text_end == at(3600));
        assert!(reason, "{refused}");
    }
    host.clock.set(at(3600));
    assert_eq!(host.sees(text).await, (Err(Denial::Expired), false));
}

#[tokio::test]
async fn a_rotation_signs_anew_with_the_end_of_the_moment() {
    let host = Host::new().await;
    let issued = host.registry.issue(plain()).await.unwrap();
    let id = issued.record.id();
    host.registry.set_expiry(id, Lifetime::Until(at(600)), By::unknown()).await.unwrap();
    host.clock.set(at(10));
    let overlap = Rotation::with_overlap(std::time::Duration::from_secs(60));
    let rotated = host.registry.rotate(id, &overlap).await.unwrap();
    let (old, new) = (issued.token.expose(), rotated.token.expose());
    let (was, is) = (host.offline.verify(old, at(10), None).unwrap(), host.offline.verify(new, at(10), None).unwrap());
    assert_ne!(was.id, is.id);
    assert_eq!((was.expiry.at(), is.expiry.at()), (Some(at(3600)), Some(at(600))));
    assert_eq!((was.issued_at, is.issued_at), (at(0), at(10)));
    assert_eq!((host.sees(old).await, host.sees(new).await), ((Ok(()), true), (Ok(()), true)));

    host.clock.set(at(70));
    assert_eq!(host.sees(old).await, (Err(Denial::Superseded), true));
    // The first text names a later end, and the current one counts.
    assert!(host.registry.set_expiry(id, Lifetime::Until(at(601)), By::unknown()).await.is_err());
}

/// Whoever has the signing key alone makes texts that are good offline, and none that the registry takes.
#[tokio::test]
async fn a_leaked_signing_key_makes_no_token() {
    let host = Host::new().await;
    let issued = host.registry.issue(plain()).await.unwrap();
    let (header, payload) = opened(issued.token.expose());
    let secret = &payload[payload.len() - 34..payload.len() - 2];
    let replaced = |from: &str, to: &str| signed(&header, &payload.replace(from, to));
    let wider = payload.replace(r#","sec""#, r#","scope":"admin:all","sec""#);
    for (what, text, denial) in [
        ("another secret", replaced(secret, "0123456789abcdefABCDEF0123456789"), Denial::WrongSecret),
        ("another owner", replaced("user-42", "root"), Denial::WrongSecret),
        ("another end", replaced("1767229200", "1999999999"), Denial::WrongSecret),
        ("more scopes", signed(&header, &wider), Denial::WrongSecret),
        (
            "another id",
            replaced(issued.record.slots().current.selector.as_str(), "0123456789abcdefABCDEF"),
            Denial::Unknown,
        ),
    ] {
        assert_eq!(host.sees(&text).await, (Err(denial), true), "{what}");
    }
    assert_eq!(host.sees(&signed(&header, &payload)).await, (Ok(()), true));
}

#[tokio::test]
async fn a_token_of_another_audience_or_issuer_is_refused() {
    let host = Host::new().await;
    let mut grant = plain();
    grant.restrictions.set_audience(Audience::new("https://billing.example").unwrap());
    let issued = host.registry.issue(grant).await.unwrap();
    assert_eq!(host.sees(issued.token.expose()).await, (Err(Denial::WrongAudience), false));

    let elsewhere = JwtFormat::builder("https://other.example").signing(ed25519()).build().unwrap();
    let foreign = plain().mint(&elsewhere, &KEYRING, at(0)).unwrap();
    assert!(matches!(host.registry.verify(foreign.token.expose()).await, Err(VerifyError::Malformed(_))));
}
