//! Revocation, which reads no record.

use counterfoil::{
    Mark, Timestamp,
    record::MarkRow,
    store::{Filter, Revocation, RevokeTarget, StoreError},
};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqlitePool};

use super::{
    fault::fault,
    rows::try_id,
    write::{begin, commit},
};
use crate::filter::push_filter;

pub(super) async fn revoke(
    writer: &SqlitePool,
    target: &RevokeTarget,
    mark: &Mark,
    now: Timestamp,
) -> Result<Revocation, StoreError> {
    let MarkRow { at, detail } = mark.into();

    let mut already =
        QueryBuilder::<Sqlite>::new("SELECT count(*) FROM counterfoil_token WHERE revoked_at IS NOT NULL");
    push_target(&mut already, target, now);

    // A version that is the greatest one stays: no row may stand in the way of revoking the others.
    let mut update = QueryBuilder::<Sqlite>::new("UPDATE counterfoil_token SET revoked_at = ");
    update.push_bind(at).push(", revoked_detail = ").push_bind(detail);
    update.push(", version = version + (version < 9223372036854775807) WHERE revoked_at IS NULL");
    push_target(&mut update, target, now);
    update.push(" RETURNING id");

    let mut transaction = begin(writer).await?;
    let already: i64 =
        already.build().fetch_one(&mut *transaction).await.and_then(|row| row.try_get(0)).map_err(fault)?;
    let rows = update.build().fetch_all(&mut *transaction).await.map_err(fault)?;
    commit(transaction).await?;

    // A row without a whole id is revoked as well, and cannot be named.
    let mut revoked: Vec<_> = rows.iter().filter_map(|row| try_id(row, 0)).collect();
    revoked.sort_unstable();
    Ok(Revocation { revoked, already: already.unsigned_abs() })
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
