//! Records with their usage: one of them, or a page.

use std::sync::Arc;

use counterfoil::{
    Timestamp, TokenId, Usage,
    store::{Cursor, Filter, LastUseCursor, ListQuery, Order, Page, Stored},
};
use sqlx::{PgConnection, Postgres, QueryBuilder, postgres::PgRow};

use super::{
    call::{Manner, Operation},
    fault::Failure,
    rows::{id_of, uuid_of},
};
use crate::{
    filter::push_filter,
    rows::{record_of, stored_columns, usage_of},
};

macro_rules! stored {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            stored_columns!(),
            " FROM counterfoil_token AS t LEFT JOIN counterfoil_usage AS u ON u.token_id = t.id WHERE ",
            $rest
        )
    };
}

const BY_ID: &str = stored!("");

const GET: &str = stored!("t.id = $1");

const USED: &str = concat!(
    "SELECT ",
    stored_columns!(),
    " FROM counterfoil_usage AS u JOIN counterfoil_token AS t ON t.id = u.token_id WHERE u.at IS NOT NULL AND "
);

pub(super) struct Get(pub(super) TokenId);

impl Operation for Get {
    type Output = Option<Stored>;

    const MANNER: Manner = Manner::Read;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<Self::Output, Failure> {
        let statement = sqlx::query(GET).bind(uuid_of(self.0));
        let Some(row) = statement.fetch_optional(connection).await? else { return Ok(None) };
        Ok(Some(Stored { record: Arc::new(record_of(&row, self.0)?), usage: usage_of(&row) }))
    }

    fn is_absence(&self, stored: &Self::Output) -> bool {
        stored.is_none()
    }
}

pub(super) struct List<'a> {
    pub(super) query: &'a ListQuery,
    pub(super) now: Timestamp,
}

impl Operation for List<'_> {
    type Output = Page;

    const MANNER: Manner = Manner::Read;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<Page, Failure> {
        let ListQuery { filter, order, limit } = self.query;
        let limit = (*limit).max(1);
        let wanted = i64::from(limit) + 1;
        match *order {
            Order::ById { after } => {
                let rows = by_id(filter, self.now, after, wanted).build().fetch_all(connection).await?;
                page(rows, limit, |id, _| Cursor::Id(id))
            }
            Order::ByLastUse { after } => {
                let rows = by_last_use(connection, filter, self.now, after, wanted).await?;
                page(rows, limit, |id, usage| Cursor::LastUse(LastUseCursor { at: usage.map(|usage| usage.at), id }))
            }
        }
    }

    /// The last page says that there are no more.
    fn is_absence(&self, page: &Page) -> bool {
        page.next.is_none()
    }
}

/// At most `limit` of the rows, of which there is one more if there is a next page.
fn page(mut rows: Vec<PgRow>, limit: u32, cursor: impl Fn(TokenId, Option<&Usage>) -> Cursor) -> Result<Page, Failure> {
    let is_full = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let mut page = Page::default();
    for row in rows {
        let (id, usage) = (id_of(&row, 0)?, usage_of(&row));
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
    connection: &mut PgConnection,
    filter: &Filter,
    now: Timestamp,
    after: Option<LastUseCursor>,
    wanted: i64,
) -> Result<Vec<PgRow>, sqlx::Error> {
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

pub(super) fn by_id(filter: &Filter, now: Timestamp, after: Option<TokenId>, wanted: i64) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(BY_ID);
    push_filter(&mut query, filter, "u.at", now);
    push_rest(&mut query, after, wanted);
    query
}

pub(super) fn used(
    filter: &Filter,
    now: Timestamp,
    after: Option<(Timestamp, TokenId)>,
    wanted: i64,
) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(USED);
    push_filter(&mut query, filter, "u.at", now);
    if let Some((at, id)) = after {
        // The first half says nothing new: it lets the index begin at the place.
        query.push(" AND u.at <= ").push_bind(at.unix_millis());
        query.push(" AND (u.at < ").push_bind(at.unix_millis());
        query.push(" OR u.token_id > ").push_bind(uuid_of(id)).push(")");
    }
    query.push(" ORDER BY u.at DESC, u.token_id LIMIT ").push_bind(wanted);
    query
}

pub(super) fn unused(filter: &Filter, now: Timestamp, after: Option<TokenId>, wanted: i64) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(BY_ID);
    push_filter(&mut query, filter, "u.at", now);
    query.push(" AND u.at IS NULL");
    push_rest(&mut query, after, wanted);
    query
}

fn push_rest(query: &mut QueryBuilder<Postgres>, after: Option<TokenId>, wanted: i64) {
    if let Some(after) = after {
        query.push(" AND t.id > ").push_bind(uuid_of(after));
    }
    query.push(" ORDER BY t.id LIMIT ").push_bind(wanted);
}
