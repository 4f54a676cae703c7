//! Personal access tokens whose text is a JWT (RFC 7519): verifiable offline by a published key set (RFC 7517), revocable
//! online because each is a record in the registry like any other.
//!
//! For services that hand one token to many others, not all of which can ask the issuer each time. A service that
//! verifies its own tokens alone is better served by [`TokenFormat`](counterfoil::TokenFormat): shorter, quicker, without
//! keys to publish.
//!
//! ```
//! use counterfoil::{Grant, Lifetime, MemoryStore, Owner, Registry};
//! use counterfoil_jwt::{JwtFormat, KeySet, OfflineVerifier, SigningKey};
//!
//! # pollster::block_on(async {
//! # let keyring: counterfoil::Keyring = "k1:XY5DfC8Vfd0tVTVLwCoXlTI2DsMqkK7ohi+HUxzZbYI=:mint".parse()?;
//! # let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
//! // The issuer: signs, publishes its keys, and can revoke.
//! let format = JwtFormat::builder("https://id.example").signing(SigningKey::from_pem(pem)?).build()?;
//! let published = format.key_set().to_json();
//! let registry = Registry::builder(format, keyring, MemoryStore::new()).build()?;
//! let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(1)).scopes("parts:read".parse()?);
//! let issued = registry.issue(grant).await?;
//! let text = issued.token.expose();
//!
//! // Another service: has fetched the keys, and asks nobody.
//! let verifier = OfflineVerifier::new(&KeySet::from_json(&published)?, "https://id.example");
//! assert_eq!(verifier.verify(text, registry.now()?, None)?.owner.subject().as_str(), "user-42");
//!
//! // Revoked: at an end online, and offline good until it expires.
//! registry.revoke(issued.record.id(), counterfoil::By::unknown()).await?;
//! assert!(registry.verify(text).await.is_err());
//! assert!(verifier.verify(text, registry.now()?, None).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # What stands in a token
//!
//! A compact JWS (RFC 7515, section 7.1) of at most 4096 bytes. The header is `{"alg":…,"kid":…,"typ":"pat+jwt"}`, in this
//! order, to the letter. The payload is a JSON object with these claims, in this order, and no other:
//!
//! | claim | is | source |
//! |---|---|---|
//! | `jti` | the selector, by which the record is found: another one after a rotation | RFC 7519, section 4.1.7 |
//! | `iss` | the issuer | 4.1.1 |
//! | `sub` | the owner's own name | 4.1.2 |
//! | `tenant` | the owner's tenant, if there is one | ours |
//! | `aud` | the audience, if the token is restricted to one | 4.1.3 |
//! | `iat`, `exp` | when it was signed, and when it ends if it does; whole seconds, rounded down | 4.1.6, 4.1.4 |
//! | `scope` | the scopes, if there are any, joined by spaces | RFC 9068, section 2.2.3 |
//! | `networks` | the networks, if the token is restricted to some | ours |
//! | `sec` | the secret: 190 random bits | ours |
//!
//! What may be shown and logged ends behind `jti`. Everybody who sees a token can read all of it, so a tenant, a subject
//! and scopes must bear that.
//!
//! `alg` is `EdDSA` with Ed25519 (RFC 8037, section 3.1) or `ES256` (RFC 7518, section 3.4), as the key that `kid` names
//! says, and never a choice of the token's (RFC 8725, section 3.1). There are no others, and no way to switch one on.
//! `typ` is explicit (RFC 8725, section 3.11), so a session's or an OAuth server's JWT under the same key set is never
//! taken for one of these, nor the reverse.
//!
//! # What an offline verifier does not see
//!
//! It sees what was signed. What happened since is in the record:
//!
//! | done to the token | registry | offline, until `exp` |
//! |---|---|---|
//! | revoked, blocked, suspended | refused at once | good |
//! | narrowed | has the fewer scopes | has the scopes that were signed |
//! | given an earlier end | ends then | ends when the signature says |
//! | given a later end than the text names | [refused](counterfoil::change::ChangeRefused::PastTextEnd): issue a new token | |
//! | rotated | the new text is good, the old one for the overlap | both are good |
//! | the owner disabled, rights taken | the [policy](counterfoil::Policy) refuses, or lowers the ceiling | good |
//! | issued without an end | good until revoked | good until its key leaves the set |
//!
//! So where tokens are verified offline, keep lifetimes short, as short as a revocation may take to be known
//! ([`Lifetimes`](counterfoil::policy::Lifetimes) sets the greatest), do not allow tokens without an end, and ask the
//! registry for what cannot be undone. A leaked token is dead everywhere once it is revoked *and* its `exp` has come, or
//! its key has left the set.
//!
//! # Changing the signing key
//!
//! A key is named by its thumbprint (RFC 7638), so that no two keys have one name. Verifiers keep the set, and fetch it again
//! when a token has a name that is not in it ([`UnknownKey`](OfflineError::UnknownKey)). A second key under an old name would
//! never be fetched, and its tokens would have a wrong signature.
//!
//! 1. Make a key: `openssl genpkey -algorithm ed25519` (or `-algorithm EC -pkeyopt ec_paramgen_curve:P-256`).
//! 2. Publish it: [`verifying`](JwtFormatBuilder::verifying) on all nodes, until every verifier has fetched the set again.
//! 3. Sign with it: [`signing`](JwtFormatBuilder::signing), the earlier key now `verifying`.
//! 4. Take the earlier key out once the last token that it signed has ended: the greatest lifetime later. Sooner, its
//!    tokens are refused everywhere, which is the remedy if it has leaked. Rotating a token signs it anew.
//!
//! A signing key that leaks makes tokens for offline verifiers alone. The registry takes none of them: their secret is in
//! no record.
//!
//! # Why no JOSE crate
//!
//! Ed25519 and P-256 are those of `ed25519-dalek` and `p256`. The rest of a JWT is base64 and JSON, and the rule here is
//! that there is one way to write them, which no general reader checks. `jsonwebtoken` would bring its cryptography as a
//! choice for the whole process: a library that switches on one of its two providers makes a host that has the other one
//! panic at its first token, and the one in Rust brings `rsa` (RUSTSEC-2023-0071) and an older line of hashes beside the
//! core's. So a host's own `jsonwebtoken` is left alone here, and verifies these tokens like any other.
#![forbid(unsafe_code)]

mod claims;
mod format;
mod jws;
mod key;
mod key_set;
mod offline;

pub use claims::Claims;
pub use format::{InvalidJwtFormat, JwtFormat, JwtFormatBuilder};
pub use key::{InvalidKey, PublicKey, SigningKey};
pub use key_set::{InvalidKeySet, KeySet};
pub use offline::{OfflineError, OfflineVerifier};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
