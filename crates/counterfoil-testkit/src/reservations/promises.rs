//! What is promised of reservations.

use counterfoil::{
    Owner, TokenId,
    store::{IdempotencyKey, IdempotencyStore, Reservation, Reserved, Route},
};

use super::desk::Desk;
use crate::{
    bench::{Bench, race},
    records::*,
    report::{Kept, same},
};

fn reservation(key: &str) -> Reservation {
    Reservation {
        owner: owner("ann"),
        route: must(Route::new("POST /tokens")),
        key: must(IdempotencyKey::new(key)),
        fingerprint: [1; 32],
        token: TokenId::from_bytes([1; 16]),
        selector: must("one".parse()),
        at: now(),
    }
}

/// The same place, asked for by another request.
fn second(key: &str) -> Reservation {
    Reservation {
        fingerprint: [0xff; 32],
        token: TokenId::from_bytes([0xff; 16]),
        selector: must("~AAECAwQFBgcICQoLDA0ODw".parse()),
        at: at(DAY),
        ..reservation(key)
    }
}

/// The reservation with each of its fields changed in turn, and one of another place.
fn changed(one: &Reservation) -> [(&'static str, Reservation); 5] {
    [
        ("another fingerprint", Reservation { fingerprint: [9; 32], ..one.clone() }),
        ("another token", Reservation { token: TokenId::from_bytes([9; 16]), ..one.clone() }),
        ("another selector", Reservation { selector: must("nine".parse()), ..one.clone() }),
        ("another moment", Reservation { at: after(one.at), ..one.clone() }),
        ("another key", Reservation { key: must(IdempotencyKey::new("other")), ..one.clone() }),
    ]
}

pub(super) fn a_reservation_comes_back_whole<S: IdempotencyStore>(bench: &Bench<'_, Desk<S>>) -> Kept {
    let store = bench.store();
    let longest = Reservation {
        owner: tenant_owner(&"ü".repeat(127), &"%".repeat(255)),
        route: must(Route::new("r".repeat(Route::MAX_LEN))),
        key: must(IdempotencyKey::new("🦀".repeat(IdempotencyKey::MAX_LEN / 4))),
        ..second("any")
    };
    for one in [reservation("k"), reservation(HOSTILE), longest] {
        same("the first reservation", store.reserve(&one)?, Reserved::Made)?;
        let other = Reservation { fingerprint: [7; 32], at: at(2 * DAY), ..one.clone() };
        same("the second of its place", store.reserve(&other)?, Reserved::InFlight(one.clone()))?;
        same("the first again", store.reserve(&one)?, Reserved::InFlight(one.clone()))?;
    }
    Ok(())
}

pub(super) fn places_are_told_apart<S: IdempotencyStore>(bench: &Bench<'_, Desk<S>>) -> Kept {
    let store = bench.store();
    let one = reservation("k");
    let of = |owner: Owner| Reservation { owner, ..one.clone() };
    let route = |text: &str| Reservation { route: must(Route::new(text)), ..one.clone() };
    let places: Vec<Reservation> = owners()
        .into_iter()
        .map(of)
        .chain(["POST /Tokens", "POST /token_", "POST /tokens ", "k", HOSTILE].map(route))
        .chain(["K", "k ", "%", "_", "POST /tokens"].map(reservation))
        .collect();
    for place in &places {
        same(format!("a first reservation at {place:?}"), store.reserve(place)?, Reserved::Made)?;
    }
    for place in &places {
        same("what stands at each place", store.reserve(place)?, Reserved::InFlight(place.clone()))?;
    }
    Ok(())
}

pub(super) fn one_of_many_is_made<S: IdempotencyStore>(bench: &Bench<'_, Desk<S>>) -> Kept {
    let store = bench.store();
    for round in 0..bench.rounds.div_ceil(4) {
        let all: Vec<Reservation> = (0..16)
            .map(|number| Reservation { fingerprint: [number; 32], ..reservation(&round.to_string()) })
            .collect();
        let outcomes = race(all.iter().map(|one| || store.reserve(one)));
        let outcomes: Vec<Reserved> = outcomes.into_iter().collect::<Result<_, _>>()?;
        let made: Vec<&Reservation> = all
            .iter()
            .zip(&outcomes)
            .filter(|(_, reserved)| **reserved == Reserved::Made)
            .map(|(one, _)| one)
            .collect();
        same("how many of 16 reservations were made", made.len(), 1)?;
        let told = outcomes.iter().filter(|reserved| **reserved == Reserved::InFlight(made[0].clone())).count();
        same("how many were told of the one that was made", told, 15)?;
    }
    Ok(())
}

pub(super) fn what_is_completed_is_told<S: IdempotencyStore>(bench: &Bench<'_, Desk<S>>) -> Kept {
    let store = bench.store();
    let (one, beside) = (reservation("k"), reservation("beside"));
    store.complete(&one)?;
    same("a first reservation, after one that was gone was completed", store.reserve(&one)?, Reserved::Made)?;
    same("another", store.reserve(&beside)?, Reserved::Made)?;
    for _ in 0..2 {
        store.complete(&one)?;
        same("a completed one", store.reserve(&second("k"))?, Reserved::Completed(one.clone()))?;
    }
    same("the one beside it", store.reserve(&beside)?, Reserved::InFlight(beside.clone()))
}

pub(super) fn only_the_open_is_taken_over<S: IdempotencyStore>(bench: &Bench<'_, Desk<S>>) -> Kept {
    let store = bench.store();
    let (one, two) = (reservation("k"), second("k"));
    same("a take-over of what is not there", store.take_over(&one, &two)?, false)?;
    same("a first reservation", store.reserve(&one)?, Reserved::Made)?;
    for (what, other) in changed(&one) {
        same(format!("a take-over of what is there with {what}"), store.take_over(&other, &two)?, false)?;
        same("what is there", store.reserve(&two)?, Reserved::InFlight(one.clone()))?;
    }
    same("a take-over", store.take_over(&one, &two)?, true)?;
    same("what is there after it", store.reserve(&one)?, Reserved::InFlight(two.clone()))?;
    same("a take-over of what was taken over", store.take_over(&one, &reservation("k"))?, false)?;
    store.complete(&two)?;
    same("a take-over of what is completed", store.take_over(&two, &one)?, false)?;
    same("what is there in the end", store.reserve(&one)?, Reserved::Completed(two))
}

pub(super) fn one_of_many_takes_over<S: IdempotencyStore>(bench: &Bench<'_, Desk<S>>) -> Kept {
    let store = bench.store();
    for round in 0..bench.rounds.div_ceil(4) {
        let key = round.to_string();
        let abandoned = reservation(&key);
        store.reserve(&abandoned)?;
        let all: Vec<Reservation> =
            (0..16).map(|number| Reservation { fingerprint: [number; 32], ..second(&key) }).collect();
        let outcomes = race(all.iter().map(|one| || store.take_over(&abandoned, one)));
        let outcomes: Vec<bool> = outcomes.into_iter().collect::<Result<_, _>>()?;
        let taken: Vec<&Reservation> =
            all.iter().zip(&outcomes).filter(|(_, taken)| **taken).map(|(one, _)| one).collect();
        same("how many of 16 took over", taken.len(), 1)?;
        same("what is there", store.reserve(&abandoned)?, Reserved::InFlight(taken[0].clone()))?;
    }
    Ok(())
}

pub(super) fn only_the_open_is_released<S: IdempotencyStore>(bench: &Bench<'_, Desk<S>>) -> Kept {
    let store = bench.store();
    let (one, two) = (reservation("k"), second("k"));
    store.release(&one)?;
    same("a first reservation", store.reserve(&one)?, Reserved::Made)?;
    for (what, other) in changed(&one) {
        store.release(&other)?;
        let what = format!("what is there after a release of one with {what}");
        same(what, store.reserve(&two)?, Reserved::InFlight(one.clone()))?;
    }
    store.release(&one)?;
    same("a reservation after the release", store.reserve(&two)?, Reserved::Made)?;
    store.complete(&two)?;
    store.release(&two)?;
    same("what is there after a release of what is completed", store.reserve(&one)?, Reserved::Completed(two))
}

pub(super) fn the_overtaken_comes_late<S: IdempotencyStore>(bench: &Bench<'_, Desk<S>>) -> Kept {
    let store = bench.store();
    let (one, two) = (reservation("k"), second("k"));
    same("a first reservation", store.reserve(&one)?, Reserved::Made)?;
    same("a take-over", store.take_over(&one, &two)?, true)?;
    store.complete(&one)?;
    same("what is there after it was completed late", store.reserve(&one)?, Reserved::InFlight(two.clone()))?;
    store.release(&one)?;
    same("what is there after it was released late", store.reserve(&one)?, Reserved::InFlight(two))
}

pub(super) fn the_old_is_forgotten_in_steps<S: IdempotencyStore>(bench: &Bench<'_, Desk<S>>) -> Kept {
    let store = bench.store();
    let moment = at(DAY);
    let of = |key: &str, at| Reservation { at, ..reservation(key) };
    let all = [
        of("0", before(moment)),
        of("1", moment),
        of("2", before(moment)),
        of("3", after(moment)),
        of("4", before(moment)),
        of("5", before(moment)),
    ];
    for (number, one) in all.iter().enumerate() {
        same("a first reservation", store.reserve(one)?, Reserved::Made)?;
        if number % 4 == 0 {
            store.complete(one)?;
        }
    }
    for (max_rows, expected) in [(0, 0), (3, 3), (3, 1), (3, 0)] {
        same(format!("how many of at most {max_rows} are forgotten"), store.forget(moment, max_rows)?, expected)?;
    }
    for (number, one) in all.iter().enumerate() {
        let is_there = store.reserve(one)? != Reserved::Made;
        same(format!("whether a reservation made at {} is still there", one.at), is_there, [1, 3].contains(&number))?;
    }
    Ok(())
}
