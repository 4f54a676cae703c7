//! The drivers' own statements: the same columns, the same indexes, every value looked at.

use std::{hint::black_box, path::Path, time::Duration};

use counterfoil::Selector;
use sqlx::{
    ColumnIndex, Database, Decode, PgPool, Row, SqlitePool, Type,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};
use uuid::Uuid;

macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT t.id, t.tenant, t.owner, t.version, t.digest_version, t.created_at, t.expires_at, t.revoked_at, ",
            "t.revoked_detail, t.suspended_at, t.suspended_detail, t.blocked_at, t.blocked_detail, t.selector, ",
            "t.digest, t.key_id, t.retiring_selector, t.retiring_digest, t.retiring_key_id, t.spent_selector, ",
            "t.spent_digest, t.spent_key_id, t.retiring_until, t.body ",
            "FROM counterfoil_selector AS s JOIN counterfoil_token AS t ON t.id = s.token_id WHERE s.selector ",
            $condition
        )
    };
}

/// Opened as `SqliteStore` opens its readers.
pub(crate) async fn sqlite_pool(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .pragma("query_only", "ON");
    let pool =
        SqlitePoolOptions::new().max_connections(4).idle_timeout(None).max_lifetime(None).test_before_acquire(false);
    pool.connect_with(options).await.unwrap()
}

/// The number of bytes is what the caller may look at.
pub(crate) async fn sqlite_find(pool: &SqlitePool, selector: &Selector) -> usize {
    let row = sqlx::query(select!("IN (?1)")).bind(selector.as_str()).fetch_optional(pool).await.unwrap().unwrap();
    row.get::<&[u8], _>(0).len() + read(&row)
}

pub(crate) async fn postgres_find(pool: &PgPool, selector: &Selector) -> usize {
    let row = sqlx::query(select!("= $1")).bind(selector.as_str()).fetch_optional(pool).await.unwrap().unwrap();
    row.get::<Uuid, _>(0).as_bytes().len() + read(&row)
}

fn read<'r, R: Row>(row: &'r R) -> usize
where
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    &'r str: Decode<'r, R::Database> + Type<R::Database>,
    R::Database: Database,
{
    const NUMBERS: [usize; 8] = [3, 4, 5, 6, 7, 9, 11, 22];
    const TEXTS: [usize; 15] = [1, 2, 8, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 23];
    let numbers = NUMBERS.map(|column| black_box(row.get::<Option<i64>, _>(column))).len();
    let texts = TEXTS.map(|column| black_box(row.get::<Option<&str>, _>(column)).map_or(0, str::len));
    8 * numbers + texts.iter().sum::<usize>()
}
