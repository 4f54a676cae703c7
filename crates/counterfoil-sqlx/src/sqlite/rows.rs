//! What SQLite's driver reads and takes.

use counterfoil::{TokenId, store::StoreError};
use sqlx::{
    Decode, QueryBuilder, Row as _, Sqlite, Type,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
};

use super::fault::other;
use crate::{
    filter::Pushes,
    rows::{Binds, Cells},
};

/// The id in the first column. A row without a whole one cannot be named, so it is a failure and not a corrupt record.
pub(super) fn id_of(row: &SqliteRow) -> Result<TokenId, StoreError> {
    try_id(row, 0).ok_or_else(|| other("a row of `counterfoil_token` has an id that is not 16 bytes long"))
}

pub(super) fn try_id(row: &SqliteRow, index: usize) -> Option<TokenId> {
    let bytes: &[u8] = value(row, index)?;
    Some(TokenId::from_bytes(bytes.try_into().ok()?))
}

/// A value of a column that is never null. The driver alone would read a null as zero or as the empty text.
pub(super) fn value<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(row: &'r SqliteRow, index: usize) -> Option<T> {
    row.try_get::<Option<T>, _>(index).ok().flatten()
}

impl Cells for SqliteRow {
    fn number(&self, index: usize) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(index)
    }

    fn text(&self, index: usize) -> Result<Option<String>, sqlx::Error> {
        self.try_get(index)
    }
}

pub(super) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

impl Binds for Statement<'_> {
    fn id(self, id: TokenId) -> Self {
        self.bind(id.as_bytes().to_vec())
    }

    fn number(self, number: Option<i64>) -> Self {
        self.bind(number)
    }

    fn text(self, text: Option<&str>) -> Self {
        self.bind(text.map(str::to_owned))
    }
}

impl Pushes for QueryBuilder<Sqlite> {
    // Written out, an operation on the column, which SQLite looks up in no index.
    const UNINDEXED: &'static str = "+";

    fn sql(&mut self, sql: &str) -> &mut Self {
        self.push(sql)
    }

    fn number(&mut self, number: i64) -> &mut Self {
        self.push_bind(number)
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.push_bind(text.to_owned())
    }
}
