// Of two definitions of one link the first counts: here the pages, in the repository their sources.
//! [guide]: guide
//! [token_format]: guide::token_format
//! [stored_rows]: guide::stored_rows
//! [stores]: guide::stores
//! [keys]: guide::rotating_server_keys
//! [scaling]: guide::scaling
//! [migration]: guide::migration
//! [operating]: guide::operating
//! [threat_model]: guide::threat_model
//! [auditing]: guide::auditing
//!
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

// The layers, from the bottom up. A module uses modules of lower layers alone; `tests/layers.rs` holds this.

// 0: no module of this crate is known here
mod alphabet;
pub mod digest;
#[doc(hidden)]
pub mod entropy;
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
