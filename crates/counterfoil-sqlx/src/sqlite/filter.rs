//! [`Filter`] as SQL.

use counterfoil::{Status, Timestamp, store::Filter};
use sqlx::{QueryBuilder, Sqlite};

/// Adds the predicate of [`Filter::matches`], over a token `t` and its usage `u`, which is null if there is none.
pub(super) fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &Filter, now: Timestamp) {
    let Filter { owner, tenant, status, created_before, expires_before, used_since, unused_since, key } = filter;
    query.push("TRUE");
    if let Some(owner) = owner {
        query.push(" AND t.tenant = ").push_bind(owner.tenant_or_empty());
        query.push(" AND t.owner = ").push_bind(owner.subject().as_str());
    }
    if let Some(tenant) = tenant {
        // The second half says nothing new: it lets the index that leaves out the empty tenant serve.
        query.push(" AND t.tenant = ").push_bind(tenant.as_str()).push(" AND t.tenant <> ''");
    }
    if let Some(status) = status {
        push_status(query, *status, now);
    }
    if let Some(moment) = created_before {
        query.push(" AND t.created_at < ").push_bind(moment.unix_millis());
    }
    if let Some(moment) = expires_before {
        query.push(" AND t.expires_at < ").push_bind(moment.unix_millis());
    }
    if let Some(moment) = used_since {
        query.push(" AND u.at >= ").push_bind(moment.unix_millis());
    }
    if let Some(moment) = unused_since {
        query.push(" AND coalesce(u.at, t.created_at) < ").push_bind(moment.unix_millis());
    }
    if let Some(key) = key {
        // The `+` keeps the indexes by key out: most rows are often of one key, and sorting them all for one page costs
        // more than walking in order.
        query.push(" AND (+t.key_id = ").push_bind(key.as_str());
        query.push(" OR +t.retiring_key_id = ").push_bind(key.as_str());
        query.push(" OR +t.spent_key_id = ").push_bind(key.as_str()).push(")");
    }
}

/// `Record::status` at `now`: each status holds where no earlier one does.
fn push_status(query: &mut QueryBuilder<Sqlite>, status: Status, now: Timestamp) {
    if status == Status::Revoked {
        query.push(" AND t.revoked_at IS NOT NULL");
        return;
    }
    query.push(" AND t.revoked_at IS NULL");
    if status == Status::Expired {
        query.push(" AND t.expires_at <= ").push_bind(now.unix_millis());
        return;
    }
    query.push(" AND (t.expires_at IS NULL OR t.expires_at > ").push_bind(now.unix_millis()).push(")");
    query.push(match status {
        Status::Suspended => " AND t.suspended_at IS NOT NULL",
        Status::Blocked => " AND t.suspended_at IS NULL AND t.blocked_at IS NOT NULL",
        Status::Active | Status::Expired | Status::Revoked => " AND t.suspended_at IS NULL AND t.blocked_at IS NULL",
    });
}
