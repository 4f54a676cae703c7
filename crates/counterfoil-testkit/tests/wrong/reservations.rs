//! Reservations in a list, with a switch for each fault.

use std::sync::{Mutex, MutexGuard};

use counterfoil::{
    Timestamp,
    store::{IdempotencyStore, Reservation, Reserved, StoreError},
};
use counterfoil_testkit::{Fresh, Harness, reservations};

use crate::Gap;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    CompletedLooksOpen,
    CompletesTheChanged,
    ForgetsAtTheMoment,
    ForgetsOneTooMany,
    IgnoresRoute,
    IgnoresTenant,
    KeepsOneMoment,
    KeysCaseless,
    ReleasesTheChanged,
    ReleasesTheCompleted,
    ReservesInTwoSteps,
    TakesOverInTwoSteps,
    TakesOverTheChanged,
    TakesOverTheCompleted,
}

use Fault::*;

/// Fault → the check that finds it.
const TABLE: [(Fault, &str); 15] = [
    (KeepsOneMoment, "a_reservation_comes_back_whole"),
    (IgnoresRoute, "places_are_told_apart"),
    (IgnoresTenant, "places_are_told_apart"),
    (KeysCaseless, "places_are_told_apart"),
    (ReservesInTwoSteps, "one_of_many_is_made"),
    (CompletedLooksOpen, "what_is_completed_is_told"),
    (TakesOverTheChanged, "only_the_open_is_taken_over"),
    (TakesOverTheCompleted, "only_the_open_is_taken_over"),
    (TakesOverInTwoSteps, "one_of_many_takes_over"),
    (ReleasesTheChanged, "only_the_open_is_released"),
    (ReleasesTheCompleted, "only_the_open_is_released"),
    (CompletesTheChanged, "the_overtaken_comes_late"),
    (ReleasesTheChanged, "the_overtaken_comes_late"),
    (ForgetsAtTheMoment, "the_old_is_forgotten_in_steps"),
    (ForgetsOneTooMany, "the_old_is_forgotten_in_steps"),
];

fn harness(fault: Fault) -> Harness<Book> {
    let fresh = move || async move { Fresh::new(Book { fault, gap: Gap::default(), lines: Mutex::default() }) };
    Harness::new(fresh, pollster::block_on)
}

#[test]
fn every_fault_breaks_the_promise_it_is_of() {
    let unseen: Vec<_> = TABLE
        .iter()
        .filter(|(fault, check)| reservations::run_check(&harness(*fault), check).broken() != [*check])
        .collect();
    assert_eq!(unseen, Vec::<&(Fault, &str)>::new());
    crate::assert_all_are_shown(reservations::checks(), TABLE.iter().map(|(_, check)| *check));
}

#[test]
fn without_a_fault_every_promise_is_kept() {
    reservations::run(&harness(None).rounds(40)).assert_all_kept();
}

#[derive(Debug)]
struct Book {
    fault: Fault,
    gap: Gap,
    lines: Mutex<Vec<Line>>,
}

#[derive(Debug)]
struct Line {
    reservation: Reservation,
    is_completed: bool,
}

impl Book {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().expect("no poison")
    }

    fn is_same_place(&self, one: &Reservation, other: &Reservation) -> bool {
        let is_same_key =
            one.key == other.key || self.is(KeysCaseless) && one.key.as_str().eq_ignore_ascii_case(other.key.as_str());
        let is_same_owner =
            one.owner == other.owner || self.is(IgnoresTenant) && one.owner.subject() == other.owner.subject();
        is_same_owner && (one.route == other.route || self.is(IgnoresRoute)) && is_same_key
    }

    /// Where this very reservation stands, open; with a fault, another of its place, or one that is completed.
    fn place_of(&self, lines: &[Line], wanted: &Reservation, changed: Fault, completed: Fault) -> Option<usize> {
        lines.iter().position(|line| {
            let is_it =
                line.reservation == *wanted || self.is(changed) && self.is_same_place(&line.reservation, wanted);
            is_it && (!line.is_completed || self.is(completed))
        })
    }
}

impl IdempotencyStore for Book {
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        let mut lines = self.lock();
        if let Some(line) = lines.iter().find(|line| self.is_same_place(&line.reservation, reservation)) {
            let there = line.reservation.clone();
            let is_told = line.is_completed && !self.is(CompletedLooksOpen);
            return Ok(if is_told { Reserved::Completed(there) } else { Reserved::InFlight(there) });
        }
        if self.is(ReservesInTwoSteps) {
            drop(lines);
            self.gap.pass();
            lines = self.lock();
        }
        let mut kept = reservation.clone();
        if self.is(KeepsOneMoment) {
            kept.at = Timestamp::MIN;
        }
        lines.push(Line { reservation: kept, is_completed: false });
        Ok(Reserved::Made)
    }

    async fn take_over(&self, abandoned: &Reservation, reservation: &Reservation) -> Result<bool, StoreError> {
        let mut lines = self.lock();
        let place = self.place_of(&lines, abandoned, TakesOverTheChanged, TakesOverTheCompleted);
        let Some(place) = place else { return Ok(false) };
        if self.is(TakesOverInTwoSteps) {
            drop(lines);
            self.gap.pass();
            lines = self.lock();
        }
        lines[place] = Line { reservation: reservation.clone(), is_completed: false };
        Ok(true)
    }

    async fn complete(&self, reservation: &Reservation) -> Result<(), StoreError> {
        let mut lines = self.lock();
        if let Some(place) = self.place_of(&lines, reservation, CompletesTheChanged, None) {
            lines[place].is_completed = true;
        }
        Ok(())
    }

    async fn release(&self, reservation: &Reservation) -> Result<(), StoreError> {
        let mut lines = self.lock();
        if let Some(place) = self.place_of(&lines, reservation, ReleasesTheChanged, ReleasesTheCompleted) {
            lines.remove(place);
        }
        Ok(())
    }

    async fn forget(&self, before: Timestamp, max_rows: u32) -> Result<u64, StoreError> {
        let mut lines = self.lock();
        let mut left = max_rows as usize + usize::from(self.is(ForgetsOneTooMany));
        let count = lines.len();
        lines.retain(|line| {
            let at = line.reservation.at;
            let is_due = (at < before || self.is(ForgetsAtTheMoment) && at == before) && left > 0;
            left -= usize::from(is_due);
            !is_due
        });
        Ok((count - lines.len()) as u64)
    }
}
