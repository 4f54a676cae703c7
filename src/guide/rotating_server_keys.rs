//! Replacing a server key, step by step.
//!
//! For whoever runs the service. After this page you can move every digest to a new key while requests come in, know
//! when the old key may go, and recognise a step that was taken too early.
//!
//! # What a key is for
//!
//! From each key of the [`Keyring`](crate::Keyring) four sub-keys are derived: for digests, for what Argon2id is given,
//! for selectors that are not printed, and for keyed checksums. The database alone, without the keys, gives no way to
//! test a guess. The keys alone give no token. Keep them apart: keys in the environment or a file of the service, never
//! in the database or its backups.
//!
//! Replace a key on a schedule of your own, when somebody who knew it leaves, or when it may have leaked. A leaked key
//! without the database is no reason to revoke tokens; a leaked key *and* somebody who can write to the database are.
//!
//! # The four steps
//!
//! | step | keyring on every node | what happens |
//! |---|---|---|
//! | 0 | `2026:…:mint` | |
//! | 1 stage | `2026:…:mint,2027:…` | nothing is made with `2027` yet; every node can check it |
//! | 2 mint | `2026:…,2027:…:mint` | new digests are of `2027`; older ones move on their next use |
//! | 3 wait | | until [`count_by_key`](crate::TokenStore::count_by_key) of `2026` is zero |
//! | 4 drop | `2027:…:mint` | `2026` is gone |
//!
//! Finish each step on **every** node before the next begins. Within a step the nodes may differ: in step 2 a node that
//! still mints with `2026` accepts what another has made with `2027`, and never makes it anew with the older key.
//!
//! The order of the entries is their age, so a new key is written *behind* the others. A digest is made anew if it is of
//! a key that stands before the minting one, or is of that key and of another algorithm or a lower cost.
//!
//! # All steps, with two nodes
//!
//! Two registries over one store are two nodes in the middle of a rollout. At no step is a good token refused.
//! `tests/server_keys.rs: no_token_is_refused_while_keys_are_replaced` shows the same under load, with three nodes, in
//! memory and in SQLite, for keyed and slow digests, with and without a selector.
//!
//! ```
//! use counterfoil::{
//!     CheckError, Grant, KeyId, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat, TokenStore,
//!     draw_server_key, registry::VerifyError,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # pollster::block_on(async {
//! let (k2026, k2027) = (format!("2026:{}", draw_server_key()?), format!("2027:{}", draw_server_key()?));
//! let (old, new): (KeyId, KeyId) = ("2026".parse()?, "2027".parse()?);
//! let store = MemoryStore::new();
//! let node = |keys: &str| -> Result<Registry, Box<dyn std::error::Error>> {
//!     let format = TokenFormat::builder("acme").build()?;
//!     Ok(Registry::builder(format, keys.parse::<Keyring>()?, store.clone()).build()?)
//! };
//! let grant = || Ok::<_, counterfoil::text::InvalidText>(Grant::new(Owner::new("user-42")?, Lifetime::days(90)));
//!
//! // 0. One key. Two tokens: one will be used all the time, the other hardly ever.
//! let before = format!("{k2026}:mint");
//! let (a, b) = (node(&before)?, node(&before)?);
//! let busy = a.issue(grant()?).await?;
//! let idle = a.issue(grant()?).await?;
//!
//! // 1. Stage: node A first, while node B knows nothing of the new key. Nothing is made with it, so B misses nothing.
//! let staged = format!("{k2026}:mint,{k2027}");
//! let a = node(&staged)?;
//! a.verify(busy.token.expose()).await?;
//! b.verify(busy.token.expose()).await?;
//! assert_eq!(store.count_by_key(new).await?, 0);
//! let b = node(&staged)?;
//!
//! // 2. Mint: node A first. What A makes with the new key, B can check.
//! let minting = format!("{k2026},{k2027}:mint");
//! let a = node(&minting)?;
//! let young = a.issue(grant()?).await?;
//! a.verify(busy.token.expose()).await?; // the digest moves here
//! b.verify(busy.token.expose()).await?;
//! b.verify(young.token.expose()).await?; // and B does not take it back
//! assert_eq!((store.count_by_key(old).await?, store.count_by_key(new).await?), (1, 2));
//! let b = node(&minting)?;
//!
//! // 3. Wait. The idle token still holds the old key.
//! assert_eq!(store.count_by_key(old).await?, 1);
//!
//! // 4, too early: the idle token cannot be checked. That is no refusal, and its bearer is told to try again.
//! let after = format!("{k2027}:mint");
//! let early = node(&after)?.verify(idle.token.expose()).await.unwrap_err();
//! assert!(matches!(&early, VerifyError::Unchecked(CheckError::Unverifiable(missing)) if missing.id == old));
//! assert!(!early.is_refusal());
//!
//! // So it goes back to the keys of step 2, and nothing is lost.
//! b.verify(idle.token.expose()).await?;
//! assert_eq!(store.count_by_key(old).await?, 0);
//!
//! // 4. Drop. Every token is still good, and none of them was issued again or changed its version.
//! let (a, b) = (node(&after)?, node(&after)?);
//! for token in [&busy, &idle, &young] {
//!     assert_eq!(a.verify(token.token.expose()).await?.record().version(), 1);
//!     b.verify(token.token.expose()).await?;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })
//! # }
//! ```
//!
//! # What holds a key for long
//!
//! [`count_by_key`](crate::TokenStore::count_by_key) counts every slot of every record, and only a successful
//! verification makes a digest anew. So these stay:
//!
//! | what | until |
//! |---|---|
//! | a token that nobody uses | it is used, revoked and purged, or expired and purged |
//! | a blocked or suspended token | the same |
//! | a revoked token | [`maintain`](crate::Registry::maintain) deletes its row, after its [`Retention`](crate::Retention): 31 days |
//! | an expired token | the same, if you give expired ones a retention: by default they are kept |
//! | a retiring secret | it is used within its overlap, or later rotations push it out |
//! | a spent secret | later rotations push it out: one at once, or two with an overlap |
//!
//! [`Filter::key`](crate::store::Filter) with `unused_since` lists the idle ones, so that their owners can be told, or the
//! tokens ended with [`revoke_all`](crate::Registry::revoke_all) by the same filter;
//! [`revoke_unused_after`](crate::registry::RegistryBuilder::revoke_unused_after) does so by itself, whatever their key.
//! An imported digest holds no key. If you drop the key while only revoked or ended tokens hold it, whoever
//! presents one is told "cannot be checked" and not "revoked": no harm, and a line in your log for each.
//!
//! # Formats for which step 4 is different
//!
//! - **Without a selector in the text** the record is found by a hash under the key. Without the key it is not found, so
//!   a key that went too early gives [`Denial::Unknown`](crate::Denial::Unknown): a refusal, and a wrong one.
//! - **With a [keyed checksum](crate::Checksum::Keyed)** no row tells which key a token's text was made with. A key that
//!   went too early makes the text malformed. Keep the key until the last token that it minted has ended or been
//!   rotated, whatever the count says.
//!
//! # If something goes wrong
//!
//! | you see | it means | do |
//! |---|---|---|
//! | events `unverifiable`, answers 503 | a node lacks a key that another one mints with, or the key went too early | put the key back on that node |
//! | events `rehash_failed` | a digest could not be made anew; the request was served | look at the store; that node tries none for a minute, and then with the next use |
//! | the count does not fall | idle, paused or ended tokens | the table above |
//! | the count rises again | a node still mints with the older key | finish step 2 |
//! | `keyring entry 3: …` at the start | the text is no keyring; no key is in the message | mend the entry |
//!
//! # After a break-in
//!
//! The four steps are for keys that nobody else has. Whoever had a key *and* could write rows may have made tokens, and a
//! made-up row moves to the new key on its use like any other. So close the database first; then replace the key at once,
//! without the old one beside it, so that nothing made with it is accepted; and end what is left of it:
//!
//! ```
//! # use counterfoil::{Actor, Grant, KeyId, Keyring, Lifetime, MemoryStore, Owner, Registry, TokenFormat, draw_server_key};
//! use counterfoil::store::Filter;
//!
//! # pollster::block_on(async {
//! # let store = MemoryStore::new();
//! # let node = |keys: String| -> Result<Registry, Box<dyn std::error::Error>> {
//! #     let format = TokenFormat::builder("acme").build()?;
//! #     Ok(Registry::builder(format, keys.parse::<Keyring>()?, store.clone()).build()?)
//! # };
//! # let before = node(format!("2026:{}:mint", draw_server_key()?))?;
//! # let _ = before.issue(Grant::new(Owner::new("user-42")?, Lifetime::days(90))).await?;
//! # let registry = node(format!("2027:{}:mint", draw_server_key()?))?;
//! let known: KeyId = "2026".parse()?;
//! let of_it = Filter { key: Some(known), ..Filter::all() };
//! let revocation = registry.revoke_all(of_it, Actor::new("incident:17")?).await?;
//! assert_eq!(revocation.revoked.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! [`revoke_all`](crate::Registry::revoke_all) marks rows without reading them, so that made-up and damaged ones end too.
//! Then look at the tokens that moved to a newer key while somebody else could write, or end those as well: by owner, or
//! by `created_before`. If you cannot tell, [`Filter::all`](crate::store::Filter::all) ends every token there is.
//!
//! # A change of algorithm
//!
//! To move from HMAC-SHA-256 to Argon2id or back, change the algorithm together with the minting key, in step 2. Then
//! the age of the key decides which digest is the newer one, and two nodes never rehash in turn. A higher Argon2id cost
//! under the same key is safe to roll out by itself: only the lower cost is made anew.
