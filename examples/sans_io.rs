//! The core without async and without a store of ours: the rows are a `Vec`, and the caller says what time it is.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]
//!
//! `cargo run --example sans_io`

use std::{error::Error, sync::Arc};

use counterfoil::{
    Circumstances, Denial, Grant, Keyring, Lifetime, Minted, Owner, Record, Row, Scope, Timestamp, TokenFormat, check,
    check::selectors, draw_server_key, verify,
};

fn main() -> Result<(), Box<dyn Error>> {
    let format = TokenFormat::builder("acme").build()?;
    // A service reads its keys from its environment; this one lives as long as the process.
    let keyring: Keyring = format!("demo:{}:mint", draw_server_key()?).parse()?;
    let now = Timestamp::from_unix_millis(1_767_225_600_000)?;

    let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(90)).scopes("parts:read".parse()?);
    let Minted { token, record } = grant.mint(&format, &keyring, now)?;
    let mut rows: Vec<Row> = vec![record.to_row()];
    println!("minted     {} for {:?}", token.expose(), record.owner());
    println!("stored     {}", rows[0].current.digest);

    // A request comes in.
    let presented = format.parse(token.expose())?;
    let candidates = selectors(&presented, &keyring)?;
    let row = rows.iter().find(|row| candidates.as_slice().iter().any(|one| one.as_str() == row.current.selector));
    let record = row.cloned().map(Record::from_row).transpose()?.map(Arc::new);
    let secret = check(presented, record.as_deref(), &keyring)?;
    let verified = verify(secret, record, &Circumstances::at(now))?;
    println!("verified   {} until {}", verified.record().id(), verified.record().expiry());

    let read: Scope = "parts:read".parse()?;
    let write: Scope = "parts:write".parse()?;
    println!("may read   {}", verified.require(&read).is_ok());
    println!("may write  {}", verified.require(&write).is_ok());

    // The owner is renamed in the table: the digest was bound to the owner, so the row is worthless.
    rows[0].owner = "user-43".into();
    let record = Arc::new(Record::from_row(rows.remove(0))?);
    let secret = check(presented, Some(&record), &keyring)?;
    let refused = verify(secret, Some(record), &Circumstances::at(now));
    println!("moved      {}", refused.as_ref().err().map_or("still good", |denial| denial.code()));
    assert_eq!(refused.err(), Some(Denial::WrongSecret));
    Ok(())
}
