//! Personal access tokens for your own service.
//!
//! A [`Registry`] issues tokens with a prefix, scopes and an expiry, stores a keyed digest of each, and verifies, rotates
//! and revokes them. The user sees the token once. Your database never holds it.
//!
//! ```
//! use counterfoil::{By, Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, Scope, TokenFormat};
//!
//! # pollster::block_on(async {
//! # let text = format!("2026:{}:mint", counterfoil::draw_server_key()?);
//! let keyring: Keyring = text.parse()?; // from your configuration
//! let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, MemoryStore::new()).build()?;
//!
//! let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(90)).scopes("parts:read".parse()?);
//! let issued = registry.issue(grant).await?;
//! let bearer = issued.token.expose(); // shown to the user, once
//!
//! let verified = registry.verify(bearer).await?;
//! assert_eq!(verified.record().owner().subject().as_str(), "user-42");
//! assert!(verified.require(&"parts:read".parse::<Scope>()?).is_ok());
//! assert!(verified.require(&"parts:write".parse::<Scope>()?).is_err()); // respond with 403
//!
//! registry.revoke(issued.record.id(), By::unknown()).await?;
//! assert!(registry.verify(bearer).await.unwrap_err().is_refusal()); // respond with 401
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! [`verify`](Registry::verify) fails in one of two ways. A refusal means that the token is not good: respond with 401, or
//! 403 if your own [`Policy`] refused. Any other error means that the token could not be checked: respond with 503.
//!
//! # Crates
//!
//! This crate has no runtime and no database driver. [`MemoryStore`] is for tests. These crates build on it:
//!
//! | crate | contents |
//! |---|---|
//! | `counterfoil-sqlx` | stores for SQLite and PostgreSQL |
//! | `counterfoil-cache` | a cache with a bound on how late it sees a revocation |
//! | `counterfoil-tower` | a layer for Tower, and its parts for other frameworks |
//! | `counterfoil-axum` | extractors, a management API and a settings page for axum |
//! | `counterfoil-client` | token lookup, login and logout for command-line programs |
//! | `counterfoil-jwt` | tokens whose text is a JWT |
//! | `counterfoil-testkit` | tests for your own store, and verified tokens for handler tests |
//!
//! # Features
//!
//! - `argon2` (default): Argon2id digests, for services whose rules demand a slow hash.
//! - `serde` (default): `Serialize` and `Deserialize` for ids, scopes, times and marks.
//! - `tracing`: an event sink that writes to `tracing`.
//!
//! # Guide
//!
//! - [Overview](guide)
//! - [What a token looks like](guide::token_format)
//! - [What a row holds](guide::stored_rows)
//! - [Running the service](guide::operating)
//! - [Behind a reverse proxy](guide::reverse_proxies)
//! - [Writing a store](guide::stores)
//! - [Replacing a server key](guide::rotating_server_keys)
//! - [Going past one machine](guide::scaling)
//! - [Coming from another system](guide::migration)
//! - [Threat model](guide::threat_model)
//! - [Auditing](guide::auditing)
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

// The layers, from the bottom up. A module uses modules of lower layers alone; `tests/layers.rs` holds this.

// 0: no module of this crate is known here
mod alphabet;
pub mod digest;
#[doc(hidden)]
pub mod entropy;
mod json;
pub mod scope;
pub mod text;
pub mod time;
mod timer;

// 1: the words
pub mod annotation;
mod backoff;
pub mod denial;
pub mod expiry;
mod idempotency;
pub mod restriction;
mod server_key;
pub mod subject;
mod tally;

// 2
pub mod token;

// 3
pub mod record;

// 4: what is asked for and by whom, the secret work, and its reverse
pub mod caller;
pub mod check;
pub mod circumstances;
pub mod grant;
mod seal;

// 5: decisions, and the contract of a store
pub mod import;
pub mod mint;
pub mod possession;
pub mod store;
pub mod verify;

// 6
pub mod change;
pub mod event;
pub mod policy;
pub mod rotate;
mod uses;

// 7
pub mod maintain;
pub mod memory;

// 8: plumbing
pub mod registry;

// Beside the layers: pages for people, without code
pub mod guide;

pub use alphabet::Alphabet;
pub use annotation::{Annotations, Metadata, Name};
pub use caller::Caller;
#[doc(inline)]
pub use check::{CheckError, SecretCheck, check};
pub use circumstances::Circumstances;
pub use denial::Denial;
pub use digest::{Algorithm, Argon2Bounds, Argon2Cost, Digest, KeyId, Keyring};
pub use expiry::{Expiry, Lifetime};
pub use grant::Grant;
pub use import::Import;
pub use maintain::{Maintained, Retention};
pub use memory::MemoryStore;
pub use mint::Minted;
pub use policy::{IssuePolicy, Policy};
pub use record::{Record, Row, Status, Usage};
pub use registry::Registry;
pub use restriction::{Audience, Network, Restrictions};
pub use rotate::Rotation;
pub use scope::{MissingScope, Scope, ScopeCatalog, ScopePattern, Scopes, UnknownScopes};
pub use server_key::draw_server_key;
pub use store::{SharedStore, TokenStore};
pub use subject::{Actor, By, Mark, Owner};
pub use time::{Clock, FixedClock, SystemClock, Timestamp};
pub use timer::Timer;
pub use token::{Checksum, Environment, Families, Family, Presented, Selector, Token, TokenFormat, TokenId};
pub use uses::UseNotes;
#[doc(inline)]
pub use verify::{Verified, verify};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
