//! What a stored row holds, column by column.
//!
//! For developers who keep rows in a table of their own, and for whoever looks into one by hand. After this page you can
//! say what each value means, which edits end a token, which do not, and what becomes of a row that cannot be read.
//!
//! [`Record::to_row`](crate::Record::to_row) and [`Record::from_row`](crate::Record::from_row) are the only way in and
//! out. `counterfoil-sqlx` keeps these columns under nearly the same names; a slot is three columns there.
//!
//! # Columns
//!
//! Times are whole Unix milliseconds between the years 2000 and 9999. A number of seconds, microseconds or nanoseconds
//! of this century lies outside, and is refused instead of being read as another year.
//!
//! | [`Row`](crate::Row) field | type | holds | bound by the digests |
//! |---|---|---|---|
//! | `id` | 16 bytes | the record's name, whose byte order is that of creation | yes |
//! | `tenant` | text to 255 bytes, empty for none | | yes |
//! | `owner` | text, 1 to 255 bytes | | yes |
//! | `version` | integer from 1 | counts changes; the ETag | no |
//! | `digest_version` | integer from 1 | counts digests made anew on use | no |
//! | `created_at` | time | | no |
//! | `expires_at` | time or null | null is never | **no** |
//! | `revoked`, `suspended`, `blocked` | a [`MarkRow`](crate::record::MarkRow) or null each: a time, and JSON | when, by whom, why | **no** |
//! | `current` | a [`SlotRow`](crate::record::SlotRow) | the newest secret | its text is; that it is the current one is **not** |
//! | `retiring`, `retiring_until` | a slot and a time, both or neither | the one before, and the end of its overlap | the same; the time is **not** |
//! | `spent` | a slot or null | the newest secret that has ended | the same |
//! | `body` | JSON object, at most 128 KiB | all else, below | **no** |
//!
//! A `SlotRow` is `selector` (unique over all slots of all rows), `digest`, and `key`: the id of the server key, which
//! must be the one that the digest names, and is empty for an imported digest, which has none. A mark's detail is `{}` or
//! has `by` and `claimed_by` (text to 255 characters) and `reason` (to 500).
//!
//! # Digests
//!
//! ```text
//! $hmac-sha256$v=1$key=2026$<43 characters: 32 bytes, base64 of RFC 4648, section 5, unpadded>
//! $argon2id$v=19$m=19456,t=2,p=1,keyid=<base64>$<base64: 16 bytes>$<base64: 32 bytes>
//! ```
//!
//! The second is a PHC string in standard base64 without padding; each parameter stands once, in this order, in plain
//! decimals. Each text has one spelling. Both are made over the same input, in which every part stands after its
//! length in two bytes, most significant first:
//!
//! ```text
//! "cf1"  record id (16 bytes)  tenant  owner  the token's whole text
//! ```
//!
//! The key is derived from the server's: HMAC-SHA-256 of `counterfoil/1/digest`. For Argon2id the same input goes
//! through HMAC under the key of `counterfoil/1/argon2`, and its 32 bytes are what Argon2id (RFC 9106) is given as the
//! password. Selectors that are not printed are `~` and the first 16 bytes of an HMAC of the text under the key of
//! `counterfoil/1/selector`. `tests/vectors/confirm.py` computes all of these again, in another language.
//!
//! # Imported digests
//!
//! A digest that other software made is kept in its own form until the token's first use, behind what it is over:
//!
//! ```text
//! $imported$over=text$sha256$<43 characters: 32 bytes, base64 of RFC 4648, section 5, unpadded>
//! $imported$over=text$sha512$<86 characters: 64 bytes, likewise>
//! $imported$over=secret$argon2id$v=19$m=65536,t=3,p=4$<base64: salt, 8 to 64 bytes>$<base64: 16 to 64 bytes>
//! ```
//!
//! `over` is `text`, the whole token, or `secret`, the segment alone. None of them has a key, and nothing of the row is
//! bound: neither `id` nor `tenant` nor `owner`. Since `key` is empty,
//! [`count_by_key`](crate::TokenStore::count_by_key) counts such a slot under no key.
//!
//! Where the token's text prints no selector, an imported SHA-256 is found by `~sha256-` and 22 characters, and a SHA-512
//! by `~sha512-` and 22 characters: the first 16 bytes, in unpadded base64 of section 5, of the SHA-256 of `counterfoil/1/imported-selector` and the hash. The first use
//! replaces digest, key and, in that case, selector; `digest_version` goes up by one, and `version` does not.
//!
//! # Members of the body
//!
//! | member | JSON | if it is missing |
//! |---|---|---|
//! | `v` | number, `1` | damaged |
//! | `public` | text: the part of the token that may be shown; to 1024 bytes of printable ASCII | damaged |
//! | `text_end` | number, a time: the end that the current token's own text names, as a JWT does; no later one is set | the text names none |
//! | `environment` | text | none |
//! | `routing` | text | none |
//! | `created_by` | text to 255 characters | unknown |
//! | `rotated_at` | number, a time | never |
//! | `rotation_key` | object: `at`, the time of the rotation; `key`, its idempotency key; `sha256`, of the request's content, 43 characters of unpadded URL-safe base64 | none; so it is if `at` is not `rotated_at`, as after a rotation by a node that does not know this member |
//! | `name`, `description` | text to 200 and to 1000 characters | none |
//! | `tags` | array of at most 32 texts of up to 64 characters | none |
//! | `metadata` | object of at most 4096 bytes in compact form, at most 32 levels; numbers are read as 64-bit integers or doubles | empty |
//! | `scopes` | array of at most 128 texts | none, which allow nothing |
//! | `restrictions` | object: `networks`, an array of 1 to 64 CIDR texts; `audience`, a text | none |
//!
//! A member that is there must be readable: `null` is not "missing", and an empty array of networks is not "any". A member
//! that is given twice corrupts the row, at whatever depth, in a mark's detail too: readers of JSON differ in which of two
//! they take.
//!
//! A member that this version does not know is **kept** as it is and written back with every change, so an older node
//! loses nothing that a newer one has written. An unknown member of `restrictions` is kept too, and refuses the token
//! here: a condition that cannot be judged does not hold. A mark's detail is the exception: it has the members `by`,
//! `claimed_by` and `reason`, and others are **dropped** by the next change of the row on a node that does not know them.
//!
//! # Damage
//!
//! ```
//! use counterfoil::{
//!     Circumstances, Denial, Grant, Keyring, Lifetime, Owner, Record, Row, Timestamp, TokenFormat, check,
//!     draw_server_key, verify,
//! };
//! use std::sync::Arc;
//!
//! let format = TokenFormat::builder("acme").build()?;
//! let keyring: Keyring = format!("2026:{}:mint", draw_server_key()?).parse()?;
//! let now = Timestamp::from_unix_millis(1_767_225_600_000)?;
//! let grant = Grant::new(Owner::in_tenant("org-7", "user-42")?, Lifetime::days(90)).scopes("parts:read".parse()?);
//! let minted = grant.mint(&format, &keyring, now)?;
//! let row = minted.record.to_row();
//!
//! // Columns for the store, a body for everything else.
//! assert_eq!((row.tenant.as_str(), row.owner.as_str(), row.version), ("org-7", "user-42", 1));
//! assert_eq!(row.expires_at, Some(now.unix_millis() + 90 * 86_400_000));
//! assert!(row.current.digest.starts_with("$hmac-sha256$v=1$key=2026$"));
//! let body: serde_json::Value = serde_json::from_str(&row.body)?;
//! let public = minted.token.public();
//! assert_eq!(body, serde_json::json!({ "v": 1, "public": public, "scopes": ["parts:read"] }));
//!
//! // A row that cannot be read names its first bad column. Nothing is guessed.
//! let first_bad = |edit: fn(&mut Row)| {
//!     let mut row = row.clone();
//!     edit(&mut row);
//!     Record::from_row(row).unwrap_err().column
//! };
//! assert_eq!(first_bad(|row| row.expires_at = Some(1_775_001_600)), "expires_at"); // seconds
//! assert_eq!(first_bad(|row| row.owner.clear()), "owner");
//! assert_eq!(first_bad(|row| row.current.key = "2025".into()), "current"); // not what the digest says
//! assert_eq!(first_bad(|row| row.retiring_until = row.expires_at), "retiring_until"); // of no retiring slot
//! assert_eq!(first_bad(|row| row.body = row.body.replace("\"v\":1", "\"v\":2")), "body");
//!
//! // What is not known is kept.
//! let mut newer = row.clone();
//! newer.body = newer.body.replace("\"v\":1", "\"v\":1,\"restrictions\":{\"hours\":\"9-17\"},\"colour\":\"red\"");
//! let record = Arc::new(Record::from_row(newer)?);
//! assert_eq!(record.restrictions().unknown(), ["hours"]);
//! let again: serde_json::Value = serde_json::from_str(&record.to_row().body)?;
//! assert_eq!((&again["colour"], &again["restrictions"]["hours"]), (&"red".into(), &"9-17".into()));
//!
//! // And what is not known is not waved through.
//! let checked = check(format.parse(minted.token.expose())?, Some(&record), &keyring)?;
//! let refused = verify(checked, Some(record), &Circumstances::at(now));
//! assert_eq!(refused.err(), Some(Denial::UnknownRestriction));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | a damaged row | |
//! |---|---|
//! | at a check | [`StoreErrorKind::Corrupt`](crate::store::StoreErrorKind::Corrupt): no pass and no refusal; the answer is 503 |
//! | in a list | stands in [`Page::corrupt`](crate::store::Page), with its id and column |
//! | at a change | the change fails with the same error |
//! | at a revocation | can be revoked: [`TokenStore::revoke`](crate::TokenStore::revoke) reads no body |
//! | at a purge | goes with the others, by its times |
//! | a digest whose cost is out of bounds | found at the check, before any memory is taken |
//!
//! # Edits by hand
//!
//! | you change | and |
//! |---|---|
//! | `id`, `tenant`, `owner` | every secret of the row is wrong from then on: mint anew for the new owner, and revoke |
//! | a digest, or move one to another row | that secret is wrong, unless the digest is an imported one |
//! | a selector | the token is not found |
//! | `expires_at`, a mark, scopes, networks | it takes effect, silently: no digest covers them |
//! | any of it under a running service | raise `version` by one, or a change that is under way overwrites yours |
//!
//! To revoke by hand, in PostgreSQL (a mark is both of its columns or neither; milliseconds; the detail is a JSON object):
//!
//! ```sql
//! UPDATE counterfoil_token
//! SET revoked_at = (extract(epoch FROM now()) * 1000)::bigint, revoked_detail = '{"reason":"by hand"}', version = version + 1
//! WHERE id = '0197b0a0-6c00-7aaa-8aaa-aaaaaaaaaaaa' AND revoked_at IS NULL;
//! ```
//!
//! Seconds, or a detail that is no JSON, damage the row: its token is neither let in nor refused from then on, but "try
//! again" (503), until it is mended; or deleted by the next purge, to which seconds are a moment long ago.
//!
//! What that means for somebody who should not be writing is on the page of the [`threat_model`](super::threat_model).
