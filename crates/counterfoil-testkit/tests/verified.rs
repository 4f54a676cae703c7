//! Proofs for handler tests: whatever a grant asks for, the proof is of that.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use counterfoil::{Environment, Grant, Lifetime, Owner, Restrictions, Scope, Status, Timestamp, TokenFormat};
use counterfoil_testkit::{verified, verified_as};

fn grant() -> Grant {
    Grant::new(Owner::in_tenant("acme", "user-42").unwrap(), Lifetime::days(1)).scopes("parts:read".parse().unwrap())
}

fn restricted(networks: &[&str], audience: Option<&str>) -> Restrictions {
    let mut restrictions = Restrictions::none();
    for network in networks {
        restrictions.add_network(network.parse().unwrap()).unwrap();
    }
    if let Some(audience) = audience {
        restrictions.set_audience(audience.parse().unwrap());
    }
    restrictions
}

#[test]
fn every_grant_is_verified_where_it_may_be_used() {
    for grant in [
        grant(),
        Grant { lifetime: Lifetime::Forever, ..grant() },
        grant().environment(Environment::new("live").unwrap()),
        grant().routing("eu1"),
        grant().routing("eu1").environment(Environment::new("test").unwrap()),
        grant().restrictions(restricted(&["192.0.2.0/24", "2001:db8::/32"], None)),
        grant().restrictions(restricted(&["2001:db8::7"], Some("https://example.com"))),
    ] {
        let (environment, restrictions) = (grant.environment.clone(), grant.restrictions.clone());
        let verified = verified(grant);
        let record = verified.record();
        assert_eq!(record.owner(), &Owner::in_tenant("acme", "user-42").unwrap());
        assert_eq!((verified.environment(), record.restrictions()), (environment.as_ref(), &restrictions));
        for (scope, is_held) in [("parts:read", true), ("parts:write", false)] {
            assert_eq!(verified.require(&scope.parse::<Scope>().unwrap()).is_ok(), is_held);
        }
    }
}

#[test]
fn a_moment_and_a_family_can_be_given() {
    let format = TokenFormat::builder("acme").without_selector().build().unwrap();
    let now = Timestamp::from_unix_millis(1_767_225_600_000).unwrap();
    let verified = verified_as(grant(), &format, now);
    let record = verified.record();
    assert_eq!((record.created_at(), record.status(now)), (now, Status::Active));
    assert!(record.public().starts_with("acme"));
}

#[test]
#[should_panic(expected = "the grant cannot be minted: ")]
fn what_cannot_be_minted_is_no_proof() {
    drop(verified(Grant { lifetime: Lifetime::Until(Timestamp::MIN), ..grant() }));
}
