//! Pages for people: what this crate is made of, and how to audit, run and extend it. There is no code in here.
//!
//! This page is for anyone who has read the [first page](crate) and wants the whole picture. After it you know where
//! each decision is made, what may happen where, and which page to open next.
//!
//! | you are | you want to | page |
//! |---|---|---|
//! | a host's developer | choose what tokens look like | [`token_format`] |
//! | | keep the rows in a table of your own, or repair one by hand | [`stored_rows`] |
//! | | bring tokens over from another system | [`migration`] |
//! | an operator | replace a server key without anyone noticing | [`rotating_server_keys`] |
//! | a store's author | write one in an hour | [`stores`] |
//! | a reviewer | know what is promised and what is not | [`threat_model`] |
//! | an auditor | read the thousand lines that matter, and run the proofs | [`auditing`] |
//!
//! # Two halves
//!
//! A [`Token`](crate::Token) is the half for the user: a text that is seen once. A [`Record`](crate::Record) is the half
//! for the service: facts, and a digest of that text under a key that the database does not have. Neither can be made
//! from the other. What connects them is the *selector*, which finds the record, and the *digest*, which proves the
//! secret.
//!
//! | word | type | what it is |
//! |---|---|---|
//! | presented | [`Presented`](crate::Presented) | text that has been read as a token, and proves nothing yet |
//! | selector | [`Selector`](crate::Selector) | what finds the record; anew with each rotation |
//! | id | [`TokenId`](crate::TokenId) | the record's name in lists and logs; outlives rotation, finds nothing at a check |
//! | slot | [`Slot`](crate::record::Slot) | one secret's selector and digest: current, retiring or spent |
//! | keyring | [`Keyring`](crate::Keyring) | the server's keys in order: older, minting, staged |
//! | mark | [`Mark`](crate::Mark) | a stored fact: revoked, suspended or blocked, when, by whom and why |
//! | status | [`Status`](crate::Status) | what marks and expiry come to at a moment; never stored |
//! | proof | [`Verified`](crate::Verified) | what a handler is given; made in one place |
//!
//! # Layers
//!
//! A module uses modules of lower layers alone. `tests/layers.rs` holds the full list, reads every `use` and every
//! `crate::` path in the sources, and fails on one that points sideways or up.
//!
//! ```text
//!                      your service                           your database
//!                           |                                       |
//!  7  plumbing   registry: parse, find, check, verify; mint, insert; change; no decision is made here
//!  6             memory: a store for tests and small hosts
//!  5             change   rotate   policy   event
//!  4  decisions  mint     verify   store (the contract)
//!  3             check    seal     grant    caller   circumstances
//!  2             record
//!  1  words      token    expiry   restriction   subject   annotation   denial   server_key
//!  0             digest   alphabet   scope   text   time   timer   entropy
//! ```
//!
//! `mint`, `verify` and `store` do not know each other: what a token is worth does not depend on where it is kept.
//!
//! # Where effects happen
//!
//! Decisions are functions from values to values. All else is confined, and `tests/layers.rs` looks for it by name:
//!
//! | effect | happens in |
//! |---|---|
//! | the system clock is read | `time`, and nowhere else; whatever decides takes `now` |
//! | the system's randomness is drawn | `entropy` |
//! | something is hashed, or secret bytes are compared | `digest` |
//! | a thread is started | `digest`, for slow hashes |
//! | a future is awaited | `registry`, `policy`, `store`, `memory` |
//! | something is logged | nowhere, but for the sink of feature `tracing`, if you ask for it |
//!
//! # The path of a request
//!
//! ```text
//! text -> parse -> selectors -> store.find -> check -> verify -> rehash -> policy -> Verified
//!           |          |            |           |         |         |         |
//!       ParseError  Malformed   StoreError  CheckError  Denial  (an event)  Objection
//! ```
//!
//! [`VerifyError::is_refusal`](crate::registry::VerifyError::is_refusal) tells a no from "nothing could be found out":
//! text that cannot be read, a [`Denial`](crate::Denial) and a policy's refusal are a no. A store that fails, a key that
//! is not here and a clock that is not set are neither a no nor a pass. To make a digest anew never fails a request.
//!
//! # Without the plumbing
//!
//! Layers 0 to 5 need no runtime and no store: [`TokenFormat::parse`](crate::TokenFormat::parse),
//! [`check::selectors`](crate::check::selectors), [`check()`](crate::check()) and [`verify()`](crate::verify()) are
//! synchronous, and [`Grant::mint`](crate::Grant::mint) gives both halves. `examples/sans_io.rs` is a whole service of
//! that kind.

pub mod auditing;
pub mod migration;
pub mod rotating_server_keys;
pub mod stored_rows;
pub mod stores;
pub mod threat_model;
pub mod token_format;
