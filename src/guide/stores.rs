//! Writing a store in an hour.
//!
//! For whoever keeps tokens in a database for which there is no store yet. After this page you have a
//! [`TokenStore`](crate::TokenStore) that holds under concurrency, and know how to find out that it does.
//!
//! A store is dumb. It keeps rows, finds them, and swaps them; it never decides whether a token is good, reads no clock,
//! and looks into no body. If you want a start, `examples/custom_store.rs` is a whole one over a map of rows: replace its
//! scans by queries and its mutex by transactions.
//!
//! # The hour
//!
//! | minutes | do | done when |
//! |---|---|---|
//! | 10 | make the tables below | the host's migrations make them |
//! | 10 | write and read a [`Row`](crate::Row): [`to_row`](crate::Record::to_row), [`from_row`](crate::Record::from_row), `body` as it comes | every column comes back as it went in |
//! | 10 | `insert`, `find`, `get` | a registry over it issues and verifies |
//! | 10 | `update`, `revoke` | a registry over it rotates and revokes |
//! | 10 | `list`, with [`Filter`](crate::store::Filter) as SQL or by [`Filter::matches`](crate::store::Filter::matches) | pages of one row show each row once |
//! | 10 | `record_uses`, `purge`, `claim_warnings`, `count_by_key`, `confirm_durable` | the conformance suite below passes |
//!
//! # Tables
//!
//! ```sql
//! owner    (tenant, owner)                      PRIMARY KEY (tenant, owner)   -- a row to lock, nothing else
//! token    (id, tenant, owner, …columns, body)  PRIMARY KEY (id)
//! selector (selector, token_id)                 PRIMARY KEY (selector)        -- one for every slot of every token
//! usage    (token_id, at, address, agent)       PRIMARY KEY (token_id)        -- apart, so that a use locks no token
//! warning  (token_id, expiry, threshold)        PRIMARY KEY (token_id, expiry, threshold)
//! ```
//!
//! A selector table, and not three columns with an index each: "unique over all slots of all records" is then one
//! primary key, and a lookup is one join on primary keys. Keep times as integers. The columns are on the page of the
//! [`stored_rows`](super::stored_rows); `crates/counterfoil-sqlx/migrations` has a whole schema.
//!
//! | index | for |
//! |---|---|
//! | `selector (selector)` | `find`, on every request |
//! | `token (tenant, owner, id)` | the limit, lists of an owner, revoking an owner |
//! | `token (revoked_at)` and `(expires_at)`, where not null | `purge`, and lists of what ends soon |
//! | `token (key_id)`, and the same for the retiring and the spent slot | `count_by_key` |
//! | `usage (at desc)` | lists by last use |
//!
//! # Method by method
//!
//! | method | one transaction? | lock | the clause that is missed most |
//! |---|---|---|---|
//! | `insert` | yes | the owner's row, with a limit | a selector may be taken in *any* slot of another record |
//! | `find` | one statement | none | no status in the `WHERE`: a revoked record must be found, to be refused as revoked |
//! | `get` | one statement | none | a damaged row is an error, not "none" |
//! | `list` | one statement | none | damaged rows count towards the page; a cursor outlives its row |
//! | `update` | yes | the owner's row, with a limit | compare *both* numbers of the [`Revision`](crate::record::Revision) |
//! | `revoke` | yes, for each step | the owner's row | mark and count at most `max_rows`, by id, and return where the next step begins; no body is read; [`MarkRow::from`](crate::record::MarkRow) gives the columns; the first mark stays; `version` goes up by one |
//! | `record_uses` | any | none on `token` | an earlier use never replaces a later one |
//! | `purge` | any | | at most `max_rows`, with selectors, usage and warnings |
//! | `claim_warnings` | yes | none | insert all claims, and return for each whether its row was new; of two equal ones the first counts |
//! | `count_by_key` | one statement | none | retiring and spent slots count, and so do revoked tokens |
//! | `confirm_durable` | yes | one row | write something of its own, and wait as a write waits: a transaction that only reads waits for nobody |
//!
//! What `Ok` promises is the same for all: the write is durable, and every read that starts afterwards sees it, on every
//! node. A read replica that lags breaks this, and with it the promise that revocation is immediate. What `Err` promises:
//! nothing was written, unless the kind says that nobody knows.
//!
//! # What was only read
//!
//! A registry answers `Ok` to a second revocation without writing anything: the token is revoked already. The first
//! attempt may have returned an error and be visible, but not durable. On PostgreSQL that is a commit whose wait for a
//! synchronous standby was cut short, and a failover loses it. On SQLite it is a commit of a process that was killed
//! before it synced the file, and a power failure loses it. So the registry calls
//! [`confirm_durable`](crate::TokenStore::confirm_durable) first, and `revoke` and an idempotency store's `reserve` do the
//! same inside. A confirmation writes, commits, and waits as long as any write does. What was committed before it is
//! then as durable as it is.
//!
//! | database | how |
//! |---|---|
//! | PostgreSQL | `SELECT … FOR NO KEY UPDATE` of one row, in a transaction. It writes WAL, so its commit waits for the standby |
//! | SQLite | insert a row and delete it again. An update to the same value writes no page, and its commit does not sync |
//! | in memory, or where a commit is never visible before it is durable | nothing |
//!
//! No conformance check can cut the power. `crates/counterfoil-sqlx/tests/postgres/standby.rs` shows how to test it on a
//! real standby.
//!
//! # Locks
//!
//! To count the owner's active tokens and to insert must be one step. Counting inside the `INSERT` is not enough where
//! two transactions do not see each other's rows, as at `READ COMMITTED`.
//!
//! | database | how |
//! |---|---|
//! | PostgreSQL | `INSERT … ON CONFLICT DO UPDATE` of the owner's row, which makes it or waits for it; then insert, and count in a statement of its own, which sees what the last holder wrote. To revoke an owner take the lock in the same way, or a first token that is being added slips past it |
//! | SQLite | `BEGIN IMMEDIATE`: one writer at a time; a transaction that begins as a reader may fail when it comes to write |
//! | in memory | one lock around both |
//!
//! "Active" is a predicate over columns and the `now` that was passed in, never the database's own clock:
//!
//! ```sql
//! revoked_at IS NULL AND suspended_at IS NULL AND blocked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)
//! ```
//!
//! Where rows are locked one by one, take the owner before the token everywhere, and let a purge pass over what is
//! locked: two orders are a deadlock. A revocation by filter states its conditions on the row that it marks and not on a
//! list of ids from a sub-query, so that they are judged once more after a wait.
//!
//! [`Columns::status`](crate::store::Columns::status) is the same over a [`Row`](crate::Row). The record that is
//! written does not count itself.
//!
//! # Compare and swap
//!
//! ```sql
//! UPDATE token SET …, version = :new_version, digest_version = :new_digest_version
//!  WHERE id = :id AND version = :expected_version AND digest_version = :expected_digest_version
//! ```
//!
//! No row changed is [`NotFound`](crate::store::StoreErrorKind::NotFound) or
//! [`LostRace`](crate::store::StoreErrorKind::LostRace); look which, in the same transaction. Then replace the record's
//! rows in `selector` by those of its slots. This one statement is what makes revocation final: a change that was read
//! before a revocation expects the version before it, and loses.
//!
//! # Errors
//!
//! | happened | kind |
//! |---|---|
//! | unique violation on id or selector | [`Duplicate`](crate::store::StoreErrorKind::Duplicate): a registry draws again |
//! | two records for the selectors of one `find` | [`Ambiguous`](crate::store::StoreErrorKind::Ambiguous) |
//! | `from_row` fails | [`Corrupt`](crate::store::StoreErrorKind::Corrupt), by `?` |
//! | serialization failure, deadlock (40001, 40P01) | try again inside the store, a few times and after a drawn pause, then [`Unavailable`](crate::store::StoreErrorKind::Unavailable) |
//! | the answer to a commit is lost, so that nobody knows | [`Unavailable`](crate::store::StoreErrorKind::Unavailable) |
//! | no connection, a timeout | [`Unavailable`](crate::store::StoreErrorKind::Unavailable) |
//! | the database takes no writes | [`ReadOnly`](crate::store::StoreErrorKind::ReadOnly): tokens still verify |
//! | anything else | [`Other`](crate::store::StoreErrorKind::Other), with the driver's error as its source |
//!
//! No selector, digest or body belongs into an error of yours. A driver's error may hold one: the detail that PostgreSQL
//! adds to a violated constraint is the row.
//!
//! A lost connection says nothing of what was sent last. Reads may be repeated, and a transaction of which the commit
//! was not sent. A commit may not: a second `insert` would find the first and tell of a duplicate, a second
//! `claim_warnings` would lose the warnings. Whoever got `Unavailable` looks: an `update` is told by its
//! [`Revision`](crate::record::Revision), and a revocation can be asked for again.
//!
//! # Reservations
//!
//! An [`IdempotencyStore`](crate::store::IdempotencyStore) is one more table; it is asked for by
//! [`issue_once`](crate::Registry::issue_once) alone.
//!
//! ```sql
//! reservation (tenant, owner, route, key, fingerprint, token_id, selector, at, completed)
//!             PRIMARY KEY (tenant, owner, route, key)
//! ```
//!
//! The tenant is the empty text where there is none. `take_over`, `complete` and `release` change the very reservation
//! that they are given, all its columns compared, and do nothing where another stands in its place. An index over `at`
//! serves `forget`.
//!
//! # Check it
//!
//! `counterfoil-testkit` is the conformance suite: a named check for each promise of
//! [`TokenStore`](crate::TokenStore) and [`IdempotencyStore`](crate::store::IdempotencyStore), races included. With it
//! as a dev-dependency this is all of `tests/store_contract.rs` in your crate, and a `#[test]` for each promise:
//!
//! ```
//! # use counterfoil::MemoryStore as MyStore;
//! use counterfoil_testkit::{Fresh, Harness};
//!
//! fn harness() -> Harness<MyStore> {
//!     // An empty store each time; and how to wait: `move |job| runtime.block_on(job)`, if it needs a runtime.
//!     Harness::new(|| async { Fresh::new(MyStore::new()) }, pollster::block_on)
//! }
//!
//! counterfoil_testkit::token_store_tests!(harness());
//! counterfoil_testkit::idempotency_store_tests!(harness()); // if it is one of these too
//! # fn main() { counterfoil_testkit::tokens::run_check(&harness(), "every_field_comes_back").assert_all_kept() }
//! ```
//!
//! Give it more, and it looks at more: `Fresh::beside`, a second store on the same records, so that the calls go to
//! several nodes in turn; `Fresh::corrupting`, a hand that damages a row, so that the promises on corrupt rows are looked
//! at. What it cannot see is that a write outlives a crash, and that a look-up is one indexed read:
//! `crates/counterfoil-sqlx/tests/crash.rs` and `crates/counterfoil-sqlx/src/sqlite/find.rs: only_primary_keys_are_searched`
//! show these for SQLite, `crates/counterfoil-sqlx/tests/postgres/outages.rs` and `crates/counterfoil-sqlx/src/postgres/plans.rs` beside them for PostgreSQL.
//!
//! The clauses that are missed most also fit on a page. Point this at your store:
//!
//! ```
//! use counterfoil::{
//!     By, Grant, Keyring, Lifetime, MemoryStore, Owner, Record, Rotation, Timestamp, TokenFormat, TokenStore, Usage,
//!     draw_server_key, record::Use, rotate::rotate,
//!     store::{RevokeStep, RevokeTarget, StoreError, StoreErrorKind},
//! };
//! use std::{error::Error, time::Duration};
//!
//! async fn obeys(store: impl TokenStore) -> Result<(), Box<dyn Error>> {
//!     let format = TokenFormat::builder("acme").build()?;
//!     let keyring: Keyring = format!("2026:{}:mint", draw_server_key()?).parse()?;
//!     let now = Timestamp::from_unix_millis(1_767_225_600_000)?;
//!     let later = |hours: u64| now.checked_add(Duration::from_secs(hours * 3600));
//!     let mint = |owner: &str| -> Result<Record, Box<dyn Error>> {
//!         Ok(Grant::new(Owner::new(owner)?, Lifetime::days(1)).mint(&format, &keyring, now)?.record)
//!     };
//!     let kind = |failed: Result<(), StoreError>| failed.unwrap_err().kind().clone();
//!
//!     // An id comes once, and the limit counts what is active at the moment that is passed in, of this owner alone.
//!     let one = mint("ann")?;
//!     store.insert(&one, Some(1), now).await?;
//!     assert_eq!(kind(store.insert(&one, None, now).await), StoreErrorKind::Duplicate);
//!     assert_eq!(kind(store.insert(&mint("ann")?, Some(1), now).await), StoreErrorKind::LimitReached { limit: 1 });
//!     store.insert(&mint("bob")?, Some(1), now).await?;
//!     store.insert(&mint("ann")?, Some(1), later(24)?).await?; // the first has ended by then
//!
//!     // A record is swapped if both numbers are as expected, and found by each of its slots afterwards.
//!     let turned = rotate(&one, &Rotation::at_once(), &format, &keyring, now)?.record;
//!     store.update(&turned, one.revision(), None, now).await?;
//!     assert_eq!(kind(store.update(&turned, one.revision(), None, now).await), StoreErrorKind::LostRace);
//!     for (_, slot) in turned.slots().iter() {
//!         assert_eq!(store.find(&[slot.selector]).await?.map(|found| found.id()), Some(one.id()));
//!     }
//!
//!     // A selector is unique over all slots of all records: here the spent one of `turned`.
//!     let mut thief = mint("eve")?.to_row();
//!     thief.current = one.to_row().current;
//!     assert_eq!(kind(store.insert(&Record::from_row(thief)?, None, now).await), StoreErrorKind::Duplicate);
//!
//!     // A use moves no version, and an earlier one replaces no later one.
//!     let used = |at| Use { id: one.id(), usage: Usage { at, address: None, agent: None } };
//!     store.record_uses(&[used(later(2)?)]).await?;
//!     store.record_uses(&[used(later(1)?)]).await?;
//!     let stored = store.get(one.id()).await?.ok_or("gone")?;
//!     assert_eq!(stored.usage, Some(used(later(2)?).usage));
//!     assert_eq!(stored.record.revision(), turned.revision());
//!
//!     // The first mark of a revocation stays, the record is still found, and a change that was read before loses.
//!     for (hour, counts) in [(1, (1, 0)), (2, (0, 1))] {
//!         let mark = By::unknown().mark(later(hour)?);
//!         let done = store.revoke(&RevokeTarget::Token(one.id()), &mark, later(hour)?, RevokeStep::WHOLE).await?;
//!         assert_eq!((done.revoked.len(), done.already), counts);
//!     }
//!     let found = store.find(&[turned.slots().current.selector]).await?.ok_or("gone")?;
//!     assert_eq!(found.revoked().map(|mark| mark.at), Some(later(1)?));
//!     assert_eq!(found.version(), turned.version() + 1);
//!     let late = rotate(&turned, &Rotation::at_once(), &format, &keyring, now)?.record;
//!     assert_eq!(kind(store.update(&late, turned.revision(), None, now).await), StoreErrorKind::LostRace);
//!
//!     // Slots of every kind and status hold their key, until a purge takes the record with all that belongs to it.
//!     assert_eq!(store.count_by_key(keyring.minting_key()).await?, 4);
//!     assert_eq!(store.purge(later(1)?, None, 10).await?, 0); // "before" is before
//!     assert_eq!(store.purge(later(2)?, None, 10).await?, 1);
//!     assert_eq!(store.count_by_key(keyring.minting_key()).await?, 2);
//!     assert!(store.find(&[one.slots().current.selector]).await?.is_none());
//!     Ok(())
//! }
//!
//! pollster::block_on(obeys(MemoryStore::new()))?;
//! # Ok::<(), Box<dyn Error>>(())
//! ```
//!
//! # Traps
//!
//! - **Last use in the token's row.** Every request then writes the row that every request reads, and takes its lock.
//! - **Deleting while reading.** A row that has ended is evidence. Only `purge` deletes.
//! - **A cache inside the store** answers for a token that was revoked a moment ago. If you must, state how long.
//! - **Blocking.** A method that waits for a disk or a lock in line holds up a thread of the host's runtime. Where waits are
//!   short that may do; else hand the work to threads of your own.
//! - **A future that is dropped** in the middle, as when a client goes away, must leave all or nothing.
//! - **A digest as a primary key.** It is made anew when a server key is replaced.
