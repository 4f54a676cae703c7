//! The read that every check waits for.

use std::{sync::Arc, time::Duration};

use counterfoil::{
    Record, Selector, TokenId,
    store::{StoreError, StoreErrorKind},
};
use sqlx::{QueryBuilder, Sqlite, SqlitePool, sqlite::SqliteRow};

use super::{
    rows::id_of,
    transaction::{Reader, read_within},
};
use crate::rows::{record_of, token_columns};

macro_rules! by_selectors {
    () => {
        concat!(
            "SELECT ",
            token_columns!(),
            " FROM counterfoil_selector AS s JOIN counterfoil_token AS t ON t.id = s.token_id WHERE s.selector IN ("
        )
    };
    ($($list:literal),+) => {
        [$(concat!(by_selectors!(), $list, ")")),+]
    };
}

/// For one to eight selectors: written out, so that each is prepared once on a connection.
const BY_SELECTORS: [&str; 8] = by_selectors![
    "?1",
    "?1, ?2",
    "?1, ?2, ?3",
    "?1, ?2, ?3, ?4",
    "?1, ?2, ?3, ?4, ?5",
    "?1, ?2, ?3, ?4, ?5, ?6",
    "?1, ?2, ?3, ?4, ?5, ?6, ?7",
    "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
];

pub(super) async fn find(
    readers: &Reader,
    deadline: Duration,
    selectors: &[Selector],
) -> Result<Option<Arc<Record>>, StoreError> {
    let rows = read_within(deadline, rows(&readers.pool, selectors)).await?;
    let Some((row, id)) = single(rows)? else { return Ok(None) };
    Ok(Some(Arc::new(record_of(&row, id)?)))
}

/// One row for each selector that is there.
async fn rows(readers: &SqlitePool, selectors: &[Selector]) -> Result<Vec<SqliteRow>, sqlx::Error> {
    let Some(last) = selectors.len().checked_sub(1) else { return Ok(Vec::new()) };
    let mut connection = readers.acquire().await?;
    if let Some(statement) = BY_SELECTORS.get(last) {
        let statement = sqlx::query(*statement);
        let statement = selectors.iter().fold(statement, |statement, selector| statement.bind(selector.as_str()));
        if last == 0 {
            // One row at most: the driver stops at it.
            return Ok(statement.fetch_optional(&mut *connection).await?.into_iter().collect());
        }
        return statement.fetch_all(&mut *connection).await;
    }
    let mut query = QueryBuilder::<Sqlite>::new(by_selectors!());
    let mut list = query.separated(", ");
    for selector in selectors {
        list.push_bind(selector.as_str());
    }
    query.push(")").build().fetch_all(&mut *connection).await
}

/// The row that all are, with its id.
fn single(rows: Vec<SqliteRow>) -> Result<Option<(SqliteRow, TokenId)>, StoreError> {
    let mut single: Option<(SqliteRow, TokenId)> = None;
    for row in rows {
        let id = id_of(&row)?;
        match &single {
            Some((_, other)) if *other != id => return Err(StoreErrorKind::Ambiguous.into()),
            Some(_) => {}
            None => single = Some((row, id)),
        }
    }
    Ok(single)
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::SqliteStore;

    #[tokio::test]
    async fn only_primary_keys_are_searched() -> Result<(), Box<dyn std::error::Error>> {
        let store = SqliteStore::in_memory().await?;
        for sql in BY_SELECTORS {
            let statement = sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")));
            let plan: Vec<(i64, i64, i64, String)> = statement.fetch_all(&store.readers.pool).await?;
            let steps: Vec<_> = plan.iter().map(|(.., step)| step.as_str()).collect();
            assert_eq!(
                steps,
                [
                    "SEARCH s USING PRIMARY KEY (selector=?)",
                    "SEARCH t USING INDEX sqlite_autoindex_counterfoil_token_1 (id=?)"
                ]
            );
        }
        Ok(())
    }
}
