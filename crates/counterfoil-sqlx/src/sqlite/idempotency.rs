//! Reservations of requests that may come twice.

use counterfoil::{
    Timestamp,
    store::{IdempotencyStore, Reservation, Reserved, StoreError},
};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    SqliteStore,
    fault::{fault, other},
    rows::{Statement, try_id, value},
    transaction::Operation,
    write::write_something,
};

// Every statement takes a reservation as `?1` to `?8`. The row is that very reservation:
macro_rules! is_unchanged {
    () => {
        "tenant = ?1 AND owner = ?2 AND route = ?3 AND key = ?4 \
         AND fingerprint = ?5 AND token_id = ?6 AND selector = ?7 AND at = ?8"
    };
}

const RESERVE: &str = "INSERT OR IGNORE INTO counterfoil_idempotency \
     (tenant, owner, route, key, fingerprint, token_id, selector, at, completed) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0)";

const HELD: &str = "SELECT fingerprint, token_id, selector, at, completed FROM counterfoil_idempotency \
     WHERE tenant = ?1 AND owner = ?2 AND route = ?3 AND key = ?4";

const TAKE_OVER: &str = concat!(
    "UPDATE OR IGNORE counterfoil_idempotency SET tenant = ?9, owner = ?10, route = ?11, key = ?12, ",
    "fingerprint = ?13, token_id = ?14, selector = ?15, at = ?16 WHERE completed = 0 AND ",
    is_unchanged!()
);

const COMPLETE: &str = concat!("UPDATE counterfoil_idempotency SET completed = 1 WHERE ", is_unchanged!());

const RELEASE: &str = concat!("DELETE FROM counterfoil_idempotency WHERE completed = 0 AND ", is_unchanged!());

impl IdempotencyStore for SqliteStore {
    async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, StoreError> {
        self.write(&Reserve(reservation)).await
    }

    async fn take_over(&self, abandoned: &Reservation, reservation: &Reservation) -> Result<bool, StoreError> {
        self.write(&TakeOver { abandoned, reservation }).await
    }

    async fn complete(&self, reservation: &Reservation) -> Result<(), StoreError> {
        self.write(&End { statement: COMPLETE, reservation }).await
    }

    async fn release(&self, reservation: &Reservation) -> Result<(), StoreError> {
        self.write(&End { statement: RELEASE, reservation }).await
    }

    async fn forget(&self, before: Timestamp, max_rows: u32) -> Result<u64, StoreError> {
        self.write_in_bulk(&Forget { before, max_rows }).await
    }
}

struct Reserve<'a>(&'a Reservation);

impl Operation for Reserve<'_> {
    type Output = Reserved;

    async fn run(&self, connection: &mut SqliteConnection) -> Result<Reserved, StoreError> {
        let made = bind(sqlx::query(RESERVE), self.0).execute(&mut *connection).await.map_err(fault)?;
        if made.rows_affected() > 0 {
            return Ok(Reserved::Made);
        }
        let held = bind(sqlx::query(HELD), self.0).fetch_one(&mut *connection).await.map_err(fault)?;
        // An attempt that returned an error may have made the reservation: see `write_something`.
        write_something(connection).await?;
        read(&held, self.0).ok_or_else(|| other("a row of `counterfoil_idempotency` cannot be read"))
    }
}

struct TakeOver<'a> {
    abandoned: &'a Reservation,
    reservation: &'a Reservation,
}

impl Operation for TakeOver<'_> {
    type Output = bool;

    async fn run(&self, connection: &mut SqliteConnection) -> Result<bool, StoreError> {
        let statement = bind(bind(sqlx::query(TAKE_OVER), self.abandoned), self.reservation);
        let taken = statement.execute(connection).await.map_err(fault)?;
        Ok(taken.rows_affected() > 0)
    }
}

/// Completes a reservation, or releases it.
struct End<'a> {
    statement: &'static str,
    reservation: &'a Reservation,
}

impl Operation for End<'_> {
    type Output = ();

    async fn run(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        bind(sqlx::query(self.statement), self.reservation).execute(connection).await.map_err(fault)?;
        Ok(())
    }
}

struct Forget {
    before: Timestamp,
    max_rows: u32,
}

impl Operation for Forget {
    type Output = u64;

    async fn run(&self, connection: &mut SqliteConnection) -> Result<u64, StoreError> {
        let forgotten = sqlx::query(
            "DELETE FROM counterfoil_idempotency \
             WHERE rowid IN (SELECT rowid FROM counterfoil_idempotency WHERE at < ?1 LIMIT ?2)",
        )
        .bind(self.before.unix_millis())
        .bind(self.max_rows)
        .execute(connection)
        .await
        .map_err(fault)?;
        Ok(forgotten.rows_affected())
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
        .bind(token.as_bytes().to_vec())
        .bind(selector.to_string())
        .bind(at.unix_millis())
}

/// The reservation that is held under the key of `wanted`.
fn read(row: &SqliteRow, wanted: &Reservation) -> Option<Reserved> {
    let fingerprint: &[u8] = value(row, 0)?;
    let held = Reservation {
        owner: wanted.owner.clone(),
        route: wanted.route.clone(),
        key: wanted.key.clone(),
        fingerprint: fingerprint.try_into().ok()?,
        token: try_id(row, 1)?,
        selector: value::<&str>(row, 2)?.parse().ok()?,
        at: Timestamp::from_unix_millis(value(row, 3)?).ok()?,
    };
    match value(row, 4)? {
        0_i64 => Some(Reserved::InFlight(held)),
        1 => Some(Reserved::Completed(held)),
        _ => None,
    }
}
