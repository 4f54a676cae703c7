//! [`Filter`] as SQL, for every database.

use counterfoil::{Status, Timestamp, record::Statuses, store::Filter};

/// A statement that is being put together.
pub(crate) trait Pushes {
    /// Stands before a column that no index is to be used for.
    const UNINDEXED: &'static str;

    fn sql(&mut self, sql: &str) -> &mut Self;
    fn number(&mut self, number: i64) -> &mut Self;
    fn text(&mut self, text: &str) -> &mut Self;
}

/// Adds the predicate of [`Filter::matches`], over a token `t` and `used_at`, the expression of its last use, which is
/// null if there is none.
pub(crate) fn push_filter(query: &mut impl Pushes, filter: &Filter, used_at: &str, now: Timestamp) {
    let Filter { owner, tenant, statuses, created_before, expires_before, used_since, unused_since, key } = filter;
    query.sql("TRUE");
    if let Some(owner) = owner {
        query.sql(" AND t.tenant = ").text(owner.tenant_or_empty());
        query.sql(" AND t.owner = ").text(owner.subject().as_str());
    }
    if let Some(tenant) = tenant {
        // The second half says nothing new: it lets the index that leaves out the empty tenant serve.
        query.sql(" AND t.tenant = ").text(tenant.as_str()).sql(" AND t.tenant <> ''");
    }
    push_statuses(query, *statuses, now);
    if let Some(moment) = created_before {
        query.sql(" AND t.created_at < ").number(moment.unix_millis());
    }
    if let Some(moment) = expires_before {
        query.sql(" AND t.expires_at < ").number(moment.unix_millis());
    }
    if let Some(moment) = used_since {
        query.sql(" AND ").sql(used_at).sql(" >= ").number(moment.unix_millis());
    }
    if let Some(moment) = unused_since {
        query.sql(" AND coalesce(").sql(used_at).sql(", t.created_at) < ").number(moment.unix_millis());
    }
    if let Some(key) = key {
        push_key(query, key.as_str());
    }
}

fn push_key<Q: Pushes>(query: &mut Q, key: &str) {
    // Most rows are often of one key, and sorting them all for one page costs more than walking in order.
    query.sql(" AND (").sql(Q::UNINDEXED).sql("t.key_id = ").text(key);
    query.sql(" OR ").sql(Q::UNINDEXED).sql("t.retiring_key_id = ").text(key);
    query.sql(" OR ").sql(Q::UNINDEXED).sql("t.spent_key_id = ").text(key).sql(")");
}

/// `Record::status` at `now`, in which each status holds where no earlier one does: one of those in `statuses`.
fn push_statuses(query: &mut impl Pushes, statuses: Statuses, now: Timestamp) {
    if statuses == Statuses::ALL {
        return;
    }
    // A condition of its own for what is asked for most, which an index can serve.
    if let Some(only) = Status::ALL.into_iter().find(|status| statuses == Statuses::only(*status)) {
        query.sql(" AND ");
        return push_status(query, only, now);
    }
    let is_wanted = |status| if statuses.contains(status) { "TRUE" } else { "FALSE" };
    query.sql(" AND CASE WHEN t.revoked_at IS NOT NULL THEN ").sql(is_wanted(Status::Revoked));
    query.sql(" WHEN t.expires_at <= ").number(now.unix_millis());
    query.sql(" THEN ").sql(is_wanted(Status::Expired));
    query.sql(" WHEN t.suspended_at IS NOT NULL THEN ").sql(is_wanted(Status::Suspended));
    query.sql(" WHEN t.blocked_at IS NOT NULL THEN ").sql(is_wanted(Status::Blocked));
    query.sql(" ELSE ").sql(is_wanted(Status::Active)).sql(" END");
}

fn push_status(query: &mut impl Pushes, status: Status, now: Timestamp) {
    if status == Status::Revoked {
        query.sql("t.revoked_at IS NOT NULL");
        return;
    }
    query.sql("t.revoked_at IS NULL");
    if status == Status::Expired {
        query.sql(" AND t.expires_at <= ").number(now.unix_millis());
        return;
    }
    query.sql(" AND (t.expires_at IS NULL OR t.expires_at > ").number(now.unix_millis()).sql(")");
    query.sql(match status {
        Status::Suspended => " AND t.suspended_at IS NOT NULL",
        Status::Blocked => " AND t.suspended_at IS NULL AND t.blocked_at IS NOT NULL",
        Status::Active | Status::Expired | Status::Revoked => " AND t.suspended_at IS NULL AND t.blocked_at IS NULL",
    });
}
