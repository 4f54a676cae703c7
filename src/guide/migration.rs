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
//! digest of ours, which binds the row; until then it binds nothing.
//!
//! | the old software stores | comes over |
//! |---|---|
//! | SHA-256 of the whole token, or of its secret part | yes |
//! | Argon2id (RFC 9106) as a plain PHC string, over either, within bounds of cost that you set | yes, if the token's text prints what finds the row |
//! | the tokens themselves, readable or decryptable | yes: hash them with SHA-256 on the way, and delete them |
//! | bcrypt, PBKDF2, SHA-512, a keyed hash, Argon2i or Argon2d | no: replace, or verify side by side |
//! | a hash of less than 128 random bits: a password, a short code | do not: a bearer token must not be guessable |
//!
//! SHA-256 of a whole text finds its own row: for a format without a selector the imported hash itself is looked up,
//! until the first use gives the row a selector under the server's key. A salted hash cannot be looked up, so Argon2id
//! needs a segment in the text that finds the row.
//!
//! Accepting imported digests is opted into, for each format and kind. A service that does not ask for it verifies none.
//!
//! # Describe the old text
//!
//! If it has a prefix and fixed widths, a [`TokenFormat`](crate::TokenFormat) describes it; the page on the
//! [`token_format`](super::token_format) has every part. If not, write a [`Family`](crate::Family). Then accept it
//! beside the new one:
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
//! | deleted, disabled | do not import, or import as revoked or blocked | an "enabled" flag is [`block`](crate::Registry::block) |
//! | their id | [`TokenId`](crate::TokenId) | a UUID of any version may stay; else keep theirs in [`Metadata`](crate::Metadata) |
//! | last used | usage | beside the record |
//!
//! # Step by step
//!
//! 1. **Read the keys.** Set up a keyring, a store, and a registry that mints the new format and accepts the old one.
//! 2. **Import a copy**, with `Registry::import`, into a store that nobody uses. It says of each row what became of it:
//!    count what is refused, and why. It asks neither limit nor catalog nor policy, since those tokens exist already.
//! 3. **Compare.** For some days let both answer each request, the old software alone deciding. Log where they differ:
//!    by record id and reason, never by text.
//! 4. **Freeze** minting, rotation and revocation in the old software, for minutes.
//! 5. **Import** into the real store. A batch that broke off is imported again: rows that are there are left alone.
//! 6. **Switch.** The registry decides. Keep the old tables, unread.
//! 7. **Watch** the imported digests become fewer. What has not been used after a time of your choice has probably been
//!    lost: tell its owner, and revoke it.
//! 8. **Close the door.** Once none is left, stop accepting imported digests, and then delete the old tables and
//!    their backups.
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
