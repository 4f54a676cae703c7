//! A build without Argon2: its digests are neither good nor wrong, they cannot be checked.
#![cfg(not(feature = "argon2"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use counterfoil::{
    Argon2Bounds, CheckError, Circumstances, Grant, Keyring, Lifetime, Owner, Record, Timestamp, TokenFormat, check,
    digest::ImportedDigests, verify,
};

fn keyring() -> Keyring {
    "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse().unwrap()
}

#[test]
fn an_argon2id_digest_is_unsupported_and_a_keyed_one_is_checked() {
    let now = Timestamp::from_unix_millis(1_767_225_600_000).unwrap();
    let format = TokenFormat::builder("acme").build().unwrap();
    let grant = Grant::new(Owner::new("user-42").unwrap(), Lifetime::days(90));
    let minted = grant.mint(&format, &keyring(), now).unwrap();
    let presented = format.parse(minted.token.expose()).unwrap();
    let record = std::sync::Arc::new(minted.record);
    let secret = check(presented, Some(&record), &keyring()).unwrap();
    assert!(verify(secret, Some(record.clone()), &Circumstances::at(now)).is_ok());

    let mut row = record.to_row();
    row.current.digest = format!("$argon2id$v=19$m=19456,t=2,p=1,keyid=azE${}${}", "A".repeat(22), "A".repeat(43));
    let record = Record::from_row(row.clone()).unwrap();
    assert_eq!(check(presented, Some(&record), &keyring()).unwrap_err(), CheckError::Unsupported);

    let imports = ImportedDigests { argon2id: Some(Argon2Bounds::default()), ..ImportedDigests::default() };
    let format = TokenFormat::builder("acme").accepts_imported(imports).build().unwrap();
    let presented = format.parse(minted.token.expose()).unwrap();
    row.current.digest =
        format!("$imported$over=text$argon2id$v=19$m=19456,t=2,p=1${}${}", "A".repeat(22), "A".repeat(43));
    row.current.key.clear();
    let record = Record::from_row(row).unwrap();
    assert_eq!(check(presented, Some(&record), &keyring()).unwrap_err(), CheckError::Unsupported);
}
