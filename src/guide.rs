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
//! | an operator | set the rules and the upkeep, and know what to do when | [`operating`] |
//! | | run the settings page and the API behind a reverse proxy | [`reverse_proxies`] |
//! | | replace a server key without anyone noticing | [`rotating_server_keys`] |
//! | | go past one machine, and know how late a revocation may be | [`scaling`] |
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
//! A module uses modules of lower layers alone. `tests/layers.rs` holds the list that is drawn here, reads every `use` and
//! every `crate::` path in the sources, and fails on one that points sideways or up.
//!
//! ```text
//!                      your service                           your database
//!                           |                                       |
//!  8  plumbing   registry: parse, find, check, verify; mint, insert; change; no decision is made here
//!  7             maintain   memory
//!  6             change     event    policy   rotate   uses
//!  5  decisions  import     mint     possession   store   verify
//!  4             caller     check    circumstances   grant   seal
//!  3             record
//!  2             token
//!  1  words      annotation denial   expiry   idempotency   restriction   server_key   subject
//!                backoff    tally
//!  0             alphabet   digest   entropy   json   scope   text   time   timer
//! ```
//!
//! `mint`, `verify` and `store` do not know each other: what a token is worth does not depend on where it is kept.
//!
//! | module | in one line |
//! |---|---|
//! | [`import`](crate::import) | what another system has kept of a token → the record, if its token could ever be verified |
//! | [`possession`](crate::possession) | what a right secret alone may do, which is to end its token; and what a spent one brings about |
//! | [`store`](crate::store) | the contract of a store, and no store |
//! | [`policy`](crate::policy) | the host's rules: what may be issued, and who may use it; asked within a deadline |
//! | [`event`](crate::event) | what happened, as values; the queue before a slow sink; the bound on denials |
//! | `uses` | uses on their way to the store: noted in memory, written seldom |
//! | [`maintain`](crate::maintain) | which records are deleted, warned of and revoked as unused, and how many in one run |
//! | [`memory`](crate::memory) | a store for tests and small hosts |
//! | `backoff`, `tally` | how long to leave alone what has failed; a count told once a second |
//! | `json` | JSON in which no object has a member twice |
//! | `timer` | waiting, which is the host's runtime's business |
//!
//! # Where effects happen
//!
//! Decisions are functions from values to values. All else is confined, and `tests/layers.rs` looks for it by name:
//!
//! | effect | happens in |
//! |---|---|
//! | the system clock is read | `time`, and nowhere else; whatever decides takes `now`; no other clock is read at all |
//! | the system's randomness is drawn | `entropy` |
//! | something is hashed, or secret bytes are compared | `digest` |
//! | a thread is started | `digest`, for slow hashes; `event`, for a [`QueuedSink`](crate::event::QueuedSink), if you ask for one |
//! | a function is async | `registry`, `maintain`, `policy`, `store`, `memory` |
//! | a future is named | `registry`, `policy`, `store`, `digest`, and `timer`, where the host's sleep comes in |
//! | something is logged | nowhere, but for `event`'s sink of feature `tracing`, if you ask for it |
//!
//! # The path of a request
//!
//! ```text
//! text -> parse -> selectors -> store.find -> check -> verify -> rehash -> policy -> use is noted -> Verified
//!           |          |            |           |         |         |         |
//!       ParseError  Malformed   StoreError  CheckError  Denial  (an event)  Objection
//! ```
//!
//! - `check` makes one hash. A fast one is made where the caller stands. A slow one waits for a thread in a bounded
//!   queue, unless it is remembered, if the host has asked for that; the record is read either way.
//! - The clock is read behind `check`, so that a token that ends during a slow lookup or hash is refused.
//! - A [`Denial`](crate::Denial) of a spent secret may revoke its token, if the host has
//!   [said so](crate::registry::RegistryBuilder::on_reuse).
//! - A use is noted in memory: no request waits for it to be written.
//!
//! [`VerifyError::is_refusal`](crate::registry::VerifyError::is_refusal) tells a no from "nothing could be found out":
//! text that cannot be read, a [`Denial`](crate::Denial) and a policy's refusal are a no. A store that fails, a key that
//! is not here, a queue that is full, a policy that is late and a clock that is not set are neither a no nor a pass. To
//! make a digest anew never fails a request.
//!
//! # The life of a token
//!
//! | what happens | who does it | and then |
//! |---|---|---|
//! | [`issue`](crate::Registry::issue), [`issue_once`](crate::Registry::issue_once) | the switch, lifetimes and catalog decide, then the policy; `mint` draws the secret; the store counts the owner's tokens and inserts, in one step | the text is seen once, the record is stored |
//! | [`import`](crate::Registry::import) | `import` makes the record; neither rules nor policy are asked | the first use gives it a digest of ours |
//! | use, [`verify_for`](crate::Registry::verify_for) | `check` compares, `verify` decides, the policy has its say | a digest that is out of date is made anew; the use is noted |
//! | [`block`](crate::Registry::block), [`suspend`](crate::Registry::suspend), [`set_expiry`](crate::Registry::set_expiry), … | `change` decides, the store swaps, if the record is of the expected revision | the next verification sees it |
//! | [`rotate`](crate::Registry::rotate), [`rotate_once`](crate::Registry::rotate_once) | the policy, then `rotate` | a new secret; the old one retires for an overlap or is spent at once |
//! | its end comes near | `maintain` claims and tells each threshold once | the host tells the owner |
//! | [`revoke`](crate::Registry::revoke), [`revoke_all`](crate::Registry::revoke_all) | the store marks rows without reading their bodies | final: no change and no race undoes it |
//! | [`revoke_presented`](crate::Registry::revoke_presented) | `check` and `possession` | whoever holds the text can end it |
//! | nobody uses it | `maintain`, if the host sets [a time](crate::registry::RegistryBuilder::revoke_unused_after) | revoked |
//! | purge | `maintain`, after its [`Retention`](crate::Retention) | the row is gone with all that belongs to it |
//!
//! Each of them is an [`event`](crate::event). What a host sets and runs for this is on the page on
//! [`operating`].
//!
//! # Without the plumbing
//!
//! What decides needs no runtime and no store: [`TokenFormat::parse`](crate::TokenFormat::parse),
//! [`check::selectors`](crate::check::selectors), [`check()`](crate::check()) and [`verify()`](crate::verify()) are
//! synchronous, and [`Grant::mint`](crate::Grant::mint) gives both halves. `examples/sans_io.rs` is a whole service of
//! that kind.
//!
//! # Beside the core
//!
//! | crate | stands |
//! |---|---|
//! | `counterfoil-sqlx` | below a registry: a store in SQLite or PostgreSQL |
//! | `counterfoil-cache` | between the two: records in memory, for as long as their word on revocation can be kept |
//! | `counterfoil-tower`, `counterfoil-axum` | before one: the door of a web service, what handlers ask for, and the management of tokens by those who are signed in, by an API and by a page |
//! | `counterfoil-jwt` | in one: a family of tokens that others verify without it |
//! | `counterfoil-client` | at the other end of the wire: what a user's command-line program does with its token |
//! | `counterfoil-testkit` | beside it, in tests: the checks of a store's contract, and real proofs for handlers |
//!
//! None of them can make a [`Verified`](crate::Verified) but by asking a registry, or the functions that it asks.

pub mod auditing;
pub mod migration;
pub mod operating;
pub mod reverse_proxies;
pub mod rotating_server_keys;
pub mod scaling;
pub mod stored_rows;
pub mod stores;
pub mod threat_model;
pub mod token_format;
