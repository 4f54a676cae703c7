//! Records with their usage: one of them, or a page.

use std::{sync::Arc, time::Duration};

use counterfoil::{
    Timestamp, TokenId, Usage,
    store::{Cursor, Filter, LastUseCursor, ListQuery, Order, Page, StoreError, Stored},
};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::fault,
    rows::id_of,
    transaction::{Operation, Reader, read_within},
};
use crate::{
    filter::push_filter,
    rows::{record_of, stored_columns, usage_of},
};

const BY_ID: &str = concat!(
    "SELECT ",
    stored_columns!(),
    " FROM counterfoil_token AS t LEFT JOIN counterfoil_usage AS u ON u.token_id = t.id WHERE "
);

const USED: &str = concat!(
    "SELECT ",
    stored_columns!(),
    " FROM counterfoil_usage AS u JOIN counterfoil_token AS t ON t.id = u.token_id WHERE "
);

const GET: &str = concat!(
    "SELECT ",
    stored_columns!(),
    " FROM counterfoil_token AS t LEFT JOIN counterfoil_usage AS u ON u.token_id = t.id WHERE t.id = ?1"
);

pub(super) async fn get(readers: &Reader, deadline: Duration, id: TokenId) -> Result<Option<Stored>, StoreError> {
    let statement = sqlx::query(GET).bind(id.as_bytes().as_slice());
    let Some(row) = read_within(deadline, statement.fetch_optional(&readers.pool)).await? else { return Ok(None) };
    Ok(Some(Stored { record: Arc::new(record_of(&row, id)?), usage: usage_of(&row) }))
}

/// Reads a page.
pub(super) struct List<'a> {
    pub(super) query: &'a ListQuery,
    pub(super) now: Timestamp,
}

impl Operation for List<'_> {
    type Output = Page;

    async fn run(&self, connection: &mut SqliteConnection) -> Result<Page, StoreError> {
        let ListQuery { filter, order, limit } = self.query;
        let limit = (*limit).max(1);
        let wanted = i64::from(limit) + 1;
        match *order {
            Order::ById { after } => {
                let rows = by_id(filter, self.now, after, wanted).build().fetch_all(connection).await.map_err(fault)?;
                page(rows, limit, |id, _| Cursor::Id(id))
            }
            Order::ByLastUse { after } => {
                let rows = by_last_use(connection, filter, self.now, after, wanted).await.map_err(fault)?;
                page(rows, limit, |id, usage| Cursor::LastUse(LastUseCursor { at: usage.map(|usage| usage.at), id }))
            }
        }
    }
}

/// At most `limit` of the rows, of which there is one more if there is a next page.
fn page(
    mut rows: Vec<SqliteRow>,
    limit: u32,
    cursor: impl Fn(TokenId, Option<&Usage>) -> Cursor,
) -> Result<Page, StoreError> {
    let is_full = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let mut page = Page::default();
    for row in rows {
        let (id, usage) = (id_of(&row)?, usage_of(&row));
        if is_full {
            page.next = Some(cursor(id, usage.as_ref()));
        }
        match record_of(&row, id) {
            Ok(record) => page.tokens.push(Stored { record: Arc::new(record), usage }),
            Err(corrupt) => page.corrupt.push(corrupt),
        }
    }
    Ok(page)
}

/// First those that were ever used, along the index by use, then the others by id. A token whose first use falls
/// between the two statements is in neither: the order promises no more.
async fn by_last_use(
    connection: &mut SqliteConnection,
    filter: &Filter,
    now: Timestamp,
    after: Option<LastUseCursor>,
    wanted: i64,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let (after_use, after_id) = match after {
        None => (None, None),
        Some(LastUseCursor { at: Some(at), id }) => (Some((at, id)), None),
        Some(LastUseCursor { at: None, id }) => (None, Some(id)),
    };
    let mut rows = Vec::new();
    if after_id.is_none() {
        rows = used(filter, now, after_use, wanted).build().fetch_all(&mut *connection).await?;
    }
    let missing = wanted - i64::try_from(rows.len()).unwrap_or(wanted);
    if missing > 0 {
        rows.extend(unused(filter, now, after_id, missing).build().fetch_all(&mut *connection).await?);
    }
    Ok(rows)
}

fn by_id(filter: &Filter, now: Timestamp, after: Option<TokenId>, wanted: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(BY_ID);
    push_filter(&mut query, filter, "u.at", now);
    push_rest(&mut query, after, wanted);
    query
}

fn used(filter: &Filter, now: Timestamp, after: Option<(Timestamp, TokenId)>, wanted: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(USED);
    push_filter(&mut query, filter, "u.at", now);
    if let Some((at, id)) = after {
        // The first half says nothing new: it lets the index begin at the place.
        query.push(" AND u.at <= ").push_bind(at.unix_millis());
        query.push(" AND (u.at < ").push_bind(at.unix_millis());
        query.push(" OR u.token_id > ").push_bind(id.as_bytes().as_slice()).push(")");
    }
    query.push(" ORDER BY u.at DESC, u.token_id LIMIT ").push_bind(wanted);
    query
}

fn unused(filter: &Filter, now: Timestamp, after: Option<TokenId>, wanted: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(BY_ID);
    push_filter(&mut query, filter, "u.at", now);
    query.push(" AND u.token_id IS NULL");
    push_rest(&mut query, after, wanted);
    query
}

fn push_rest(query: &mut QueryBuilder<Sqlite>, after: Option<TokenId>, wanted: i64) {
    if let Some(after) = after {
        query.push(" AND t.id > ").push_bind(after.as_bytes().as_slice());
    }
    query.push(" ORDER BY t.id LIMIT ").push_bind(wanted);
}

#[cfg(test)]
mod tests {
    use counterfoil::{Owner, subject::Tenant};
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::SqliteStore;

    #[tokio::test]
    async fn pages_are_walked_along_an_index_and_never_sorted() -> Result<(), Box<dyn std::error::Error>> {
        let store = SqliteStore::in_memory().await?;
        let now = Timestamp::MIN;
        let id = TokenId::from_bytes([7; 16]);
        let of_owner = Filter::owner(Owner::new("ann")?);
        let of_tenant = Filter { tenant: Some(Tenant::new("acme")?), ..Filter::all() };
        let of_key = Filter { key: Some("k1".parse()?), ..Filter::all() };
        let by_id_all = "t USING INDEX sqlite_autoindex_counterfoil_token_1 (id>?)";
        for (query, index) in [
            (by_id(&Filter::all(), now, Some(id), 51), by_id_all),
            (by_id(&of_key, now, Some(id), 51), by_id_all),
            (
                by_id(&of_owner, now, Some(id), 51),
                "t USING INDEX counterfoil_token_by_owner (tenant=? AND owner=? AND id>?)",
            ),
            (by_id(&of_tenant, now, Some(id), 51), "t USING INDEX counterfoil_token_by_tenant (tenant=? AND id>?)"),
            (used(&Filter::all(), now, Some((now, id)), 51), "u USING INDEX counterfoil_usage_by_at (at<?)"),
            (unused(&Filter::all(), now, Some(id), 51), by_id_all),
        ] {
            let statement = sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", query.sql().as_str())));
            let plan: Vec<(i64, i64, i64, String)> = statement.fetch_all(&store.readers.pool).await?;
            let steps: Vec<_> = plan.into_iter().map(|(.., step)| step).collect();
            assert_eq!(steps[0], format!("SEARCH {index}"));
            assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{steps:?}");
        }
        Ok(())
    }
}
