//! Running the service: what to set, what to run, and what to do when something happens.
//!
//! For whoever sets a registry up and is called at night. After this page you have one with rules, upkeep and an audit,
//! know what each event asks of you, and which call answers a leak, an owner who has left, and a store that takes no
//! writes.
//!
//! # What to set
//!
//! All of it is given to [`Registry::builder`](crate::Registry::builder), once. What is left out has the default.
//!
//! | setting | default | mind |
//! |---|---|---|
//! | [`IssuePolicy::lifetimes`](crate::IssuePolicy) | any, forever too | holds for new tokens and new ends; a form offers what it [offers](crate::policy::Lifetimes::offered) |
//! | [`IssuePolicy::limit`](crate::IssuePolicy) | none | active tokens of one owner; ended ones do not count |
//! | [`IssuePolicy::scopes`](crate::IssuePolicy) | every well-formed scope | what the [catalog](crate::ScopeCatalog) never grants is refused at each use too |
//! | [`IssuePolicy::switch`](crate::IssuePolicy) | open | keep a clone of the [`MintSwitch`](crate::policy::MintSwitch); it is of one process |
//! | [`policy`](crate::registry::RegistryBuilder::policy) | none | your [`Policy`](crate::Policy): asked at use, issue and rotation |
//! | [`policy_deadline`](crate::registry::RegistryBuilder::policy_deadline) | waits for as long as it takes | late is "try again", never a pass |
//! | [`on_reuse`](crate::registry::RegistryBuilder::on_reuse) | an event | [`Reuse::Revoke`](crate::possession::Reuse::Revoke) ends the token, also for a client of the user's that has an old copy |
//! | [`sink`](crate::registry::RegistryBuilder::sink) | none: no event is made | called in line; put a slow one behind a [`QueuedSink`](crate::event::QueuedSink) |
//! | [`denials_per_second`](crate::registry::RegistryBuilder::denials_per_second) | 100 | of those without a proven secret; the others are counted |
//! | [`uses`](crate::registry::RegistryBuilder::uses) | written once a minute for each token, 50,000 tokens noted | [`UseNotes`](crate::UseNotes) |
//! | [`retention`](crate::registry::RegistryBuilder::retention) | revoked records 31 days, expired ones for ever | a [`Retention`](crate::Retention) for expired ones means that no later end brings them back |
//! | [`warn_before`](crate::registry::RegistryBuilder::warn_before) | none | `expiring` events, once over all nodes; sending mail is yours |
//! | [`revoke_unused_after`](crate::registry::RegistryBuilder::revoke_unused_after) | never | at least twice [`UseNotes::every`](crate::UseNotes), or `build` refuses |
//! | [`serving`](crate::registry::RegistryBuilder::serving), [`audience`](crate::registry::RegistryBuilder::audience) | none | needed for formats with environments; for tokens that are meant for one audience |
//! | `slow_hash_threads`, `slow_hash_queue`, `remember_slow_hashes` of the [builder](crate::registry::RegistryBuilder) | a thread for each processor and at most four, 64 waiting, nothing remembered | only where the keyring makes or meets Argon2id digests; see the [`threat_model`](super::threat_model) |
//!
//! # A complete set-up
//!
//! ```
//! use counterfoil::{
//!     Actor, By, Caller, Denial, Grant, IssuePolicy, Keyring, Lifetime, MemoryStore, Owner, Policy, Record, Registry,
//!     Retention, Rotation, Scope, ScopeCatalog, Scopes, TokenFormat, UnknownScopes, Verified,
//!     event::{Event, EventSink, QueuedSink},
//!     policy::{Approval, Assent, Lifetimes, MintSwitch, Objection, Refusal},
//!     possession::Reuse,
//!     registry::{IssueError, VerifyError},
//! };
//! use std::{
//!     error::Error,
//!     sync::{Arc, Mutex},
//!     time::Duration,
//! };
//!
//! const DAY: Duration = Duration::from_secs(86_400);
//!
//! /// The service's own users: who has left, and what the others may do.
//! #[derive(Debug, Clone, Default)]
//! struct Users {
//!     gone: Arc<Mutex<Vec<Owner>>>,
//! }
//!
//! impl Users {
//!     fn rights_of(&self, owner: &Owner) -> Result<Scopes, Objection> {
//!         if self.gone.lock().unwrap().contains(owner) {
//!             return Err(Refusal::new("account_closed", "this account is closed").into());
//!         }
//!         "parts:*".parse().map_err(|error| Objection::Unavailable(Box::new(error)))
//!     }
//! }
//!
//! impl Policy for Users {
//!     async fn at_use(&self, verified: &Verified, _: &Caller) -> Result<Assent, Objection> {
//!         Ok(Assent::plain().ceiling(self.rights_of(verified.record().owner())?))
//!     }
//!     async fn at_issue(&self, grant: &Grant) -> Result<Approval, Objection> {
//!         Ok(Approval::plain().ceiling(self.rights_of(&grant.owner)?))
//!     }
//!     async fn at_rotate(&self, record: &Record, _: &By) -> Result<(), Objection> {
//!         self.rights_of(record.owner()).map(drop)
//!     }
//! }
//!
//! /// Where events are kept, out of reach of whoever writes to the tokens' database.
//! #[derive(Debug, Clone, Default)]
//! struct Audit(Arc<Mutex<Vec<&'static str>>>);
//!
//! impl EventSink for Audit {
//!     fn emit(&self, event: &Event) {
//!         self.0.lock().unwrap().push(event.kind.as_str());
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! # let keys = format!("2026:{}:mint", counterfoil::draw_server_key()?);
//! let keyring: Keyring = keys.parse()?; // from the environment or a file, never from the database
//! let catalog = ScopeCatalog::builder()
//!     .scope("parts:read", "See parts")
//!     .scope("parts:write", "Change parts")
//!     .implies("parts:write", "parts:read")
//!     .never("tokens:*") // tokens never manage tokens
//!     .build()?;
//! let (users, audit, switch) = (Users::default(), Audit::default(), MintSwitch::default());
//! let queue = QueuedSink::start(audit.clone(), 1024)?;
//!
//! let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, MemoryStore::new())
//!     .issue_policy(IssuePolicy {
//!         limit: Some(50),
//!         scopes: Some((Arc::new(catalog), UnknownScopes::Reject)),
//!         lifetimes: Lifetimes::among([30 * DAY, 90 * DAY, 365 * DAY]).by_default(Lifetime::days(90))?,
//!         switch: switch.clone(),
//!         ..IssuePolicy::default()
//!     })
//!     .policy(users.clone())
//!     .policy_deadline(Duration::from_millis(500), tokio::time::sleep)
//!     .on_reuse(Reuse::Revoke)
//!     .sink(queue.clone())
//!     .retention(Retention { expired: Some(365 * DAY), ..Retention::default() })
//!     .warn_before([7 * DAY, DAY])
//!     .revoke_unused_after(365 * DAY)
//!     .build()?;
//! let background = tokio::spawn(registry.background(tokio::time::sleep, Duration::from_secs(30)));
//!
//! // A user makes a token; the form named no lifetime. Scopes beyond the user's rights would be refused by name.
//! let ann = Owner::new("user-42")?;
//! let lifetime = registry.issue_policy().lifetime(None)?;
//! let grant = Grant::new(ann.clone(), lifetime).scopes("parts:write".parse()?);
//! let issued = registry.issue(grant.clone()).await?;
//! let verified = registry.verify(issued.token.expose()).await?;
//! verified.require(&"parts:read".parse::<Scope>()?)?; // implied
//!
//! // A secret that was rotated away comes back: an old copy or a stolen one, so the token ends.
//! let renewed = registry.rotate(issued.record.id(), &Rotation::at_once()).await?;
//! let reused = registry.verify(issued.token.expose()).await.unwrap_err();
//! assert!(matches!(reused, VerifyError::Denied(Denial::Superseded)));
//! let ended = registry.verify(renewed.token.expose()).await.unwrap_err();
//! assert!(matches!(ended, VerifyError::Denied(Denial::Revoked)));
//!
//! // Somebody reports a token that they have found.
//! let leaked = registry.issue(grant.clone()).await?;
//! let done = registry.revoke_presented(leaked.token.expose(), Actor::new("leak-report")?, &Caller::unknown()).await?;
//! assert!(!done.already);
//!
//! // The owner leaves: first the rule, so that nothing new is made, then the tokens.
//! registry.issue(grant.clone()).await?;
//! users.gone.lock().unwrap().push(ann.clone());
//! assert!(matches!(registry.issue(grant.clone()).await, Err(IssueError::Policy(Objection::Refused(_)))));
//! let revocation = registry.revoke_all(ann, Actor::new("admin:7")?).await?;
//! assert_eq!((revocation.revoked.len(), revocation.already), (1, 2));
//!
//! // An incident: nothing is minted on this node, until the switch is opened again.
//! switch.stop();
//! assert!(matches!(registry.issue(grant).await, Err(IssueError::Stopped)));
//!
//! // The end: no more runs, then what is noted, then what is queued.
//! background.abort();
//! assert_eq!(registry.shutdown().await?, 1); // the one use
//! queue.flush(); // waits on this thread
//! let told = audit.0.lock().unwrap();
//! let of_the_reuse = ["issued", "used", "rotated", "denied", "revoked", "denied"];
//! let of_the_rest = ["issued", "revoked", "issued", "refused", "revoked"];
//! assert_eq!(*told, [&of_the_reuse[..], &of_the_rest].concat());
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! The same without a runtime: leave the deadline out, and call [`maintain`](crate::Registry::maintain) from a job of
//! your own.
//!
//! # What runs
//!
//! [`Registry::maintain`](crate::Registry::maintain) is one run, [`Registry::background`](crate::Registry::background)
//! one after the other. Each step is bounded, and is made whether or not another failed.
//!
//! | step | does | bound of a run | which node |
//! |---|---|---|---|
//! | uses | writes the uses that are due, 500 in a transaction | the uses that are noted | every one: notes are in memory |
//! | purge | deletes records past their retention, 100 in a transaction | 5,000 records deleted | one is enough |
//! | requests | forgets requests with an idempotency key that are a day old, 100 in a transaction | 5,000 requests deleted | one is enough |
//! | warnings | claims each threshold once, 100 in a transaction, and reports it | 5,000 tokens that end soon looked at | one is enough |
//! | sweep | revokes tokens that were not used for too long, 100 in a transaction | 5,000 tokens revoked | one is enough, but see below |
//!
//! - The bounds hold for the run, however many tokens one owner has. [`revoke_all`](crate::Registry::revoke_all) has no bound
//!   of its own, and works in transactions of 100 tokens too. If the store fails in between,
//!   [`Interrupted`](crate::registry::ChangeError::Interrupted) says what is done, and the same call does the rest.
//! - On SQLite every other change waits for a transaction. One of 100 tokens is short (below 100 ms, as the bench
//!   `store_ratios` measures at a million rows), the queue of the process is fair, and a pause after each of them lets other
//!   processes in. So a revocation waits for one or two of them and not for the whole run.
//! - To find unused tokens the sweep reads the records in the order of their ids, without a lock. Where most tokens are in
//!   use, a run reads them all.
//! - Any number of nodes may run all of it at the same time. [`Maintained::more`](crate::Maintained) says that a step
//!   has reached its bound; the next run goes on.
//! - The sweep goes by the uses in the store. A node that could not write its own sweeps nothing in that run, and one
//!   that had to drop a use none until that use would be too old to count: [`sweep_put_off`](crate::Maintained). It
//!   does not know what *another* has not written, so the time must be longer by far than any may run without the store.
//!   A token that was never used counts from when it was made, an imported one too: give the last use with it.
//! - All of it goes by the node's clock. A clock that is far ahead deletes and revokes for good, so let a node without a
//!   time service run [`flush_uses`](crate::Registry::flush_uses) alone.
//! - A full [`QueuedSink`](crate::event::QueuedSink) lets changes wait, on the thread that makes them, which may be
//!   one of the runtime's: its sink must get on without that runtime.
//! - Requests older than a day are forgotten if you gave the registry their store, with
//!   [`idempotency`](crate::registry::RegistryBuilder::idempotency); otherwise you call
//!   [`forget_requests`](crate::Registry::forget_requests).
//! - At the end of the host call [`shutdown`](crate::Registry::shutdown): uses that are noted and not written are gone
//!   with the process. Then [`flush`](crate::event::QueuedSink::flush) the queue, off the runtime if the sink is slow.
//!
//! # The right store
//!
//! An empty database rejects every token. The stores of `counterfoil-sqlx` therefore never take an empty, foreign or half
//! restored database for a store without tokens:
//!
//! - `open` and `from_pool` fail where there is no store. Only `open_or_create` and `from_pool_or_create` create one.
//! - Each store has a random [`StoreId`](crate::store::StoreId), written when it is created. Log `store.id()` once, put
//!   it into the service's configuration, and pin it with `require_id`: a start with another database is then an error.
//! - While the service runs, the store is checked again whenever a read finds nothing, by each run of
//!   [`maintain`](crate::Registry::maintain), and by a cache with a lease once in each bound. Another id, a missing table,
//!   rows hidden by row-level security, or a migration that was edited after it ran is an error: clients get 503, not 401.
//!
//! A complete dump has the id with it, so a restored database is the same store. A dump of the rows alone, loaded into a
//! store that was created before, has the id of that one. Nothing here finds that a backup is old: the revocations made
//! since are lost with it, so repeat them from your audit log.
//!
//! # On SQLite
//!
//! One machine, and as many processes as you like. Next to `tokens.db` SQLite keeps `tokens.db-wal`, the write-ahead log
//! with the latest acknowledged writes, and `tokens.db-shm`. The three files belong together.
//!
//! | do | because |
//! |---|---|
//! | mount the directory into a container, never `tokens.db` alone | the log would be in the container, and its writes lost with it. `SqliteStore::open` refuses such a file on Linux |
//! | keep the directory on a local disk | SQLite's locks do not work over NFS or SMB, nor between a container host and its virtual machine |
//! | back up with `VACUUM INTO`, with `.backup` of the `sqlite3` program, or with Litestream | a copy of `tokens.db` while it is in use lacks what is in the log, and may not be readable at all |
//! | delete `tokens.db-wal` and `tokens.db-shm` before you put a backup in the place of `tokens.db` | SQLite would apply the old log to the new file |
//! | watch the free space of the disk | on a full disk tokens verify, and every change fails with [`ReadOnly`](crate::store::StoreErrorKind::ReadOnly) until there is room. No restart is needed |
//! | watch the size of `tokens.db-wal`: normal are 4 to 16 MiB | a reader that holds a transaction open, such as a shell or a backup program, makes the log grow with every write |
//! | let [`maintain`](crate::Registry::maintain) run | each purge truncates the log to 16 MiB or less once no reader needs more |
//! | give a process that only verifies the directory read-only, if another one writes | it sees every change. Alone in a read-only directory a file opens only with `SqliteOptions::immutable` |
//!
//! A backup of a store in use, into a file that does not exist yet:
//!
//! ```sql
//! VACUUM INTO '/backups/tokens-2026-11-28.db';
//! ```
//!
//! Changes that are not written within the store's deadline, five seconds by default, fail with
//! [`Unavailable`](crate::store::StoreErrorKind::Unavailable) and are never written later. That happens when another
//! process holds the file's lock, for example a long `VACUUM`. The error's
//! [`is_transient`](crate::store::StoreError::is_transient) returns whether a retry can succeed.
//!
//! # On PostgreSQL
//!
//! `counterfoil-sqlx` with the feature `postgres`. Its page `counterfoil_sqlx::postgres` has the statements; this is
//! what there is to decide.
//!
//! | decide | mind |
//! |---|---|
//! | who migrates | the store at its start, under a lock, with any number of nodes; or your own migrator, with the store's SQL. The role of the service then needs no right to change tables |
//! | the role | the page lists the least rights: it can delete tokens, as a purge does; it can neither change whose a token is, nor truncate a table, change its definition or switch a trigger off |
//! | the schema | the first of the search path, which must be the same on every node |
//! | a pooler that hands out connections by transaction | prepared statements must follow the client, in PgBouncer from 1.21 on with `max_prepared_statements` above zero; else let it hand out sessions, or one client's statement may be carried out in the place of another's. The page says what of sqlx's start it refuses. A cache listens past it, by `PostgresChannel::listen_with` |
//! | the pool | `test_before_acquire(false)` saves a round trip for each request, and is safe with this store |
//! | the deadline | five seconds for a call, then "try again"; a minute for those that walk many rows. While the database is away every request waits so long, or for the pool's `acquire_timeout`: a second for one of them is a good start |
//! | a standby | reads and verifies, and says [`ReadOnly`](crate::store::StoreErrorKind::ReadOnly) to the rest; one that lags knows nothing of the newest revocations, so send verifications to the primary |
//! | the standby is away | changes are "try again" (503) until it is back, verifications go on, and connections stay bounded. Never end a waiting commit with `pg_cancel_backend`, which makes PostgreSQL report it as done: [`scaling`](super::scaling#while-a-synchronous-standby-is-away) says what to do |
//! | a failover | synchronous replication with `synchronous_commit = on`, or a revocation that was acknowledged may be gone with the primary; and the old primary out of reach before the standby takes writes, as [`scaling`](super::scaling) says |
//! | several regions | a primary far away costs each verification its round trip; a replica nearby costs the promise that revocation is immediate |
//! | a distributed database that speaks its protocol | conflicts are repeated up to five times; without advisory locks start one node first; without triggers or `NOTIFY` leave out the second step of the schema. Only PostgreSQL is tested |
//!
//! Changes are told on the channel `counterfoil_changes`, and the server makes such commits one after another; minting
//! is not told. When millions of rows are changed by hand, tell the caches once instead of row by row. Others can read
//! meanwhile, and wait to write:
//!
//! ```sql
//! BEGIN;
//! ALTER TABLE counterfoil_token DISABLE TRIGGER counterfoil_token_changed;
//! UPDATE counterfoil_token SET …;
//! ALTER TABLE counterfoil_token ENABLE ALWAYS TRIGGER counterfoil_token_changed;
//! NOTIFY counterfoil_changes, '*';
//! COMMIT;
//! ```
//!
//! The server keeps what was told until each listener has read it. One that reads no more, as of a node that was
//! stopped with its connection open, holds all of it back. When the queue is full, at 8 GB unless the server is set
//! otherwise, every change fails at its commit (SQLSTATE 54000), which is
//! [`Unavailable`](crate::store::StoreErrorKind::Unavailable), and so does every heartbeat: caches stand aside, and
//! tokens verify by the store. So alert on `pg_notification_queue_usage()`, which is then near 1, and near 0 otherwise.
//! The server's `tcp_user_timeout` closes such a connection by itself, where it is one of TCP; by hand:
//!
//! ```sql
//! SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'ClientWrite' AND query LIKE 'LISTEN%';
//! ```
//!
//! # What events ask of you
//!
//! All events with their fields are in the table of [`event`](crate::event). These ask for something:
//!
//! | event | it means | do |
//! |---|---|---|
//! | `denied`, of [`Superseded`](crate::Denial::Superseded) | a secret that was rotated away was presented | look at its caller; tell the owner; rotate at once or revoke, or let [`Reuse::Revoke`](crate::possession::Reuse::Revoke) do it |
//! | `denials_suppressed` | somebody presents many texts that look like tokens, without a right secret | limit failed attempts by source, before the registry: the `AttemptLimiter` of `counterfoil-tower`, as in `crates/counterfoil-tower/examples/governor.rs` |
//! | `overloaded` | more slow hashes than threads and queue take; those requests got "try again" | limit by source, likewise; a [keyed checksum](crate::Checksum::Keyed); `remember_slow_hashes` |
//! | `unverifiable` | this node lacks a server key | [`rotating_server_keys`](super::rotating_server_keys) |
//! | `rehash_failed` | a digest could not be made anew; the request was served, and none is tried for a minute | look at the store |
//! | `expiring` | an end comes near | tell the owner |
//! | `uses_dropped` | more tokens in use than are noted at once, or a failed write during an import | a greater [`UseNotes::bound`](crate::UseNotes), or shorter pauses between runs; import the batch again |
//! | `maintenance_failed` | a step failed in the background | look at the store; the next run tries again |
//! | `events_dropped` | the sink is slower than the requests; changes are not among those dropped | a greater queue, a faster sink |
//!
//! # What to do when
//!
//! | it happens | do | mind |
//! |---|---|---|
//! | an owner leaves | let [`at_issue`](crate::Policy::at_issue) and [`at_use`](crate::Policy::at_use) refuse the owner, then [`revoke_all`](crate::Registry::revoke_all) | in this order: what is issued after the revocation is not touched by it; tokens stay dead should the owner come back |
//! | a client asks for a token and the answer is lost | it asks again under the same key: [`issue_once`](crate::Registry::issue_once) | no second token is made; the text cannot be shown again, so it rotates |
//! | an owner is to pause | a policy that refuses with a code of yours, or [`suspend`](crate::Registry::suspend) for each token | both can be taken back; a revocation cannot |
//! | a leak is reported, with the token's text | [`revoke_presented`](crate::Registry::revoke_presented) | the text is the proof. Answer all that it refuses alike. A secret that was rotated away ends nothing, unless you chose [`Reuse::Revoke`](crate::possession::Reuse::Revoke) |
//! | a leak is reported without it | find the token by owner or id, [`revoke`](crate::Registry::revoke) or [`rotate`](crate::Registry::rotate) at once | rotation keeps id, name and scopes, and goes on while minting is stopped |
//! | a client rotates and the answer is lost | it asks again under the same key: [`rotate_once`](crate::Registry::rotate_once) | nothing is changed twice; the text cannot be shown again |
//! | minting must stop | [`MintSwitch::stop`](crate::policy::MintSwitch::stop) on every node | tokens stay good; imports go on |
//! | the store takes no writes, or its disk is full | nothing for requests: tokens verify, uses stay noted. Make room; no restart is needed | a revocation fails with [`ReadOnly`](crate::store::StoreErrorKind::ReadOnly); until it can be stored, let `at_use` refuse that token |
//! | the store is away | nothing: every token gets "try again" | it is neither a refusal nor a pass |
//! | the policy cannot answer | the same: "try again" | a deadline, or requests wait for as long as it does |
//! | a server key may be known | [`rotating_server_keys`](super::rotating_server_keys), "After a break-in" | a switch of minting is no help: whoever has key and database makes tokens without you |
//! | a backup was put back | make the revocations since then again, from the events | rotations since then are gone too: the newest secrets of those tokens are unknown, and the ones before are good again |
