//! Stores for [`counterfoil`]'s personal access tokens in SQLite, in a file of their own or next to your application's
//! tables, and in PostgreSQL, through your application's pool of [`sqlx`] 0.9.
//!
#![cfg_attr(feature = "sqlite", doc = "```")]
#![cfg_attr(not(feature = "sqlite"), doc = "```ignore")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("tokens.db");
//! # let keyring: counterfoil::Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse()?;
//! # let now = counterfoil::Timestamp::from_unix_millis(1_767_225_600_000)?;
//! use counterfoil::{Grant, Lifetime, Owner, TokenFormat, TokenStore};
//! use counterfoil_sqlx::SqliteStore;
//!
//! let store = SqliteStore::open_or_create(path).await?;
//!
//! let format = TokenFormat::builder("acme").build()?;
//! let minted = Grant::new(Owner::new("user-42")?, Lifetime::days(90)).mint(&format, &keyring, now)?;
//! store.insert(&minted.record, Some(50), now).await?;
//!
//! let selector = minted.record.slots().current.selector;
//! let found = store.find(&[selector]).await?.expect("it was stored");
//! assert_eq!(found.id(), minted.record.id());
//! # store.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `sqlite`, on by default: `SqliteStore`, with SQLite built in.
//! - `postgres`: `PostgresStore`. How its connections are encrypted is the host's choice among the features of sqlx.
//!
//! Both may be on; they share nothing but their tables' names. One process is best served by SQLite, several nodes by
//! PostgreSQL.
//!
//! # The version of sqlx
//!
//! A pool that you give to a store must be of sqlx 0.9. With a pool of another version the compiler reports "expected
//! `Pool<Sqlite>`, found a different `Pool<Sqlite>`". If your application uses sqlx 0.8, for example because a session
//! store needs it, there are two ways out, and both keep your own pool as it is:
//!
//! - Let the store open its own connections, which needs no type of sqlx: `SqliteStore::open` with a file of its own, or
//!   with the path of your database.
//! - Add sqlx 0.9 under another name, and make a second pool with it for the store:
//!
//!   ```toml
//!   sqlx = { version = "0.8", features = ["runtime-tokio", "sqlite"] }
//!   sqlx09 = { package = "sqlx", version = "0.9", default-features = false, features = ["runtime-tokio", "sqlite"] }
//!   ```
//!
//! Both versions of sqlx link the same SQLite: Cargo chooses `libsqlite3-sys` 0.30, which both accept, so the two pools
//! may share a file. This was tried with sqlx 0.8.6 and tower-sessions-sqlx-store 0.15. If Cargo reports two packages
//! that link `sqlite3`, run `cargo update -p libsqlite3-sys --precise 0.30.1`. For PostgreSQL only the
//! second way is left, with the feature `postgres`.
//!
//! Neither `sqlx/time` nor `sqlx/chrono` is turned on, so the times in the host's own queries stay what they are;
//! `postgres` turns on `sqlx/uuid`.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod filter;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod migrate;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod migration_files;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod rows;

#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "postgres")]
#[doc(inline)]
pub use postgres::PostgresStore;

#[cfg(feature = "sqlite")]
#[doc(inline)]
pub use sqlite::SqliteStore;

#[cfg(all(doctest, feature = "sqlite"))]
#[doc = include_str!("../README.md")]
struct Readme;
