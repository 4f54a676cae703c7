//! One read for many that ask the same at the same time.

use std::{
    collections::HashMap,
    error::Error,
    fmt,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use counterfoil::{
    Selector,
    store::{StoreError, StoreErrorKind},
};
use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};

use crate::entries::Entry;

/// What a read has brought.
#[derive(Debug, Clone)]
pub(crate) enum Read {
    Found(Entry),
    Missing,
    Failed(SharedError),
}

/// A store's error that several are told.
#[derive(Debug, Clone)]
pub(crate) struct SharedError(Arc<StoreError>);

impl SharedError {
    pub(crate) fn new(error: StoreError) -> Self {
        Self(Arc::new(error))
    }

    pub(crate) fn kind(&self) -> &StoreErrorKind {
        self.0.kind()
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for SharedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

type Flight = Shared<BoxFuture<'static, Read>>;
type WeakFlight = WeakShared<BoxFuture<'static, Read>>;

/// The reads that are under way. Each ends when nobody waits for it any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flights(Arc<Mutex<UnderWay>>);

#[derive(Debug, Default)]
struct UnderWay {
    reads: HashMap<Box<[Selector]>, (u64, WeakFlight)>,
    last: u64,
}

impl Flights {
    /// The read that is under way for this question, and `false`; or one that begins now, and `true`. There is one at a time
    /// for as long as somebody waits for it, so one that is joined after another had ended has begun after that.
    pub(crate) fn join<F>(&self, selectors: &[Selector], read: impl FnOnce() -> F) -> (Flight, bool)
    where
        F: Future<Output = Read> + Send + 'static,
    {
        let mut under_way = self.lock();
        let found = under_way.reads.get(selectors).and_then(|(_, flight)| flight.upgrade());
        if let Some(flight) = found {
            return (flight, false);
        }
        under_way.last += 1;
        let landing = Landing { flights: self.clone(), selectors: selectors.into(), number: under_way.last };
        let read = read();
        let flight = async move {
            let _landing = landing;
            // Of a shared future that panics the others never hear.
            let read = AssertUnwindSafe(read).catch_unwind().await;
            read.unwrap_or_else(|_| Read::Failed(SharedError::new(panicked())))
        };
        let flight = flight.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            let number = under_way.last;
            under_way.reads.insert(selectors.into(), (number, weak));
        }
        (flight, true)
    }

    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        // INVARIANT: nothing that is done under the lock leaves the map in between.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn panicked() -> StoreError {
    StoreError::new(StoreErrorKind::Other).with_source("the store has panicked")
}

/// Takes a read off the list when it has ended or is given up.
struct Landing {
    flights: Flights,
    selectors: Box<[Selector]>,
    number: u64,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut under_way = self.flights.lock();
        if under_way.reads.get(&self.selectors).is_some_and(|(number, _)| *number == self.number) {
            under_way.reads.remove(&self.selectors);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::future::pending;

    use super::*;

    /// Joins a read of its own when it is dropped: while the read that holds it is being given up.
    struct JoinsOnDrop {
        flights: Flights,
        selector: Selector,
        joined: Arc<Mutex<Option<Flight>>>,
    }

    impl Drop for JoinsOnDrop {
        fn drop(&mut self) {
            let (flight, is_ours) = self.flights.join(&[self.selector], pending::<Read>);
            assert!(is_ours);
            *self.joined.lock().unwrap() = Some(flight);
        }
    }

    #[test]
    fn read_that_is_given_up_leaves_the_next_one_on_the_list() {
        let (flights, joined) = (Flights::default(), Arc::new(Mutex::new(None)));
        let selector: Selector = "EXAMPLE".parse().unwrap();
        let joins = JoinsOnDrop { flights: flights.clone(), selector, joined: Arc::clone(&joined) };
        let (first, is_ours) = flights.join(&[selector], || async move {
            let _joins = joins;
            pending().await
        });
        assert!(is_ours);
        assert!(first.clone().now_or_never().is_none());
        drop(first);
        assert!(joined.lock().unwrap().is_some());
        let (_, is_ours) = flights.join(&[selector], pending::<Read>);
        assert!(!is_ours, "the next one is under way");
    }
}
