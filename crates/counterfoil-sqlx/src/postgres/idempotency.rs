//! Reservations of requests that may come twice.

use counterfoil::{
    Timestamp, TokenId,
    store::{IdempotencyStore, Reservation, Reserved, StoreError, StoreErrorKind},
};
use sqlx::{PgConnection, Row as _, postgres::PgRow};

use super::{
    PostgresStore,
    call::{Manner, Operation},
    fault::{Failure, UNIQUE_VIOLATION, other},
    rows::{Statement, id_of, uuid_of},
};

// Every statement takes a reservation as `$1` to `$8`. The row is that very reservation:
macro_rules! is_unchanged {
    () => {
        "tenant = $1 AND owner = $2 AND route = $3 AND key = $4 \
         AND fingerprint = $5 AND token_id = $6 AND selector = $7 AND at = $8"
    };
}

const RESERVE: &str = "INSERT INTO counterfoil_idempotency \
     (tenant, owner, route, key, fingerprint, token_id, selector, at, completed) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, FALSE) ON CONFLICT DO NOTHING";

/// Locks the row, so that the commit waits for the standby: an attempt that returned an error may have made the reservation.
const HELD: &str = "SELECT fingerprint, token_id, selector, at, completed FROM counterfoil_idempotency \
     WHERE tenant = $1 AND owner = $2 AND route = $3 AND key = $4 FOR NO KEY UPDATE";

const TAKE_OVER: &str = concat!(
    "UPDATE counterfoil_idempotency SET tenant = $9, owner = $10, route = $11, key = $12, ",
    "fingerprint = $13, token_id = $14, selector = $15, at = $16 WHERE NOT completed AND ",
    is_unchanged!()
);

const COMPLETE: &str = concat!("UPDATE counterfoil_idempotency SET completed = TRUE WHERE ", is_unchanged!());

const RELEASE: &str = concat!("DELETE FROM counterfoil_idempotency WHERE NOT completed AND ", is_unchanged!());

const FORGET: &str = "DELETE FROM counterfoil_idempotency WHERE (tenant, owner, route, key) IN \
     (SELECT tenant, owner, route, key FROM counterfoil_idempotency WHERE at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)";

impl IdempotencyStore for PostgresStore {
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        self.call(&Reserve(reservation)).await
    }

    async fn take_over(&self, abandoned: &Reservation, reservation: &Reservation) -> Result<bool, StoreError> {
        self.call(&TakeOver { abandoned, reservation }).await
    }

    async fn complete(&self, reservation: &Reservation) -> Result<(), StoreError> {
        self.call(&Close { statement: COMPLETE, reservation }).await.map(drop)
    }

    async fn release(&self, reservation: &Reservation) -> Result<(), StoreError> {
        self.call(&Close { statement: RELEASE, reservation }).await.map(drop)
    }

    async fn forget(&self, before: Timestamp, max_rows: u32) -> Result<u64, StoreError> {
        self.call_in_bulk(&Forget { before, max_rows }).await
    }
}

struct Reserve<'a>(&'a Reservation);

impl Operation for Reserve<'_> {
    type Output = Reserved;

    const MANNER: Manner = Manner::Transaction;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<Reserved, Failure> {
        // The one that stands in the way may be gone by the time it is looked at.
        for _ in 0..8 {
            let made = bind(sqlx::query(RESERVE), self.0).execute(&mut *connection).await?;
            if made.rows_affected() > 0 {
                return Ok(Reserved::Made);
            }
            let Reservation { owner, route, key, .. } = self.0;
            let held = sqlx::query(HELD)
                .bind(owner.tenant_or_empty())
                .bind(owner.subject().as_str())
                .bind(route.as_str())
                .bind(key.as_str())
                .fetch_optional(&mut *connection)
                .await?;
            if let Some(held) = held {
                let held = read(&held, self.0)?;
                return Ok(held.ok_or_else(|| other("a row of `counterfoil_idempotency` cannot be read"))?);
            }
        }
        Err(StoreErrorKind::Unavailable.into())
    }
}

struct TakeOver<'a> {
    abandoned: &'a Reservation,
    reservation: &'a Reservation,
}

impl Operation for TakeOver<'_> {
    type Output = bool;

    // A second time it would find its own, and tell the caller that another was first.
    const MANNER: Manner = Manner::Transaction;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<bool, Failure> {
        let statement = bind(bind(sqlx::query(TAKE_OVER), self.abandoned), self.reservation);
        match statement.execute(connection).await.map_err(Failure::from) {
            Ok(taken) => Ok(taken.rows_affected() > 0),
            Err(failure) if failure.is_violation(UNIQUE_VIOLATION) => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}

/// Completes or releases.
struct Close<'a> {
    statement: &'static str,
    reservation: &'a Reservation,
}

impl Operation for Close<'_> {
    /// How many rows were closed.
    type Output = u64;

    // A reservation is told by its token's id, which no other has.
    const MANNER: Manner = Manner::RepeatableTransaction;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<u64, Failure> {
        Ok(bind(sqlx::query(self.statement), self.reservation).execute(connection).await?.rows_affected())
    }

    fn is_absence(&self, closed: &u64) -> bool {
        *closed == 0
    }
}

struct Forget {
    before: Timestamp,
    max_rows: u32,
}

impl Operation for Forget {
    type Output = u64;

    // A second time it would count others.
    const MANNER: Manner = Manner::Transaction;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<u64, Failure> {
        let statement = sqlx::query(FORGET).bind(self.before.unix_millis()).bind(i64::from(self.max_rows));
        Ok(statement.execute(connection).await?.rows_affected())
    }
}

fn bind<'q>(statement: Statement<'q>, reservation: &Reservation) -> Statement<'q> {
    let Reservation { owner, route, key, fingerprint, token, selector, at } = reservation;
    statement
        .bind(owner.tenant_or_empty().to_owned())
        .bind(owner.subject().as_str().to_owned())
        .bind(route.as_str().to_owned())
        .bind(key.as_str().to_owned())
        .bind(fingerprint.to_vec())
        .bind(uuid_of(*token))
        .bind(selector.to_string())
        .bind(at.unix_millis())
}

/// The reservation that is held under the key of `wanted`, if its row can be read.
fn read(row: &PgRow, wanted: &Reservation) -> Result<Option<Reserved>, sqlx::Error> {
    let fingerprint: &[u8] = row.try_get(0)?;
    let token: TokenId = id_of(row, 1)?;
    let selector: &str = row.try_get(2)?;
    let (Ok(fingerprint), Ok(selector), Ok(at)) =
        (fingerprint.try_into(), selector.parse(), Timestamp::from_unix_millis(row.try_get(3)?))
    else {
        return Ok(None);
    };
    let Reservation { owner, route, key, .. } = wanted.clone();
    let held = Reservation { owner, route, key, fingerprint, token, selector, at };
    Ok(Some(if row.try_get(4)? { Reserved::Completed(held) } else { Reserved::InFlight(held) }))
}
