//! A test for each promise.

/// Makes a `#[test]` for each promise of [`TokenStore`](counterfoil::TokenStore), named after it.
///
/// The first argument is an expression that makes the [`Harness`](crate::Harness), once for each test. Where the
/// harness's stores have a hand that [corrupts](crate::Fresh::corrupting) rows, say so; otherwise those tests are there
/// and ignored, with the reason.
///
/// ```
/// use counterfoil::MemoryStore;
/// use counterfoil_testkit::{Fresh, Harness};
///
/// fn harness() -> Harness<MemoryStore> {
///     Harness::new(|| async { Fresh::new(MemoryStore::new()) }, pollster::block_on)
/// }
///
/// counterfoil_testkit::token_store_tests!(harness());
/// // counterfoil_testkit::token_store_tests!(harness(), corrupting);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! token_store_tests {
    ($harness:expr) => {
        $crate::__tests!(tokens, $harness, #[ignore = "not run: no hook to damage a row"];
            [a_corrupt_row_is_told_apart a_corrupt_row_counts a_corrupt_row_can_be_revoked]);
        $crate::__token_store_tests!($harness);
    };
    ($harness:expr, corrupting) => {
        $crate::__tests!(tokens, $harness,;
            [a_corrupt_row_is_told_apart a_corrupt_row_counts a_corrupt_row_can_be_revoked]);
        $crate::__token_store_tests!($harness);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __token_store_tests {
    ($harness:expr) => {
        $crate::__tests!(tokens, $harness,; [
            every_field_comes_back a_duplicate_is_refused a_selector_finds_in_any_slot
            two_records_for_one_token_are_ambiguous owners_are_told_apart_exactly
            a_write_is_seen_by_every_later_read the_limit_counts_active_tokens the_limit_holds_in_a_race
            the_limit_holds_when_a_token_comes_back the_limit_holds_when_many_come_back
            an_update_needs_the_expected_revision one_of_many_updates_wins an_update_replaces_the_selectors
            a_revocation_outlives_rotations the_first_mark_stays a_filter_revokes_what_it_matches
            one_of_many_revocations_marks an_owner_is_revoked_whole a_revocation_in_steps_marks_all
            a_list_is_revoked_where_it_matches a_use_moves_no_version a_later_use_stays many_uses_go_in_at_once
            a_warning_is_claimed_once claims_of_a_batch_are_answered_one_by_one one_of_many_claims_a_warning
            every_slot_is_counted_by_key working_store_is_healthy confirming_durability_changes_nothing
            a_filter_finds_what_it_matches
            a_list_by_id_shows_each_row_once a_list_is_in_order a_purge_takes_what_is_due a_purge_is_bounded
            nothing_of_a_purged_token_stays
        ]);
    };
}

/// Makes a `#[test]` for each promise of [`IdempotencyStore`](counterfoil::store::IdempotencyStore), named after it.
///
/// The argument is an expression that makes the [`Harness`](crate::Harness), once for each test.
///
/// ```
/// use counterfoil::MemoryStore;
/// use counterfoil_testkit::{Fresh, Harness};
///
/// counterfoil_testkit::idempotency_store_tests!(
///     Harness::new(|| async { Fresh::new(MemoryStore::new()) }, pollster::block_on)
/// );
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! idempotency_store_tests {
    ($harness:expr) => {
        $crate::__tests!(reservations, $harness,; [
            a_reservation_comes_back_whole places_are_told_apart one_of_many_is_made what_is_completed_is_told
            only_the_open_is_taken_over one_of_many_takes_over only_the_open_is_released the_overtaken_comes_late
            the_old_is_forgotten_in_steps
        ]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($suite:ident, $harness:expr, $(#[$ignore:meta])?; []) => {};
    ($suite:ident, $harness:expr, $(#[$ignore:meta])?; [$name:ident $($rest:ident)*]) => {
        #[test]
        $(#[$ignore])?
        fn $name() {
            $crate::$suite::run_check(&$harness, stringify!($name)).assert_all_kept();
        }
        $crate::__tests!($suite, $harness, $(#[$ignore])?; [$($rest)*]);
    };
}
