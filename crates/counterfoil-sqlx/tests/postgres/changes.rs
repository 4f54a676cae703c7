//! What is told on the channel, and what is not.

use counterfoil::{
    Record, TokenStore,
    store::{RevokeStep, RevokeTarget},
};
use counterfoil_sqlx::postgres::CHANGES;
use sqlx::{AssertSqlSafe, postgres::PgListener};

use crate::{
    cluster::{Server, say_skipped},
    support::*,
};

struct Listening {
    listener: PgListener,
    store: Fixture,
}

impl Listening {
    async fn on(server: &Server) -> Self {
        let store = Fixture::on(server).await;
        let mut listener = PgListener::connect_with(&store.pool).await.unwrap();
        listener.listen(CHANGES).await.unwrap();
        Self { listener, store }
    }

    async fn close(self) {
        drop(self.listener);
        self.store.close().await;
    }

    /// Everything told until now, in order: up to a note of our own behind it.
    async fn heard(&mut self) -> Vec<String> {
        self.store.by_hand(&format!("NOTIFY {CHANGES}, 'until here'")).await;
        let mut heard = Vec::new();
        loop {
            let told = self.listener.recv().await.unwrap();
            assert_eq!(told.channel(), "counterfoil_changes");
            if told.payload() == "until here" {
                return heard;
            }
            heard.push(told.payload().to_owned());
        }
    }

    async fn by_hand(&mut self, sql: &str) -> Vec<String> {
        self.store.by_hand(sql).await;
        self.heard().await
    }
}

fn payload(record: &Record) -> String {
    let selectors = record.slots().iter().map(|(_, slot)| format!(" {}", slot.selector)).collect::<String>();
    format!("{}{selectors}", record.id())
}

#[tokio::test]
async fn every_change_of_a_token_is_told_and_no_use() {
    let Some(server) = Server::shared() else { return };
    let mut changes = Listening::on(server).await;

    // By the store.
    let one = changes.store.insert(record(&owner("ann"))).await;
    let id = one.id();
    changes.store.store.record_uses(&[used(id, at(1))]).await.unwrap();
    changes.store.store.claim_warnings(&[claim(id, at(1))]).await.unwrap();
    changes.store.store.list(&counterfoil::store::ListQuery::new(Default::default()), now()).await.unwrap();
    assert_eq!(changes.heard().await, Vec::<String>::new(), "a token that is made, and a use");

    let turned = next(&one, |row| {
        row.retiring = Some(row.current.clone());
        row.retiring_until = Some(at(1).unix_millis());
        row.current = slot();
    });
    changes.store.store.update(&turned, one.revision(), None, now()).await.unwrap();
    assert_eq!(changes.heard().await, [payload(&one), payload(&turned)]);
    let dropped = next(&turned, |row| (row.retiring, row.retiring_until) = (None, None));
    changes.store.store.update(&dropped, turned.revision(), None, now()).await.unwrap();
    assert_eq!(
        changes.heard().await,
        [payload(&turned), payload(&dropped), format!("{id} {}", selector(&one))],
        "and the selector that went"
    );
    changes
        .store
        .store
        .revoke(&RevokeTarget::Owner(owner("ann")), &mark(now()), now(), RevokeStep::WHOLE)
        .await
        .unwrap();
    assert_eq!(changes.heard().await, [payload(&dropped)]);
    changes
        .store
        .store
        .revoke(&RevokeTarget::Owner(owner("ann")), &mark(now()), now(), RevokeStep::WHOLE)
        .await
        .unwrap();
    assert_eq!(changes.heard().await, Vec::<String>::new(), "it was revoked already");
    assert_eq!(changes.store.store.purge(at(1), None, 10).await.unwrap(), 1);
    assert_eq!(changes.heard().await, [payload(&dropped)], "and its selector, which is told alike");

    let one = edited(&record(&owner("ann")), |row| {
        row.spent = Some(slot());
        row.revoked = mark_row(at(-9));
    });
    let one = changes.store.insert(one).await;
    assert_eq!(changes.store.store.purge(at(-8), None, 10).await.unwrap(), 1);
    let mut heard = changes.heard().await;
    let mut expected = vec![payload(&one)];
    expected.extend(one.slots().iter().map(|(_, slot)| format!("{} {}", one.id(), slot.selector)));
    heard.sort();
    expected.sort();
    assert_eq!(heard, expected, "and each of several selectors that go with it");

    // By hand.
    let two = changes.store.insert(record(&owner("ann"))).await;
    let (id, text) = (two.id(), selector(&two));
    for (sql, expected) in [
        ("UPDATE counterfoil_token SET suspended_at = 1767225600000, suspended_detail = '{}'", vec![payload(&two)]),
        ("UPDATE counterfoil_token SET body = body || ' '", vec![payload(&two)]),
        ("UPDATE counterfoil_token SET body = body, version = version", vec![]),
        ("UPDATE counterfoil_usage SET at = 1767225600000", vec![]),
        ("BEGIN; UPDATE counterfoil_token SET version = version + 1; ROLLBACK", vec![]),
        ("UPDATE counterfoil_selector SET selector = 'moved'", vec![format!("{id} {text}")]),
        ("DELETE FROM counterfoil_selector", vec![format!("{id} moved")]),
        ("UPDATE counterfoil_token SET selector = 'moved'", vec![payload(&two), format!("{id} moved")]),
        ("DELETE FROM counterfoil_token", vec![format!("{id} moved")]),
        ("TRUNCATE counterfoil_token CASCADE", vec!["*".to_owned()]),
        ("TRUNCATE counterfoil_selector", vec!["*".to_owned()]),
    ] {
        assert_eq!(changes.by_hand(sql).await, expected, "{sql}");
    }
    changes.close().await;
}

/// What the guide says to do for millions of rows.
#[tokio::test]
async fn a_change_of_many_rows_by_hand_can_be_told_at_once() {
    let Some(server) = Server::shared() else { return };
    let mut changes = Listening::on(server).await;
    for _ in 0..3 {
        changes.store.insert(record(&owner("ann"))).await;
    }
    for (script, expected) in [
        (
            "BEGIN;
             ALTER TABLE counterfoil_token DISABLE TRIGGER counterfoil_token_changed;
             UPDATE counterfoil_token SET body = body || ' ';
             ALTER TABLE counterfoil_token ENABLE ALWAYS TRIGGER counterfoil_token_changed;
             NOTIFY counterfoil_changes, '*';
             COMMIT",
            1,
        ),
        ("UPDATE counterfoil_token SET body = body || ' '", 3),
    ] {
        assert_eq!(changes.by_hand(script).await.len(), expected, "{script}");
    }
    assert_eq!(changes.store.count("pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'A'").await, 0);
    changes.close().await;
}

/// As logical replication writes.
#[tokio::test]
async fn what_a_replica_s_session_changes_is_told() {
    let Some(server) = Server::shared() else { return };
    let mut changes = Listening::on(server).await;
    if changes.store.count("pg_roles WHERE rolname = current_user AND rolsuper").await == 0 {
        changes.close().await;
        return say_skipped("no right to set session_replication_role");
    }
    let there = changes.store.insert(record(&owner("ann"))).await;
    let (token, selector) = (payload(&there), format!("{} moved", there.id()));
    for (sql, expected) in [
        ("UPDATE counterfoil_token SET body = body || ' '", vec![token.clone()]),
        ("UPDATE counterfoil_selector SET selector = 'moved'", vec![token.clone()]),
        ("DELETE FROM counterfoil_token", vec![token]),
        ("DELETE FROM counterfoil_selector", vec![selector]),
        ("TRUNCATE counterfoil_selector", vec!["*".to_owned()]),
        ("TRUNCATE counterfoil_token CASCADE", vec!["*".to_owned()]),
    ] {
        let sql = format!("SET session_replication_role = replica; {sql}");
        assert_eq!(changes.by_hand(&sql).await, expected, "{sql}");
    }
    changes.close().await;
}

/// A host's own trigger, of which nobody here knows.
#[tokio::test]
async fn what_another_trigger_takes_away_is_told() {
    let Some(server) = Server::shared() else { return };
    let mut changes = Listening::on(server).await;
    let there = changes.store.insert(record(&owner("ann"))).await;
    let script = "CREATE TABLE host (id bigint);
        CREATE FUNCTION take_away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            DELETE FROM counterfoil_selector; RETURN NULL; END $$;
        CREATE TRIGGER take_away AFTER INSERT ON host EXECUTE FUNCTION take_away()";
    assert_eq!(changes.by_hand(script).await, Vec::<String>::new());
    assert_eq!(changes.by_hand("INSERT INTO host VALUES (1)").await, [payload(&there)]);
    changes.close().await;
}

#[tokio::test]
async fn a_text_too_long_to_tell_stands_in_no_change_s_way() {
    let Some(server) = Server::shared() else { return };
    let mut changes = Listening::on(server).await;
    let there = changes.store.insert(record(&owner("ann"))).await;
    changes.heard().await;
    let sql = "UPDATE counterfoil_token SET selector = repeat('\u{1f511}', 5000)";
    let heard = changes.by_hand(sql).await;
    let long: i64 = sqlx::query_scalar(AssertSqlSafe("SELECT octet_length(selector)::bigint FROM counterfoil_token"))
        .fetch_one(&changes.store.pool)
        .await
        .unwrap();
    assert_eq!(long, 20_000);
    assert_eq!(heard[0], payload(&there));
    assert!(heard[1].starts_with(&there.id().to_string()) && heard[1].len() < 8000, "{}", heard[1].len());
    changes.close().await;
}
