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
pub mod denial;
pub mod expiry;
pub mod restriction;
mod server_key;
pub mod subject;
mod tally;
pub mod token;

// 2
pub mod record;

// 3: what is asked for and by whom, the secret work, and its reverse
pub mod caller;
pub mod check;
pub mod circumstances;
pub mod grant;
mod seal;

// 4: decisions, and the contract of a store
pub mod mint;
pub mod store;
pub mod verify;

// 5
pub mod change;
pub mod event;
pub mod policy;
pub mod rotate;

// 6
pub mod memory;

// 7: plumbing
pub mod registry;

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
#[doc(inline)]
pub use verify::{Verified, verify};
