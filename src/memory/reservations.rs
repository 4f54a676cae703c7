//! Reservations in memory.

use std::collections::BTreeMap;

use super::MemoryStore;
use crate::{
    store::{IdempotencyKey, IdempotencyStore, Reservation, Reserved, Route, StoreError},
    subject::Owner,
    time::Timestamp,
};

#[derive(Debug, Default)]
pub(super) struct Reservations(BTreeMap<Place, (Reservation, Completed)>);

/// Where a reservation stands: no two are alike in all three.
type Place = (Owner, Route, IdempotencyKey);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Completed {
    No,
    Yes,
}

fn place_of(reservation: &Reservation) -> Place {
    (reservation.owner.clone(), reservation.route.clone(), reservation.key.clone())
}

impl Reservations {
    /// Whether exactly this reservation is there and not completed.
    fn is_open(&self, reservation: &Reservation) -> bool {
        self.0.get(&place_of(reservation)) == Some(&(reservation.clone(), Completed::No))
    }
}

impl IdempotencyStore for MemoryStore {
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        let mut tables = self.write();
        Ok(match tables.reservations.0.get(&place_of(reservation)) {
            Some((earlier, Completed::Yes)) => Reserved::Completed(earlier.clone()),
            Some((earlier, Completed::No)) => Reserved::InFlight(earlier.clone()),
            None => {
                tables.reservations.0.insert(place_of(reservation), (reservation.clone(), Completed::No));
                Reserved::Made
            }
        })
    }

    async fn take_over(&self, abandoned: &Reservation, reservation: &Reservation) -> Result<bool, StoreError> {
        let mut tables = self.write();
        let is_there = tables.reservations.is_open(abandoned) && place_of(abandoned) == place_of(reservation);
        if is_there {
            tables.reservations.0.insert(place_of(reservation), (reservation.clone(), Completed::No));
        }
        Ok(is_there)
    }

    async fn complete(&self, reservation: &Reservation) -> Result<(), StoreError> {
        let mut tables = self.write();
        if tables.reservations.is_open(reservation) {
            tables.reservations.0.insert(place_of(reservation), (reservation.clone(), Completed::Yes));
        }
        Ok(())
    }

    async fn release(&self, reservation: &Reservation) -> Result<(), StoreError> {
        let mut tables = self.write();
        if tables.reservations.is_open(reservation) {
            tables.reservations.0.remove(&place_of(reservation));
        }
        Ok(())
    }

    async fn forget(&self, before: Timestamp, max_rows: u32) -> Result<u64, StoreError> {
        let mut tables = self.write();
        let due = tables.reservations.0.iter().filter(|(_, (reservation, _))| reservation.at < before);
        let due: Vec<_> = due.take(max_rows as usize).map(|(place, _)| place.clone()).collect();
        for place in &due {
            tables.reservations.0.remove(place);
        }
        Ok(due.len() as u64)
    }
}
