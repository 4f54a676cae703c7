//! The migrations as files, run by sqlx's own migrator.

use counterfoil::TokenStore;
use counterfoil_sqlx::{PostgresStore, migration_files, postgres::MIGRATIONS};
use sqlx::migrate::Migrator;

use crate::{cluster::Server, support::*};

#[tokio::test]
async fn written_files_are_run_by_the_migrator_of_the_application() {
    let Some(server) = Server::shared() else { return };
    let database = server.database().await;
    let directory = tempfile::tempdir().unwrap();
    migration_files::write(MIGRATIONS, directory.path(), 20_261_128_120_000).unwrap();
    migration_files::check(MIGRATIONS, directory.path()).unwrap();

    let pool = database.pool(2).await;
    Migrator::new(directory.path()).await.unwrap().run(&pool).await.unwrap();
    let store = PostgresStore::from_migrated_pool(pool).await.unwrap();
    let there = record(&owner("ann"));
    store.insert(&there, None, now()).await.unwrap();
    assert_eq!(store.find(&[selector(&there)]).await.unwrap().unwrap().id(), there.id());
    store.check_health().await.unwrap();
    store.close().await;
    database.drop().await;
}
