//! For the tests of those who build on [`counterfoil`]: holds a store of your own against its contract, and makes
//! verified tokens for the tests of your handlers.
//!
//! # A store of your own
//!
//! [`TokenStore`](counterfoil::TokenStore) says what a store promises; here is a check for each promise. They know
//! nothing of your store but the trait. You give a [`Harness`]: how to make an *empty* store, and how to wait for a
//! future. Races are real: threads of the operating system that are released together, each of which waits by itself.
//! Time is an argument of every call, so no clock is read and nobody sleeps.
//!
//! In `tests/store_contract.rs` of your crate:
//!
//! ```
//! # use counterfoil::MemoryStore as MyStore;
//! use counterfoil_testkit::{Fresh, Harness};
//!
//! fn harness() -> Harness<MyStore> {
//!     Harness::new(|| async { Fresh::new(MyStore::new()) }, pollster::block_on)
//! }
//!
//! counterfoil_testkit::token_store_tests!(harness());
//! counterfoil_testkit::idempotency_store_tests!(harness()); // if it is an `IdempotencyStore` too
//! # fn main() {}
//! ```
//!
//! That is a `#[test]` for each of [`tokens::checks`] and of [`reservations::checks`]. One that fails says what the
//! store promised, what was looked at, what was found, and what was expected:
//!
//! ```text
//! the store is not shown to keep its contract
//! BROKEN   a_purge_takes_what_is_due
//!    promise: `purge` takes what was revoked, or ended, before a moment, not at it
//!       when: whether a token revoked at the moment stays without an end given
//!      found: false
//!   expected: true
//!         at: crates/counterfoil-testkit/src/tokens/purge.rs:57
//! ```
//!
//! Without the macro, [`tokens::run`] and [`reservations::run`] look at everything and give a [`Report`].
//!
//! ## A store that needs a runtime
//!
//! Give the runtime's own way to wait. It is called from many threads at once, so a runtime with several workers is the
//! right one. What must live as long as a store goes with it:
//!
//! ```
//! # use counterfoil::MemoryStore;
//! # struct Directory(std::path::PathBuf);
//! # impl Directory { fn new() -> Self { Self("".into()) } fn path(&self) -> &std::path::Path { &self.0 } }
//! # struct MyStore;
//! # impl MyStore {
//! #     async fn open(_: &std::path::Path) -> std::io::Result<MemoryStore> { Ok(MemoryStore::new()) }
//! # }
//! use counterfoil_testkit::{Fresh, Harness, tokens};
//!
//! let runtime = tokio::runtime::Runtime::new()?;
//! let harness = Harness::new(
//!     || async {
//!         let directory = Directory::new(); // a temporary one
//!         let store = MyStore::open(&directory.path().join("tokens.db")).await.expect("an empty store");
//!         Fresh::new(store).keeping(directory)
//!     },
//!     move |job| runtime.block_on(job),
//! )
//! .rounds(20);
//! tokens::run(&harness).assert_kept();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! ## Rows that cannot be read
//!
//! A store must name a corrupt row, count it, and revoke it. To see that, the checks need a hand that damages the
//! stored body of a record behind the store's back: [`Fresh::corrupting`]. Set the column to `'[]'`, say. Without one
//! those checks are reported as not run, and never as passed; with one, write
//! `token_store_tests!(harness(), corrupting)`.
//!
//! ## Several nodes
//!
//! "Seen by every read that starts afterwards, on every node": give a second store on the same records with
//! [`Fresh::beside`], and every call of a check goes to the next node in turn, those of a race too.
//!
//! ## Rounds
//!
//! What takes luck to break is tried again and again: [`Harness::DEFAULT_ROUNDS`] times, or as [`Harness::rounds`]
//! says. A round is one race of fifty rotations against a revocation; other races take a part of that number. The
//! environment overrides both, for a long run before a release:
//!
//! ```text
//! COUNTERFOIL_ROUNDS=2000 cargo test --release --test store_contract
//! ```
//!
//! ## What is not looked at
//!
//! That what has returned `Ok` outlives a crash, that a look-up is one indexed read, and that noting a use waits for no
//! lock: these need your database, and tests of your own.
//!
//! # Handlers
//!
//! A [`Verified`](counterfoil::Verified) cannot be built by hand, which is its point. [`verified`] mints a token and
//! verifies it:
//!
//! ```
//! use counterfoil::{Grant, Lifetime, Owner};
//!
//! let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(90)).scopes("parts:read".parse()?);
//! let verified = counterfoil_testkit::verified(grant);
//! assert_eq!(verified.record().owner().subject().as_str(), "user-42");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "tower")]
mod acting_as;
mod bench;
mod hand;
mod harness;
mod macros;
mod records;
mod report;
pub mod reservations;
pub mod tokens;
mod verified;

#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use acting_as::{ActingAs, ActingAsService, acting_as};
pub use harness::{Fresh, Harness, Job};
pub use report::{Check, Failure, Outcome, Report};
pub use verified::{verified, verified_as};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
