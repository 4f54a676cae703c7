//! How an operation is carried out: within a deadline, on a connection that is given back in order, and again where
//! that is safe.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use counterfoil::store::{StoreError, StoreErrorKind, StoreId};
use sqlx::{AssertSqlSafe, Connection as _, Error, PgConnection};

use super::{
    fault::{Failure, UNDEFINED_TABLE},
    lease::{Connections, Lease},
    migrate::{confirm, diagnosis},
};

/// Something to do with the database, as a value, so that it can be tried again.
pub(super) trait Operation: Sync {
    type Output: Send;

    /// What may be repeated.
    const MANNER: Manner;

    fn attempt(&self, connection: &mut PgConnection) -> impl Future<Output = Result<Self::Output, Failure>> + Send;

    /// Whether this output says that something is not there. It is only given after the store was found to be the right
    /// one, on the same connection: an empty store, or one whose rows are hidden, gives the same output.
    fn is_absence(&self, _: &Self::Output) -> bool {
        false
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Changes nothing: repeated wherever it fails.
    Read,
    /// Statements that change the same again when they are done twice, each by itself: repeated also where its outcome is
    /// unknown.
    RepeatableStatements,
    /// Several statements, all or none. Up to the moment at which the commit is sent the outcome is known: nothing.
    Transaction,
    /// The same, and repeated also where the outcome of the commit is unknown.
    RepeatableTransaction,
}

/// How often something is tried in all. Others who are in the way must stand there five times in a row.
const ATTEMPTS: u32 = 5;

pub(super) async fn call<O: Operation>(
    connections: &Arc<Connections>,
    store: StoreId,
    deadline: Duration,
    operation: &O,
) -> Result<O::Output, StoreError> {
    match tokio::time::timeout(deadline, repeated(connections, store, deadline, operation)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::new(StoreErrorKind::Unavailable).with_source(format!("no answer in {deadline:?}"))),
    }
}

async fn repeated<O: Operation>(
    connections: &Arc<Connections>,
    store: StoreId,
    deadline: Duration,
    operation: &O,
) -> Result<O::Output, StoreError> {
    let (mut attempt, mut was_lost) = (1, false);
    loop {
        let lost = match once(connections, store, (deadline, was_lost), operation).await {
            Ok(output) => return Ok(output),
            Err(Attempt::Settled(failure)) => return Err(failure.into()),
            Err(Attempt::Undone(failure)) if attempt == ATTEMPTS => return Err(failure.into()),
            Err(Attempt::Undone(failure)) => failure.is_lost(),
        };
        was_lost |= lost;
        tokio::time::sleep(pause(attempt)).await;
        attempt += 1;
    }
}

/// An attempt that failed.
enum Attempt {
    /// It has changed nothing, or may be made again even if it has.
    Undone(Failure),
    /// Whether repeated or not, that is how it stands; or nobody knows how it stands.
    Settled(Failure),
}

async fn once<O: Operation>(
    connections: &Arc<Connections>,
    store: StoreId,
    (deadline, was_lost): (Duration, bool),
    operation: &O,
) -> Result<O::Output, Attempt> {
    let writes = O::MANNER != Manner::Read;
    let mut lease = Lease::take(connections, deadline, writes, was_lost).await.map_err(before_any_effect)?;
    let outcome = match O::MANNER {
        Manner::Read | Manner::RepeatableStatements => {
            confirmed(&mut lease, store, operation).await.map_err(before_any_effect)
        }
        Manner::Transaction => transaction(&mut lease, store, deadline, operation, perhaps_after_it).await,
        Manner::RepeatableTransaction => transaction(&mut lease, store, deadline, operation, before_any_effect).await,
    };
    lease.answered();
    outcome
}

/// The operation's outcome. Before one that says that something is not there, the store is checked.
async fn confirmed<O: Operation>(
    connection: &mut PgConnection,
    store: StoreId,
    operation: &O,
) -> Result<O::Output, Failure> {
    let outcome = operation.attempt(connection).await;
    let is_absence = match &outcome {
        Ok(output) => operation.is_absence(output),
        Err(failure) => failure.is_not_found(),
    };
    if is_absence {
        confirm(connection, store).await?;
    }
    match outcome {
        // In a transaction that has failed nothing more is answered.
        Err(failure) if failure.is_violation(UNDEFINED_TABLE) && O::MANNER == Manner::Read => {
            Err(diagnosis(connection, store).await)
        }
        outcome => outcome,
    }
}

async fn transaction<O: Operation>(
    connection: &mut PgConnection,
    store: StoreId,
    deadline: Duration,
    operation: &O,
    at_commit: impl FnOnce(Error) -> Attempt + Send,
) -> Result<O::Output, Attempt> {
    // A caller that has given up must not stay in a queue for a lock: the server ends the statement too. At the commit of a
    // change, which waits for the lock on the queue of notifications, only `lock_timeout` does.
    let millis = deadline.as_millis().clamp(1, 0x7fff_ffff);
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = {millis}; SET LOCAL lock_timeout = {millis}"
    );
    let mut transaction = connection.begin_with(AssertSqlSafe(begin)).await.map_err(before_any_effect)?;
    // If this fails, the transaction is dropped, which takes back what was written.
    let output = confirmed(&mut transaction, store, operation).await.map_err(before_any_effect)?;
    transaction.commit().await.map_err(at_commit)?;
    Ok(output)
}

fn before_any_effect(failure: impl Into<Failure>) -> Attempt {
    let failure = failure.into();
    if failure.is_undone() || failure.is_lost() { Attempt::Undone(failure) } else { Attempt::Settled(failure) }
}

/// A serialization failure says that nothing was done. A connection that is lost says nothing.
fn perhaps_after_it(failure: impl Into<Failure>) -> Attempt {
    let failure = failure.into();
    if failure.is_undone() { Attempt::Undone(failure) } else { Attempt::Settled(failure) }
}

/// Up to 8, 16, 32 and 64 milliseconds: drawn, so that those who were in each other's way do not meet again.
pub(super) fn pause(attempt: u32) -> Duration {
    let most = 4_000_u64 << attempt.min(8);
    Duration::from_micros(RandomState::new().hash_one(attempt) % most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_drawn_and_bounded() {
        for (attempt, most) in [(1, 8), (2, 16), (3, 32), (4, 64), (100, 1024)] {
            let pauses: std::collections::BTreeSet<_> = (0..100).map(|_| pause(attempt)).collect();
            assert!(pauses.len() > 50, "{attempt}: {} different ones", pauses.len());
            assert!(pauses.iter().all(|pause| *pause < Duration::from_millis(most)), "{attempt}: {pauses:?}");
        }
    }
}
