//! `SqliteStore` against the contracts of `TokenStore` and `IdempotencyStore`, on real files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod backup;
#[path = "../common/mod.rs"]
mod common;
mod damage;
mod deadlines;
mod durable;
mod find;
mod idempotency;
mod identity;
mod insert;
mod list;
mod log;
mod migration_files;
mod opening;
mod races;
mod read_only;
mod recovery;
mod revoke;
mod small_disk;
mod steps;
mod support;
mod update;
mod upkeep;
