//! What PostgreSQL's driver reads and takes.

use counterfoil::TokenId;
use sqlx::{
    Postgres, QueryBuilder, Row as _,
    postgres::{PgArguments, PgRow},
    query::Query,
};
use uuid::Uuid;

use crate::{
    filter::Pushes,
    rows::{Binds, Cells},
};

pub(super) fn uuid_of(id: TokenId) -> Uuid {
    Uuid::from_bytes(*id.as_bytes())
}

/// The id in a column that is never null.
pub(super) fn id_of(row: &PgRow, index: usize) -> Result<TokenId, sqlx::Error> {
    row.try_get::<Uuid, _>(index).map(|id| TokenId::from_bytes(*id.as_bytes()))
}

impl Cells for PgRow {
    fn number(&self, index: usize) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(index)
    }

    fn text(&self, index: usize) -> Result<Option<String>, sqlx::Error> {
        self.try_get(index)
    }
}

pub(super) type Statement<'q> = Query<'q, Postgres, PgArguments>;

impl Binds for Statement<'_> {
    fn id(self, id: TokenId) -> Self {
        self.bind(uuid_of(id))
    }

    fn number(self, number: Option<i64>) -> Self {
        self.bind(number)
    }

    fn text(self, text: Option<&str>) -> Self {
        self.bind(text.map(str::to_owned))
    }
}

impl Pushes for QueryBuilder<Postgres> {
    // The planner knows how many rows are of a key.
    const UNINDEXED: &'static str = "";

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
