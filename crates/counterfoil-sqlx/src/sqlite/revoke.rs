//! Revocation, which reads no record.

use counterfoil::{
    Timestamp, TokenId,
    record::MarkRow,
    store::{Filter, Revocation, RevokeStep, RevokeTarget, StoreError},
};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::{fault::fault, rows::try_id, transaction::Operation, write::write_something};
use crate::filter::push_filter;

/// Marks what is not revoked yet.
pub(super) struct Revoke<'a> {
    pub(super) target: &'a RevokeTarget,
    pub(super) mark: MarkRow,
    pub(super) now: Timestamp,
    pub(super) step: RevokeStep,
}

impl Operation for Revoke<'_> {
    type Output = Revocation;

    async fn run(&self, connection: &mut SqliteConnection) -> Result<Revocation, StoreError> {
        let Self { target, mark: MarkRow { at, detail }, now, step } = self;
        let last = match last_of_step(target, *now, *step) {
            Some(mut last) => last.build().fetch_optional(&mut *connection).await.map_err(fault)?,
            None => None,
        };
        // An id that cannot be read does not end a step.
        let reach = Reach { after: step.after, last: last.and_then(|row| try_id(&row, 0)) };

        let mut already =
            QueryBuilder::<Sqlite>::new("SELECT count(*) FROM counterfoil_token WHERE revoked_at IS NOT NULL");
        push_target(&mut already, target, *now, &reach);

        // A version that is the greatest one stays: no row may stand in the way of revoking the others.
        let mut update = QueryBuilder::<Sqlite>::new("UPDATE counterfoil_token SET revoked_at = ");
        update.push_bind(*at).push(", revoked_detail = ").push_bind(detail.as_str());
        update.push(", version = version + (version < 9223372036854775807) WHERE revoked_at IS NULL");
        push_target(&mut update, target, *now, &reach);
        update.push(" RETURNING id");

        let already: i64 =
            already.build().fetch_one(&mut *connection).await.and_then(|row| row.try_get(0)).map_err(fault)?;
        let rows = update.build().fetch_all(&mut *connection).await.map_err(fault)?;
        if rows.is_empty() && reach.last.is_none() {
            // Nothing was written by the last step. An attempt that returned an error may have revoked what it found revoked.
            write_something(connection).await?;
        }

        // A row without a whole id is revoked as well, and cannot be named.
        let mut revoked: Vec<_> = rows.iter().filter_map(|row| try_id(row, 0)).collect();
        revoked.sort_unstable();
        Ok(Revocation { revoked, already: already.unsigned_abs(), next: reach.last })
    }
}

/// The ids that a step goes through: greater than `after`, up to `last`.
#[derive(Debug, Clone, Copy)]
struct Reach {
    after: Option<TokenId>,
    last: Option<TokenId>,
}

/// Asks for the id up to which a step goes, if it does not go to the end: of the owner's tokens, the tenant's or all.
fn last_of_step(target: &RevokeTarget, now: Timestamp, step: RevokeStep) -> Option<QueryBuilder<Sqlite>> {
    let filter = match target {
        RevokeTarget::Token(_) | RevokeTarget::Among { .. } => return None,
        _ if step.max_rows == u32::MAX => return None,
        RevokeTarget::Owner(owner) => Filter::owner(owner.clone()),
        RevokeTarget::Matching(Filter { owner, tenant, .. }) => {
            Filter { owner: owner.clone(), tenant: tenant.clone(), ..Filter::all() }
        }
    };
    let mut last = QueryBuilder::<Sqlite>::new("SELECT t.id FROM counterfoil_token AS t WHERE ");
    push_filter(&mut last, &filter, "NULL", now);
    push_reach(&mut last, Reach { after: step.after, last: None });
    last.push(" ORDER BY t.id LIMIT 1 OFFSET ").push_bind(i64::from(step.max_rows.max(1)) - 1);
    Some(last)
}

fn push_target(query: &mut QueryBuilder<Sqlite>, target: &RevokeTarget, now: Timestamp, reach: &Reach) {
    match target {
        RevokeTarget::Token(id) => {
            query.push(" AND id = ").push_bind(id.as_bytes().as_slice());
        }
        RevokeTarget::Owner(owner) => {
            push_matching(query, &Filter::owner(owner.clone()), now, |query| push_reach(query, *reach));
        }
        RevokeTarget::Matching(filter) => push_matching(query, filter, now, |query| push_reach(query, *reach)),
        RevokeTarget::Among { ids, filter } => push_matching(query, filter, now, |query| {
            query.push(" AND t.id IN (");
            let mut list = query.separated(", ");
            for id in ids {
                list.push_bind(id.as_bytes().to_vec());
            }
            query.push(")");
        }),
    }
}

fn push_matching(
    query: &mut QueryBuilder<Sqlite>,
    filter: &Filter,
    now: Timestamp,
    push_more: impl FnOnce(&mut QueryBuilder<Sqlite>),
) {
    query.push(
        " AND rowid IN (SELECT t.rowid FROM counterfoil_token AS t \
         LEFT JOIN counterfoil_usage AS u ON u.token_id = t.id WHERE ",
    );
    push_filter(query, filter, "u.at", now);
    push_more(query);
    query.push(")");
}

fn push_reach(query: &mut QueryBuilder<Sqlite>, reach: Reach) {
    if let Some(after) = reach.after {
        query.push(" AND t.id > ").push_bind(after.as_bytes().to_vec());
    }
    if let Some(last) = reach.last {
        query.push(" AND t.id <= ").push_bind(last.as_bytes().to_vec());
    }
}

#[cfg(test)]
mod tests {
    use counterfoil::{Owner, Status, subject::Tenant};
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::SqliteStore;

    /// A step must look at no more rows than it was given, whatever the filter says.
    #[tokio::test]
    async fn each_step_searches_its_range_of_ids() -> Result<(), Box<dyn std::error::Error>> {
        let store = SqliteStore::in_memory().await?;
        let (now, id) = (Timestamp::MIN, TokenId::from_bytes([7; 16]));
        let step = RevokeStep { after: Some(id), max_rows: 100 };
        let reach = Reach { after: Some(id), last: Some(TokenId::from_bytes([9; 16])) };
        let of_owner = Filter::owner(Owner::new("ann")?);
        let of_tenant = Filter { tenant: Some(Tenant::new("acme")?), ..Filter::all() };
        let by_id = "USING INDEX sqlite_autoindex_counterfoil_token_1 (id>?";
        let by_owner = "USING INDEX counterfoil_token_by_owner (tenant=? AND owner=? AND id>?";
        let by_tenant = "USING INDEX counterfoil_token_by_tenant (tenant=? AND id>?";
        for (filter, index) in [
            (Filter::all(), by_id),
            (Filter { key: Some("k1".parse()?), ..Filter::all() }, by_id),
            (Filter::expiring(now), by_id),
            (Filter { statuses: Status::Revoked.into(), ..Filter::all() }, by_id),
            (Filter { unused_since: Some(now), statuses: Status::Active.into(), ..Filter::all() }, by_id),
            (Filter { expires_before: Some(now), ..of_owner.clone() }, by_owner),
            (of_owner, by_owner),
            (of_tenant, by_tenant),
        ] {
            let target = RevokeTarget::Matching(filter.clone());
            let mut query = QueryBuilder::new("SELECT id FROM counterfoil_token WHERE revoked_at IS NULL");
            push_target(&mut query, &target, now, &reach);
            let last = last_of_step(&target, now, step).ok_or("a step with an end")?;
            for (query, end) in [(query, " AND id<?)"), (last, ")")] {
                let statement = sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", query.sql().as_str())));
                let plan: Vec<(i64, i64, i64, String)> = statement.fetch_all(&store.readers.pool).await?;
                let steps: Vec<_> = plan.into_iter().map(|(.., step)| step.replace("COVERING ", "")).collect();
                assert!(steps.iter().any(|step| step.contains(&format!("{index}{end}"))), "{filter:?}: {steps:?}");
                assert!(steps.iter().all(|step| !step.starts_with("SCAN")), "{filter:?}: {steps:?}");
            }
        }
        Ok(())
    }
}
