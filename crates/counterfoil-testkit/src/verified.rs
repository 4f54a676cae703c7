//! Proofs for the tests of a host's handlers.

use std::sync::Arc;

use counterfoil::{
    Circumstances, Clock, Environment, Family, Grant, Keyring, SystemClock, Timestamp, TokenFormat, Verified, check,
    draw_server_key, verify,
};

use crate::records::must;

/// A proof that a token of this grant is good: it is really minted and really verified, at this moment and where its
/// restrictions allow it. For handlers that take a [`Verified`] and are to be tested without a request.
///
/// ```
/// use counterfoil::{Grant, Lifetime, MissingScope, Owner, Scope, Verified};
///
/// /// A handler of the host's.
/// fn parts(verified: &Verified) -> Result<String, MissingScope> {
///     verified.require(&"parts:read".parse::<Scope>().expect("a scope"))?;
///     Ok(format!("the parts of {}", verified.record().owner().subject()))
/// }
///
/// let grant = || Grant::new(Owner::new("user-42").expect("an owner"), Lifetime::days(90));
/// let reader = counterfoil_testkit::verified(grant().scopes("parts:read".parse()?));
/// assert_eq!(parts(&reader)?, "the parts of user-42");
/// assert!(parts(&counterfoil_testkit::verified(grant())).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What a host's [`Policy`](counterfoil::Policy) adds is not in it: for that, issue and verify with a
/// [`Registry`](counterfoil::Registry) over a [`MemoryStore`](counterfoil::MemoryStore).
///
/// # Panics
///
/// If the grant cannot be minted, such as one whose lifetime is over.
#[track_caller]
pub fn verified(grant: Grant) -> Verified {
    let mut format = TokenFormat::builder("test");
    if let Some(environment) = &grant.environment {
        format = format.environments([environment.as_str()]);
    }
    if let Some(routing) = &grant.routing {
        format = format.routing(routing.len(), routing.len());
    }
    match format.build() {
        Ok(format) => verified_as(grant, &format, must(SystemClock.now())),
        Err(error) => panic!("the grant cannot be minted: {error}"),
    }
}

/// [`verified`] with a family of the host's own, and at a moment of its own.
///
/// ```
/// use counterfoil::{Grant, Lifetime, Owner, Timestamp, TokenFormat};
///
/// let format = TokenFormat::builder("acme").build()?;
/// let now = Timestamp::from_unix_millis(1_767_225_600_000)?;
/// let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(90));
/// let verified = counterfoil_testkit::verified_as(grant, &format, now);
/// assert!(verified.record().public().starts_with("acme"));
/// assert_eq!(verified.record().created_at(), now);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// If the family cannot mint the grant.
#[track_caller]
pub fn verified_as(grant: Grant, family: &dyn Family, now: Timestamp) -> Verified {
    let keyring: Keyring = must(format!("test:{}:mint", must(draw_server_key())).parse());
    let minted = match grant.mint(family, &keyring, now) {
        Ok(minted) => minted,
        Err(error) => panic!("the grant cannot be minted: {error}"),
    };
    let record = Arc::new(minted.record);
    let presented = must(family.parse(minted.token.expose()));
    let checked = must(check(presented, Some(&record), &keyring));
    let environments: Vec<Environment> = record.environment().cloned().into_iter().collect();
    let mut at = Circumstances::at(now);
    at.environments = &environments;
    at.audience = record.restrictions().audience();
    // The first address of the first network.
    at.client = record.restrictions().networks().first().and_then(|network| {
        let text = network.to_string();
        text.split('/').next()?.parse().ok()
    });
    must(verify(checked, Some(Arc::clone(&record)), &at))
}
