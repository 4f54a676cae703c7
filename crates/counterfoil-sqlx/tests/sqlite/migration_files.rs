//! The migrations as files, run by sqlx's own migrator next to migrations of the application.

use std::{fs, path::Path};

use counterfoil::TokenStore;
use counterfoil_sqlx::{SqliteStore, migration_files, sqlite::MIGRATIONS};
use sqlx::{SqlitePool, migrate::Migrator, sqlite::SqliteConnectOptions};

use crate::support::*;

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        directory.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn written_files_are_run_by_the_migrator_of_the_application() {
    let directory = tempfile::tempdir().unwrap();
    let migrations = directory.path().join("migrations");
    fs::create_dir(&migrations).unwrap();
    fs::write(migrations.join("1_parts.sql"), "CREATE TABLE part (id INTEGER PRIMARY KEY)").unwrap();
    fs::write(migrations.join("30_orders.sql"), "CREATE TABLE orders (id INTEGER PRIMARY KEY)").unwrap();
    let written = migration_files::write(MIGRATIONS, &migrations, 20).unwrap();
    assert_eq!(written, ["20_counterfoil_1.sql", "21_counterfoil_2.sql"].map(|name| migrations.join(name)));

    let options = SqliteConnectOptions::new().filename(directory.path().join("app.db")).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    Migrator::new(migrations.as_path()).await.unwrap().run(&pool).await.unwrap();
    let store = SqliteStore::from_migrated_pool(pool).await.unwrap();
    let there = record(&owner("ann"));
    store.insert(&there, None, now()).await.unwrap();
    assert_eq!(store.find(&[selector(&there)]).await.unwrap().unwrap().id(), there.id());
    store.check_health().await.unwrap();
}

#[test]
fn step_that_a_directory_lacks_is_reported_and_added() {
    let directory = tempfile::tempdir().unwrap();
    let migrations = directory.path();
    migration_files::write(&MIGRATIONS[..1], migrations, 20).unwrap();
    fs::write(migrations.join("25_orders.sql"), "").unwrap();
    let error = migration_files::check(MIGRATIONS, migrations).unwrap_err().to_string();
    let expected = format!(
        "no file `<version>_counterfoil_<step>.sql` in {} for the steps [2]: add them with `migration_files::write`",
        migrations.display()
    );
    assert_eq!(error, expected);

    migration_files::write(MIGRATIONS, migrations, 30).unwrap();
    assert_eq!(names(migrations), ["20_counterfoil_1.sql", "25_orders.sql", "30_counterfoil_2.sql"]);
    migration_files::check(MIGRATIONS, migrations).unwrap();
    assert!(migration_files::write(MIGRATIONS, migrations, 40).unwrap().is_empty(), "nothing is missing");
}

#[test]
fn file_that_was_edited_is_reported_and_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let [first, _] = &migration_files::write(MIGRATIONS, directory.path(), 20).unwrap()[..] else { panic!() };
    fs::write(first, "CREATE TABLE other (id INTEGER)").unwrap();
    let expected = format!("{} differs from step 1 of the schema, expected its exact text", first.display());
    for outcome in [
        migration_files::check(MIGRATIONS, directory.path()),
        migration_files::write(MIGRATIONS, directory.path(), 40).map(drop),
    ] {
        assert_eq!(outcome.unwrap_err().to_string(), expected);
    }
}

#[test]
fn directory_that_is_not_there_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("migrations");
    let expected = format!("{} cannot be read or written", missing.display());
    assert_eq!(migration_files::check(MIGRATIONS, &missing).unwrap_err().to_string(), expected);
    assert_eq!(migration_files::write(MIGRATIONS, &missing, 1).unwrap_err().to_string(), expected);
}
