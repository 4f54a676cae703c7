//! Rows that somebody edited by hand.

use std::error::Error as _;

use counterfoil::{
    Record, TokenId, TokenStore,
    store::{Filter, ListQuery, Order, RevokeStep, RevokeTarget, StoreErrorKind},
};
use counterfoil_sqlx::{SqliteStore, sqlite::MIGRATIONS};
use sqlx::{
    AssertSqlSafe, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tempfile::TempDir;

use crate::support::*;

/// A store whose tables let everything in: as if the host had made them by SQL of its own.
struct Lax {
    store: SqliteStore,
    raw: SqlitePool,
    _directory: TempDir,
}

impl Lax {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(directory.path().join("lax.db"))
            .create_if_missing(true)
            .pragma("ignore_check_constraints", "ON");
        let raw = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        for (_, sql) in MIGRATIONS {
            let sql = sql.replace(") STRICT;", ");").replace("STRICT, WITHOUT", "WITHOUT");
            // Not those of the partial indexes.
            let sql =
                sql.replace("IS NOT NULL", "IS_NOT_NULL").replace("NOT NULL", "").replace("IS_NOT_NULL", "IS NOT NULL");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&raw).await.unwrap();
        }
        Self { store: SqliteStore::from_migrated_pool(raw.clone()).await.unwrap(), raw, _directory: directory }
    }

    async fn damaged(&self, set: &str) -> Record {
        let there = edited(&record(&owner("ann")), |row| {
            row.retiring = Some(slot());
            row.retiring_until = Some(at(4).unix_millis());
        });
        self.store.insert(&there, None, now()).await.unwrap();
        let sql = format!("UPDATE counterfoil_token SET {set} WHERE id = ?1");
        sqlx::query(AssertSqlSafe(sql)).bind(there.id().as_bytes().to_vec()).execute(&self.raw).await.unwrap();
        there
    }
}

const DAMAGES: [(&str, &str); 25] = [
    ("tenant = NULL", "owner"),
    ("tenant = x'ff'", "owner"),
    ("owner = ''", "owner"),
    ("owner = CAST(x'ff' AS TEXT)", "owner"),
    ("version = 'one'", "version"),
    ("version = 0", "version"),
    ("version = NULL", "version"),
    ("digest_version = 1.5", "digest_version"),
    ("created_at = 'yesterday'", "created_at"),
    ("created_at = 1767225600", "created_at"),
    ("expires_at = 'never'", "expires_at"),
    ("expires_at = 9223372036854775807", "expires_at"),
    ("suspended_at = 1767225600000", "suspended"),
    ("suspended_detail = '{}'", "suspended"),
    ("blocked_at = 1767225600000, blocked_detail = 'because'", "blocked"),
    ("blocked_at = x'00', blocked_detail = '{}'", "blocked"),
    ("selector = NULL", "current"),
    ("digest = 'hmac'", "current"),
    ("digest = NULL", "current"),
    ("key_id = 'k9'", "current"),
    ("retiring_digest = NULL", "retiring"),
    ("retiring_until = NULL", "retiring_until"),
    ("spent_selector = 'alone'", "spent"),
    ("body = '[]'", "body"),
    ("body = x'7b7d'", "body"),
];

#[tokio::test]
async fn a_damaged_row_is_named_with_its_column_and_can_be_revoked() {
    let store = Lax::new().await;
    let mut all = Vec::new();
    for (set, column) in DAMAGES {
        let there = store.damaged(set).await;
        all.push(there.id());
        for found in [
            store.store.find(&[selector(&there)]).await.map(drop),
            store.store.find(&[selector(&there), "other".parse().unwrap()]).await.map(drop),
            store.store.get(there.id()).await.map(drop),
        ] {
            let error = found.expect_err(set);
            let StoreErrorKind::Corrupt(corrupt) = error.kind() else { panic!("{set}: {error:?}") };
            assert_eq!((corrupt.id, corrupt.column), (there.id(), column), "{set}");
            assert!(error.source().is_none());
        }
    }
    let sound = record(&owner("ann"));
    store.store.insert(&sound, None, now()).await.unwrap();
    all.push(sound.id());
    all.sort();

    // Listed apart, and each a row of its page.
    for order in [Order::ById { after: None }, Order::ByLastUse { after: None }] {
        let mut query = ListQuery { limit: 4, order, ..ListQuery::new(Filter::all()) };
        let (mut listed, mut pages) = (Vec::new(), 0);
        loop {
            let page = store.store.list(&query, now()).await.unwrap();
            assert!(page.tokens.len() + page.corrupt.len() <= 4);
            listed.extend(page.corrupt.iter().map(|corrupt| corrupt.id));
            listed.extend(page.tokens.iter().map(|stored| stored.record.id()));
            pages += 1;
            let Some(cursor) = page.next else { break };
            query = query.after(cursor);
        }
        listed.sort();
        assert_eq!((listed, pages), (all.clone(), 7));
    }

    let one = store.store.revoke(&RevokeTarget::Token(all[0]), &mark(now()), now(), RevokeStep::WHOLE).await.unwrap();
    assert_eq!(one.revoked, [all[0]]);
    let rest = store
        .store
        .revoke(&RevokeTarget::Matching(Filter::all()), &mark(now()), now(), RevokeStep::WHOLE)
        .await
        .unwrap();
    assert_eq!((rest.revoked, rest.already), (all[1..].to_vec(), 1));
    assert_eq!(store.store.purge(at(1), None, 100).await.map_err(|error| error.kind().clone()), Ok(26));
}

#[tokio::test]
async fn a_row_without_a_whole_id_is_a_failure_and_no_panic() {
    let store = Lax::new().await;
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&store.raw).await.unwrap();
    let there = store.damaged("id = x'0102'").await;
    sqlx::query("UPDATE counterfoil_selector SET token_id = x'0102'").execute(&store.raw).await.unwrap();
    let error = store.store.find(&[selector(&there)]).await.unwrap_err();
    assert_eq!(error.kind(), &StoreErrorKind::Other);
    assert!(error.source().unwrap().to_string().contains("16 bytes"));
    assert_eq!(kind(store.store.list(&ListQuery::new(Filter::all()), now()).await), StoreErrorKind::Other);
    // It cannot be named, and is revoked all the same.
    let revocation =
        store.store.revoke(&RevokeTarget::Owner(owner("ann")), &mark(now()), now(), RevokeStep::WHOLE).await.unwrap();
    assert_eq!(revocation.revoked, []);
    let revoked: i64 =
        sqlx::query_scalar("SELECT count(revoked_at) FROM counterfoil_token").fetch_one(&store.raw).await.unwrap();
    assert_eq!(revoked, 1);
}

#[tokio::test]
async fn an_update_of_a_damaged_row_names_it() {
    let store = Lax::new().await;
    for (set, column) in [("version = 'one'", "version"), ("digest_version = NULL", "digest_version")] {
        let there = store.damaged(set).await;
        let error = store.store.update(&next(&there, |_| {}), there.revision(), None, now()).await.unwrap_err();
        let StoreErrorKind::Corrupt(corrupt) = error.kind() else { panic!("{set}: {error:?}") };
        assert_eq!((corrupt.id, corrupt.column), (there.id(), column));
    }
}

#[tokio::test]
async fn a_damaged_usage_counts_as_none_and_leaves_the_record_readable() {
    let store = Lax::new().await;
    for (set, is_there) in
        [("at = 'now'", false), ("at = 17", false), ("address = 'home'", true), ("agent = x'ff'", true)]
    {
        let there = record(&owner("ann"));
        store.store.insert(&there, None, now()).await.unwrap();
        store.store.record_uses(&[used(there.id(), now())]).await.unwrap();
        let sql = format!("UPDATE counterfoil_usage SET {set} WHERE token_id = ?1");
        sqlx::query(AssertSqlSafe(sql)).bind(there.id().as_bytes().to_vec()).execute(&store.raw).await.unwrap();
        let stored = store.store.get(there.id()).await.unwrap().unwrap();
        assert_eq!(stored.record.id(), there.id());
        assert_eq!(stored.usage.is_some(), is_there, "{set}");
    }
}

#[tokio::test]
async fn the_tables_themselves_refuse_such_rows() {
    let store = Fixture::new().await;
    let there = store.insert(record(&owner("ann"))).await;
    let strict = SqlitePool::connect_with(SqliteConnectOptions::new().filename(store.path())).await.unwrap();
    for set in ["id = x'0102'", "version = 'one'", "tenant = NULL", "revoked_at = 1767225600000", "body = x'7b7d'"] {
        let sql = format!("UPDATE counterfoil_token SET {set}");
        sqlx::query(AssertSqlSafe(sql)).execute(&strict).await.expect_err(set);
    }
    assert_eq!(store.stored(there.id()).await, there.to_row());
    let nobody = TokenId::from_bytes([7; 16]).as_bytes().to_vec();
    sqlx::query("INSERT INTO counterfoil_selector VALUES ('s', ?1)").bind(nobody).execute(&strict).await.unwrap_err();
}

#[tokio::test]
async fn no_error_tells_a_digest_or_a_selector() {
    let store = Fixture::new().await;
    let there = store.insert(record(&owner("ann"))).await;
    let again = edited(&record(&owner("ann")), |row| row.current = there.to_row().current);
    let raw = store.raw().await;
    let duplicate = store.store.insert(&again, None, now()).await.unwrap_err();
    sqlx::query("UPDATE counterfoil_token SET digest = digest || 'x'").execute(&raw).await.unwrap();
    let corrupt = store.store.get(there.id()).await.unwrap_err();
    for error in [duplicate, corrupt] {
        let mut told = format!("{error:?} {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            told += &format!(" {cause:?} {cause}");
            source = cause.source();
        }
        let row = there.to_row();
        assert!(!told.contains(&row.current.digest) && !told.contains(&row.current.selector), "{told}");
    }
}
