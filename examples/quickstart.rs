//! The life of one token, kept in a SQLite file.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]
//!
//! `cargo run --example quickstart`

use std::{error::Error, time::Duration};

use counterfoil::{
    By, Clock, FixedClock, Grant, Keyring, Lifetime, Name, Owner, Registry, Rotation, Scope, SystemClock, TokenFormat,
    draw_server_key,
};
use counterfoil_sqlx::SqliteStore;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // A service reads its keys from its environment or a file, apart from the database. This one is for this run alone.
    let keyring: Keyring = format!("demo:{}:mint", draw_server_key()?).parse()?;
    let folder = tempfile::tempdir()?;
    let store = SqliteStore::open_or_create(folder.path().join("tokens.sqlite")).await?;
    let format = TokenFormat::builder("acme").build()?;
    // A clock with hands, so that an overlap of a day passes while you read.
    let clock = FixedClock::new(SystemClock.now()?);
    let registry = Registry::builder(format, keyring, store.clone()).clock(clock.clone()).build()?;

    println!("1. mint: a user asks for a token to read parts, for 90 days");
    let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(90))
        .name(Name::new("CI pipeline")?)
        .scopes("parts:read".parse()?);
    let issued = registry.issue(grant).await?;
    let id = issued.record.id();
    println!("   shown once     {}", issued.token.expose());
    println!("   kept           {}", issued.record.slots().current.digest.to_text());
    println!("   logs call it   {:?}, {id}", issued.token);

    println!("2. verify: a request comes with the token");
    let read: Scope = "parts:read".parse()?;
    let write: Scope = "parts:write".parse()?;
    let verified = registry.verify(issued.token.expose()).await?;
    println!("   it is good     until {}, for {:?}", verified.record().expiry(), verified.record().owner());
    println!("   to read parts  {}", told(verified.require(&read)));
    println!("   to write them  {}", told(verified.require(&write)));

    println!("3. rotate: a new secret, the old one good for a day more");
    let rotated = registry.rotate(id, &Rotation::with_overlap(Duration::from_secs(86_400))).await?;
    println!("   the new token  {}", told(registry.verify(rotated.token.expose()).await));
    println!("   the old token  {}", told(registry.verify(issued.token.expose()).await));
    clock.set(clock.now()?.checked_add(Duration::from_secs(86_400))?);
    println!("   a day later    {}", told(registry.verify(issued.token.expose()).await));

    println!("4. revoke: from the next request on");
    registry.revoke(id, By::unknown().because("the laptop was lost".try_into()?)).await?;
    println!("   the new token  {}", told(registry.verify(rotated.token.expose()).await));
    println!("   a made-up one  {}", told(registry.verify("acme_EXAMPLEEXAMP_EXAMPLE").await));

    store.close().await;
    Ok(())
}

fn told<T, E: Error>(result: Result<T, E>) -> String {
    result.map_or_else(|refused| format!("no: {refused}"), |_| "yes".into())
}
