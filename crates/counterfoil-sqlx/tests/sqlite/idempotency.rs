//! Reservations.

use counterfoil::{
    Owner, TokenId,
    store::{IdempotencyStore, Reservation, Reserved},
};
use tokio::task::JoinSet;

use crate::support::*;

fn reservation(key: &str) -> Reservation {
    Reservation {
        owner: owner("ann"),
        route: "POST /tokens".parse().unwrap(),
        key: key.parse().unwrap(),
        fingerprint: [1; 32],
        token: TokenId::from_bytes([1; 16]),
        selector: "one".parse().unwrap(),
        at: now(),
    }
}

/// The same, by another request.
fn second(key: &str) -> Reservation {
    Reservation {
        fingerprint: [2; 32],
        token: TokenId::from_bytes([2; 16]),
        selector: "~AAECAwQFBgcICQoLDA0ODw".parse().unwrap(),
        at: at(1),
        ..reservation(key)
    }
}

#[tokio::test]
async fn the_first_of_an_owner_route_and_key_is_returned_to_the_others() {
    let store = Fixture::new().await;
    assert_eq!(store.store.reserve(&reservation("k")).await.unwrap(), Reserved::Made);
    assert_eq!(store.store.reserve(&second("k")).await.unwrap(), Reserved::InFlight(reservation("k")));
    for other in [
        reservation("K"),
        Reservation { owner: owner("bob"), ..reservation("k") },
        Reservation { owner: Owner::in_tenant("acme", "ann").unwrap(), ..reservation("k") },
        Reservation { route: "POST /rotate".parse().unwrap(), ..reservation("k") },
    ] {
        assert_eq!(store.store.reserve(&other).await.unwrap(), Reserved::Made, "{other:?}");
    }
    store.store.complete(&reservation("k")).await.unwrap();
    assert_eq!(store.store.reserve(&second("k")).await.unwrap(), Reserved::Completed(reservation("k")));
    store.store.complete(&reservation("k")).await.unwrap();
    store.store.complete(&reservation("gone")).await.unwrap();
}

#[tokio::test]
async fn only_what_is_unchanged_and_not_completed_is_taken_over_or_released() {
    let store = Fixture::new().await;
    let first = reservation("k");
    let changed = [
        Reservation { fingerprint: [9; 32], ..first.clone() },
        Reservation { token: TokenId::from_bytes([9; 16]), ..first.clone() },
        Reservation { selector: "nine".parse().unwrap(), ..first.clone() },
        Reservation { at: at(9), ..first.clone() },
        reservation("other"),
    ];
    assert!(!store.store.take_over(&first, &second("k")).await.unwrap(), "nothing is there");
    store.store.reserve(&first).await.unwrap();
    for other in &changed {
        assert!(!store.store.take_over(other, &second("k")).await.unwrap(), "{other:?}");
        store.store.release(other).await.unwrap();
        store.store.complete(other).await.unwrap();
        assert_eq!(store.store.reserve(&second("k")).await.unwrap(), Reserved::InFlight(first.clone()));
    }
    assert!(store.store.take_over(&first, &second("k")).await.unwrap());
    assert_eq!(store.store.reserve(&first).await.unwrap(), Reserved::InFlight(second("k")));
    // The one that was taken over comes late.
    store.store.complete(&first).await.unwrap();
    store.store.release(&first).await.unwrap();
    assert!(!store.store.take_over(&first, &second("k")).await.unwrap());
    assert_eq!(store.store.reserve(&first).await.unwrap(), Reserved::InFlight(second("k")));

    store.store.complete(&second("k")).await.unwrap();
    assert!(!store.store.take_over(&second("k"), &first).await.unwrap());
    store.store.release(&second("k")).await.unwrap();
    assert_eq!(store.store.reserve(&first).await.unwrap(), Reserved::Completed(second("k")));

    store.store.reserve(&reservation("l")).await.unwrap();
    store.store.release(&reservation("l")).await.unwrap();
    assert_eq!(store.store.reserve(&second("l")).await.unwrap(), Reserved::Made);
}

#[tokio::test]
async fn old_ones_are_forgotten_in_steps() {
    let store = Fixture::new().await;
    for number in 0..5 {
        let one = Reservation { at: at(number), ..reservation(&number.to_string()) };
        store.store.reserve(&one).await.unwrap();
        if number % 2 == 0 {
            store.store.complete(&one).await.unwrap();
        }
    }
    for (limit, expected) in [(0, 0), (2, 2), (2, 1), (2, 0)] {
        assert_eq!(store.store.forget(at(3), limit).await.unwrap(), expected);
    }
    assert_eq!(store.store.reserve(&second("2")).await.unwrap(), Reserved::Made);
    assert!(matches!(store.store.reserve(&second("3")).await.unwrap(), Reserved::InFlight(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_one_is_made_and_one_takes_over() {
    let store = Fixture::new().await;
    let mut reserving = JoinSet::new();
    for number in 1..=20 {
        let (store, one) = (store.store.clone(), Reservation { fingerprint: [number; 32], ..reservation("k") });
        reserving.spawn(async move { (store.reserve(&one).await.unwrap(), one) });
    }
    let outcomes = reserving.join_all().await;
    let (_, made) = outcomes.iter().find(|(reserved, _)| *reserved == Reserved::Made).unwrap().clone();
    for (reserved, one) in &outcomes {
        assert_eq!(*reserved, if *one == made { Reserved::Made } else { Reserved::InFlight(made.clone()) });
    }
    let mut taking = JoinSet::new();
    for number in 1..=20 {
        let (store, made) = (store.store.clone(), made.clone());
        let one = Reservation { token: TokenId::from_bytes([number; 16]), at: at(1), ..reservation("k") };
        taking.spawn(async move { store.take_over(&made, &one).await.unwrap() });
    }
    assert_eq!(taking.join_all().await.into_iter().filter(|taken| *taken).count(), 1);
}
