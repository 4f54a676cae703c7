//! A verified token, what happened since → what a second look without its text says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod common;

use std::{future::Future, time::Duration};

use common::{DAY, Rig, grant, rigs};
use counterfoil::{By, Caller, Denial, Grant, Lifetime, Restrictions, Rotation, Verified, registry::VerifyError};

async fn verdict(rig: &Rig, verified: &Verified, caller: &Caller) -> &'static str {
    match rig.registry.recheck(verified, caller).await {
        Ok(()) => "ok",
        Err(VerifyError::Denied(denial)) => denial.code(),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn second_look_sees_what_happened_to_the_token_since() {
    for rig in rigs().await {
        let overlap = Duration::from_secs(60);
        for (change, expected) in [
            ("nothing", "ok"),
            ("used", "ok"),
            ("revoked", Denial::Revoked.code()),
            ("blocked", Denial::Blocked.code()),
            ("suspended", Denial::Suspended.code()),
            ("rotated at once", Denial::Superseded.code()),
            ("rotated with an overlap", "ok"),
            ("expired", Denial::Expired.code()),
        ] {
            let issued = rig.registry.issue(Grant { lifetime: Lifetime::days(1), ..grant() }).await.unwrap();
            let (id, text) = (issued.record.id(), issued.token.expose());
            let verified = rig.registry.verify(text).await.unwrap();
            match change {
                "used" => drop(rig.registry.verify(text).await.unwrap()),
                "revoked" => rig.registry.revoke(id, By::unknown()).await.unwrap(),
                "blocked" => drop(rig.registry.block(id, By::unknown()).await.unwrap()),
                "suspended" => drop(rig.registry.suspend(id, By::unknown()).await.unwrap()),
                "rotated at once" => drop(rig.registry.rotate(id, &Rotation::at_once()).await.unwrap()),
                "rotated with an overlap" => {
                    drop(rig.registry.rotate(id, &Rotation::with_overlap(overlap)).await.unwrap());
                }
                "expired" => rig.wait(DAY),
                _ => {}
            }
            rig.events.take();
            assert_eq!(verdict(&rig, &verified, &Caller::unknown()).await, expected, "{}: {change}", rig.kind);
            assert_eq!(rig.events.take(), Vec::<String>::new(), "{}: {change}", rig.kind);
            if change == "rotated with an overlap" {
                rig.wait(overlap);
                assert_eq!(verdict(&rig, &verified, &Caller::unknown()).await, Denial::Superseded.code());
                rig.wait(Duration::ZERO);
            }
        }
    }
}

#[tokio::test]
async fn second_look_holds_to_the_networks_of_the_token() {
    for rig in rigs().await {
        let mut restrictions = Restrictions::none();
        restrictions.add_network("192.0.2.0/24".parse().unwrap()).unwrap();
        let issued = rig.registry.issue(grant().restrictions(restrictions)).await.unwrap();
        let from = |address: &str| Caller { address: Some(address.parse().unwrap()), ..Caller::unknown() };
        let verified = rig.registry.verify_for(issued.token.expose(), &from("192.0.2.7")).await.unwrap();
        assert_eq!(verdict(&rig, &verified, &from("192.0.2.8")).await, "ok");
        assert_eq!(verdict(&rig, &verified, &from("203.0.113.9")).await, Denial::NetworkRefused.code());
        assert_eq!(verdict(&rig, &verified, &Caller::unknown()).await, Denial::NetworkRefused.code());
    }
}

#[tokio::test]
async fn wait_ends_with_the_look_after_the_revocation() {
    for rig in rigs().await {
        let issued = rig.registry.issue(grant()).await.unwrap();
        let verified = rig.registry.verify(issued.token.expose()).await.unwrap();
        // Each tick is one permit, so the test decides when the token is looked at.
        let ticks = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
        let timer = {
            let ticks = ticks.clone();
            move |_| {
                let ticks = ticks.clone();
                async move { ticks.acquire().await.unwrap().forget() }
            }
        };
        let caller = Caller::unknown();
        let mut end = Box::pin(rig.registry.wait_for_end(&verified, &caller, timer, Duration::from_secs(1)));
        ticks.add_permits(3);
        let early = tokio::time::timeout(Duration::from_millis(50), end.as_mut()).await;
        assert!(early.is_err(), "{}: the token is good", rig.kind);
        rig.registry.revoke(issued.record.id(), By::unknown()).await.unwrap();
        ticks.add_permits(1);
        let reason = bounded(end).await;
        assert!(matches!(reason, VerifyError::Denied(Denial::Revoked)), "{}: {reason}", rig.kind);
    }
}

async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it ends")
}
