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
//! digest of this library, which is made with a server key and belongs to this row alone. Until then it is bound to nothing.
//!
//! | the other software stores | can be imported |
//! |---|---|
//! | SHA-256 or SHA-512 of the whole token, or of its secret part: in hex, or in base64 of either alphabet | yes |
//! | Argon2id (RFC 9106, version 19) as a PHC string without a key id, over either, within [bounds of cost](crate::Argon2Bounds) that you set | yes, if the token's text prints what finds the row |
//! | the tokens themselves, readable or decryptable | yes: hash them with SHA-256 during the import, and delete them |
//! | bcrypt, scrypt, PBKDF2, HMAC, BLAKE2, BLAKE3, Argon2i, Argon2d, a hash with a salt | no: replace, or verify side by side |
//! | a hash of less than 128 random bits: a password, a short code | do not import it: a bearer token must not be guessable |
//!
//! State the [algorithm](crate::digest::ImportedAlgorithm), and look it up in the source of the other software. An HMAC-SHA-256
//! looks like a SHA-256: both are 64 hex digits. A row that is imported under the wrong algorithm never verifies. Before you
//! import all rows, import one whose token you know into a [`MemoryStore`](crate::MemoryStore), and verify that token.
//!
//! [`Digest::imported`](crate::Digest::imported) reads the text. It refuses everything else, and names the algorithm if the
//! text shows one. [`Over`](crate::digest::Over) says what was hashed.
//!
//! SHA-256 and SHA-512 find their own row. For a format without a selector a hash of the imported hash is looked up, until the
//! first use gives the row a selector under the server's key. A salted hash cannot be looked up, so Argon2id needs a segment in
//! the text that finds the row. A format with a keyed checksum accepts no imported digest, because no other software could
//! have made the checksum.
//!
//! Each format accepts the digests that you name with
//! [`accepts_imported`](crate::token::FormatBuilder::accepts_imported). By default it accepts none.
//!
//! # Describe the old text
//!
//! | the old text | describe it with |
//! |---|---|
//! | a prefix, a `_`, and segments of fixed width | [`TokenFormat`](crate::TokenFormat); the page on the [`token_format`](super::token_format) has every part |
//! | no prefix, another separator, or widths that vary | [`ImportedFormat`](crate::token::ImportedFormat) |
//! | anything else | a [`Family`](crate::Family) of your own, which gives its texts with [`Presented::accepting`](crate::Presented::accepting) and can [`complete`](crate::Family::complete) a public part |
//!
//! Then accept it next to the format that mints:
//!
//! ```
//! use counterfoil::{
//!     Alphabet, Checksum, Families, TokenFormat,
//!     token::{CharacterSet, ImportedFormat},
//! };
//!
//! let new = TokenFormat::builder("acme").build()?;
//! // What the old software minted: `acmekey_`, 40 hex digits, no checksum.
//! let old = TokenFormat::builder("acmekey")
//!     .without_selector()
//!     .secret(Alphabet::Hex, 40)
//!     .checksum(Checksum::None)
//!     .build()?;
//! // And what it minted before: 40 hex digits alone.
//! let older = ImportedFormat::builder("").secret(CharacterSet::HEX, 40..=40).build()?;
//! let families = Families::minting(new).accepting(old)?.accepting(older)?;
//!
//! assert!(families.parse("acmekey_0123456789abcdef0123456789abcdef01234567").is_ok());
//! assert!(families.parse("0123456789abcdef0123456789abcdef01234567").is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Two formats can be accepted together if no text is of both. [`Families::accepting`](crate::Families::accepting) compares
//! their prefixes, lengths and characters, and returns an error if one text could be read by both.
//!
//! Look at real texts first, and count those that the format refuses. The usual surprises:
//!
//! - **Widths that vary.** Base58 of 24 random bytes is mostly 33 characters and sometimes fewer, as is every number that is
//!   written without leading zeros. A row does not show the width of its secret, so a format of fixed width imports rows
//!   whose tokens it then never reads. [`ImportRefused::Width`](crate::import::ImportRefused::Width) is the sign of it: if the
//!   public part has the wrong width in some rows, expect the same of secrets in others, and use an `ImportedFormat` with
//!   every width that can occur.
//! - Letters in upper case where hex was meant, or an alphabet that is wider than it looks.
//! - A secret that may hold the separator, so that splitting has always lost some tokens.
//! - A character that no bearer token may have (RFC 6750, section 2.1), such as `|`. The transport of `counterfoil-tower`
//!   answers 400 until you [allow](https://docs.rs/counterfoil-tower/latest/counterfoil_tower/struct.Transport.html#method.allow)
//!   it.
//! - Another scheme than `Bearer` in the `Authorization` header, such as `Token`. The same transport reads it once you
//!   name it.
//! - A checksum over other bytes than you think: over the secret alone, or over all before it.
//!
//! # Recipes
//!
//! Each recipe was tried on rows that the package itself made. `tests/migrations` holds the rows and the scripts. The tests
//! in `examples/systems/tests/imports.rs` import them and use their tokens over HTTP.
//!
//! In these examples a row is the token, the column that shows its beginning, and the column that holds its hash. Your own
//! rows do not have the token. It is here so that the example can verify it.
//!
//! ## Laravel Sanctum
//!
//! A token is `17|` and a secret; 17 is the id of its row. The column `token` is the SHA-256 of all behind the `|`, in hex. Up
//! to version 3.2.5 the secret is 40 letters and digits. Since then it also has 8 hex digits of a checksum, and a prefix if
//! `SANCTUM_TOKEN_PREFIX` is set.
//!
//! ```
//! # use counterfoil::{By, Digest, Expiry, Families, Import, Keyring, MemoryStore, Owner, Registry, Timestamp, TokenFormat};
//! # use counterfoil::{digest::{ImportedAlgorithm::Sha256, ImportedDigests, Over}, token::{CharacterSet, ImportedFormat}};
//! # pollster::block_on(async {
//! # let keyring: Keyring = format!("2026:{}:mint", counterfoil::draw_server_key()?).parse()?;
//! # let made = Timestamp::from_unix_millis(1_767_225_600_000)?;
//! # let rows = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/migrations/sanctum_4.tsv"));
//! # let rows: Vec<Vec<&str>> = rows.lines().take(3).map(|line| line.split('\t').collect()).collect();
//! let sha256 = ImportedDigests { sha256: true, ..ImportedDigests::default() };
//! let sanctum = || ImportedFormat::builder("").selector(CharacterSet::DIGITS, 1..=20, "|").accepts_imported(sha256);
//! let bare = sanctum().secret(CharacterSet::BASE62, 40..=48).build()?;
//! let prefixed = sanctum().secret_prefix("acme_").secret(CharacterSet::BASE62, 48..=48).build()?;
//! let families = Families::minting(TokenFormat::builder("acme").build()?).accepting(bare)?.accepting(prefixed)?;
//! let registry = Registry::builder(families, keyring, MemoryStore::new()).build()?;
//!
//! for row in &rows {
//!     let [token, id, stored] = row[..] else { panic!("a row has three fields") };
//!     let digest = Digest::imported(Sha256, stored, Over::Secret)?;
//!     let import = Import::new(Owner::new("user-42")?, id, digest, made, Expiry::Never);
//!     registry.import([import], By::unknown()).await?;
//!     assert!(registry.verify(token).await.is_ok());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! Let the door read the `|`: `Transport::bearer().allow("|")?`. Sanctum also accepts a secret without the id before it. Such
//! clients must send the whole token. Ids of two Sanctum installations may be equal: import one of them into a registry of
//! its own, or replace its tokens.
//!
//! ## prefixed-api-key
//!
//! A key is a prefix, a short token and a long token, joined by `_`. The hash is the SHA-256 of the long token, in hex. The
//! crate of this name writes random bytes in base58, whose width varies. With its default lengths, 8 bytes become 8 to 11
//! characters and 24 bytes become 24 to 33. Other lengths of `n` bytes become `n` to `ceil(n * 1.3658)` characters. The npm
//! package of this name pads and cuts both to a fixed width: state that width.
//!
//! ```
//! # use counterfoil::{By, Digest, Expiry, Families, Import, Keyring, MemoryStore, Owner, Registry, Timestamp, TokenFormat};
//! # use counterfoil::{digest::{ImportedAlgorithm::Sha256, ImportedDigests, Over}, token::{CharacterSet, ImportedFormat}};
//! # pollster::block_on(async {
//! # let keyring: Keyring = format!("2026:{}:mint", counterfoil::draw_server_key()?).parse()?;
//! # let made = Timestamp::from_unix_millis(1_767_225_600_000)?;
//! # let rows = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/migrations/prefixed_api_key.tsv"));
//! # let rows: Vec<Vec<&str>> = rows.lines().map(|line| line.split('\t').collect()).collect();
//! let format = ImportedFormat::builder("mycompany_")
//!     .selector(CharacterSet::BASE58, 8..=11, "_")
//!     .secret(CharacterSet::BASE58, 24..=33)
//!     .accepts_imported(ImportedDigests { sha256: true, ..ImportedDigests::default() })
//!     .build()?;
//! let families = Families::minting(TokenFormat::builder("acme").build()?).accepting(format)?;
//! let registry = Registry::builder(families, keyring, MemoryStore::new()).build()?;
//!
//! for row in &rows {
//!     let [token, short_token, hash] = row[..] else { panic!("a row has three fields") };
//!     let digest = Digest::imported(Sha256, hash, Over::Secret)?;
//!     let public = format!("mycompany_{short_token}");
//!     let import = Import::new(Owner::new("user-42")?, public, digest, made, Expiry::Never);
//!     registry.import([import], By::unknown()).await?;
//!     assert!(registry.verify(token).await.is_ok());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! ## better-auth
//!
//! A key of the plugin `api-key` is its `prefix`, if it has one, and 64 letters. The column `key` is the SHA-256 of the whole
//! key, in base64 without padding. The column `start` is the first six characters of the key; where the prefix is longer, use
//! the column `prefix` as the public part instead. With `disableKeyHashing` the column `key` holds the key itself: hash it
//! during the import.
//!
//! ```
//! # use counterfoil::{By, Digest, Expiry, Families, Import, Keyring, MemoryStore, Owner, Registry, Timestamp, TokenFormat};
//! # use counterfoil::{digest::{ImportedAlgorithm::Sha256, ImportedDigests, Over}, token::{CharacterSet, ImportedFormat}};
//! # pollster::block_on(async {
//! # let keyring: Keyring = format!("2026:{}:mint", counterfoil::draw_server_key()?).parse()?;
//! # let made = Timestamp::from_unix_millis(1_767_225_600_000)?;
//! # let rows = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/migrations/better_auth.tsv"));
//! # let rows: Vec<Vec<&str>> = rows.lines().map(|line| line.split('\t').collect()).collect();
//! let sha256 = ImportedDigests { sha256: true, ..ImportedDigests::default() };
//! let format = |prefix: &str| {
//!     let format = ImportedFormat::builder(prefix).secret(CharacterSet::LETTERS, 64..=64);
//!     format.hint(6 - prefix.len()).accepts_imported(sha256).build()
//! };
//! let families = Families::minting(TokenFormat::builder("acme").build()?);
//! let families = families.accepting(format("")?)?.accepting(format("acme_")?)?;
//! let registry = Registry::builder(families, keyring, MemoryStore::new()).build()?;
//!
//! for row in &rows {
//!     let [token, start, key] = row[..] else { panic!("a row has three fields") };
//!     let digest = Digest::imported(Sha256, key, Over::Text)?;
//!     let import = Import::new(Owner::new("user-42")?, start, digest, made, Expiry::Never);
//!     registry.import([import], By::unknown()).await?;
//!     assert!(registry.verify(token).await.is_ok());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! ## django-rest-knox
//!
//! A token is `TOKEN_PREFIX`, if that is set, and 64 hex digits. The column `digest` is the SHA-512 of the whole token, in hex,
//! unless `SECURE_HASH_ALGORITHM` names another algorithm. The column `token_key` is the first 15 characters of the token, or
//! the first 8 in rows of older versions; both work.
//!
//! ```
//! # use counterfoil::{By, Digest, Expiry, Families, Import, Keyring, MemoryStore, Owner, Registry, Timestamp, TokenFormat};
//! # use counterfoil::{digest::{ImportedAlgorithm::Sha512, ImportedDigests, Over}, token::{CharacterSet, ImportedFormat}};
//! # pollster::block_on(async {
//! # let keyring: Keyring = format!("2026:{}:mint", counterfoil::draw_server_key()?).parse()?;
//! # let made = Timestamp::from_unix_millis(1_767_225_600_000)?;
//! # let rows = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/migrations/knox.tsv"));
//! # let rows: Vec<Vec<&str>> = rows.lines().map(|line| line.split('\t').collect()).collect();
//! let sha512 = ImportedDigests { sha512: true, ..ImportedDigests::default() };
//! let format = |prefix: &str| {
//!     let format = ImportedFormat::builder(prefix).secret(CharacterSet::HEX, 64..=64);
//!     format.hint(15 - prefix.len()).accepts_imported(sha512).build()
//! };
//! let families = Families::minting(TokenFormat::builder("new").build()?);
//! let families = families.accepting(format("")?)?.accepting(format("acme")?)?;
//! let registry = Registry::builder(families, keyring, MemoryStore::new()).build()?;
//!
//! for row in &rows {
//!     let [token, token_key, stored] = row[..] else { panic!("a row has three fields") };
//!     let digest = Digest::imported(Sha512, stored, Over::Text)?;
//!     let import = Import::new(Owner::new("user-42")?, token_key, digest, made, Expiry::Never);
//!     registry.import([import], By::unknown()).await?;
//!     assert!(registry.verify(token).await.is_ok());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! Clients send `Authorization: Token …`: let the door read it with `Transport::bearer().scheme("Token")?`. The keys of
//! `djangorestframework-api-key` are imported alike: 8 letters and digits, a `.`, and 32 more, with the scheme `Api-Key`. Its
//! column `hashed_key` begins with `sha512$$`, which is read too. Rows of its older versions begin with `pbkdf2_sha256$` and
//! cannot be imported until they were used once there. The tokens of Django REST framework itself are stored as they are: hash
//! them during the import.
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
//!     digest::{ImportedAlgorithm::{Argon2id, Sha256}, ImportedDigests, Over},
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
//!     let import = |(owner, public, stored, seconds, scopes): (_, &str, _, i64, &str)| {
//!         let made = Timestamp::from_unix_millis(seconds * 1000)?;
//!         let algorithm = if public.starts_with("acmecli_") { Argon2id } else { Sha256 };
//!         let digest = Digest::imported(algorithm, stored, Over::Text)?;
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
