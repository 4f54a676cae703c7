//! Conflicts, lost connections, deadlines: what is repeated, how often, and what is not.

use std::{error::Error, time::Duration};

use counterfoil::{
    TokenStore,
    store::{IdempotencyStore, RevokeStep, RevokeTarget, StoreErrorKind},
};
use counterfoil_sqlx::PostgresStore;
use sqlx::PgPool;

use crate::{
    cluster::{Cut, Proxy, Server, pool},
    support::*,
};

/// Lets the first so many inserts of a token fail, and counts them all. A sequence is not taken back with the rest.
async fn let_fail(store: &Fixture, code: &str, how_many: u32, when: &str) {
    let script = format!(
        "DROP TRIGGER IF EXISTS failing ON counterfoil_token; DROP SEQUENCE IF EXISTS tries; CREATE SEQUENCE tries;
         CREATE OR REPLACE FUNCTION failing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('tries') <= {how_many} THEN RAISE 'in the way' USING ERRCODE = '{code}'; END IF;
             RETURN NEW;
         END $$;
         {when} ON counterfoil_token {} FOR EACH ROW EXECUTE FUNCTION failing();",
        if when.contains("CONSTRAINT") { "DEFERRABLE INITIALLY DEFERRED" } else { "" }
    );
    store.by_hand(&script).await;
}

const AT_ONCE: &str = "CREATE TRIGGER failing BEFORE INSERT";
const AT_COMMIT: &str = "CREATE CONSTRAINT TRIGGER failing AFTER INSERT";

#[tokio::test]
async fn what_the_server_has_undone_is_tried_five_times() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    for (code, failing, when, tries, expected) in [
        ("40001", 4, AT_ONCE, 5, None),
        ("40001", 99, AT_ONCE, 5, Some(StoreErrorKind::Unavailable)),
        ("40P01", 2, AT_ONCE, 3, None),
        ("40001", 3, AT_COMMIT, 4, None),
        ("40P01", 99, AT_COMMIT, 5, Some(StoreErrorKind::Unavailable)),
        ("40003", 99, AT_ONCE, 1, Some(StoreErrorKind::Unavailable)),
        ("55P03", 99, AT_ONCE, 1, Some(StoreErrorKind::Unavailable)),
        ("57014", 99, AT_ONCE, 1, Some(StoreErrorKind::Unavailable)),
        ("53100", 99, AT_ONCE, 1, Some(StoreErrorKind::ReadOnly)),
        ("54000", 99, AT_COMMIT, 1, Some(StoreErrorKind::Unavailable)),
        ("23514", 99, AT_ONCE, 1, Some(StoreErrorKind::Other)),
    ] {
        let_fail(&store, code, failing, when).await;
        let newcomer = record(&owner("ann"));
        let inserted = store.store.insert(&newcomer, Some(100), now()).await;
        assert_eq!(inserted.as_ref().err().map(|error| error.kind().clone()), expected, "{code}, {failing}, {when}");
        let tried: i64 = sqlx::query_scalar("SELECT last_value FROM tries").fetch_one(&store.pool).await.unwrap();
        assert_eq!(tried, tries, "{code}, {failing}, {when}");
        assert_eq!(
            store.store.get(newcomer.id()).await.unwrap().is_some(),
            inserted.is_ok(),
            "{code}, {failing}, {when}"
        );
    }
    store.close().await;
}

/// A store whose one connection goes through a proxy, beside one whose do not.
struct Remote {
    proxy: Proxy,
    pool: PgPool,
    store: PostgresStore,
}

impl Remote {
    async fn beside(store: &Fixture) -> Self {
        let (proxy, options) = store.database.behind_proxy().await;
        let pool = pool(options, 1).await;
        let store = PostgresStore::from_migrated_pool(pool.clone()).await.unwrap();
        Self { proxy, pool, store }
    }

    /// Cuts where this text is prepared: on a new connection, where nothing is.
    async fn cut_anew(&self, text: &'static str, cut: Cut) {
        drop(self.pool.acquire().await.unwrap().detach());
        self.proxy.cut('P', text, cut);
    }
}

#[tokio::test]
async fn a_call_that_lost_its_connection_and_did_nothing_is_made_again() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let remote = Remote::beside(&store).await;
    let there = store.insert(record(&owner("ann"))).await;
    for cut in [Cut::Before, Cut::After] {
        for text in ["counterfoil_owner", "INSERT INTO counterfoil_token", "counterfoil_usage", "count(*)"] {
            let newcomer = record(&owner("ann"));
            remote.cut_anew(text, cut).await;
            remote.store.insert(&newcomer, Some(100), now()).await.unwrap();
            assert!(!remote.proxy.is_whole(), "{text}");
            assert_eq!(store.stored(newcomer.id()).await, newcomer.to_row());
        }
        remote.cut_anew("s.selector = $1", cut).await;
        assert_eq!(remote.store.find(&[selector(&there)]).await.unwrap().unwrap().id(), there.id());
        assert!(!remote.proxy.is_whole());
        remote.cut_anew("SKIP LOCKED", cut).await;
        remote.store.record_uses(&[used(there.id(), at(1))]).await.unwrap();
        assert!(!remote.proxy.is_whole());
    }
    // Where nothing is prepared any more.
    remote.store.insert(&record(&owner("ann")), Some(100), now()).await.unwrap();
    for (kind, text) in [('Q', "BEGIN"), ('B', "ann"), ('B', "acme_")] {
        let newcomer = record(&owner("ann"));
        remote.proxy.cut(kind, text, Cut::Before);
        remote.store.insert(&newcomer, Some(100), now()).await.unwrap();
        assert!(!remote.proxy.is_whole(), "{kind} {text}");
        assert_eq!(store.stored(newcomer.id()).await, newcomer.to_row());
    }
    store.close().await;
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_made_again() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let Remote { proxy, store: remote, .. } = Remote::beside(&store).await;
    for (cut, is_done) in [(Cut::Before, false), (Cut::After, true)] {
        let newcomer = record(&owner("ann"));
        proxy.cut('Q', "COMMIT\0", cut);
        proxy.sent();
        assert_eq!(kind(remote.insert(&newcomer, Some(100), now()).await), StoreErrorKind::Unavailable);
        assert_eq!(proxy.sent()[&'Q'], 2, "one BEGIN, one COMMIT");
        assert_eq!(store.store.get(newcomer.id()).await.unwrap().is_some(), is_done);

        let there = store.insert(record(&owner("bob"))).await;
        proxy.cut('Q', "COMMIT\0", cut);
        let target = RevokeTarget::Token(there.id());
        assert_eq!(
            kind(remote.revoke(&target, &mark(now()), now(), RevokeStep::WHOLE).await),
            StoreErrorKind::Unavailable
        );
        assert_eq!(store.stored(there.id()).await.revoked.is_some(), is_done);
        // Whoever asks again gets the same end, whatever had become of it.
        remote.revoke(&target, &mark(at(1)), at(1), RevokeStep::WHOLE).await.unwrap();
        assert_eq!(store.stored(there.id()).await.version, 2);
    }
    store.close().await;
}

#[tokio::test]
async fn claim_whose_commit_was_lost_is_not_made_again() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let Remote { proxy, store: remote, .. } = Remote::beside(&store).await;
    for (cut, is_done) in [(Cut::Before, false), (Cut::After, true)] {
        let there = store.insert(record(&owner("ann"))).await;
        proxy.cut('Q', "COMMIT\0", cut);
        let claimed = remote.claim_warnings(&[claim(there.id(), at(1))]).await;
        assert_eq!(kind(claimed), StoreErrorKind::Unavailable);
        assert_eq!(store.store.claim_warnings(&[claim(there.id(), at(1))]).await.unwrap(), [!is_done]);
        // Before the commit nothing was done: it is made again.
        remote.claim_warnings(&[claim(there.id(), at(9))]).await.unwrap();
        proxy.cut('B', "", cut);
        assert_eq!(remote.claim_warnings(&[claim(there.id(), at(2))]).await.unwrap(), [true]);
        assert!(!proxy.is_whole());
    }
    store.close().await;
}

#[tokio::test]
async fn connections_that_died_in_the_pool_are_passed_over() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let there = store.insert(record(&owner("ann"))).await;
    for _ in 0..2 {
        let mut held = Vec::new();
        while held.len() < 10 {
            held.push(store.pool.acquire().await.unwrap());
        }
        drop(held);
        until(async || store.pool.num_idle() == 10).await;
        // As after a failover: all of them, and the pool does not know.
        store
            .by_hand(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
            .await;
        assert_eq!(store.store.find(&[selector(&there)]).await.unwrap().unwrap().id(), there.id());
        store.insert(record(&owner("ann"))).await;
    }
    store.close().await;
}

/// The pool's one connection, in the middle of a call and on its way back.
#[tokio::test]
async fn connections_over_a_cut_network_are_closed_and_replaced() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let there = store.insert(record(&owner("ann"))).await;
    let Remote { proxy, pool, store: remote } = Remote::beside(&store).await;
    let remote = remote.deadline(Duration::from_millis(200));
    for is_idle in [true, false, true, false, true] {
        until(async || remote.find(&[selector(&there)]).await.is_ok()).await;
        // Else it may be on its way back.
        if is_idle {
            until(async || pool.num_idle() == 1).await;
        }
        proxy.silence();
        assert_eq!(kind(remote.find(&[selector(&there)]).await), StoreErrorKind::Unavailable);
    }
    until(async || remote.find(&[selector(&there)]).await.is_ok()).await;
    store.close().await;
}

#[tokio::test]
async fn whoever_waits_for_a_lock_past_the_deadline_is_told_and_stands_in_no_queue() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let there = store.insert(record(&owner("ann"))).await;
    let mut hand = store.database.connect().await;
    crate::cluster::run(&mut hand, "BEGIN; LOCK TABLE counterfoil_owner; SELECT * FROM counterfoil_token FOR UPDATE")
        .await;
    let hasty = store.store.clone().deadline(Duration::from_millis(100)).bulk_deadline(Duration::from_millis(100));
    let changed = next(&there, |_| {});
    let all = RevokeTarget::Owner(owner("ann"));
    for refused in [
        hasty.insert(&record(&owner("ann")), None, now()).await,
        hasty.update(&changed, there.revision(), None, now()).await,
        hasty.update(&changed, there.revision(), Some(5), now()).await,
        hasty.revoke(&RevokeTarget::Token(there.id()), &mark(now()), now(), RevokeStep::WHOLE).await.map(drop),
        hasty.revoke(&all, &mark(now()), now(), RevokeStep::WHOLE).await.map(drop),
    ] {
        assert_eq!(kind(refused), StoreErrorKind::Unavailable);
    }
    assert!(store.store.find(&[selector(&there)]).await.unwrap().is_some(), "a read waits for no writer");
    until(async || store.waiting().await == 0).await;
    crate::cluster::run(&mut hand, "ROLLBACK").await;
    assert_eq!(store.stored(there.id()).await, there.to_row());
    store.store.insert(&record(&owner("ann")), Some(2), now()).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn no_error_tells_a_digest_or_a_selector() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let there = store.insert(record(&owner("ann"))).await;
    let again = edited(&record(&owner("ann")), |row| row.current = there.to_row().current);
    let duplicate = store.store.insert(&again, None, now()).await.unwrap_err();
    assert_eq!(duplicate.kind(), &StoreErrorKind::Duplicate);
    // The server's detail of this one is the whole row.
    store.by_hand("ALTER TABLE counterfoil_token ADD CHECK (owner <> 'eve')").await;
    let refused = edited(&record(&owner("eve")), |row| row.spent = Some(there.to_row().current));
    let refused = store.store.insert(&refused, None, now()).await.unwrap_err();
    assert_eq!(refused.kind(), &StoreErrorKind::Other);
    store.by_hand("UPDATE counterfoil_token SET digest = digest || 'x'").await;
    let corrupt = store.store.get(there.id()).await.unwrap_err();
    for error in [duplicate, refused, corrupt] {
        let mut told = format!("{error:?} {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            told += &format!(" {cause:?} {cause}");
            source = cause.source();
        }
        let row = there.to_row();
        assert!(!told.contains(&row.current.digest) && !told.contains(&row.current.selector), "{told}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let Some(server) = Server::shared() else { return };
    let store = Fixture::on(server).await;
    let there = store.insert(record(&owner("ann"))).await;
    store.store.close().await;
    assert_eq!(kind(store.store.find(&[selector(&there)]).await), StoreErrorKind::Unavailable);
    assert_eq!(kind(store.store.insert(&record(&owner("ann")), None, now()).await), StoreErrorKind::Unavailable);
    assert_eq!(kind(store.store.forget(now(), 1).await), StoreErrorKind::Unavailable);
    store.close().await;
}
