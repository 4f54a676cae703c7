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
//! | one process, and 25 µs for each request matter | SQLite | `CachedStore::by_age` | a look into memory; one read for each token and bound | at once; a change by another process within the bound |
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
//! Every node opens the same database and puts a cache before it. This is the service's part, as the role with the least
//! rights; `counterfoil_sqlx::postgres` has the statements, and how to migrate before it:
//!
//! ```toml
//! counterfoil = "0.1"
//! counterfoil-cache = { version = "0.1", features = ["postgres"] }
//! counterfoil-sqlx = { version = "0.1", default-features = false, features = ["postgres"] }
//! sqlx = { version = "0.9", default-features = false, features = ["runtime-tokio", "postgres"] } # and TLS, of your choice
//! tokio = { version = "1", features = ["macros", "rt-multi-thread", "time"] }
//! ```
//!
//! ```no_run
//! use counterfoil::{Keyring, Registry, TokenFormat};
//! use counterfoil_cache::{CacheEvent, CachedStore, PostgresChannel, Settings};
//! use counterfoil_sqlx::PostgresStore;
//! use std::time::Duration;
//!
//! # async fn node(pool: sqlx::PgPool, keyring: Keyring) -> Result<Registry, Box<dyn std::error::Error>> {
//! let store = PostgresStore::from_pool(pool.clone()).await?.deadline(Duration::from_secs(1));
//! let tell = |event: &CacheEvent| eprintln!("{event:?}"); // alert on a StoodAside that no Serves follows
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
//! after it has returned (a purge apart, which deletes what was refused before). It rests on three things:
//!
//! - A trigger tells each change of a row with the commit, by whichever hand. So an `UPDATE` in `psql` counts.
//! - A node's heartbeat goes through the database and comes back on the connection on which it hears of changes. When it
//!   comes back, the node knows of all that was committed before it was sent; the lease counts from there, by the larger of
//!   two clocks. When it is older than the bound, nothing is served from memory.
//! - What a read brings that began before a change is not served after it, in whichever order the two end.
//!
//! For one writable primary. With a standby to fail over to there are two conditions more, which no cache can look
//! after:
//!
//! - `synchronous_commit` is `on` and the standby synchronous. Otherwise a revocation that was acknowledged may be lost
//!   with the primary. With both, no change is acknowledged before the standby has it, also when the change is found
//!   already made: [a standby that is away](#while-a-synchronous-standby-is-away) has the details.
//! - The old primary is fenced: before the standby takes writes, no node can reach the old one, and every connection to
//!   it is closed, those through a proxy by the proxy that switches. An old primary that a node still reaches answers
//!   its reads, which wait for no standby, and may renew its lease: so that node would go on without what was revoked
//!   on the new one.
//!
//! # When something breaks
//!
//! | what | then |
//! |---|---|
//! | the database ends its connections: it is stopped, or crashes | leases end at once; every verification is "try again" (503), never a refusal, after the pool's `acquire_timeout` or the store's deadline, whichever is less |
//! | the database stands still, or cannot be reached | from memory for as long as the lease lasts; then the same |
//! | the channel is silent, as behind a pooler that passes nothing on | no heartbeat comes back, and the cache stands aside: every verification reads the store |
//! | a trigger of the schema is missing, altered, or in another state than `ENABLE ALWAYS`, as after `pg_restore --disable-triggers` | the next heartbeat carries it: the cache stands aside, and the event names the trigger and its state. The bound holds |
//! | somebody floods the channel of changes | a node notes one change of all tokens and 10,000 of single ones between two heartbeats, four times in the bound; the rest wait for the heartbeat. The bound holds, and each token in use is read at most a few times in it |
//! | a process is stopped, or its machine is suspended | its lease is over when it goes on; it reads the store until a heartbeat comes back |
//! | a virtual machine is paused, moved or brought back from a snapshot | its clocks may have stood still with it, and then its lease goes on where it was: the bound begins to count when the machine goes on |
//! | a node is killed | what it acknowledged is there. Of uses, those since the last write are lost, some of a minute's |
//! | the primary fails over, as above | connections break, leases end, nodes listen anew, and nothing that was kept from before is served |
//! | the disk is full, or the database read-only | verifications go on, uses wait, every change is told that it was not made |
//! | the clocks of two nodes are apart | an end is judged by the clock of the node that verifies, and by no other. Keep them in step, or give the [builder](crate::registry::RegistryBuilder::clock) a clock that follows the database's |
//!
//! Why it is a 503 stands in no answer: `counterfoil-tower` logs it with its feature `tracing`, and who verifies without it
//! has the error. When the database is back, nodes listen again within some seconds, and read the store until then.
//!
//! # While a synchronous standby is away
//!
//! PostgreSQL commits a change on the primary first, and then waits for the standby before it answers. While no
//! synchronous standby is connected, every write waits.
//!
//! | what | then |
//! |---|---|
//! | a change | returns [`Unavailable`](crate::store::StoreErrorKind::Unavailable) (503) after the store's deadline. It may be committed on the primary all the same |
//! | the same change again | returns [`Unavailable`](crate::store::StoreErrorKind::Unavailable) too, also if the first attempt is visible by then, for example after the primary restarted or an operator ended the waiting backend. The registry acknowledges what it only reads after [`confirm_durable`](crate::TokenStore::confirm_durable), which waits for the standby |
//! | verifications | go on. They read from half of the pool that writes cannot take |
//! | caches | stand aside as soon as one change of a token waits: heartbeats and changes commit one after another. A heartbeat waits for its turn for at most one second. Every verification reads the store |
//! | connections | stay bounded. A call that gives up keeps its connection until the server has answered it, so a node never has more than its pool's `max_connections`, and three more: one that listens, one for heartbeats, and one that asks the server for a moment whether an unanswered call still waits |
//! | the standby is back | waiting writes end, the next heartbeat comes back, and caches serve again |
//!
//! A connection that does not answer because the network is cut, and not because the server waits, is closed and replaced.
//! With [`write_connections`](https://docs.rs/counterfoil-sqlx/latest/counterfoil_sqlx/struct.PostgresStore.html#method.write_connections)
//! writes get another share than half of the pool. A pool of one connection has nothing left for verifications while a
//! write waits. If your application uses the same pool, its own writes wait as well: give it a pool of its own.
//!
//! Never end such a wait with `pg_cancel_backend`. PostgreSQL then reports the commit as successful, with a warning that
//! the standby may not have it, and the driver passes only the success on. The service acknowledges a change that a
//! failover can lose. `pg_terminate_backend` is safe: the service receives an error. The driver logs the warning with the
//! target `sqlx::postgres::notice`, so you can alert on "canceling wait for synchronous replication". To go on without
//! the standby, change `synchronous_standby_names` and reload: the waits then end as the new setting says.
//!
//! # On a distributed database
//!
//! `counterfoil_sqlx::postgres` says what it must have. Conflicts are answered with 40001 and repeated, within a bound; the
//! tokens of one owner that are minted or changed at once are what conflicts. There is no `LISTEN`: `by_age` with the
//! bound that you can live with, and a read for each token in use, each node and each bound.
//!
//! # What it costs, measured
//!
//! On a virtual machine with two cores, 2026-11-25; `benches/RESULTS.md` has the commands, the ranges and the bars.
//!
//! | a verification | takes | round trips |
//! |---|---|---|
//! | with the record at hand | 0.25 µs | none |
//! | through a cache | 0.6 µs | none |
//! | through SQLite | 23 µs of one core; 44 to 67 µs where the scheduler moves it between two | none: a file in memory, and two threads |
//! | through PostgreSQL on the same machine | 50 µs of one core, the server's part included; 99 to 120 µs between two | one; over a network add the network's |
//!
//! A revocation was refused by another process 1.3 ms after it had returned, in the median of 500; 1.6 to 2.4 ms at the 99th
//! percentile, and 7 ms at most.
//!
//! # A billion records and a million verifications a second, on paper
//!
//! - **Verifications.** A core does a million and more a second from a cache; what parses HTTP needs more than that. So the
//!   number of nodes is that of the service itself, and the store sees the misses alone.
//! - **Misses.** Each node reads each token in use once in `Settings::longest`, and after each change of it or of what
//!   has the same place as it: there are 2^20 places at most (8 MiB of each node), and with a million tokens in memory a change
//!   makes about one other be read. A million tokens that are used all the time, with a thousand changes a second, are
//!   some 4,400 reads a second for each node; without changes, 3,300. At 0.1 ms of one core each, one primary
//!   of 16 cores feeds some 36 such nodes, and does nothing else. Let `longest` be an hour, and it is 1,950 reads a
//!   second, and 80 nodes: nearly all of them then come of changes.
//! - **Memory.** A record in memory is reckoned at 1 KiB and twice its row: some 2 KiB, so a million take 2 GB in each node. That is
//!   what to give `Settings::bytes`, if all are to stay.
//! - **Heartbeats.** Four for each node in a bound, two a second with the default, which the server makes one after
//!   another, as it does with changes. For each of either, PostgreSQL wakes every connection that listens in the
//!   database, whosever heartbeat it is: so wake-ups grow with the square of the nodes. Each took 11 µs of a core in
//!   one try with a hundred listeners. A hundred nodes make 20,000 a second, a fifth of a core; a thousand would make
//!   two million, more than the primary has. With many nodes give `Settings::bound` more: with ten seconds a thousand
//!   nodes make 400,000, four cores, and with a minute, which is the most, 67,000. Each node takes two connections for
//!   this, beside its pool's.
//! - **Connections.** Each node holds those of its pool and two more, and a third at times while writes
//!   [wait for a standby](#while-a-synchronous-standby-is-away). All must fit the server's `max_connections`, which is 100
//!   by default. Behind a cache a small pool is enough. Where they do not fit, put a pooler before the server, and
//!   listen past it by `PostgresChannel::listen_with`.
//! - **Changes.** Each is told to every node: a thousand changes a second to a hundred nodes are 100,000 messages. A
//!   bulk revocation is the largest burst; it is one message for each token. So is a purge, with one more for each
//!   selector where a token has several. `by_lease` a node forgets what it is told of; `by_age` a purge that deletes
//!   anything makes the node that runs it read everything anew. So does, on its node, revoking all of an owner who has
//!   revoked tokens: which they are the store does not say.
//! - **Rows.** Ten million tokens with their selectors and all indexes took 6.6 GB of PostgreSQL, 656 bytes each, and
//!   4.4 GB of SQLite: a billion are some 660 GB, and more with long names, many scopes and pages that are half empty. A
//!   look-up walks two indexes of four or five levels, of which the upper ones are in memory: among ten million it took
//!   1.01 times what it takes among ten thousand (SQLite 1.03). Partitioning is not needed for look-ups; purge in small
//!   steps, which `maintain` does.
//! - **What is not shown.** Ten million rows stayed in memory here, and the look-ups were of a few tokens again and again.
//!   Where the rows do not fit, one that was not read for long waits for the disk, twice at least.
