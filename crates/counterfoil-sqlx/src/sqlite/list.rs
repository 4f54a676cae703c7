//! Records with their usage: one of them, or a page.

use std::{sync::Arc, time::Duration};

use counterfoil::{
    Timestamp, TokenId, Usage,
    record::Statuses,
    store::{Cursor, Filter, LastUseCursor, ListQuery, Order, Page, StoreError, Stored},
};
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, sqlite::SqliteRow};

use super::{
    fault::fault,
    rows::id_of,
    transaction::{Operation, Reader, read_within},
};
use crate::{
    filter::push_filter,
    rows::{record_of, stored_columns, usage_of},
};

/// How many tokens are looked at along an index, in the order of the page, before the rest is searched in the order of
/// the table. A page that many tokens match ends in the walk. If few match, a walk over all tokens reads a page of the
/// file for each, at random places; the search reads the file once, and sorts what it found.
const WALK: i64 = 10_000;

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
                let mut lister = Lister { filter, now: self.now, walk: WALK, connection };
                let rows = lister.by_id(after, wanted).await.map_err(fault)?;
                page(rows, limit, |id, _| Cursor::Id(id))
            }
            Order::ByLastUse { after } => {
                let mut lister = Lister { filter, now: self.now, walk: WALK, connection };
                let rows = lister.by_last_use(after, wanted).await.map_err(fault)?;
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

/// Reads the rows of a page.
struct Lister<'a> {
    filter: &'a Filter,
    now: Timestamp,
    walk: i64,
    connection: &'a mut SqliteConnection,
}

/// A place in the order of last use.
type UsePlace = (i64, Vec<u8>);

impl Lister<'_> {
    async fn by_id(&mut self, after: Option<TokenId>, wanted: i64) -> Result<Vec<SqliteRow>, sqlx::Error> {
        self.tokens(after, wanted, Tokens::All).await
    }

    /// First those that were ever used, along the index by use, then the others by id. A token whose first use falls
    /// between the statements is in neither: the order promises no more.
    async fn by_last_use(&mut self, after: Option<LastUseCursor>, wanted: i64) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let (after_use, after_id) = match after {
            None => (None, None),
            Some(LastUseCursor { at: Some(at), id }) => (Some((at.unix_millis(), id.as_bytes().to_vec())), None),
            Some(LastUseCursor { at: None, id }) => (None, Some(id)),
        };
        let mut rows = Vec::new();
        if after_id.is_none() {
            rows = self.used(after_use, wanted).await?;
        }
        let missing = missing(wanted, &rows);
        if missing > 0 {
            rows.extend(self.tokens(after_id, missing, Tokens::NeverUsed).await?);
        }
        Ok(rows)
    }

    async fn tokens(
        &mut self,
        after: Option<TokenId>,
        wanted: i64,
        which: Tokens,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let after = after.map(|id| id.as_bytes().to_vec());
        let end = match has_conditions(self.filter) {
            true => self.end_of_walk(after.clone()).await?,
            false => None,
        };
        let walk = walk_tokens(self.filter, self.now, after, end.clone(), wanted, which);
        let mut rows = self.fetch(walk).await?;
        let missing = missing(wanted, &rows);
        if let Some(end) = end.filter(|_| missing > 0) {
            let mut found = Vec::new();
            for search in search_tokens(self.filter, self.now, &end, missing, which) {
                found.extend(self.fetch(search).await?);
            }
            found.sort_by_cached_key(|row| row.try_get::<Vec<u8>, _>(0).unwrap_or_default());
            found.truncate(usize::try_from(missing).unwrap_or(usize::MAX));
            rows.extend(found);
        }
        Ok(rows)
    }

    async fn used(&mut self, after: Option<UsePlace>, wanted: i64) -> Result<Vec<SqliteRow>, sqlx::Error> {
        // The other conditions bound the walk along the index by themselves.
        let end = match has_conditions(self.filter) && has_token_conditions(self.filter) {
            true => self.end_of_walk_by_use(after.clone()).await?,
            false => None,
        };
        let walk = walk_used(self.filter, self.now, after, end.clone(), wanted);
        let mut rows = self.fetch(walk).await?;
        let missing = missing(wanted, &rows);
        if let Some(end) = end.filter(|_| missing > 0) {
            rows.extend(self.fetch(search_used(self.filter, self.now, end, missing)).await?);
        }
        Ok(rows)
    }

    /// The last id of the walk, or `None` if the walk covers all.
    async fn end_of_walk(&mut self, after: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT t.id FROM counterfoil_token AS t WHERE TRUE");
        if let Some(tenant) = &self.filter.tenant {
            query.push(" AND t.tenant = ").push_bind(tenant.as_str().to_owned()).push(" AND t.tenant <> ''");
        }
        if let Some(after) = after {
            query.push(" AND t.id > ").push_bind(after);
        }
        query.push(" ORDER BY t.id LIMIT 1 OFFSET ").push_bind(self.walk);
        query.build_query_scalar().fetch_optional(&mut *self.connection).await
    }

    async fn end_of_walk_by_use(&mut self, after: Option<UsePlace>) -> Result<Option<UsePlace>, sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT u.at, u.token_id FROM counterfoil_usage AS u WHERE TRUE");
        push_after_use(&mut query, after);
        query.push(" ORDER BY u.at DESC, u.token_id LIMIT 1 OFFSET ").push_bind(self.walk);
        query.build_query_as().fetch_optional(&mut *self.connection).await
    }

    async fn fetch(&mut self, mut query: QueryBuilder<Sqlite>) -> Result<Vec<SqliteRow>, sqlx::Error> {
        query.build().fetch_all(&mut *self.connection).await
    }
}

fn missing(wanted: i64, rows: &[SqliteRow]) -> i64 {
    wanted - i64::try_from(rows.len()).unwrap_or(wanted)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tokens {
    All,
    NeverUsed,
}

/// Whether few of many tokens may match, so that a walk may be long. An owner has few.
fn has_conditions(filter: &Filter) -> bool {
    let Filter {
        owner,
        tenant: _,
        statuses: _,
        created_before: _,
        expires_before: _,
        used_since,
        unused_since,
        key: _,
    } = filter;
    owner.is_none() && (used_since.is_some() || unused_since.is_some() || has_token_conditions(filter))
}

/// Whether some condition can be judged without the usage.
fn has_token_conditions(filter: &Filter) -> bool {
    let Filter { owner: _, tenant: _, statuses, created_before, expires_before, used_since: _, unused_since: _, key } =
        filter;
    *statuses != Statuses::ALL || created_before.is_some() || expires_before.is_some() || key.is_some()
}

/// In the order of ids, from `after` up to and with `end`.
fn walk_tokens(
    filter: &Filter,
    now: Timestamp,
    after: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
    wanted: i64,
    which: Tokens,
) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(concat!("SELECT ", stored_columns!(), " FROM counterfoil_token AS t"));
    if has_conditions(filter) {
        // Or SQLite may take an index over a condition that most tokens meet, and sort them all for one page.
        query.push(match filter.tenant {
            None => " INDEXED BY sqlite_autoindex_counterfoil_token_1",
            Some(_) => " INDEXED BY counterfoil_token_by_tenant",
        });
    }
    query.push(" LEFT JOIN counterfoil_usage AS u ON u.token_id = t.id WHERE ");
    // Written as an operation, which keeps SQLite from beginning with the usages.
    push_filter(&mut query, filter, "(+u.at)", now);
    push_which(&mut query, which, filter);
    if let Some(after) = after {
        query.push(" AND t.id > ").push_bind(after);
    }
    if let Some(end) = end {
        query.push(" AND t.id <= ").push_bind(end);
    }
    query.push(" ORDER BY t.id LIMIT ").push_bind(wanted);
    query
}

/// All behind `after`, in whatever order is fastest to find them. Each query returns the first by id.
fn search_tokens(
    filter: &Filter,
    now: Timestamp,
    after: &[u8],
    wanted: i64,
    which: Tokens,
) -> Vec<QueryBuilder<Sqlite>> {
    let by_usage = concat!(
        "SELECT ",
        stored_columns!(),
        " FROM counterfoil_usage AS u CROSS JOIN counterfoil_token AS t ON t.id = u.token_id WHERE "
    );
    let by_token = concat!(
        "SELECT ",
        stored_columns!(),
        " FROM counterfoil_token AS t LEFT JOIN counterfoil_usage AS u ON u.token_id = t.id WHERE "
    );
    let query = |from: &'static str, which| {
        let mut query = QueryBuilder::new(from);
        push_searched(&mut query, filter, now);
        push_which(&mut query, which, filter);
        query
    };
    let mut queries = match filter.unused_since {
        // What was used last before the moment, and what was never used: each has an order that finds it quickly.
        Some(moment) if which == Tokens::All && !has_token_conditions(filter) => {
            let mut used = query(by_usage, Tokens::All);
            used.push(" AND u.at < ").push_bind(moment.unix_millis());
            vec![used, query(by_token, Tokens::NeverUsed)]
        }
        _ => vec![query(by_token, which)],
    };
    for query in &mut queries {
        query.push(" AND +t.id > ").push_bind(after.to_vec()).push(" ORDER BY +t.id LIMIT ").push_bind(wanted);
    }
    queries
}

/// The filter, with no use of the index of tenants: a tenant that the walk did not come through has many tokens.
fn push_searched(query: &mut QueryBuilder<Sqlite>, filter: &Filter, now: Timestamp) {
    push_filter(query, &Filter { tenant: None, ..filter.clone() }, "u.at", now);
    if let Some(tenant) = &filter.tenant {
        query.push(" AND +t.tenant = ").push_bind(tenant.as_str().to_owned());
    }
}

fn push_which(query: &mut QueryBuilder<Sqlite>, which: Tokens, filter: &Filter) {
    if which == Tokens::All {
        return;
    }
    query.push(" AND u.token_id IS NULL");
    if let Some(moment) = filter.unused_since {
        // It follows from the filter, and can be judged before the usage is looked for.
        query.push(" AND t.created_at < ").push_bind(moment.unix_millis());
    }
}

/// In the order of last use, from `after` up to and with `end`.
fn walk_used(
    filter: &Filter,
    now: Timestamp,
    after: Option<UsePlace>,
    end: Option<UsePlace>,
    wanted: i64,
) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(concat!(
        "SELECT ",
        stored_columns!(),
        " FROM counterfoil_usage AS u CROSS JOIN counterfoil_token AS t ON t.id = u.token_id WHERE "
    ));
    push_filter(&mut query, filter, "u.at", now);
    if let Some(moment) = filter.unused_since {
        // It follows from the filter, and lets the index begin at the place.
        query.push(" AND u.at < ").push_bind(moment.unix_millis());
    }
    push_after_use(&mut query, after);
    if let Some((at, id)) = end {
        query.push(" AND u.at >= ").push_bind(at);
        query.push(" AND (u.at > ").push_bind(at).push(" OR u.token_id <= ").push_bind(id).push(")");
    }
    query.push(" ORDER BY u.at DESC, u.token_id LIMIT ").push_bind(wanted);
    query
}

/// All behind `after`, found in the order of the table or of an index over a condition.
fn search_used(filter: &Filter, now: Timestamp, after: UsePlace, wanted: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(concat!(
        "SELECT ",
        stored_columns!(),
        " FROM counterfoil_token AS t CROSS JOIN counterfoil_usage AS u ON u.token_id = t.id WHERE "
    ));
    push_searched(&mut query, filter, now);
    push_after_use(&mut query, Some(after));
    query.push(" ORDER BY u.at DESC, u.token_id LIMIT ").push_bind(wanted);
    query
}

fn push_after_use(query: &mut QueryBuilder<Sqlite>, after: Option<UsePlace>) {
    if let Some((at, id)) = after {
        // The first half follows from the second, and lets the index begin at the place.
        query.push(" AND u.at <= ").push_bind(at);
        query.push(" AND (u.at < ").push_bind(at).push(" OR u.token_id > ").push_bind(id).push(")");
    }
}

#[cfg(test)]
mod tests {
    use counterfoil::{Owner, Status, subject::Tenant};
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::SqliteStore;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    async fn steps(store: &SqliteStore, query: &QueryBuilder<Sqlite>) -> Result<Vec<String>, sqlx::Error> {
        let statement = sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", query.sql().as_str())));
        let plan: Vec<(i64, i64, i64, String)> = statement.fetch_all(&store.readers.pool).await?;
        Ok(plan.into_iter().map(|(.., step)| step).collect())
    }

    fn filters() -> Result<Vec<Filter>, Box<dyn std::error::Error>> {
        let moment = |millis| Timestamp::from_unix_millis(MOMENT + millis).map(Some);
        let mut filters = vec![
            Filter { created_before: moment(30)?, ..Filter::all() },
            Filter { expires_before: moment(50)?, ..Filter::all() },
            Filter { used_since: moment(20)?, ..Filter::all() },
            Filter { unused_since: moment(20)?, ..Filter::all() },
            Filter { key: Some("k2".parse()?), ..Filter::all() },
            Filter { statuses: [Status::Revoked, Status::Blocked].into_iter().collect(), ..Filter::all() },
            Filter { used_since: moment(10)?, unused_since: moment(60)?, ..Filter::all() },
            Filter { expires_before: moment(70)?, unused_since: moment(40)?, ..Filter::all() },
        ];
        filters.extend(Status::ALL.map(|status| Filter { statuses: status.into(), ..Filter::all() }));
        let of_tenant = filters.clone();
        filters.extend(of_tenant.into_iter().map(|filter| Filter { tenant: Tenant::new("acme").ok(), ..filter }));
        Ok(filters)
    }

    const MOMENT: i64 = 1_767_225_600_000;

    #[tokio::test]
    async fn pages_are_walked_along_an_index_and_never_sorted() -> TestResult {
        let store = SqliteStore::in_memory().await?;
        let now = Timestamp::MIN;
        let id = || Some(vec![7; 16]);
        let of_owner = Filter::owner(Owner::new("ann")?);
        let of_tenant = Filter { tenant: Some(Tenant::new("acme")?), ..Filter::all() };
        let by_id_all = "t USING INDEX sqlite_autoindex_counterfoil_token_1 (id>?)";
        let by_id_to = "t USING INDEX sqlite_autoindex_counterfoil_token_1 (id>? AND id<?)";
        let by_tenant = "t USING INDEX counterfoil_token_by_tenant (tenant=? AND id>?)";
        let by_tenant_to = "t USING INDEX counterfoil_token_by_tenant (tenant=? AND id>? AND id<?)";
        let mut walks = vec![
            (walk_tokens(&Filter::all(), now, id(), None, 51, Tokens::All), by_id_all),
            (walk_tokens(&Filter::all(), now, id(), None, 51, Tokens::NeverUsed), by_id_all),
            (
                walk_tokens(&of_owner, now, id(), None, 51, Tokens::All),
                "t USING INDEX counterfoil_token_by_owner (tenant=? AND owner=? AND id>?)",
            ),
            (walk_tokens(&of_tenant, now, id(), None, 51, Tokens::All), by_tenant),
            (
                walk_used(&Filter::all(), now, Some((7, vec![7; 16])), None, 51),
                "u USING INDEX counterfoil_usage_by_at (at<?)",
            ),
        ];
        for filter in filters()? {
            let index = if filter.tenant.is_some() { by_tenant_to } else { by_id_to };
            walks.push((walk_tokens(&filter, now, id(), id(), 51, Tokens::All), index));
            walks.push((walk_tokens(&filter, now, id(), id(), 51, Tokens::NeverUsed), index));
            let place = || Some((7, vec![7; 16]));
            let index = "u USING INDEX counterfoil_usage_by_at (at>? AND at<?)";
            walks.push((walk_used(&filter, now, place(), place(), 51), index));
        }
        for (query, index) in walks {
            let steps = steps(&store, &query).await?;
            assert_eq!(steps[0], format!("SEARCH {index}"), "{}", query.sql().as_str());
            assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{steps:?}");
        }
        Ok(())
    }

    /// A search reads the table in its own order, or along an index over a condition; never token by token along ids.
    #[tokio::test]
    async fn searches_read_no_index_of_ids_or_uses_from_end_to_end() -> TestResult {
        let store = SqliteStore::in_memory().await?;
        let place = || (7, vec![7; 16]);
        for filter in filters()? {
            let mut searches = search_tokens(&filter, Timestamp::MIN, &[7; 16], 51, Tokens::All);
            searches.extend(search_tokens(&filter, Timestamp::MIN, &[7; 16], 51, Tokens::NeverUsed));
            if has_token_conditions(&filter) {
                searches.push(search_used(&filter, Timestamp::MIN, place(), 51));
            }
            for search in searches {
                let steps = steps(&store, &search).await?;
                let first = &steps[0];
                assert!(
                    first == "SCAN t"
                        || ["_by_expiry", "_by_revoked", "_usage_by_at"].iter().any(|index| first.contains(index)),
                    "{steps:?}: {}",
                    search.sql().as_str()
                );
            }
        }
        Ok(())
    }

    /// However short the walk is, the pages are the same.
    #[tokio::test]
    async fn walk_and_search_return_the_same_rows_as_a_walk_alone() -> TestResult {
        let store = SqliteStore::in_memory().await?;
        let mut connection = store.writer.pool.acquire().await?;
        sqlx::raw_sql(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 90)
             INSERT INTO counterfoil_token (id, tenant, owner, version, digest_version, created_at, expires_at, revoked_at,
                 revoked_detail, suspended_at, suspended_detail, blocked_at, blocked_detail, selector, digest, key_id,
                 retiring_key_id, body)
             SELECT unhex(printf('%032x', n * 7919 % 9973)), iif(n % 3, 'acme', ''), 'ann', 1, 1, 1767225600000 + n,
                 iif(n % 4, 1767225600000 + n * 5 % 97, NULL), iif(n % 5, NULL, 1), iif(n % 5, NULL, '{}'),
                 iif(n % 7, NULL, 1), iif(n % 7, NULL, '{}'), iif(n % 6, NULL, 1), iif(n % 6, NULL, '{}'), 's' || n, '',
                 iif(n % 11, 'k1', 'k2'), iif(n % 13, NULL, 'k2'), '{}' FROM n;
             INSERT INTO counterfoil_usage (token_id, at)
                 SELECT id, 1767225600000 + rowid % 8 * 10 FROM counterfoil_token WHERE rowid % 3",
        )
        .execute(&mut *connection)
        .await?;
        let now = Timestamp::from_unix_millis(MOMENT + 45)?;
        let ids = |rows: Vec<SqliteRow>| -> Vec<Vec<u8>> { rows.iter().map(|row| row.get(0)).collect() };
        let mut searched = 0;
        for filter in filters()? {
            for after in [None, Some(TokenId::from_bytes(3000_u128.to_be_bytes()))] {
                let uses = [
                    None,
                    after.map(|id| LastUseCursor { at: None, id }),
                    after.map(|id| LastUseCursor { at: Timestamp::from_unix_millis(MOMENT + 40).ok(), id }),
                ];
                for wanted in [1, 4, 1000] {
                    let mut expected = None;
                    for walk in [1_000_000, 0, 1, 2, 5, 30, 89, 90] {
                        let mut lister = Lister { filter: &filter, now, walk, connection: &mut connection };
                        let mut found = vec![ids(lister.by_id(after, wanted).await?)];
                        for after in uses {
                            found.push(ids(lister.by_last_use(after, wanted).await?));
                        }
                        searched += found.iter().map(Vec::len).sum::<usize>();
                        let expected = expected.get_or_insert_with(|| found.clone());
                        assert_eq!(&found, expected, "walk {walk}, {wanted} after {after:?}: {filter:?}");
                    }
                }
            }
        }
        assert!(searched > 10_000, "{searched} rows");
        Ok(())
    }
}
