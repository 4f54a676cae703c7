//! Past one machine: which store, which cache, and what each costs in round trips and in staleness.
//!
//! For whoever decides how the service is laid out. After this page you know what to run for one process, for many nodes, and
//! for several regions; how late a revocation may be in each; what happens when something breaks; and how far it goes.
//!
//! # Which
//!
//! | you run | keep records in | before it | a verification costs | a revocation is seen by the others |
//! |---|---|---|---|---|
//! | one process | SQLite | nothing | one read of a file that is in memory | at once |
//! | one process, and every microsecond counts | SQLite | `CachedStore::by_age` | a look into memory; one read for each token and bound | at once; a change by another process within the bound |
//! | several nodes, up to some ten thousand requests a second in all | PostgreSQL | nothing | one round trip | at once |
//! | several nodes, and more | PostgreSQL, one writable primary | `CachedStore::by_lease` with `PostgresChannel` | a look into memory | as soon as a notification arrives; at the latest after the bound |
//! | several regions that may wait for one | the same, in one of them | the same, in each | a look into memory; a miss goes to the primary's region | the same, and the way between the regions longer |
//! | several regions, each with writes of its own | a database that speaks PostgreSQL's protocol and spans them | `CachedStore::by_age`: such databases have no `LISTEN` | a look into memory; one read for each token and bound | at the latest after the bound |
//!
//! A read replica in front of the registry is no way to scale: it does not know of a revocation until it has caught up, and
//! says nothing of how far behind it is. A cache must not read one either, or it would keep what the replica did not
//! know yet. What replicas are good for is to be failed over to.
//!
//! # One process
//!
//! ```
//! use counterfoil::{Grant, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat};
//! use counterfoil_cache::{CachedStore, Settings};
//! use std::time::Duration;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! # let (sqlite, keyring) = (MemoryStore::new(), format!("k1:{}:mint", counterfoil::draw_server_key()?).parse::<Keyring>()?);
//! // Nothing is served that was read longer than a second ago.
//! let store = CachedStore::by_age(sqlite, Settings::default().bound(Duration::from_secs(1)));
//! let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, store.clone()).build()?;
//!
//! let issued = registry.issue(Grant::new(Owner::new("user-42")?, Lifetime::days(30))).await?;
//! for _ in 0..100 {
//!     registry.verify(issued.token.expose()).await?;
//! }
//! assert_eq!(store.counts().misses, 1); // the other 99 came from memory
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Many nodes
//!
//! Every node opens the same database and puts a cache before it:
//!
//! ```no_run
//! use counterfoil::{Keyring, Registry, TokenFormat};
//! use counterfoil_cache::{CacheEvent, CachedStore, PostgresChannel, Settings};
//! use counterfoil_sqlx::PostgresStore;
//!
//! # async fn node(pool: sqlx::PgPool, keyring: Keyring) -> Result<Registry, Box<dyn std::error::Error>> {
//! let store = PostgresStore::from_pool(pool.clone()).await?;
//! let tell = |event: &CacheEvent| eprintln!("{event:?}"); // StoodAside is worth an alert
//! let (store, listening) =
//!     CachedStore::by_lease(store, PostgresChannel::new(&pool), Settings::default(), tokio::time::sleep, tell);
//! tokio::spawn(listening);
//! let registry = Registry::builder(TokenFormat::builder("acme").build()?, keyring, store).build()?;
//! # Ok(registry)
//! # }
//! ```
//!
//! What is promised: a change that is made through any node, or by hand in the database, is seen by every verification
//! that starts after the bound (two seconds, unless told otherwise), on every node; on the node that made it, by all that start
//! after it has returned. It rests on three things:
//!
//! - A trigger tells each change of a row with the commit, by whichever hand. So an `UPDATE` in `psql` counts.
//! - A node's heartbeat goes through the database and comes back on the connection on which it hears of changes. When it
//!   comes back, the node knows of all that was committed before it was sent; the lease counts from there, by the larger of
//!   two clocks. When it is older than the bound, nothing is served from memory.
//! - What a read brings that began before a change is not served after it, in whichever order the two end.
//!
//! For one writable primary. With a standby to fail over to, `synchronous_commit` must be `on` and the standby
//! synchronous: else a revocation that was acknowledged may be lost with the primary, and no cache can know of it.
//!
//! # When something breaks
//!
//! | what | then |
//! |---|---|
//! | the database is gone, paused or unreachable | from memory for as long as the lease lasts; then every verification is "try again" (503), never a refusal |
//! | the channel is silent: a pooler that passes nothing on, a trigger that is gone | no heartbeat comes back, and the cache stands aside: every verification reads the store. A trigger alone that is switched off is not noticed; what it did not tell is seen after `Settings::longest`, five minutes unless told otherwise |
//! | a process stands still, or its machine sleeps | its lease is over when it goes on; it reads the store until a heartbeat comes back |
//! | a node is killed | what it acknowledged is there. Of uses, those since the last write are lost, some of a minute's |
//! | the primary fails over | connections break, leases end, nodes listen anew, and nothing that was kept from before is served |
//! | the disk is full, or the database read-only | verifications go on, uses wait, every change is told that it was not made |
//! | the clocks of two nodes are apart | an end is judged by the clock of the node that verifies, and by no other. Keep them in step, or give the [builder](crate::registry::RegistryBuilder::clock) a clock that follows the database's |
//!
//! # On a distributed database
//!
//! `counterfoil_sqlx::postgres` says what it must have. Conflicts are answered with 40001 and repeated, within a bound; the
//! tokens of one owner that are minted or changed at once are what conflicts. There is no `LISTEN`: `by_age` with the
//! bound that you can live with, and a read for each token in use, each node and each bound.
//!
