//! [`Filter`] as SQL.

use counterfoil::{Status, Timestamp, record::Statuses, store::Filter};
use sqlx::{QueryBuilder, Sqlite};

/// Adds the predicate of [`Filter::matches`], over a token `t` and its usage `u`, which is null if there is none.
pub(super) fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &Filter, now: Timestamp) {
    let Filter { owner, tenant, statuses, created_before, expires_before, used_since, unused_since, key } = filter;
    query.push("TRUE");
    if let Some(owner) = owner {
        query.push(" AND t.tenant = ").push_bind(owner.tenant_or_empty());
        query.push(" AND t.owner = ").push_bind(owner.subject().as_str());
    }
    if let Some(tenant) = tenant {
        // The second half says nothing new: it lets the index that leaves out the empty tenant serve.
        query.push(" AND t.tenant = ").push_bind(tenant.as_str()).push(" AND t.tenant <> ''");
    }
    push_statuses(query, *statuses, now);
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

/// `Record::status` at `now`, in which each status holds where no earlier one does: one of those in `statuses`.
fn push_statuses(query: &mut QueryBuilder<Sqlite>, statuses: Statuses, now: Timestamp) {
    if statuses == Statuses::ALL {
        return;
    }
    // A condition of its own for what is asked for most, which an index can serve.
    if let Some(only) = Status::ALL.into_iter().find(|status| statuses == Statuses::only(*status)) {
        query.push(" AND ");
        return push_status(query, only, now);
    }
    query.push(" AND CASE WHEN t.revoked_at IS NOT NULL THEN ").push(statuses.contains(Status::Revoked));
    query.push(" WHEN t.expires_at <= ").push_bind(now.unix_millis());
    query.push(" THEN ").push(statuses.contains(Status::Expired));
    query.push(" WHEN t.suspended_at IS NOT NULL THEN ").push(statuses.contains(Status::Suspended));
    query.push(" WHEN t.blocked_at IS NOT NULL THEN ").push(statuses.contains(Status::Blocked));
    query.push(" ELSE ").push(statuses.contains(Status::Active)).push(" END");
}

fn push_status(query: &mut QueryBuilder<Sqlite>, status: Status, now: Timestamp) {
    if status == Status::Revoked {
        query.push("t.revoked_at IS NOT NULL");
        return;
    }
    query.push("t.revoked_at IS NULL");
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
