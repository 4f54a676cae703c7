//! Revocation, which reads no record.

use counterfoil::{
    Timestamp,
    record::MarkRow,
    store::{Filter, Revocation, RevokeTarget, StoreError},
};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::{fault::fault, rows::try_id, transaction::Operation};
use crate::filter::push_filter;

/// Marks what is not revoked yet.
pub(super) struct Revoke<'a> {
    pub(super) target: &'a RevokeTarget,
    pub(super) mark: MarkRow,
    pub(super) now: Timestamp,
}

impl Operation for Revoke<'_> {
    type Output = Revocation;

    async fn run(&self, connection: &mut SqliteConnection) -> Result<Revocation, StoreError> {
        let Self { target, mark: MarkRow { at, detail }, now } = self;

        let mut already =
            QueryBuilder::<Sqlite>::new("SELECT count(*) FROM counterfoil_token WHERE revoked_at IS NOT NULL");
        push_target(&mut already, target, *now);

        // A version that is the greatest one stays: no row may stand in the way of revoking the others.
        let mut update = QueryBuilder::<Sqlite>::new("UPDATE counterfoil_token SET revoked_at = ");
        update.push_bind(*at).push(", revoked_detail = ").push_bind(detail.as_str());
        update.push(", version = version + (version < 9223372036854775807) WHERE revoked_at IS NULL");
        push_target(&mut update, target, *now);
        update.push(" RETURNING id");

        let already: i64 =
            already.build().fetch_one(&mut *connection).await.and_then(|row| row.try_get(0)).map_err(fault)?;
        let rows = update.build().fetch_all(&mut *connection).await.map_err(fault)?;

        // A row without a whole id is revoked as well, and cannot be named.
        let mut revoked: Vec<_> = rows.iter().filter_map(|row| try_id(row, 0)).collect();
        revoked.sort_unstable();
        Ok(Revocation { revoked, already: already.unsigned_abs() })
    }
}

fn push_target(query: &mut QueryBuilder<Sqlite>, target: &RevokeTarget, now: Timestamp) {
    match target {
        RevokeTarget::Token(id) => {
            query.push(" AND id = ").push_bind(id.as_bytes().as_slice());
        }
        RevokeTarget::Owner(owner) => push_matching(query, &Filter::owner(owner.clone()), now),
        RevokeTarget::Matching(filter) => push_matching(query, filter, now),
    }
}

fn push_matching(query: &mut QueryBuilder<Sqlite>, filter: &Filter, now: Timestamp) {
    query.push(
        " AND rowid IN (SELECT t.rowid FROM counterfoil_token AS t \
         LEFT JOIN counterfoil_usage AS u ON u.token_id = t.id WHERE ",
    );
    push_filter(query, filter, "u.at", now);
    query.push(")");
}
