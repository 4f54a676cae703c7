//! A cache in front of a store of tokens, which keeps its word on revocation.
//!
//! [`CachedStore`] is a [`TokenStore`](counterfoil::TokenStore) around another one. It answers
//! [`find`](counterfoil::TokenStore::find) from memory, so that most verifications cost no round trip, and passes
//! everything else on.
//!
//! # What it promises
//!
//! A change that is made through any node, or by hand in the database, is seen by every verification that starts after the
//! [bound](Settings::bound), on every node; on the node that made it, by every one that starts after the change has returned.
//! Normally it is a matter of milliseconds.
//!
//! | the store | what holds the bound | what may be late |
//! |---|---|---|
//! | one process, such as SQLite: [`CachedStore::by_age`] | no entry is served that was read longer ago | a change by another process or by hand: up to the bound |
//! | several nodes on one writable primary, such as PostgreSQL: [`CachedStore::by_lease`] | entries are served only while the node's own heartbeat, sent through the database and heard again, is younger | as long as a notification takes; up to the bound where the network is cut, a process stood still or the database fails over |
//!
//! A purge deletes what was refused before, and counts as another node's change. The bound is counted by the clocks of the
//! node. Those of a virtual machine stand still while it is paused or moved to another host, which it cannot find out: there
//! the bound is longer by as much.
//!
//! Where the bound cannot be kept, nothing is served from memory: every read goes to the store, until a heartbeat comes
//! back. So a network that is cut makes verifications slower, or [unavailable](counterfoil::store::StoreErrorKind::Unavailable)
//! together with the store, and never wrong.
//!
//! ```
//! use counterfoil::{Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat};
//! use counterfoil_cache::{CachedStore, Settings};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let store = CachedStore::by_age(MemoryStore::new(), Settings::default());
//! # let keyring: Keyring = format!("k1:{}:mint", counterfoil::draw_server_key()?).parse()?;
//! let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, store).build()?;
//!
//! let issued = registry.issue(Grant::new(Owner::new("user-42")?, Lifetime::days(30))).await?;
//! registry.verify(issued.token.expose()).await?; // reads the store
//! registry.verify(issued.token.expose()).await?; // reads memory
//!
//! registry.revoke(issued.record.id(), counterfoil::By::unknown()).await?;
//! assert!(registry.verify(issued.token.expose()).await.is_err()); // at once
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! `postgres`, off by default: [`PostgresChannel`], on which the nodes of a database hear of changes.
//!
//! # What is in memory
//!
//! Records that were found, with their digests, as in a row: no plaintext, and nothing about selectors that were not found,
//! for whoever makes tokens up makes a new one each time. Entries and bytes are [bounded](Settings). Of many that ask for
//! one record at the same time, one reads it.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod changes;
mod channel;
mod entries;
mod event;
mod flight;
mod intake;
mod keeper;
mod lease;
mod moment;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
mod postgres;
mod settings;
mod store;

pub use channel::{Channel, ChannelError, Listener, Signal};
pub use event::CacheEvent;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub use postgres::PostgresChannel;
pub use settings::Settings;
pub use store::{CachedStore, Counts};

#[cfg(all(doctest, feature = "postgres"))]
#[doc = include_str!("../README.md")]
struct Readme;
