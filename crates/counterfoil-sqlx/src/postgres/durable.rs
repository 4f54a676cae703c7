//! Waiting until what was read is durable.

use sqlx::PgConnection;

use super::{
    call::{Manner, Operation},
    fault::Failure,
    write::lock_owner,
};

/// Writes WAL without changing a row. No owner has an empty name.
const LOCK_ROW: &str = "SELECT 1 FROM counterfoil_owner WHERE tenant = '' AND owner = '' FOR NO KEY UPDATE";

/// Makes a transaction wait at its commit as one that has changed something.
///
/// A commit waits for the synchronous standbys only if it has written WAL, and then until they have all that was written
/// before it. So one locked row confirms everything that was read earlier, in this transaction or before it. A transaction
/// that has only read returns at once, also while no standby is there.
///
/// All confirmations lock the same row. While the standby is away one of them waits for it, and the others end with
/// their `lock_timeout`.
pub(super) async fn wait_at_commit(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    if sqlx::query(LOCK_ROW).fetch_optional(&mut *connection).await?.is_none() {
        lock_owner(connection, "", "").await?;
    }
    Ok(())
}

pub(super) struct ConfirmDurable;

impl Operation for ConfirmDurable {
    type Output = ();

    const MANNER: Manner = Manner::Transaction;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        Ok(wait_at_commit(connection).await?)
    }
}
