//! A service that verifies tokens by the issuer's published keys, and asks it nothing.
//!
//! ```text
//! offline mint                        makes a key set and two tokens of it, as JSON
//! offline verify KEYS ISSUER < TOKENS one line for each: what it says, or why it is refused
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::{
    error::Error,
    io::{self, BufRead as _},
};

use counterfoil::{Clock as _, Grant, Keyring, Lifetime, Owner, SystemClock, draw_server_key};
use counterfoil_jwt::{JwtFormat, KeySet, OfflineVerifier, SigningKey};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mint"] => mint(),
        ["verify", keys, issuer] => verify(keys, issuer),
        _ => Err("expected `mint`, or `verify KEYS ISSUER`".into()),
    }
}

fn mint() -> Result<(), Box<dyn Error>> {
    // A service reads its keys from where it keeps secrets; these are worth nothing.
    let keys = [SigningKey::ed25519(&[7; 32]).with_kid("ed")?, SigningKey::p256(&[7; 32])?.with_kid("es")?];
    let keyring: Keyring = format!("k1:{}:mint", draw_server_key()?).parse()?;
    let mut tokens = Vec::new();
    for key in &keys {
        let format = JwtFormat::builder("https://id.example").signing(key.clone()).build()?;
        let grant = Grant::new(Owner::in_tenant("acme", "user-42")?, Lifetime::days(7))
            .scopes("parts:read collections:*".parse()?);
        let minted = grant.mint(&format, &keyring, SystemClock.now()?)?;
        tokens.push(minted.token.expose().to_owned());
    }
    let key_set: serde_json::Value = serde_json::from_str(&KeySet::new(keys.map(|key| key.public()))?.to_json())?;
    println!("{}", serde_json::json!({ "issuer": "https://id.example", "key_set": key_set, "tokens": tokens }));
    Ok(())
}

fn verify(keys: &str, issuer: &str) -> Result<(), Box<dyn Error>> {
    let verifier = OfflineVerifier::new(&KeySet::from_json(&std::fs::read_to_string(keys)?)?, issuer);
    for line in io::stdin().lock().lines() {
        match verifier.verify(&line?, SystemClock.now()?, None) {
            Ok(claims) => println!("good: {} may {}", claims.owner.subject(), claims.scopes),
            Err(error) => println!("refused: {error}"),
        }
    }
    Ok(())
}
