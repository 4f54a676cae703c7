//! Calls that find a change made write all the same, so that their commit syncs what made it.

use std::fs;

use counterfoil::{
    Timestamp, TokenStore,
    store::{Filter, IdempotencyStore, Reservation, Reserved, RevokeStep, RevokeTarget},
};
use counterfoil_sqlx::SqliteStore;
use sqlx::{Connection as _, SqliteConnection};

use crate::support::*;

#[tokio::test]
async fn repeated_change_is_written_and_synced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let store = SqliteStore::open_or_create(&path).await.unwrap();
    let one = record(&owner("ann"));
    store.insert(&one, None, now()).await.unwrap();
    let reservation = Reservation {
        owner: owner("ann"),
        route: "create".parse().unwrap(),
        key: "7f3c".parse().unwrap(),
        fingerprint: [1; 32],
        token: one.id(),
        selector: selector(&one),
        at: Timestamp::MIN,
    };
    assert_eq!(store.reserve(&reservation).await.unwrap(), Reserved::Made);
    let revoke = async |target: &RevokeTarget| {
        store.revoke(target, &mark(now()), now(), RevokeStep::WHOLE).await.unwrap().revoked.len()
    };
    assert_eq!(revoke(&one.id().into()).await, 1);

    let mut hand = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let log = path.with_extension("db-wal");
    for call in ["confirm", "reserve", "revoke a token", "revoke an owner", "revoke by a filter"] {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut hand).await.unwrap();
        assert_eq!(fs::metadata(&log).unwrap().len(), 0, "{call}");
        match call {
            "confirm" => store.confirm_durable().await.unwrap(),
            "reserve" => {
                assert_eq!(store.reserve(&reservation).await.unwrap(), Reserved::InFlight(reservation.clone()));
            }
            "revoke a token" => assert_eq!(revoke(&one.id().into()).await, 0),
            "revoke an owner" => assert_eq!(revoke(&owner("ann").into()).await, 0),
            _ => assert_eq!(revoke(&Filter::all().into()).await, 0),
        }
        assert!(fs::metadata(&log).unwrap().len() > 0, "{call}: a commit that writes nothing syncs nothing");
    }
    store.close().await;
}
