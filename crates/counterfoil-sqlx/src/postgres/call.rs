//! How an operation is carried out: within a deadline, on a connection that is given back in order, and again where
//! that is safe.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

use counterfoil::store::{StoreError, StoreErrorKind};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

use super::{fault::Failure, lease::Lease};

/// Something to do with the database, as a value, so that it can be tried again.
pub(super) trait Operation: Sync {
    type Output: Send;

    /// What may be repeated.
    const MANNER: Manner;

    fn attempt(&self, connection: &mut PgConnection) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Changes nothing, or the same again when it is done twice: repeated also where its outcome is unknown.
    Repeatable,
    /// One statement that must not be done twice.
    Once,
    /// Several statements, all or none. Up to the moment at which the commit is sent the outcome is known: nothing.
    Transaction,
}

/// How often something is tried in all. Others who are in the way must stand there five times in a row.
const ATTEMPTS: u32 = 5;

pub(super) async fn call<O: Operation>(
    pool: &PgPool,
    deadline: Duration,
    operation: &O,
) -> Result<O::Output, StoreError> {
    match tokio::time::timeout(deadline, repeated(pool, deadline, operation)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::new(StoreErrorKind::Unavailable).with_source(format!("no answer in {deadline:?}"))),
    }
}

async fn repeated<O: Operation>(pool: &PgPool, deadline: Duration, operation: &O) -> Result<O::Output, StoreError> {
    let (mut attempt, mut was_lost) = (1, false);
    loop {
        let lost = match once(pool, deadline, was_lost, operation).await {
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
    pool: &PgPool,
    deadline: Duration,
    was_lost: bool,
    operation: &O,
) -> Result<O::Output, Attempt> {
    let mut lease = Lease::take(pool, deadline, was_lost).await.map_err(before_any_effect)?;
    match O::MANNER {
        Manner::Transaction => transaction(&mut lease, deadline, operation).await,
        Manner::Repeatable => operation.attempt(&mut lease).await.map_err(before_any_effect),
        Manner::Once => operation.attempt(&mut lease).await.map_err(perhaps_after_it),
    }
}

async fn transaction<O: Operation>(
    connection: &mut PgConnection,
    deadline: Duration,
    operation: &O,
) -> Result<O::Output, Attempt> {
    // Whoever has given up must not go on standing in the queue for a lock: the server ends the statement too.
    let millis = deadline.as_millis().clamp(1, 0x7fff_ffff);
    let begin = format!("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = {millis}");
    let mut transaction = connection.begin_with(AssertSqlSafe(begin)).await.map_err(before_any_effect)?;
    // If this fails, the transaction is dropped, which takes back what was written.
    let output = operation.attempt(&mut transaction).await.map_err(before_any_effect)?;
    transaction.commit().await.map_err(perhaps_after_it)?;
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
