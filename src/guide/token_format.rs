//! Choosing what your tokens look like.
//!
//! For developers who set up a service, and for authors of secret scanners and client programs. After this page you can
//! build a format, say what each part costs and buys, give a scanner its pattern, and print examples that are not
//! tokens.
//!
//! # The parts
//!
//! ```text
//! ak_live_eu-1_5TZ6Xa9A_<32 characters><6 characters>
//! |  |    |    |        |              |
//! |  |    |    |        secret         checksum
//! |  |    |    selector, which finds the record
//! |  |    routing, a hint for your proxies
//! |  environment
//! prefix
//! ```
//!
//! | part | must be | if you leave it out |
//! |---|---|---|
//! | prefix | 1 to 32 letters, digits, `_`, `-`; a letter first, no `_` or `-` last | it cannot be |
//! | environment | one of at most 16 names of 1 to 16 lower-case letters and digits | nothing in a token tells trying out from production |
//! | routing | letters, digits and `-`, of a width in a range that you give, within 1 to 64 | |
//! | selector | 6 to 40 characters of one alphabet | records are found by a keyed hash, one for each server key |
//! | secret | 128 bits or more beyond the hint: 22 base62 or 32 hex characters; at most 256 | it cannot be |
//! | checksum | see below | a typing error costs a lookup |
//! | hint | the first characters of the secret, shown in lists; only without a selector | |
//!
//! Every character is one that RFC 6750 (section 2.1) lets into a bearer token, and a `_` joins the segments: most
//! programs select across it with a double click, which they do not do across a `-`. Hex is in lower case.
//!
//! # Build, mint, read, scan
//!
//! ```
//! use counterfoil::{
//!     Alphabet, Checksum, Environment, Grant, Keyring, Lifetime, Owner, Timestamp, TokenFormat, draw_server_key,
//!     token::{InvalidFormat, Malformed, ParseError},
//! };
//!
//! // Build. What is weak is refused here, once, and not at the first request.
//! let format = TokenFormat::builder("ak")
//!     .environments(["live", "test"])
//!     .selector(Alphabet::Base62, 8)
//!     .secret(Alphabet::Base62, 32)
//!     .checksum(Checksum::Crc32OfText)
//!     .build()?;
//! let weak = TokenFormat::builder("ak").secret(Alphabet::Hex, 31).build();
//! assert_eq!(weak, Err(InvalidFormat::WeakSecret { bits: 124 }));
//!
//! // Mint. The format holds no key, so a client or a scanner can have it too.
//! let keyring: Keyring = format!("2026:{}:mint", draw_server_key()?).parse()?;
//! let now = Timestamp::from_unix_millis(1_767_225_600_000)?;
//! let grant = Grant::new(Owner::new("user-42")?, Lifetime::days(90)).environment(Environment::new("live")?);
//! let token = grant.mint(&format, &keyring, now)?.token;
//! let text = token.expose();
//! assert_eq!(text.len(), "ak_live_".len() + 8 + "_".len() + 32 + 6);
//!
//! // Read. Nothing is allocated, and nothing is proven yet.
//! let presented = format.parse(text)?;
//! assert_eq!(presented.environment(), Some("live"));
//! assert_eq!(presented.public(), &text[.."ak_live_".len() + 8]);
//!
//! // One spelling: nothing is trimmed, folded or completed.
//! let refused = |text: &str| format.parse(text).unwrap_err();
//! assert_eq!(refused(&format!("{text} ")), ParseError::Malformed(Malformed::Shape));
//! assert_eq!(refused(&text.replace("_live_", "_LIVE_")), ParseError::Malformed(Malformed::Environment));
//! assert_eq!(refused(&text.to_uppercase()), ParseError::NotOurs); // another verifier may have its turn
//!
//! // A typing error anywhere dies without a lookup.
//! let last = if text.ends_with('0') { "1" } else { "0" };
//! let mistyped = format!("{}{last}", &text[..text.len() - 1]);
//! assert_eq!(refused(&mistyped), ParseError::Malformed(Malformed::Checksum));
//!
//! // Scan: the pattern finds, the parser drops what only looks like a token. Search again from the next character then,
//! // since a token may begin within a look-alike.
//! let pattern = regex::Regex::new(&format.scanner_pattern())?;
//! let fake = format.fake().expect("the format has a checksum");
//! let page = format!("export AK={text} # not {fake}, but url=%22{text}%22");
//! let (mut tokens, mut at) = (Vec::new(), 0);
//! while let Some(found) = pattern.find_at(&page, at) {
//!     if format.parse(found.as_str()).is_ok() {
//!         tokens.push(found.as_str());
//!         at = found.end();
//!     } else {
//!         at = found.start() + 1;
//!     }
//! }
//! assert_eq!(tokens, [text, text]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Scanning
//!
//! [`scanner_pattern`](crate::TokenFormat::scanner_pattern) does not ask for a word boundary around a token. In logs and
//! source code a token often follows a letter or a digit: after the two characters `\n`, after `%3D` or `\u003d`, after a
//! terminal's `ESC[1m`, or next to a letter of another script, which some engines count as a part of the word. The checksum
//! drops what only looks like a token; a format without a checksum reports every look-alike. The pattern has neither
//! look-around nor back-references, so it works in RE2, Go, Rust, Python, JavaScript and PCRE (`grep -P`). A text that hides the
//! characters of the token themselves, such as base64 or `%5F` for `_`, must be decoded first.
//!
//! # Why widths are fixed
//!
//! Selector, secret and checksum stand at known distances from the end of the text, and the prefix at its start, so the
//! reader cuts by position and splits at no separator. A prefix may therefore hold a `_`, and no random character can
//! move a boundary: systems that split at a character of their own alphabet lose the share of keys in which it happens
//! to be drawn. Only the routing segment may vary in width; it has no `_`, and environments have none either, so what
//! is left in the middle can be read in one way.
//!
//! It also means that a format cannot be changed in place. A token of another width is another format: make the new one
//! the minting family, and accept the earlier one beside it with
//! [`Families::accepting`](crate::Families::accepting), which refuses two families whose heads and lengths could fit the
//! same text. Never change a prefix without this: it ends every token in use.
//!
//! # What each checksum buys
//!
//! | [`Checksum`](crate::Checksum) | a text with one character changed | look-alikes in a scan | made-up tokens |
//! |---|---|---|---|
//! | `None` | one lookup, and refused | all are reported | one lookup each |
//! | `Crc32OfSecret` | refused, if it stands in the secret or the checksum | dropped | anyone computes it |
//! | `Crc32OfText`, the default | refused, wherever it stands | dropped | anyone computes it |
//! | `Keyed` | refused but for one in four thousand million, for each key | only a node with the keys can tell | die before the lookup |
//!
//! - The first two are the CRC-32 of IEEE 802.3 as zlib computes it, written in the secret's alphabet: 6 base62 or 8 hex
//!   characters, most significant first. `Crc32OfSecret` over 30 base62 characters is the form that GitHub described for
//!   its tokens ("Behind GitHub's new authentication token formats", 2021).
//! - A CRC is no protection against anybody. It is for keyboards, cut-off lines and scanners.
//! - The keyed one is the first 32 bits of an HMAC-SHA-256 (RFC 2104; section 5 is on truncation). It shields the
//!   database and a slow hash; it does not prove the secret, which is checked behind it all the same. A refusal costs
//!   one HMAC for each key of the keyring.
//! - No row tells with which key a keyed checksum was made. Its key must live as long as the tokens: see
//!   [`rotating_server_keys`](super::rotating_server_keys).
//!
//! # With or without a selector
//!
//! | | selector in the text | without one |
//! |---|---|---|
//! | found by | the segment as printed | `~` and 128 bits of an HMAC of the text, one candidate for each key |
//! | people can say which token they mean | by the public part | by the hint, or not at all |
//! | the database shows | the public part | nothing of the secret but the hint |
//! | a key is missing on this node | "cannot be checked": 503 | "unknown": 401 |
//! | use it for | new systems | texts that other software has shaped |
//!
//! A selector is public. Its width must only make two alike rare among your tokens: 8 base62 characters are 47 bits,
//! the default of 12 are 71. Should one be drawn twice all the same, the store refuses the second and the registry
//! draws again.
//!
//! # Environments and routing
//!
//! The environment is part of the text, so it is under the digest, and a registry refuses tokens of environments that it
//! does not [serve](crate::registry::RegistryBuilder::serving). The routing segment is under the digest as well, but
//! anyone may write any into a text that is not verified yet: let a proxy choose a shard by it, and authorize by
//! nothing before [`Verified`](crate::Verified).
//!
//! # Texts of another kind
//!
//! A [`Family`](crate::Family) of your own reads and writes any text: what another product minted, say. It is given
//! a secret of at least 128 bits to write, and every token is read back before it is handed out. If such tokens
//! are to be [imported](super::migration), it also says with which digests, and completes a public part.
//!
//! | | [`TokenFormat`](crate::TokenFormat) | `JwtFormat` of the crate `counterfoil-jwt` |
//! |---|---|---|
//! | verified by | the registry | the registry, and by whoever has the published keys |
//! | after a revocation | refused at once | refused at once by the registry, good elsewhere until its `exp` |
//! | a later end | can be set | not past the one in the text |
//! | length | some 60 bytes | 400 to 4096 bytes |
//! | the text shows | nothing | owner, scopes, restrictions and end |
//! | a made-up one costs | a CRC | a check of a signature |
