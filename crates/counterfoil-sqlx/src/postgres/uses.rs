//! Last uses.

use std::collections::{BTreeMap, BTreeSet};

use counterfoil::{
    TokenId, Usage,
    record::Use,
    store::{StoreError, StoreErrorKind},
};
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::{
    call::{Manner, Operation, pause},
    fault::Failure,
    rows::uuid_of,
};

/// Writes the uses whose rows are free, and answers with the tokens whose rows are not. No row of a token is touched.
const RECORD: &str = "WITH \
     v AS MATERIALIZED (SELECT * FROM unnest($1, $2, $3, $4) AS v (token_id, at, address, agent)), \
     free AS MATERIALIZED (SELECT u.token_id FROM counterfoil_usage AS u JOIN v ON v.token_id = u.token_id \
     FOR NO KEY UPDATE OF u SKIP LOCKED), \
     written AS (UPDATE counterfoil_usage AS u SET at = v.at, address = v.address, agent = v.agent \
     FROM v JOIN free ON free.token_id = v.token_id \
     WHERE u.token_id = v.token_id AND (u.at IS NULL OR u.at <= v.at)) \
     SELECT v.token_id FROM v WHERE NOT EXISTS (SELECT 1 FROM free WHERE free.token_id = v.token_id) \
     AND EXISTS (SELECT 1 FROM counterfoil_usage AS u WHERE u.token_id = v.token_id)";

/// How often rows that another batch is writing are tried again: for half a second or so, and each is held for the time
/// of a commit.
const ROUNDS: u32 = 20;

pub(super) struct RecordUses(BTreeMap<TokenId, Usage>);

impl RecordUses {
    /// The latest use of each token; of two at the same moment the later in the batch.
    pub(super) fn of(uses: &[Use]) -> Self {
        let mut latest: BTreeMap<TokenId, Usage> = BTreeMap::new();
        for Use { id, usage } in uses {
            if latest.get(id).is_none_or(|other| other.at <= usage.at) {
                latest.insert(*id, usage.clone());
            }
        }
        Self(latest)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Operation for RecordUses {
    type Output = ();

    const MANNER: Manner = Manner::RepeatableStatements;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<(), Failure> {
        let mut left: BTreeSet<Uuid> = self.0.keys().copied().map(uuid_of).collect();
        for round in 1..=ROUNDS {
            let uses = || self.0.iter().filter(|(id, _)| left.contains(&uuid_of(**id)));
            let busy = sqlx::query(RECORD)
                .bind(uses().map(|(id, _)| uuid_of(*id)).collect::<Vec<_>>())
                .bind(uses().map(|(_, usage)| usage.at.unix_millis()).collect::<Vec<_>>())
                .bind(uses().map(|(_, usage)| usage.address.map(|address| address.to_string())).collect::<Vec<_>>())
                .bind(uses().map(|(_, usage)| usage.agent.as_ref().map(ToString::to_string)).collect::<Vec<_>>())
                .fetch_all(&mut *connection)
                .await?;
            left = busy.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            if left.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(pause(round.min(4))).await;
        }
        let what = format!("the usage of {} tokens is locked; that of the others is written", left.len());
        Err(StoreError::new(StoreErrorKind::Unavailable).with_source(what).into())
    }
}
