//! The contract of a [`TokenStore`], promise by promise.

mod corrupt;
mod limit;
mod list;
mod purge;
mod revoke;
mod update;
mod upkeep;
mod write;

use counterfoil::TokenStore;

use crate::{
    bench::{Bench, Entry, run_all, run_one},
    hand::Hand,
    harness::Harness,
    report::{Check, Report},
};

macro_rules! entry {
    ($module:ident :: $name:ident, $promise:literal) => {
        Entry { check: Check { name: stringify!($name), promise: $promise }, needs_hook: false, body: $module::$name }
    };
    ($module:ident :: $name:ident, $promise:literal, with hook) => {
        Entry { needs_hook: true, ..entry!($module::$name, $promise) }
    };
}

const ENTRIES: [Entry<Hand>; 38] = [
    entry!(write::every_field_comes_back, "`get`, `find` and `list` give back every column and all of the body"),
    entry!(
        write::a_duplicate_is_refused,
        "an id, and a selector in whichever slot, is there once; a refusal writes nothing"
    ),
    entry!(write::a_selector_finds_in_any_slot, "`find` finds by every slot, whatever the record's status"),
    entry!(
        write::two_records_for_one_token_are_ambiguous,
        "`find` fails with `Ambiguous` if the selectors belong to two records"
    ),
    entry!(
        write::owners_are_told_apart_exactly,
        "owners and tenants are compared byte by byte, and no tenant is not a tenant"
    ),
    entry!(
        write::a_write_is_seen_by_every_later_read,
        "what has returned `Ok` is seen by every read that starts afterwards"
    ),
    entry!(
        limit::the_limit_counts_active_tokens,
        "the limit counts the tokens of the same tenant and owner that are active at `now`"
    ),
    entry!(
        limit::the_limit_holds_in_a_race,
        "of many inserts at once no more are added than the limit leaves room for"
    ),
    entry!(
        limit::the_limit_holds_when_a_token_comes_back,
        "`update` counts the owner's other active tokens if a limit is given"
    ),
    entry!(
        limit::the_limit_holds_when_many_come_back,
        "of many updates at once no more succeed than the limit leaves room for"
    ),
    entry!(
        update::an_update_needs_the_expected_revision,
        "`update` compares both numbers of the revision; a lost race writes nothing"
    ),
    entry!(update::one_of_many_updates_wins, "of many updates with the same expected revision one wins"),
    entry!(update::an_update_replaces_the_selectors, "the record's selectors, in all slots, replace the stored ones"),
    entry!(
        update::a_revocation_outlives_rotations,
        "no update undoes a revocation that came between its read and its write"
    ),
    entry!(revoke::the_first_mark_stays, "a revoked record keeps its first mark, and its version; others go up by one"),
    entry!(
        revoke::a_filter_revokes_what_it_matches,
        "`revoke` by filter reaches exactly what `Filter::matches` holds for"
    ),
    entry!(
        revoke::one_of_many_revocations_marks,
        "of many revocations at once one marks each record, and only that one names it"
    ),
    entry!(
        revoke::an_owner_is_revoked_whole,
        "revoking an owner reaches every token minted before, and none minted afterwards"
    ),
    entry!(
        revoke::a_revocation_in_steps_marks_all,
        "a step of a revocation marks and counts at most `max_rows`, and the steps together reach every target once"
    ),
    entry!(
        revoke::a_list_is_revoked_where_it_matches,
        "`revoke` of a list reaches, in one step, exactly those of its tokens that its filter holds for"
    ),
    entry!(upkeep::a_use_moves_no_version, "`record_uses` moves neither number of a revision"),
    entry!(upkeep::a_later_use_stays, "an earlier use never replaces a later one, in one call or over several"),
    entry!(upkeep::many_uses_go_in_at_once, "a thousand uses go in at once, and those of unknown records are dropped"),
    entry!(
        upkeep::a_warning_is_claimed_once,
        "a warning is claimed once for each end and threshold, and never for a record that is gone"
    ),
    entry!(
        upkeep::claims_of_a_batch_are_answered_one_by_one,
        "each claim of a batch has its own answer, in order, and of two equal ones the first counts"
    ),
    entry!(upkeep::one_of_many_claims_a_warning, "of many who claim a warning at once one is the first"),
    entry!(upkeep::every_slot_is_counted_by_key, "`count_by_key` counts every slot of every record"),
    entry!(
        upkeep::confirming_durability_changes_nothing,
        "`confirm_durable` succeeds with and without records, for many callers at once, and changes no answer"
    ),
    entry!(upkeep::working_store_is_healthy, "`check_health` succeeds on a store that works, empty or not"),
    entry!(list::a_filter_finds_what_it_matches, "`list` shows exactly what `Filter::matches` holds for"),
    entry!(
        list::a_list_by_id_shows_each_row_once,
        "by id, rows that are there throughout appear once, and a cursor outlives its row"
    ),
    entry!(list::a_list_is_in_order, "by id in byte order; by last use the latest first, never used last, then by id"),
    entry!(purge::a_purge_takes_what_is_due, "`purge` takes what was revoked, or ended, before a moment, not at it"),
    entry!(purge::a_purge_is_bounded, "`purge` deletes at most `max_rows`, and says how many"),
    entry!(purge::nothing_of_a_purged_token_stays, "with a purged record go its selectors, usage and warnings"),
    entry!(
        corrupt::a_corrupt_row_is_told_apart,
        "a row that cannot be read is `Corrupt`, and listed apart as a row of its page",
        with hook
    ),
    entry!(corrupt::a_corrupt_row_counts, "a row that cannot be read counts in the limit", with hook),
    entry!(
        corrupt::a_corrupt_row_can_be_revoked,
        "a row that cannot be read is revoked by id, owner and filter",
        with hook
    ),
];

/// The promises, in the order in which they are looked at.
pub fn checks() -> impl Iterator<Item = Check> {
    ENTRIES.iter().map(|entry| entry.check)
}

/// Looks at every promise.
pub fn run<S: TokenStore>(harness: &Harness<S>) -> Report {
    on_bench(harness, |bench| run_all(bench, &ENTRIES))
}

/// Looks at one promise, as the tests of [`token_store_tests!`](crate::token_store_tests) do.
///
/// # Panics
///
/// If there is no check of this name.
pub fn run_check<S: TokenStore>(harness: &Harness<S>, name: &str) -> Report {
    let Some(entry) = ENTRIES.iter().find(|entry| entry.check.name == name) else {
        panic!("no check is named `{name}`")
    };
    Report(vec![(entry.check, on_bench(harness, |bench| run_one(bench, entry)))])
}

fn on_bench<S: TokenStore, T>(harness: &Harness<S>, work: impl FnOnce(&Bench<'_, Hand>) -> T) -> T {
    let fresh = || Hand::on_fresh(harness);
    let has_hook = || fresh().has_hook();
    work(&Bench { fresh: &fresh, has_hook: &has_hook, rounds: harness.rounds_to_run() })
}
