//! Reading the code that decides, and running what proves it.
//!
//! For auditors, and for anyone who will not take our word. After this page you have read every line that makes a token
//! good, know which claim is held by which test, which are held by reading alone, and how to run all of it again.
//!
//! # Reading order
//!
//! Six files, at most 1,000 lines together with their comments: `tests/layers.rs` counts them.
//!
//! | # | file | ask of it |
//! |---|---|---|
//! | 1 | `src/verify.rs` | Is there a way to [`Verified`](crate::Verified) around the table? Does a row come too early? |
//! | 2 | `src/check.rs` | Which digest is computed, of what, and what if there is no record? Can an error pass? |
//! | 3 | `src/digest/keyed.rs` | Can two bindings give the same input? Does a branch depend on a secret? |
//! | 4 | `src/token/parse.rs` | Is there a text with two readings, or a token with two texts? What does a reject cost? |
//! | 5 | `src/record.rs` | What is kept, and what can change it? |
//! | 6 | `src/mint.rs` | Where does randomness enter, who sees the plaintext, and what if either fails? |
//!
//! Beside them, short and worth the minutes: `src/check/candidates.rs` (what is looked for, and the keyed checksum before
//! the lookup), `src/seal.rs` (the check's mirror: what is stored of a new token), `src/record/row.rs` (how a hostile row
//! is read), `src/digest/argon2.rs` (how its cost is bounded), `src/registry/verifying.rs` (the order in which all of it
//! is called; no decision is made there), and `src/alphabet.rs` (how characters are drawn).
//!
//! Then the [`threat_model`](super::threat_model), for what none of this promises.
//!
//! # Claims, and what holds them
//!
//! `tests/guide.rs` fails if a file or test named on this page is not there.
//!
//! ## The verdict
//!
//! | claim | held by |
//! |---|---|
//! | the first row of the table that applies wins, in every combination of what they look at | `tests/verdict.rs: the_first_row_that_applies_wins_in_every_combination`, `tests/verdict.rs: each_row_by_itself` |
//! | the proof is built in one place | `tests/layers.rs: the_proof_is_built_in_one_place`, and the `compile_fail` example of [`Verified`](crate::Verified) |
//! | a token ends with its millisecond, and no overlap outlives it | `tests/verdict.rs: an_end_comes_with_its_millisecond`, `tests/registry.rs: a_retiring_secret_never_outlives_the_token` |
//! | the digest that is compared is that of the slot whose selector was presented | `tests/verdict.rs: the_slot_is_the_one_whose_selector_was_presented` |
//! | before the secret is proven, nothing may be told | `tests/verdict.rs: what_may_be_told_begins_after_the_secret_is_proven` |
//! | an unknown address is outside of every network | `tests/verdict.rs: a_network_admits_its_addresses_alone`, `tests/registry.rs: restrictions_hold_for_the_caller` |
//! | a store that fails is neither a refusal nor a pass | `tests/registry.rs: a_store_that_fails_is_neither_a_refusal_nor_a_pass` |
//!
//! ## Digests and keys
//!
//! | claim | held by |
//! |---|---|
//! | the input of a digest is what the pages say, byte by byte | `tests/vectors.rs: digests_are_of_the_stated_input`, and again by `tests/vectors/confirm.py` |
//! | a digest is worthless in another row, and for another owner or tenant | `tests/properties.rs: a_digest_in_another_row_verifies_nothing`, `tests/properties.rs: a_slot_swapped_between_two_records_verifies_nothing`, `tests/properties.rs: a_slow_digest_in_another_row_verifies_nothing` |
//! | tenant and owner cannot be shifted against each other | `tests/vectors/digests/hmac_tenant_moved_into_owner.txt` |
//! | a digest is worthless under the name of another key | `tests/properties.rs: a_digest_under_the_name_of_another_key_verifies_nothing` |
//! | digests move to the minting key on use, never back, and a missing key refuses nobody | `tests/registry.rs: a_digest_moves_to_the_minting_key_on_use_and_its_version_stays` |
//! | a stored cost is bounded before memory is taken | `tests/vectors.rs: rows_are_read_or_refused_as_stated`, with `tests/vectors/rows/argon2_memory_4_gib.txt` and its neighbours |
//! | a build without Argon2 says so, and calls no secret wrong | `tests/no_features.rs: an_argon2id_digest_is_unsupported_and_a_keyed_one_is_checked` |
//!
//! ## Tokens
//!
//! | claim | held by |
//! |---|---|
//! | a minted token is read back as it was made | `tests/properties.rs: a_minted_token_is_read_back_as_it_was_made`, `tests/vectors.rs: accepted_tokens_are_read_found_verified_and_minted` |
//! | a token has one spelling | `tests/properties.rs: an_edited_token_is_refused`, `tests/properties.rs: no_substitution_insertion_or_deletion_verifies_without_a_checksum` |
//! | a CRC catches every change of one character | `tests/properties.rs: no_substitution_passes_a_crc` |
//! | a reject names its reason, and "not ours" is told apart | `tests/vectors.rs: refused_tokens_are_refused_for_the_stated_reason` |
//! | two accepted families never read one text | `tests/properties.rs: families_accepted_together_never_read_one_text`, `tests/properties.rs: families_that_read_one_text_are_refused` |
//! | a family that is weak or reads back otherwise mints nothing | `tests/families.rs: only_a_sound_family_mints` |
//! | a made-up keyed checksum is refused before a lookup | `tests/registry.rs: a_made_up_keyed_checksum_dies_before_the_lookup` |
//! | without randomness nothing is stored | `tests/registry.rs: without_randomness_nothing_is_stored` |
//! | a scanner's pattern finds every token and fake | `tests/properties.rs: a_scanner_finds_tokens_and_fakes` |
//!
//! ## Hostile input, and leaks
//!
//! | claim | held by |
//! |---|---|
//! | no text and no row makes a reader panic | `tests/properties.rs: no_reader_panics_on_garbage`, `tests/properties.rs: a_row_of_garbage_is_refused_or_kept` |
//! | garbage is refused | `tests/properties.rs: garbage_is_refused` |
//! | what a newer build wrote survives an older one's change | `tests/vectors/rows/unknown_body_member.txt`, `tests/vectors/rows/unknown_restriction_kept.txt` |
//! | a damaged row verifies nothing, is listed apart, and can be revoked | `crates/counterfoil-sqlx/tests/sqlite/damage.rs: a_damaged_row_is_named_with_its_column_and_can_be_revoked` |
//! | nothing printable holds a secret, a digest or a key | `tests/redaction.rs: a_registry_shows_nothing_of_what_it_holds`, `tests/redaction.rs: a_record_shows_neither_secret_nor_digest`, `tests/redaction.rs: a_verification_shows_nothing_at_any_step`, `tests/redaction.rs: a_keyring_that_is_none_is_refused_without_being_shown` |
//!
//! ## Changes and stores
//!
//! | claim | held by |
//! |---|---|
//! | revocation is final, and no race undoes it | `tests/registry.rs: nothing_changes_a_revoked_token`, `crates/counterfoil-sqlx/tests/sqlite/races.rs: an_update_never_undoes_a_revocation` |
//! | a read that starts after a revocation sees it, on another node too | `crates/counterfoil-sqlx/tests/sqlite/races.rs: a_read_that_starts_after_a_write_sees_it` |
//! | of many changes at once none is lost, and of several made of one revision one wins | `tests/registry.rs: concurrent_changes_are_all_made`, `crates/counterfoil-sqlx/tests/sqlite/races.rs: of_many_updates_of_one_revision_one_wins` |
//! | an owner never has more active tokens than the limit | `crates/counterfoil-testkit/src/tokens/limit.rs: the_limit_holds_in_a_race` on every store, `crates/counterfoil-sqlx/tests/sqlite/races.rs: no_more_are_added_than_the_limit_leaves_room_for` |
//! | scopes are narrowed and never widened | `tests/registry.rs: scopes_are_narrowed_and_never_widened` |
//! | no scopes are no rights, and a pattern matches whole segments | `tests/properties.rs: a_scope_is_held_as_it_stands_or_below_a_pattern`, `tests/properties.rs: an_intersection_allows_what_both_allow` |
//! | what is never granted is refused at the check too | `tests/registry.rs: a_catalog_resolves_what_is_asked_and_forbids_at_the_check` |
//! | reuse of the newest spent secret is an event with its token and caller | `tests/registry.rs: the_reuse_of_a_spent_secret_is_an_event_with_its_token_and_caller` |
//! | a lookup searches primary keys alone | `crates/counterfoil-sqlx/src/sqlite/find.rs: only_primary_keys_are_searched` |
//!
//! ## The shape of the code
//!
//! | claim | held by |
//! |---|---|
//! | layers point down, and effects stay in their modules | `tests/layers.rs: every_use_points_to_a_lower_layer`, `tests/layers.rs: every_effect_stays_in_its_module` |
//! | the reading path is short | `tests/layers.rs: the_reading_path_is_short` |
//! | there is no `unsafe` | `#![forbid(unsafe_code)]` in every crate |
//! | no runtime, web or database crate is below the core | `.ci/tree` |
//!
//! # Held by reading alone
//!
//! No test shows these; they are short enough to read.
//!
//! | claim | read |
//! |---|---|
//! | comparing secrets branches on none of their bytes | `src/digest/keyed.rs: equal` |
//! | an absent record costs the hash that a fresh one would | `src/check.rs: begin` |
//! | each character of a secret is equally likely | `src/alphabet.rs: draw_each` |
//! | no table is indexed by a secret | `src/alphabet.rs: character` |
//! | buffers that held secrets are wiped | `Zeroizing` in `src/mint.rs`, `src/digest/keyed.rs`, `src/digest/argon2.rs`; `src/entropy.rs: drop` |
//! | that server keys are compared with `==` tells nobody anything: it happens when a keyring is read, between its own entries | `src/digest/keyring.rs: from_str` |
//!
//! # Run it again
//!
//! ```sh
//! cargo test --workspace                                                  # every test named above but one
//! cargo test -p counterfoil --no-default-features --test no_features      # that one
//! python3 -m venv v && v/bin/pip install argon2-cffi && v/bin/python tests/vectors/confirm.py
//! bash .ci/run                                                            # all of it, with lints and docs
//! cargo bench --bench ratios                                              # the README's table
//! ```
//!
//! `confirm.py` needs the standard library alone; without `argon2-cffi` it skips the vectors of Argon2id, and says so.
//! Random cases are drawn anew in each run; a failing one prints its smallest input.
//!
//! To see a test fail, break the code: swap two rows in `src/verify.rs`, leave the owner out of the binding in
//! `src/digest/keyed.rs`, compare with `>` where an end is compared with `>=`, or let `src/token/parse.rs` trim its text.
//! Each of these four turns at least one test above red.
