//! Revocation, which reads no record.

use counterfoil::{
    Owner, Timestamp, TokenId,
    record::MarkRow,
    store::{Filter, Revocation, RevokeStep, RevokeTarget},
};
use sqlx::{PgConnection, Postgres, QueryBuilder, Row as _};
use uuid::Uuid;

use super::{
    call::{Manner, Operation},
    durable::wait_at_commit,
    fault::Failure,
    rows::{id_of, uuid_of},
    upkeep::delete_owners,
    write::lock_owner,
};
use crate::filter::push_filter;

pub(super) struct Revoke<'a> {
    pub(super) target: &'a RevokeTarget,
    pub(super) mark: MarkRow,
    pub(super) now: Timestamp,
    pub(super) step: RevokeStep,
}

impl Operation for Revoke<'_> {
    type Output = Revocation;

    const MANNER: Manner = Manner::Transaction;

    async fn attempt(&self, connection: &mut PgConnection) -> Result<Revocation, Failure> {
        // Waits for whoever is adding a token of the owner's: it is revoked too, be it the owner's first.
        if let Some(owner) = self.owner() {
            lock_owner(connection, owner.tenant_or_empty(), owner.subject().as_str()).await?;
        }
        let last = self.last_of_step(connection).await?;
        // A version that is the greatest one stays: no row may stand in the way of revoking the others.
        let mut update = QueryBuilder::<Postgres>::new("UPDATE counterfoil_token AS t SET revoked_at = ");
        update.push_bind(self.mark.at).push(", revoked_detail = ").push_bind(self.mark.detail.as_str());
        update.push(", version = t.version + (t.version < 9223372036854775807)::int WHERE t.revoked_at IS NULL AND ");
        self.push_target(&mut update, last);
        update.push(" RETURNING t.id");
        let rows = update.build().fetch_all(&mut *connection).await?;
        let mut revoked = rows.iter().map(|row| id_of(row, 0)).collect::<Result<Vec<TokenId>, _>>()?;
        revoked.sort_unstable();
        let already = self.already(connection, &revoked, last).await?;
        if self.owner().is_none() && revoked.is_empty() && last.is_none() {
            // Nothing was written by the last step. Records that were found revoked, or left out by the filter because they
            // are, may have been revoked by an attempt that returned an error.
            wait_at_commit(connection).await?;
        }
        if let Some(owner) = self.owner()
            && (revoked.is_empty(), already, last, self.step.after) == (true, 0, None, None)
        {
            // The lock may have made the row of an owner who has no token.
            let (tenant, owner) = (owner.tenant_or_empty().to_owned(), owner.subject().as_str().to_owned());
            delete_owners(connection, vec![tenant], vec![owner]).await?;
        }
        let next = last.map(|last| TokenId::from_bytes(last.into_bytes()));
        Ok(Revocation { revoked, already, next })
    }

    /// One token that is not there; and of many, that those revoked are all.
    fn is_absence(&self, revocation: &Revocation) -> bool {
        match self.target {
            RevokeTarget::Token(_) => revocation.revoked.is_empty() && revocation.already == 0,
            RevokeTarget::Among { .. } => false,
            RevokeTarget::Owner(_) | RevokeTarget::Matching(_) => revocation.next.is_none(),
        }
    }
}

impl Revoke<'_> {
    fn owner(&self) -> Option<&Owner> {
        match self.target {
            RevokeTarget::Token(_) => None,
            RevokeTarget::Owner(owner) => Some(owner),
            RevokeTarget::Matching(filter) | RevokeTarget::Among { filter, .. } => filter.owner.as_ref(),
        }
    }

    /// The id up to which this step goes, if it does not go to the end: of the owner's tokens, the tenant's or all.
    async fn last_of_step(&self, connection: &mut PgConnection) -> Result<Option<Uuid>, sqlx::Error> {
        let filter = match self.target {
            RevokeTarget::Token(_) | RevokeTarget::Among { .. } => return Ok(None),
            _ if self.step.max_rows == u32::MAX => return Ok(None),
            RevokeTarget::Owner(owner) => Filter::owner(owner.clone()),
            RevokeTarget::Matching(Filter { owner, tenant, .. }) => {
                Filter { owner: owner.clone(), tenant: tenant.clone(), ..Filter::all() }
            }
        };
        let mut last = QueryBuilder::<Postgres>::new("SELECT t.id FROM counterfoil_token AS t WHERE ");
        self.push_matching(&mut last, &filter);
        self.push_reach(&mut last, None);
        last.push(" ORDER BY t.id LIMIT 1 OFFSET ").push_bind(i64::from(self.step.max_rows.max(1)) - 1);
        last.build_query_scalar().fetch_optional(connection).await
    }

    fn push_reach(&self, query: &mut QueryBuilder<Postgres>, last: Option<Uuid>) {
        if let Some(after) = self.step.after {
            query.push(" AND t.id > ").push_bind(uuid_of(after));
        }
        if let Some(last) = last {
            query.push(" AND t.id <= ").push_bind(last);
        }
    }

    /// Counted afterwards, without those just marked: a count before would miss what others mark in between.
    async fn already(
        &self,
        connection: &mut PgConnection,
        revoked: &[TokenId],
        last: Option<Uuid>,
    ) -> Result<u64, sqlx::Error> {
        let mut already =
            QueryBuilder::<Postgres>::new("SELECT count(*) FROM counterfoil_token AS t WHERE t.revoked_at IS NOT NULL");
        let revoked: Vec<Uuid> = revoked.iter().copied().map(uuid_of).collect();
        already.push(" AND t.id <> ALL (").push_bind(revoked).push(") AND ");
        self.push_target(&mut already, last);
        let already: i64 = already.build().fetch_one(connection).await?.try_get(0)?;
        Ok(already.unsigned_abs())
    }

    fn push_target(&self, query: &mut QueryBuilder<Postgres>, last: Option<Uuid>) {
        match self.target {
            RevokeTarget::Token(id) => {
                query.push("t.id = ").push_bind(uuid_of(*id));
            }
            RevokeTarget::Owner(owner) => {
                self.push_matching(query, &Filter::owner(owner.clone()));
                self.push_reach(query, last);
            }
            RevokeTarget::Matching(filter) => {
                self.push_matching(query, filter);
                self.push_reach(query, last);
            }
            RevokeTarget::Among { ids, filter } => {
                let ids: Vec<Uuid> = ids.iter().copied().map(uuid_of).collect();
                query.push("t.id = ANY (").push_bind(ids).push(") AND ");
                self.push_matching(query, filter);
            }
        }
    }

    /// Over the very row that is changed, so that a row which another has changed meanwhile is judged as it is now.
    fn push_matching(&self, query: &mut QueryBuilder<Postgres>, filter: &Filter) {
        let used_at = "(SELECT u.at FROM counterfoil_usage AS u WHERE u.token_id = t.id)";
        push_filter(query, filter, used_at, self.now);
    }
}
