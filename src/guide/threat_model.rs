//! What an attacker can and cannot do, boundary by boundary.
//!
//! For reviewers who decide whether to use this crate, and for operators who must know what is left to them. After this
//! page you can say, for each place somebody may have broken into, what is lost, what is not, and what your part is.
//!
//! **Not audited** by anyone but its authors. What is called constant time here means: written so that no branch and no
//! address depends on the secret bytes. The compiler and the processor have the last word.
//!
//! # What is protected
//!
//! That nobody acts with the rights of a token without holding its text, that a token ends when it is said to end, and
//! that its text is nowhere but with the user. A token is a bearer token: whoever holds the text *is* the bearer
//! (RFC 6750, section 5). Nothing here tells a thief with a current token from its owner.
//!
//! # Network: somebody who sends requests
//!
//! | | |
//! |---|---|
//! | has | your address, the format and its checksum (they are public), selectors from logs and screens; perhaps tokens of their own, or ended ones |
//! | can | make you read 512 bytes, or up to 16 KiB with a family of your own; with a CRC or none, cause one lookup and one hash for each made-up token |
//! | cannot | guess a secret: 128 bits or more, drawn by the operating system without bias |
//! | | learn status, expiry or owner without the right secret: what may be told [is told after it](crate::Denial::may_be_told) |
//! | | tell an unknown selector from a wrong secret by the answer, or by the work done here: one digest is made in either case |
//! | | get in by a store that fails, a key that is missing, a clock that is not set, or a policy that cannot be asked |
//! | you must | use TLS; answer [`Unknown`](crate::Denial::Unknown) and [`WrongSecret`](crate::Denial::WrongSecret) alike; limit requests by source |
//!
//! **Slow hashes are a lever.** With Argon2id each made-up token with a good CRC costs one slow hash. They run on threads
//! of the registry's own, with a bounded queue; what does not fit is
//! [`Overloaded`](crate::CheckError::Overloaded), so a flood makes your users wait and retry, not your memory run out. A
//! [keyed checksum](crate::Checksum::Keyed) keeps out whoever never held a token. The memo of verified secrets, which is
//! off by default, lets known tokens pass the queue. The real remedy is not to use a slow hash for random secrets: NIST
//! SP 800-63B (revision 3, section 5.1.2.2) asks for one below 112 bits.
//!
//! # The host's code: a mistake in your service
//!
//! | | |
//! |---|---|
//! | has | everything in its own process |
//! | cannot, by mistake | make a [`Verified`](crate::Verified) other than by [`verify`](crate::verify()): it has no constructor, default or deserializer |
//! | | print a secret: [`Token`](crate::Token) has no `Display`, and `Debug` shows the public part; `expose` is one word to search for |
//! | | compare digests with `==`, widen scopes of an issued token, un-revoke one, or take seconds for milliseconds |
//! | | issue a token that lives for ever, or has every scope, by leaving something out |
//! | can | forget [`require`](crate::Verified::require): a proof without a demanded scope says only who |
//! | | authorize by [`routing`](crate::Presented::routing) or a header; log the `Authorization` header; hand over an address that a client has made up |
//! | you must | demand a scope in every handler; take the client's address from a source you trust; let tokens never manage tokens |
//!
//! A panic in an event sink is caught. A policy that never answers holds its request for as long, unless
//! `policy_deadline` sets an end; one that cannot answer is no pass.
//!
//! # Database, read: a copy, a backup, an injected `SELECT`
//!
//! | | |
//! |---|---|
//! | has | every row: owners, names, metadata, scopes, times, addresses of last use, printed selectors, digests |
//! | cannot | use a digest as a token, or test a guess against one: both kinds are keyed, and the key is not in the database |
//! | | learn anything of a secret from a selector: it is a public segment of its own, or a keyed hash |
//! | can | with a format that shows a [hint](crate::token::FormatBuilder::hint), read its characters; 128 bits are left beyond them |
//! | | test guesses against digests that were *imported* and not used since: those are not keyed |
//! | you must | keep the keys out of the database and its backups |
//!
//! With the keys as well, they could test guesses, which does not help against 128 random bits.
//!
//! # Database, write: an injected `UPDATE`, a restored backup, an administrator
//!
//! The digests bind the token's text to record, tenant and owner, and nothing else. So:
//!
//! | | |
//! |---|---|
//! | cannot | make a token, or make one token work for another owner, tenant or record |
//! | | turn a `test` token into a `live` one: the environment is in the text, and must also be the row's |
//! | | have memory taken at will: a stored cost is held against bounds before any work |
//! | | make a row count as good by breaking it: what cannot be read verifies nothing |
//! | **can** | extend or remove an expiry, add scopes, drop networks and audience, remove a block or a revocation |
//! | **can** | bring an old secret of the *same* record back, by moving its slot; or put a whole older row back |
//! | **can** | delete rows, or damage them: those tokens stop working |
//! | **can** | while a format accepts *imported* digests, make tokens of any owner: such a digest has no key, so anyone can write one of a text of their own |
//! | you must | guard writes as you guard your users' table; send events to a place that the database's writers cannot change; after a backup is put back, make again the revocations that it does not know |
//!
//! Why scopes and expiry are not bound: they change during a token's life, and only the token's bearer brings the text
//! that a new digest would need. A seal over the row under another key would show such edits, and would still not show
//! that a whole older row was put back. Two things help at the check, whatever a row says: scopes that a
//! [catalog](crate::ScopeCatalog) never grants are refused, and a policy's
//! [ceiling](crate::policy::Assent::ceiling) holds the token to what its owner may do now.
//!
//! ```
//! use counterfoil::{
//!     Circumstances, Denial, Grant, Keyring, Lifetime, Owner, Record, Row, Timestamp, TokenFormat, check,
//!     draw_server_key, verify,
//! };
//! use std::sync::Arc;
//!
//! # let format = TokenFormat::builder("acme").build()?;
//! # let keyring: Keyring = format!("2026:{}:mint", draw_server_key()?).parse()?;
//! # let now = Timestamp::from_unix_millis(1_767_225_600_000)?;
//! # let mint = |owner: &str| Ok::<_, Box<dyn std::error::Error>>(
//! #     Grant::new(Owner::new(owner)?, Lifetime::days(90)).mint(&format, &keyring, now)?);
//! let (ann, bob) = (mint("ann")?, mint("bob")?);
//! let (row, other) = (ann.record.to_row(), bob.record.to_row());
//! let verdict = |row: Row| -> Result<Option<Denial>, Box<dyn std::error::Error>> {
//!     let record = Arc::new(Record::from_row(row)?);
//!     let checked = check(format.parse(ann.token.expose())?, Some(&record), &keyring)?;
//!     Ok(verify(checked, Some(record), &Circumstances::at(now)).err())
//! };
//! assert_eq!(verdict(row.clone())?, None);
//!
//! // What an edit cannot do: Ann's token works for nobody else, and in no other row.
//! let wrong = Some(Denial::WrongSecret);
//! assert_eq!(verdict(Row { owner: "bob".into(), ..row.clone() })?, wrong);
//! assert_eq!(verdict(Row { tenant: "org-7".into(), ..row.clone() })?, wrong);
//! assert_eq!(verdict(Row { id: other.id, ..row.clone() })?, wrong);
//! assert_eq!(verdict(Row { current: row.current.clone(), ..other })?, wrong);
//!
//! // What it can do: no digest covers these.
//! let body = row.body.replace("\"v\":1", "\"v\":1,\"scopes\":[\"admin:users\"]");
//! assert_eq!(verdict(Row { body, ..row.clone() })?, None);
//! assert_eq!(verdict(Row { expires_at: None, ..row.clone() })?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Logs: somebody who reads them
//!
//! | | |
//! |---|---|
//! | has | events, errors, `Debug` output: ids, owners, codes, addresses, public parts of tokens |
//! | cannot | find any part of a secret or a digest in what this crate prints, or a server key in a failure to read one |
//! | can | find what *you* have logged: request headers, bodies of the answer that shows a new token, crash dumps |
//! | you must | leave the credential's header and that answer out of your logs, and mark the answer `no-store` |
//!
//! A text that cannot be read as a token raises no event, so garbage does not fill the audit. A well-formed one that is
//! unknown does; how many are told one by one is bounded.
//!
//! # One node: somebody inside the process
//!
//! | | |
//! |---|---|
//! | has | the keys, every token presented while they are there, and what the service itself may do |
//! | cannot | get the text of tokens that are not presented: no node has them |
//! | can | with the keys and write access to the database, make tokens of any owner, even after they have left |
//! | you must | revoke what was presented there, and replace the keys: a database writer who has an old key can forge digests as long as any node accepts it |
//!
//! Server keys, drawn secrets, new tokens' texts and the inputs and memory of slow hashes are wiped when they are let
//! go. The text of a *presented* token is yours and your web server's. Registers, copies on the stack, swap and core
//! dumps are out of reach.
//!
//! A node with a wrong clock ends tokens by that clock; a node without a key answers "cannot be checked"; neither lets
//! anybody in who holds no token.
//!
//! # What is not promised
//!
//! | not promised | because | what you can do |
//! |---|---|---|
//! | nobody finds out whether a selector exists | your database answers faster for one that does not; a damaged row and a missing key say "try again" before the secret is looked at | nothing: selectors are public, and the secret is behind them |
//! | a token costs the same to check whatever its digest is | a row made before a change of algorithm or cost still has the old one | let the rehash run out |
//! | a keyed checksum and a parse take constant time | they tell "ours" from "not ours", which is public | |
//! | scopes, expiry, marks and restrictions are genuine | no digest covers them | guard writes; catalog and ceiling |
//! | a revocation cannot be undone by a database writer | an old row is a good row | an audit elsewhere |
//! | a CRC keeps anybody out | anyone computes it | a keyed checksum |
//! | process memory holds no trace | see above | no swap, no core dumps |
//! | clocks of nodes agree | they are yours | a time service |
//! | every reuse of a stolen old secret is seen | one spent secret is kept for each record, the newest | short overlaps; look at `superseded` events |
//! | a thief with a current token is seen | bearer tokens | TLS, short lifetimes, narrow scopes and networks (RFC 6750, section 5.3) |
//! | a format that accepts imported digests is as strong as one that does not | other software made them, without a key and without binding the row | accept them for a while, and no more than you import |
