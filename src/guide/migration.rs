//! Bringing tokens over from another system.
//!
//! For hosts whose users hold tokens that some other software minted. After this page you can say which of them can stay
//! good without anybody noticing, in which order to move, and how to go back.
//!
//! # Three ways
//!
//! | way | users must | choose it if |
//! |---|---|---|
//! | **replace**: mint anew, end the old ones by a date | copy a new token | there are few, or the old digests cannot come over |
//! | **side by side**: the old software verifies what [is not ours](crate::registry::VerifyError::is_not_ours) | do nothing | old tokens end soon by themselves |
//! | **import**: their digests become records here | do nothing | all others |
//!
//! They can be mixed. New tokens are minted here from the first day in each of them.
//!
//! # What can be imported
//!
//! An imported digest is verified as the other software made it. On the first use of its token it is replaced with a
//! digest of ours, which binds the row and is made with a server key; until then it binds nothing.
//!
//! | the old software stores | comes over |
//! |---|---|
//! | SHA-256 of the whole token, or of its secret part: 64 hex digits, or base64 in either alphabet | yes |
//! | Argon2id (RFC 9106, version 19) as a plain PHC string, over either, within [bounds of cost](crate::Argon2Bounds) that you set | yes, if the token's text prints what finds the row |
//! | the tokens themselves, readable or decryptable | yes: hash them with SHA-256 on the way, and delete them |
//! | bcrypt, PBKDF2, SHA-512, a keyed hash, Argon2i or Argon2d | no: replace, or verify side by side |
//! | a hash of less than 128 random bits: a password, a short code | do not: a bearer token must not be guessable |
//!
//! [`Digest::imported`](crate::Digest::imported) reads both, and refuses all else. [`Over`](crate::digest::Over) says
//! what was hashed.
//!
//! SHA-256 finds its own row: for a format without a selector a hash of the imported hash is looked up, until the first
//! use gives the row a selector under the server's key. A salted hash cannot be looked up, so Argon2id needs a segment in
//! the text that finds the row. A format with a keyed checksum accepts neither: no other software could have made one.
//!
//! Accepting imported digests is opted into, for each format and kind, with
//! [`accepts_imported`](crate::token::FormatBuilder::accepts_imported). A service that does not ask for it verifies none.
//!
//! # Describe the old text
//!
//! If it has a prefix and fixed widths, a [`TokenFormat`](crate::TokenFormat) describes it; the page on the
//! [`token_format`](super::token_format) has every part. If not, write a [`Family`](crate::Family): one whose tokens
//! are imported gives its texts with [`Presented::accepting`](crate::Presented::accepting), and can
//! [`complete`](crate::Family::complete) a public part. Then accept it beside the new one:
//!
//! ```
//! use counterfoil::{Alphabet, Checksum, Families, TokenFormat};
//!
//! let new = TokenFormat::builder("acme").build()?;
//! // What the old software minted: `acmekey_`, 40 hex digits, no checksum.
//! let old = TokenFormat::builder("acmekey")
//!     .without_selector()
//!     .secret(Alphabet::Hex, 40)
//!     .checksum(Checksum::None)
//!     .build()?;
//! let families = Families::minting(new).accepting(old)?;
//!
//! let held_by_a_user = "acmekey_0123456789abcdef0123456789abcdef01234567";
//! assert!(families.parse(held_by_a_user).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Look at real texts first, and count those that the format refuses. The usual surprises:
//!
//! - letters in upper case where hex was meant, or an alphabet that is wider than it looks;
//! - a secret that may hold the separator, so that splitting has always lost some;
//! - no prefix at all: then a family's [`Head`](crate::token::Head) is the empty text, and only its length keeps it apart
//!   from others;
//! - a character that no bearer token may have (RFC 6750, section 2.1), such as `|`;
//! - a checksum over other bytes than you think: over the secret alone, or over all before it.
//!
//! # Map the rest
//!
//! | theirs | ours | mind |
//! |---|---|---|
//! | user id | [`Owner`](crate::Owner) | it never changes afterwards: the first use binds it |
//! | the part of a token that they show in lists | its public part: all before the secret | it says of which format the token is, and what finds it |
//! | scopes, abilities | [`Scopes`](crate::Scopes) | `*` alone does not exist here: write out what it meant, or the token has no rights |
//! | expiry | [`Expiry`](crate::Expiry) | seconds or milliseconds? A number of seconds is refused, not misread |
//! | no expiry | [`Expiry::Never`](crate::Expiry) | consider an end |
//! | deleted, disabled | do not import, or import as [revoked](crate::Import::revoked) or blocked | an "enabled" flag is a block, which [`unblock`](crate::Registry::unblock) ends |
//! | their id | [`TokenId`](crate::TokenId) | a UUID of any version may stay, and must be the same each time; without one the id is made of time and digest, and theirs may be kept in [`Metadata`](crate::Metadata) |
//! | last used | usage | beside the record; without it, a registry that revokes unused tokens counts from when they were made |
//!
//! An [`Import`](crate::Import) holds all of these, the [`Usage`](crate::Usage) too.
//!
//! # A whole import
//!
//! The old software has minted two kinds of token. Of `acmekey_…` it has stored SHA-256 in hex, of `acmecli_…` Argon2id,
//! each over the whole text.
//!
//! ```
//! use counterfoil::{
//!     Alphabet, Argon2Bounds, By, CheckError, Checksum, Denial, Digest, Expiry, Families, Import, Keyring, MemoryStore,
//!     Owner, Registry, Scope, Timestamp, TokenFormat,
//!     digest::{ImportedDigests, Over},
//!     registry::{ImportOutcome, VerifyError},
//!     store::{Filter, ListQuery},
//! };
//! use std::error::Error;
//!
//! /// What is minted from now on, and what the old software minted.
//! fn families(of_key: ImportedDigests, of_cli: ImportedDigests) -> Result<Families, Box<dyn Error>> {
//!     let key = TokenFormat::builder("acmekey").without_selector().secret(Alphabet::Hex, 40);
//!     let cli = TokenFormat::builder("acmecli").selector(Alphabet::Base62, 8).secret(Alphabet::Base62, 24);
//!     let key = key.checksum(Checksum::None).accepts_imported(of_key).build()?;
//!     let cli = cli.checksum(Checksum::None).accepts_imported(of_cli).build()?;
//!     Ok(Families::minting(TokenFormat::builder("acme").build()?).accepting(key)?.accepting(cli)?)
//! }
//!
//! /// Rows of the old tables: owner, the text up to its secret, what was stored of it, seconds, scopes.
//! const ROWS: [(&str, &str, &str, i64, &str); 4] = [
//!     ("ann", "acmekey_", "8b395e7a340bebc951d10799e37e348ac13045a49f7b229aa13c2fae90b784d1", 1_700_000_000, "parts:*"),
//!     (
//!         "bob",
//!         "acmecli_BRTRKFsL",
//!         "$argon2id$v=19$m=8192,t=1,p=1$3HuzhVQ6V92mF4C1QVUfFw$ZjvZKe6TlxffNdNoxJgCJkYPE4EWmoxj3yZ2Z0ETdog",
//!         1_710_000_000,
//!         "parts:read",
//!     ),
//!     ("eve", "acmekey_", "a51041d9575383c940b81e0d60884d8fd25a20b1b8a98e0917b22e897a8a6882", 1_720_000_000, ""),
//!     ("eve", "acme-key_", "a51041d9575383c940b81e0d60884d8fd25a20b1b8a98e0917b22e897a8a6882", 1_720_000_000, ""),
//! ];
//!
//! fn batch() -> Result<Vec<Import>, Box<dyn Error>> {
//!     let import = |(owner, public, stored, seconds, scopes): (_, _, _, i64, &str)| {
//!         let made = Timestamp::from_unix_millis(seconds * 1000)?;
//!         let digest = Digest::imported(stored, Over::Text)?;
//!         Ok(Import::new(Owner::new(owner)?, public, digest, made, Expiry::Never).scopes(scopes.parse()?))
//!     };
//!     ROWS.into_iter().map(import).collect()
//! }
//!
//! /// How many current secrets are not bound yet.
//! async fn unbound(registry: &Registry) -> Result<usize, Box<dyn Error>> {
//!     let (mut query, mut count) = (ListQuery::new(Filter::all()), 0);
//!     loop {
//!         let page = registry.list(&query).await?;
//!         let of_ours = |digest: &Digest| digest.key_id().is_some();
//!         count += page.tokens.iter().filter(|stored| !of_ours(&stored.record.slots().current.digest)).count();
//!         let Some(next) = page.next else { return Ok(count) };
//!         query = query.after(next);
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # pollster::block_on(async {
//! # let keys = format!("2026:{}:mint", counterfoil::draw_server_key()?);
//! # let (ann, bob, eve) = (
//! #     "acmekey_0123456789abcdef0123456789abcdef01234567",
//! #     "acmecli_BRTRKFsL_51FwqftsmMDHHbJAMEXXHCgG",
//! #     "acmekey_89abcdef0123456789abcdef0123456789abcdef",
//! # );
//! let keyring: Keyring = keys.parse()?;
//! let store = MemoryStore::new();
//!
//! // Opt in: SHA-256 for the one format, Argon2id within bounds for the other, and no more than that.
//! let sha256 = ImportedDigests { sha256: true, ..ImportedDigests::default() };
//! let argon2id = ImportedDigests { argon2id: Some(Argon2Bounds::default()), ..ImportedDigests::default() };
//! let registry = Registry::builder(families(sha256, argon2id)?, keyring.clone(), store.clone()).build()?;
//!
//! // Import. Each row has its own answer; the last one's text is of no format here.
//! let outcomes = registry.import(batch()?, By::unknown()).await?;
//! use ImportOutcome::{AlreadyPresent, Imported, Refused};
//! assert!(matches!(outcomes[..], [Imported(_), Imported(_), Imported(_), Refused(_)]));
//! assert_eq!(unbound(&registry).await?, 3);
//!
//! // The first use proves the old digest, and binds the token to its row, its owner and a server key.
//! registry.verify(ann).await?.require(&"parts:read".parse::<Scope>()?)?;
//! assert_eq!(unbound(&registry).await?, 2);
//!
//! // To import again is safe, whatever has happened in between.
//! let again = registry.import(batch()?, By::unknown()).await?;
//! assert!(matches!(again[..], [AlreadyPresent, AlreadyPresent, AlreadyPresent, Refused(_)]));
//!
//! // Stop accepting, too early: two are not bound yet. Where the text prints a selector, its token cannot be checked,
//! // which is no refusal. Where it does not, nobody looks for an imported row any more: a refusal, and a wrong one.
//! let none = ImportedDigests::default();
//! let strict = Registry::builder(families(none, none)?, keyring, store).build()?;
//! let early = strict.verify(bob).await.unwrap_err();
//! assert!(matches!(early, VerifyError::Unchecked(CheckError::NotAccepted)) && !early.is_refusal());
//! assert!(matches!(strict.verify(eve).await, Err(VerifyError::Denied(Denial::Unknown))));
//!
//! // So accept for a while longer, until the last one is used, or is revoked and purged.
//! registry.verify(bob).await?;
//! registry.verify(eve).await?;
//! assert_eq!(unbound(&registry).await?, 0);
//!
//! // Stop accepting. What was bound goes on, and a digest that somebody writes into the database is worth nothing.
//! for token in [ann, bob, eve] {
//!     strict.verify(token).await?;
//! }
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Step by step
//!
//! 1. **Read the keys.** Set up a keyring, a store, and a registry that mints the new format and accepts the old one.
//! 2. **Import a copy**, with [`Registry::import`](crate::Registry::import), into a store that nobody uses. It says of
//!    each row [what became of it](crate::registry::ImportOutcome): count what is refused, and why. It asks neither limit
//!    nor catalog nor policy, since those tokens exist already; what a [catalog](crate::ScopeCatalog) forbids is still
//!    refused with every use.
//! 3. **Compare.** For some days let both answer each request, the old software alone deciding. Log where they differ:
//!    by record id and reason, never by text.
//! 4. **Freeze** minting, rotation and revocation in the old software, for minutes.
//! 5. **Import** into the real store. A batch that broke off is imported again: rows that are there are left alone, be
//!    they used, rotated or revoked since.
//! 6. **Switch.** The registry decides. Keep the old tables, unread.
//! 7. **Watch** the imported digests become fewer, as above. What has not been used after a time of your choice has
//!    probably been lost: tell its owner, and revoke it.
//! 8. **Close the door.** Once none is left, stop accepting imported digests, and then delete the old tables and
//!    their backups. What is met afterwards and was not bound is
//!    [`NotAccepted`](crate::CheckError::NotAccepted), or [`Unknown`](crate::Denial::Unknown) if its text prints no
//!    selector.
//!
//! # Going back
//!
//! Until step 8 the old tables still verify every token that was alive at step 4. What was minted, rotated or revoked
//! since is known here alone: so before you go back, replay revocations from the events, and accept that new tokens end.
//!
//! # What is weaker meanwhile
//!
//! An imported digest has no key and binds no row. Until its token is used, whoever reads the database can test guesses
//! against it: hopeless at 128 random bits, and not at fewer. And for as long as a format accepts such digests at all,
//! whoever *writes* to the database can make tokens of any owner, by storing the digest of a text of their own. So accept
//! no more kinds than you import, for no longer than it takes (step 8), and guard writes to that database as you guard
//! those to your users' table. The [`threat_model`](super::threat_model) has the rest.
