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
//! is called; no decision is made there), `src/possession.rs` (what a right secret may do without the rest of the table),
//! and `src/alphabet.rs` (how characters are drawn). If you import: `src/digest/imported.rs` and `src/check/imported.rs`.
//! If you remember slow hashes: `src/digest/memo.rs`.
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
//! | no good token is refused while keys are replaced under load, node by node | `tests/server_keys.rs: no_token_is_refused_while_keys_are_replaced` |
//! | what cannot be made anew is let be for a minute, and touches no request | `tests/failures.rs: a_digest_that_cannot_be_made_anew_is_let_be_for_a_minute` |
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
//! | a made-up keyed checksum is refused before a lookup | `tests/registry.rs: a_made_up_keyed_checksum_dies_before_the_lookup`, `tests/server_keys.rs: token_with_a_wrong_keyed_checksum_is_neither_looked_for_nor_verified` |
//! | without randomness nothing is stored | `tests/registry.rs: without_randomness_nothing_is_stored` |
//! | each character of a secret is equally likely, and no random byte is used twice | `src/alphabet.rs: each_character_is_drawn_for_equally_many_bytes`, `src/entropy.rs: each_drawn_byte_is_used_once` |
//! | a clock that is not set lets nobody in, is no refusal, and changes nothing | `tests/clock.rs: token_is_not_verified_by_a_clock_that_is_not_set`, `tests/clock.rs: token_is_not_verified_if_the_clock_is_lost_while_the_policy_is_asked`, `tests/clock.rs: nothing_is_made_or_changed_by_a_clock_that_is_not_set`, `tests/clock.rs: system_time_out_of_range_is_no_timestamp` |
//! | scopes are compared byte by byte | `src/scope.rs: scopes_are_compared_byte_by_byte` |
//! | a scanner's pattern finds every token and fake | `tests/properties.rs: a_scanner_finds_tokens_and_fakes` |
//!
//! ## Slow hashes
//!
//! | claim | held by |
//! |---|---|
//! | beyond threads and queue all are refused at once, and who comes later is served | `tests/slow_hashes.rs: beyond_threads_and_queue_all_are_refused_and_later_callers_are_served`, `src/digest/pool.rs: what_is_beyond_the_bound_is_refused_and_who_comes_later_is_served` |
//! | under thousands of bogus tokens no more are hashed than the pool takes, and its memory stays within the stated bound | `tests/under_fire.rs: of_thousands_at_once_the_pool_takes_its_bound_and_all_others_are_told_to_come_again` |
//! | during such a flood good callers are served: at once if their hash is remembered, else once they find a place | `tests/under_fire.rs: callers_whose_hash_is_remembered_are_all_served_during_the_flood`, `tests/under_fire.rs: callers_whose_hash_is_not_remembered_are_served_once_they_find_a_place` |
//! | with a keyed checksum none of them costs a lookup or a hash | `tests/under_fire.rs: with_a_keyed_checksum_no_bogus_token_costs_a_lookup_or_a_hash` |
//! | a stored cost out of bounds is refused before a hash is asked for | `tests/slow_hashes.rs: stored_cost_out_of_bounds_is_refused_before_a_hash_is_asked_for` |
//! | who has gone away leaves the place, and no hash is made for them | `src/digest/pool.rs: who_has_gone_away_leaves_the_place`, `src/digest/pool.rs: no_hash_is_made_for_who_has_gone_away_and_no_memory_is_kept_beyond_the_bound` |
//! | everyone gets their own hash, and threads end with the registry | `src/digest/pool.rs: all_of_many_callers_get_their_own_hash`, `src/digest/pool.rs: all_threads_end_with_the_pool` |
//! | a verification that begins after a change never passes from memory, in every order of their steps | `src/registry/hashing/interleavings.rs: a_verification_that_begins_after_a_change_never_passes_from_memory`, `tests/slow_hashes.rs: a_change_is_seen_by_the_next_verification` |
//! | a secret that was wrong is never remembered | `tests/slow_hashes.rs: only_a_secret_that_was_right_is_remembered` |
//! | what is remembered is of one digest in one place, in this process | `src/digest/memo.rs: only_the_same_job_in_the_same_place_is_known`, `src/digest/memo.rs: a_key_of_another_process_knows_nothing`, `tests/slow_hashes.rs: what_is_remembered_of_a_digest_does_not_serve_for_the_one_that_replaced_it` |
//! | without randomness nothing is remembered, and all is verified | `tests/slow_hashes.rs: without_randomness_nothing_is_remembered_and_all_is_verified` |
//!
//! ## Imports
//!
//! | claim | held by |
//! |---|---|
//! | a token of another system verifies, and is bound to its row and a key on its first use | `tests/import.rs: a_token_verifies_and_is_bound_to_its_row_on_its_first_use` |
//! | digests are those that other software makes, in each of its spellings | `tests/vectors.rs: digests_of_other_software_are_read_and_verified_or_refused_as_stated`, `tests/properties.rs: an_imported_token_verifies_however_its_digest_is_spelt_and_no_edit_of_it_does`, `tests/import.rs: only_what_other_software_writes_is_read_as_its_digest` |
//! | a format that does not accept them verifies none | `tests/import.rs: a_row_whose_format_accepts_no_such_digest_is_neither_good_nor_wrong`, `tests/import.rs: a_format_without_selector_looks_for_imports_only_if_it_accepts_them` |
//! | what is stored is no token | `tests/import.rs: what_is_stored_verifies_nothing_when_it_is_presented` |
//! | a hash of the secret alone leaves no second spelling of the text | `tests/import.rs: a_hash_of_the_secret_alone_leaves_no_second_spelling` |
//! | what could never verify is refused, row by row | `tests/import.rs: what_could_never_verify_is_refused_row_by_row`, `tests/import.rs: formats_that_could_not_verify_an_import_are_not_built` |
//! | a batch can be imported again, whatever has become of it | `tests/import.rs: a_batch_can_be_imported_again_whatever_has_become_of_it` |
//! | nothing printable holds an imported digest, or what finds it by that | `tests/redaction.rs: an_import_shows_neither_its_digest_nor_what_finds_it_by_that` |
//!
//! ## Hostile input, and leaks
//!
//! | claim | held by |
//! |---|---|
//! | no text and no row makes a reader panic | `tests/properties.rs: no_reader_panics_on_garbage`, `tests/properties.rs: a_row_of_garbage_is_refused_or_kept` |
//! | garbage is refused | `tests/properties.rs: garbage_is_refused` |
//! | what a newer build wrote survives an older one's change | `tests/vectors/rows/unknown_body_member.txt`, `tests/vectors/rows/unknown_restriction_kept.txt` |
//! | a damaged row verifies nothing, is listed apart, and can be revoked | `crates/counterfoil-sqlx/tests/sqlite/damage.rs: a_damaged_row_is_named_with_its_column_and_can_be_revoked` |
//! | a row in which an object has a member twice, at whatever depth, is corrupt | `tests/verdict.rs: every_member_of_a_body_is_read_by_its_rule_and_once`, `tests/verdict.rs: mark_with_a_member_twice_is_corrupt` |
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
//! ## The host's rules
//!
//! | claim | held by |
//! |---|---|
//! | lifetimes hold behind the form, for new tokens and new ends | `tests/policy.rs: lifetimes_hold_behind_the_form_for_new_tokens_and_new_ends`, `tests/policy.rs: a_lifetime_is_within_the_rules_or_refused_with_what_is_allowed` |
//! | a thrown switch stops minting and nothing else, also while a policy thinks | `tests/policy.rs: a_thrown_switch_stops_minting_and_nothing_else`, `tests/policy.rs: a_switch_thrown_while_the_policy_thinks_stops_that_token_too` |
//! | scopes beyond the owner's rights are refused by name | `tests/policy.rs: scopes_beyond_the_owner_s_rights_are_refused_by_name_and_never_narrowed` |
//! | a ceiling only ever lowers | `tests/policy.rs: a_ceiling_of_the_moment_only_ever_lowers_and_a_user_comes_along` |
//! | an objection is never a pass; nor is a policy that hangs or panics | `tests/policy.rs: an_objection_is_a_refusal_or_silence_and_never_a_pass`, `tests/policy.rs: a_policy_that_hangs_or_panics_is_unavailable`, `src/policy/deadline.rs: policy_that_does_not_answer_is_unavailable_at_its_deadline_and_not_before` |
//!
//! ## Rotation, and the end of tokens
//!
//! | claim | held by |
//! |---|---|
//! | a rotation that comes twice under one key is made once, also at the same time | `tests/rotation.rs: a_repeat_may_name_the_version_that_it_has_replaced`, `tests/rotation.rs: of_two_rotations_at_the_same_time_one_is_made` |
//! | a request for a token that comes twice makes one, also after a crash in between | `tests/issue_once.rs: a_repeat_makes_no_second_token`, `tests/issue_once.rs: what_a_crash_has_left_is_found_out` |
//! | a key that an older node has left behind makes no new rotation look like a repeat | `tests/rotation.rs: a_key_says_nothing_of_a_rotation_that_it_was_not_kept_for` |
//! | reuse of a spent secret is told, and ends the token if the host says so; only a right secret is reuse | `tests/rotation.rs: the_reuse_of_a_spent_secret_is_told_and_ends_the_token_if_the_host_says_so`, `tests/rotation.rs: only_a_right_secret_is_reuse` |
//! | all tokens of an owner end, those of others stay, and they stay dead | `tests/revocation.rs: all_tokens_of_an_owner_end_and_those_of_others_stay`, `tests/revocation.rs: the_old_tokens_of_an_owner_who_is_back_stay_dead` |
//! | whoever holds a right secret can end its token, from anywhere | `tests/revocation.rs: whoever_holds_a_right_secret_ends_the_token`, `tests/revocation.rs: where_a_token_may_be_used_is_not_asked` |
//! | who proves nothing ends nothing and learns nothing | `tests/revocation.rs: who_proves_nothing_ends_nothing_and_learns_nothing` |
//! | on a store that takes no writes tokens verify, and changes say why not | `tests/failures.rs: on_a_read_only_store_tokens_verify_and_changes_say_why_not` |
//!
//! ## Uses, upkeep and events
//!
//! | claim | held by |
//! |---|---|
//! | only a use that was allowed is noted, and noting it allocates nothing for a known token | `tests/usage.rs: only_a_use_that_was_allowed_is_noted`, `tests/usage.rs: noting_a_use_of_a_token_that_is_known_allocates_nothing` |
//! | no request fails because uses cannot be written, and they are written later | `tests/usage.rs: a_read_only_store_fails_no_request_and_gets_the_uses_later` |
//! | a use beyond the bound is dropped and told with its count | `tests/usage.rs: a_use_over_the_bound_is_dropped_and_told_once_with_its_count` |
//! | a record is deleted once its retention is exceeded, and not before | `tests/maintain.rs: a_record_is_deleted_once_its_retention_is_exceeded` |
//! | each threshold is told once, over all nodes | `tests/maintain.rs: each_threshold_is_told_once_and_the_nearest_alone`, `tests/maintain.rs: of_several_nodes_one_warns` |
//! | nothing is revoked as unused while not all uses are known | `tests/maintain.rs: without_knowing_all_uses_nothing_is_swept`, `tests/maintain.rs: a_sweep_that_outruns_the_uses_is_not_built` |
//! | a step that fails keeps no other from being made, and the background goes on | `tests/maintain.rs: a_step_that_fails_keeps_no_other_from_being_made`, `tests/maintain.rs: in_the_background_it_goes_on_after_failures_and_ends_with_the_registry` |
//! | the table of events holds every one, and each says of whom it is | `src/event.rs: the_table_holds_every_kind_with_its_fields`, `tests/events.rs: the_documented_events_are_these`, `tests/events.rs: an_event_says_of_whom_it_is` |
//! | denials without a proven secret are told so many a second, and a malformed text is no event | `tests/events.rs: denials_without_a_proven_secret_are_told_so_many_a_second`, `tests/events.rs: a_malformed_text_is_no_event` |
//! | a sink that hangs holds up no verification, and no change is lost | `tests/events.rs: a_sink_that_hangs_holds_up_no_verification`, `tests/events.rs: changes_wait_for_room_and_none_is_lost` |
//! | a sink that panics harms neither request nor upkeep | `tests/events.rs: a_sink_that_panics_harms_neither_request_nor_upkeep` |
//!
//! ## Stores of others, and doors
//!
//! | claim | held by |
//! |---|---|
//! | what was acknowledged outlives a kill of the process; whoever acknowledges too early is found out | `crates/counterfoil-sqlx/tests/crash.rs: what_was_acknowledged_outlives_a_kill`, `crates/counterfoil-sqlx/tests/crash.rs: who_acknowledges_too_early_is_found_out` |
//! | a change that is found already made is acknowledged only when it is durable | `tests/durability.rs: repeated_change_is_acknowledged_only_when_it_is_confirmed`, `crates/counterfoil-sqlx/tests/postgres/standby.rs: change_is_not_acknowledged_until_the_standby_has_it` |
//! | while a synchronous standby is away verifications go on, connections stay bounded, and heartbeats come back with it (`COUNTERFOIL_LONG=1` for two minutes of it) | `crates/counterfoil-cache/tests/standby.rs: verifications_go_on_while_a_change_waits_for_the_standby`, `crates/counterfoil-cache/tests/standby.rs: connections_stay_bounded_while_the_standby_is_away_for_long` |
//! | the stores here keep every promise of the contract | `tests/store_contract.rs`, by `counterfoil-testkit`, in memory, in SQLite by two nodes, and for `examples/custom_store.rs` |
//! | the suite finds a store out that breaks a promise | `crates/counterfoil-testkit/tests/wrong/tokens.rs: every_fault_breaks_the_promise_it_is_of`, `crates/counterfoil-testkit/tests/wrong/reservations.rs: every_fault_breaks_the_promise_it_is_of` |
//! | behind a cache, each operation is seen by the next verification on its node, and by the other nodes within the bound | `crates/counterfoil-cache/tests/operations.rs: each_operation_is_seen_by_the_next_verification`, `crates/counterfoil-cache/tests/postgres.rs: each_operation_of_one_node_is_seen_by_the_other`, `crates/counterfoil-cache/tests/postgres.rs: a_change_by_hand_is_seen_whatever_it_is` |
//! | a process that stood still, a cut network, and a database that is killed let nobody in past the bound | `crates/counterfoil-cache/tests/processes.rs: a_process_that_stood_still_lets_nobody_in_past_the_bound`, `crates/counterfoil-cache/tests/postgres.rs: a_cut_network_is_noticed_within_the_bound_and_mends_by_itself`, `crates/counterfoil-cache/tests/postgres.rs: a_database_that_is_killed_or_stands_still_is_unavailable_and_never_late` |
//! | whatever of these breaks, in turns, between two processes while tokens are revoked: nobody is let in past the bound, and nobody good is refused (`COUNTERFOIL_ROUNDS=300` for ten minutes of it) | `crates/counterfoil-cache/tests/havoc.rs: whatever_breaks_nobody_is_let_in_past_the_bound_and_nobody_good_is_refused` |
//! | each change of a token is told with its commit, by whichever hand | `crates/counterfoil-sqlx/tests/postgres/changes.rs: every_change_of_a_token_is_told_and_no_use`, `crates/counterfoil-sqlx/tests/postgres/changes.rs: what_a_replica_s_session_changes_is_told`, `crates/counterfoil-sqlx/tests/postgres/changes.rs: what_another_trigger_takes_away_is_told` |
//! | who revokes an owner waits for a token of the owner's that is being made, be it the first | `crates/counterfoil-sqlx/tests/postgres/races.rs: a_token_that_is_being_added_is_revoked_with_its_owner` |
//! | the store on PostgreSQL keeps every promise, behind a pooler too | `crates/counterfoil-sqlx/tests/postgres/contract.rs: every_promise_of_a_token_store_is_kept`, `crates/counterfoil-sqlx/tests/postgres/pooler.rs: sessions_of_a_pooler_keep_every_promise`, `crates/counterfoil-sqlx/tests/postgres/pooler.rs: transactions_of_a_pooler_keep_every_promise` |
//! | what a read brings that began before a change is not served after it | `crates/counterfoil-cache/tests/serving.rs: what_began_before_a_change_is_not_served_after_it`, `crates/counterfoil-cache/tests/serving.rs: of_those_who_join_a_read_that_began_before_a_change_one_reads_anew` |
//! | a cache stands aside where a trigger does not report changes, also after a restore with triggers disabled | `crates/counterfoil-cache/tests/postgres.rs: trigger_that_stops_reporting_ends_the_lease_and_is_named`, `crates/counterfoil-cache/tests/postgres.rs: trigger_that_is_off_between_two_heartbeats_is_noticed`, `crates/counterfoil-cache/tests/postgres.rs: restore_with_triggers_disabled_keeps_nothing_past_the_bound` |
//! | a lease counts from the sending of its heartbeat, and nothing older is served after a read without a lease | `crates/counterfoil-cache/tests/heartbeats.rs: late_heartbeat_leaves_the_rest_of_the_bound`, `crates/counterfoil-cache/tests/heartbeats.rs: older_record_is_not_served_after_a_read_without_a_lease` |
//! | a flood on the channel of changes costs a few reads in the bound, and hides no change | `crates/counterfoil-cache/tests/postgres.rs: flood_by_a_role_that_may_only_connect_costs_a_few_reads_in_the_bound`, `crates/counterfoil-cache/tests/heartbeats.rs: change_in_a_flood_is_seen_with_the_next_heartbeat` |
//! | a run of maintenance and a large revocation go in short steps, and a revocation of one token comes in between | `tests/maintain.rs: run_over_a_large_owner_stays_within_its_bounds`, `tests/revocation.rs: owner_of_many_tokens_is_revoked_in_steps`, `crates/counterfoil-sqlx/tests/sqlite/steps.rs: revocation_of_one_token_comes_between_the_steps_of_a_large_one` |
//! | a cache holds no more than it was allowed | `crates/counterfoil-cache/tests/bounds.rs: entries_and_bytes_are_bounded`, `crates/counterfoil-cache/tests/bounds.rs: a_record_is_reckoned_at_no_less_than_it_takes` |
//! | a killed node loses the uses since the last write, and nothing else | `crates/counterfoil-cache/tests/processes.rs: a_killed_node_loses_the_uses_since_the_last_write_and_nothing_else` |
//! | an end is judged by the clock of the node that verifies | `crates/counterfoil-cache/tests/postgres.rs: an_end_is_judged_by_the_clock_of_the_node_that_verifies` |
//! | a door reads the credential in one place, never in the query | `crates/counterfoil-tower/tests/door/headers.rs: a_bearer_door_reads_authorization_alone`, `crates/counterfoil-tower/tests/door/headers.rs: a_door_for_either_takes_exactly_one`, `crates/counterfoil-tower/tests/door/headers.rs: the_query_is_never_read_and_a_huge_value_is_no_panic` |
//! | an answer tells what is wrong only once the secret is proven | `crates/counterfoil-tower/tests/door/answers.rs: what_is_wrong_with_a_token_is_told_once_its_secret_is_proven` |
//! | a limiter of failed attempts is asked before any lookup, and told where no secret was proven and nowhere else | `crates/counterfoil-tower/tests/door/attempts.rs: it_is_asked_about_what_looks_like_a_token_and_told_where_no_secret_was_proven`, `crates/counterfoil-tower/tests/door/governor.rs: after_some_bad_tokens_an_address_waits_and_others_are_served` |
//! | what a refused attempt is answered is the same for every token | `crates/counterfoil-tower/tests/door/attempts.rs: a_refused_attempt_is_429_whatever_the_text_and_nothing_is_looked_up` |
//! | a second verifier is asked about what is not ours alone | `crates/counterfoil-tower/tests/door/second.rs: another_verifier_is_asked_about_what_is_not_ours_alone` |
//! | a door's span and counter tell the outcome and no secret | `crates/counterfoil-tower/tests/observe.rs: a_span_and_a_counter_tell_the_outcome_and_no_secret` |
//! | a route without a door lets nobody in | `crates/counterfoil-axum/tests/routes.rs: route_without_a_token_layer_is_500_with_a_body_that_names_it` |
//! | a token manages no tokens, in whichever header it comes and whatever else the request has | `crates/counterfoil-axum/tests/management/tokens_shut_out.rs: a_token_of_ours_shuts_out_every_operation`, `crates/counterfoil-axum/tests/management/tokens_shut_out.rs: what_a_door_has_let_in_by_a_token_is_shut_out`, `crates/counterfoil-axum/tests/management/lax_session.rs: a_session_that_is_a_token_manages_nothing_and_a_key_is_of_one_path` |
//! | another site's page changes nothing | `crates/counterfoil-axum/tests/management/cross_site.rs: a_change_comes_from_a_page_of_the_apis_own_or_of_a_trusted_origin` |
//! | a foreign token is answered as one that is not there | `crates/counterfoil-axum/tests/management/sessions.rs: a_foreign_token_is_no_token` |
//! | the plaintext is in the replies to create and rotate alone | `crates/counterfoil-axum/tests/management/lives.rs: the_plaintext_is_in_the_replies_to_create_and_rotate_alone` |
//! | of two sessions that have seen one version one changes it | `crates/counterfoil-axum/tests/management/races.rs: of_two_who_have_seen_one_version_one_wins`, `crates/counterfoil-axum/tests/management/preconditions.rs: a_change_of_any_other_version_is_refused_and_changes_nothing` |
//! | a request that comes twice makes one token, also after a crash in between | `crates/counterfoil-axum/tests/management/idempotency.rs: a_repeated_creation_makes_one_token`, `crates/counterfoil-axum/tests/management/takeover.rs: a_lost_creation_is_repeated_or_done_anew_after_a_minute` |
//! | a body has one meaning: no member twice, none unknown, none of a wrong type | `crates/counterfoil-axum/tests/management/bodies.rs: what_is_no_object_of_known_members_is_refused_by_every_operation`, `crates/counterfoil-axum/tests/management/members.rs: a_creation_names_the_member_that_is_of_a_wrong_type` |
//! | a form of the settings page is good for its session, and for one change of one token | `crates/counterfoil-axum/tests/page/guards.rs: a_form_is_good_for_its_session_and_its_change_alone`, `crates/counterfoil-axum/tests/page/owners.rs: form_shown_for_one_owner_makes_no_token_for_another` |
//! | what the page does not offer is not taken from behind its forms | `crates/counterfoil-axum/tests/page/creating.rs: an_end_is_one_of_those_offered`, `crates/counterfoil-axum/tests/page/creating.rs: scopes_come_of_the_hosts_groups_alone` |
//! | nothing foreign runs in the page, and nobody keeps it | `crates/counterfoil-axum/tests/page/guards.rs: every_page_is_kept_by_nobody_and_runs_nothing_foreign`, `crates/counterfoil-axum/tests/page/pages.rs: a_name_is_text_whatever_it_looks_like`, `crates/counterfoil-axum/tests/page/browsing.rs: what_is_put_into_the_page_does_not_run` |
//! | a secret is gone from the browser when its page is left | `crates/counterfoil-axum/tests/page/browsing.rs: the_token_is_copied_by_one_press_and_gone_when_its_page_is_left` |
//! | the management API keeps to its document | `crates/counterfoil-axum/tests/management/document.rs: every_operation_of_the_document_is_served_and_every_route_is_in_it`, `crates/counterfoil-axum/tests/management/document.rs: replies_keep_to_the_document_whatever_the_host_sets`, and `.ci/http` with a live router |
//!
//! ## The shape of the code
//!
//! | claim | held by |
//! |---|---|
//! | layers point down, and effects stay in their modules | `tests/layers.rs: every_use_points_to_a_lower_layer`, `tests/layers.rs: every_effect_stays_in_its_module` |
//! | the reading path is short | `tests/layers.rs: the_reading_path_is_short` |
//! | there is no `unsafe` | `#![forbid(unsafe_code)]` in every crate |
//! | no runtime, web or database crate is below the core | `.ci/tree` |
//! | dependencies have the licences, sources and versions that `deny.toml` allows | `.ci/run` |
//! | the crates build with the least versions of dependencies that their manifests allow | `.ci/minimal` |
//! | every crate can be packaged, builds from its package, and has its README, licence texts and metadata there | `.ci/package` |
//!
//! # Held by reading alone
//!
//! No test shows these; they are short enough to read.
//!
//! | claim | read |
//! |---|---|
//! | comparing secrets branches on none of their bytes | `src/digest/keyed.rs: equal` |
//! | an absent record costs the hash that a fresh one would | `src/check.rs: begin` |
//! | what is remembered of a slow hash's input is under a key of the process | `src/digest/memo.rs: ask` |
//! | drawing a secret, and the bytes that a door lets through, use no table; the [threat model](super::threat_model#what-is-not-promised) lists the steps that do | `src/alphabet.rs: character`, `crates/counterfoil-tower/src/transport.rs: read` |
//! | buffers that held secrets are wiped | `Zeroizing` in `src/mint.rs`, `src/digest/keyed.rs`, `src/digest/argon2.rs`; `src/entropy.rs: drop` |
//! | that server keys are compared with `==` tells nobody anything: it happens when a keyring is read, between its own entries | `src/digest/keyring.rs: from_str` |
//!
//! # Run it again
//!
//! ```sh
//! cargo test --workspace                                                  # every test named above but one
//! COUNTERFOIL_ROUNDS=2000 cargo test --release --test store_contract        # its races, for longer
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
