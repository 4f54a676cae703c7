//! What an attacker can and cannot do, boundary by boundary.
//!
//! For reviewers who decide whether to use this crate, and for operators who must know what is left to them. After this
//! page you can say, for each place somebody may have broken into, what is lost, what is not, and what your part is.
//!
//! **Not audited** by anyone but its authors. Constant time means here: written so that no branch and no address depends
//! on the secret bytes. This is promised for comparing digests and checksums, and for drawing the characters of a secret.
//! The compiler and the processor have the last word. [Some other steps](#what-is-not-promised) read tables in memory at
//! places that depend on a secret.
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
//! | can | make you read a credential of 512 bytes, or of up to 16 KiB with a family of your own or a second verifier (`Gate::second_limit`); a longer one is refused by its length; with a CRC or none, cause one lookup and one hash for each made-up token |
//! | cannot | guess a secret: 128 bits or more, drawn by the operating system without bias |
//! | | learn status, expiry or owner without the right secret: what may be told [is told after it](crate::Denial::may_be_told) |
//! | | tell an unknown selector from a wrong secret by the answer, or by the work done here: one digest is made in either case |
//! | | get in by a store that fails, a key that is missing, a clock that is not set, a queue that is full, or a policy that cannot be asked |
//! | | end a token whose text they do not hold, or with a secret that was rotated away: [`revoke_presented`](crate::Registry::revoke_presented) asks for a right one, and answers as a verification does. (A spent one ends its token where you say so, below.) |
//! | | flood your audit: a malformed text is no event, and of denials without a proven secret [so many a second](crate::registry::RegistryBuilder::denials_per_second) are told, the others [counted](crate::event::EventKind::DenialsSuppressed) |
//! | | hold up requests by a sink that is slow: behind a [`QueuedSink`](crate::event::QueuedSink) what comes of requests is dropped and counted, while changes wait and are never lost |
//! | you must | use TLS; answer [`Unknown`](crate::Denial::Unknown) and [`WrongSecret`](crate::Denial::WrongSecret) alike; limit requests by source |
//!
//! **A thief who comes late is seen.** A secret that was rotated away is refused as
//! [`Superseded`](crate::Denial::Superseded), with an event each time. Nobody can tell by it whether the thief or the owner
//! has the old copy, so what follows is yours to say:
//! [`on_reuse`](crate::registry::RegistryBuilder::on_reuse) may end the token. The price is that whoever holds an old copy
//! can end it too, and only the newest spent secret is known.
//!
//! **A flood of made-up tokens** is stopped where you give the door of `counterfoil-tower` an `AttemptLimiter`: it is
//! asked before the lookup, and told of each attempt that proved no secret.
//!
//! **Slow hashes are a lever.** With Argon2id each made-up token with a good CRC costs one slow hash. They run on threads
//! of the registry's own, at most four unless you say otherwise, with a bounded queue; what does not fit is
//! [`Overloaded`](crate::CheckError::Overloaded), so a flood makes your users wait and retry, not your memory run out. A
//! request that is given up leaves its place. A [keyed checksum](crate::Checksum::Keyed) keeps out whoever never held a
//! token. `remember_slow_hashes` of the [builder](crate::registry::RegistryBuilder), which is off by default, lets known
//! tokens pass the queue: the record is read for every request all the same, so a revocation counts at once, and wrong
//! secrets are never remembered. The real remedy is not to use a slow hash for random secrets: NIST
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
//! | | let a form through that asks for more than the [rules](crate::IssuePolicy): the registry holds to them behind it |
//! | | revoke tokens as unused before their uses can be written: such a registry is [not built](crate::registry::InvalidRegistry) |
//! | | issue a token that lives for ever, or has every scope, by leaving something out |
//! | can | forget [`require`](crate::Verified::require): a proof without a demanded scope says only who |
//! | | authorize by [`routing`](crate::Presented::routing) or a header; log the `Authorization` header; hand over an address that a client has made up |
//! | you must | demand a scope in every handler; take the client's address from a source you trust; let tokens never manage tokens, as the router of `counterfoil-axum` does not |
//!
//! A panic in an event sink is caught. A policy that never answers holds its request for as long, unless
//! [`policy_deadline`](crate::registry::RegistryBuilder::policy_deadline) sets an end. One that is late, panics or cannot
//! answer is [unavailable](crate::policy::Objection::Unavailable), and no pass.
//!
//! # Another site, and what others write: in front of the settings page
//!
//! | | |
//! |---|---|
//! | has | the browser of a person who is signed in, at another site's page; names and reasons that others have written |
//! | cannot | send a form: its hidden field is an HMAC under the session's secret, for one change of one token, and a request that says it comes from another site is refused before |
//! | | put the page into a frame, run a script or load anything in it: the content security policy allows the page's own style and script alone, and every text is escaped |
//! | | find the secret later: it stands in one reply that nobody may store, and the field is emptied when the page is left |
//! | can | do as the person, with the session's cookie or with a script elsewhere on the same origin |
//! | you must | keep the session's cookie `HttpOnly` and `SameSite`, and give each session a secret of its own |
//!
//! # Database, read: a copy, a backup, an injected `SELECT`
//!
//! | | |
//! |---|---|
//! | has | every row: owners, names, metadata, scopes, times, addresses of last use, printed selectors, digests |
//! | cannot | use a digest as a token, or test a guess against one: both kinds of ours are keyed, and the key is not in the database |
//! | | learn anything of a secret from a selector of ours: it is a public segment of its own, or a keyed hash |
//! | can | with a format that shows a [hint](crate::token::FormatBuilder::hint), read its characters; 128 bits are left beyond them |
//! | | test guesses against digests that were *imported* and not used since, and against selectors that begin with `~sha256-` or `~sha512-`: those are not keyed |
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
//! | cannot | make a token, or make one token work for another owner, tenant or record, where no format accepts imported digests |
//! | | turn a `test` token into a `live` one: the environment is in the text, and must also be the row's |
//! | | have memory taken at will: a stored cost is held against bounds before any work |
//! | | make a row count as good by breaking it: what cannot be read verifies nothing |
//! | **can** | extend or remove an expiry, add scopes, drop networks and audience, remove a block or a revocation |
//! | **can** | bring an old secret of the *same* record back, by moving its slot; or put a whole older row back |
//! | **can** | delete rows, or damage them: those tokens stop working |
//! | **can** | while a format accepts *imported* digests, make tokens of any owner: such a digest has no key, so anyone can write one of a text of their own, into a new row or over another's digest |
//! | you must | guard writes as you guard your users' table; accept imported digests [for as long as it takes](super::migration), and no longer; send events to a place that the database's writers cannot change; after a backup is put back, make again the revocations that it does not know |
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
//! # Database, connect: a role without rights on the tables
//!
//! | | |
//! |---|---|
//! | has | a connection to the same PostgreSQL database, for example as the role of another service; by `LISTEN` the ids and selectors of tokens that change |
//! | cannot | read or change a token, hide a change from a cache, or renew a cache's lease: each node's heartbeats have a channel with a random name |
//! | can | send `NOTIFY counterfoil_changes` with any payload, so that every node reads the tokens in use again: once between two heartbeats, which are a quarter of the cache's bound apart, however many it sends. A revocation in the flood is seen within the bound |
//! | | fill the server's queue of notifications, while a session listens and does not read: then every change fails at its commit, as [`operating`](super::operating) says |
//! | you must | take the right to connect away from roles that do not need it: `REVOKE CONNECT ON DATABASE … FROM PUBLIC` |
//!
//! # Database, away: it takes no writes, or is not there
//!
//! | | |
//! |---|---|
//! | read-only | tokens verify, by the rows as they are; uses stay noted in memory, to a bound; digests that are out of date are served and not made anew, and after a failure none is tried for a minute |
//! | | no token is made, and **none can be ended**: a revocation says [`ReadOnly`](crate::store::StoreErrorKind::ReadOnly), and a reuse is refused and told while its token lives on |
//! | not there | no token verifies, and none is refused: the answer is "try again" |
//! | a replica that lags | breaks the contract of a store: a revocation is not seen where it is read |
//! | you must | have another way to stop one token while nothing can be written: a [`Policy`](crate::Policy) that refuses it |
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
//! unknown does; how many are told one by one is bounded, and the count of the others is
//! [told](crate::event::EventKind::DenialsSuppressed). A refusal of your policy is in the audit with your own code and
//! without your text.
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
//! go. What is remembered of slow hashes, if you ask for it, is for each digest its cost, salt and value, as in the store,
//! and a hash of the input under a key of the process: no text. The text of a *presented* token is yours and your web
//! server's. Registers, copies on the stack, swap and core dumps are out of reach.
//!
//! A node with a wrong clock ends tokens by that clock; a node without a key answers "cannot be checked"; neither lets
//! anybody in who holds no token. But one whose clock is far ahead and that runs the upkeep deletes and revokes by it, for
//! good: every token in use, if unused ones are [to be
//! revoked](crate::registry::RegistryBuilder::revoke_unused_after). Let a node without a time service not run it.
//!
//! # What is not promised
//!
//! | not promised | because | what you can do |
//! |---|---|---|
//! | nobody finds out whether a selector exists | your database answers faster for one that does not; a damaged row and a missing key say "try again" before the secret is looked at | nothing: selectors are public, and the secret is behind them |
//! | a token costs the same to check whatever its digest is | a row made before a change of algorithm or cost still has the old one | let the rehash run out |
//! | a keyed checksum and a parse take constant time | they tell "ours" from "not ours", which is public | |
//! | no table in memory is read at a place that depends on a secret | a CRC-32 reads tables at places that depend on each byte of a presented or minted token. Base64 is read and written through tables: server keys when a keyring is parsed, digests in rows, and the secret in the text of a JWT. Argon2id reads its own memory depending on its input in the second half of its first pass and in later ones, by design (RFC 9106, section 3.4.1.3). Your HTTP library parses headers through tables | use [`Checksum::Keyed`](crate::Checksum::Keyed) or [`Checksum::None`](crate::Checksum::None), and keyed digests; share no processor core with programs that you do not trust |
//! | scopes, expiry, marks and restrictions are genuine | no digest covers them | guard writes; catalog and ceiling |
//! | a revocation cannot be undone by a database writer | an old row is a good row | an audit elsewhere |
//! | a CRC keeps anybody out | anyone computes it | a keyed checksum |
//! | process memory holds no trace | see above | no swap, no core dumps |
//! | clocks of nodes agree | they are yours | a time service |
//! | every reuse of a stolen old secret is seen | one spent secret is kept for each record, the newest | short overlaps; look at denials of [`Superseded`](crate::Denial::Superseded), or let [`on_reuse`](crate::registry::RegistryBuilder::on_reuse) follow |
//! | a last use is exact, or never lost | it is noted in memory, and written once a minute for each token; a process that is killed takes its notes with it | [`shutdown`](crate::Registry::shutdown) at the end; no billing by it |
//! | every event arrives | a full [queue](crate::event::QueuedSink) drops what comes of requests, and says how much; a warning is claimed before it is told | a queue that fits; changes are never dropped |
//! | a thief with a current token is seen | bearer tokens | TLS, short lifetimes, narrow scopes and networks (RFC 6750, section 5.3) |
//! | a format that accepts imported digests is as strong as one that does not | other software made them, without a key and without binding the row | accept them for a while, and no more than you import |
