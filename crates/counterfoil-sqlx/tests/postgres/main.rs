//! `PostgresStore` against the contracts of `TokenStore` and `IdempotencyStore`, on a real server.
//!
//! `COUNTERFOIL_TEST_POSTGRES=postgres://…` names one, and a role on it that may make databases and roles. Else one is
//! started from the machine's own programs, and is gone with the tests. Where there is neither they say that they are
//! skipped, or fail if `COUNTERFOIL_REQUIRE_TOOLS` is set. Those that kill a server, or put PgBouncer before it, always
//! start their own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod changes;
#[path = "../cluster/mod.rs"]
mod cluster;
#[path = "../common/mod.rs"]
mod common;
mod contract;
mod faults;
mod identity;
mod migration_files;
mod opening;
mod outages;
mod pooler;
mod purge;
mod races;
mod standby;
mod support;
mod uses;
