//! The read that every check waits for.

use std::sync::Arc;

use counterfoil::{
    Record, Selector, TokenId,
    store::{StoreErrorKind, StoreId},
};
use sqlx::{PgConnection, postgres::PgRow};

use super::{
    call::{Manner, Operation},
    fault::Failure,
    migrate::confirm_absence,
    rows::id_of,
};
use crate::rows::{record_of, token_columns};

macro_rules! by_selectors {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            token_columns!(),
            " FROM counterfoil_selector AS s JOIN counterfoil_token AS t ON t.id = s.token_id WHERE s.selector ",
            $condition
        )
    };
}

/// For one to eight selectors: written out, because a list of unknown length is planned anew for every call.
pub(super) const BY_SELECTORS: [&str; 8] = [
    by_selectors!("= $1"),
    by_selectors!("IN ($1, $2)"),
    by_selectors!("IN ($1, $2, $3)"),
    by_selectors!("IN ($1, $2, $3, $4)"),
    by_selectors!("IN ($1, $2, $3, $4, $5)"),
    by_selectors!("IN ($1, $2, $3, $4, $5, $6)"),
    by_selectors!("IN ($1, $2, $3, $4, $5, $6, $7)"),
    by_selectors!("IN ($1, $2, $3, $4, $5, $6, $7, $8)"),
];

pub(super) const BY_MORE: &str = by_selectors!("= ANY ($1)");

pub(super) struct Find<'a> {
    pub(super) store: StoreId,
    pub(super) selectors: &'a [Selector],
}

/// How often a record that comes and goes is looked for.
const LOOKS: u32 = 3;

impl Operation for Find<'_> {
    type Output = Option<Arc<Record>>;

    const MANNER: Manner = Manner::Read;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<Self::Output, Failure> {
        let Self { store, selectors } = *self;
        for _ in 0..LOOKS {
            if let Some((row, id)) = single(rows(connection, selectors).await?)? {
                return Ok(Some(Arc::new(record_of(&row, id)?)));
            }
            if confirm_absence(connection, store, selectors).await? {
                return Ok(None);
            }
            // It was inserted, or shown again, between the two statements.
        }
        Err(StoreErrorKind::Unavailable.into())
    }
}

/// One row for each selector that is there.
async fn rows(connection: &mut PgConnection, selectors: &[Selector]) -> Result<Vec<PgRow>, sqlx::Error> {
    let Some(last) = selectors.len().checked_sub(1) else { return Ok(Vec::new()) };
    if let Some(statement) = BY_SELECTORS.get(last) {
        let statement = sqlx::query(*statement);
        let statement = selectors.iter().fold(statement, |statement, selector| statement.bind(selector.as_str()));
        if last == 0 {
            // One row at most: the driver stops at it.
            return Ok(statement.fetch_optional(connection).await?.into_iter().collect());
        }
        return statement.fetch_all(connection).await;
    }
    let selectors: Vec<&str> = selectors.iter().map(Selector::as_str).collect();
    sqlx::query(BY_MORE).bind(selectors).fetch_all(connection).await
}

/// The row that all are, with its id.
fn single(rows: Vec<PgRow>) -> Result<Option<(PgRow, TokenId)>, Failure> {
    let mut single: Option<(PgRow, TokenId)> = None;
    for row in rows {
        let id = id_of(&row, 0)?;
        match &single {
            Some((_, other)) if *other != id => return Err(StoreErrorKind::Ambiguous.into()),
            Some(_) => {}
            None => single = Some((row, id)),
        }
    }
    Ok(single)
}
