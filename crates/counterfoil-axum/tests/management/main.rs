//! The management API from outside: request → reply, on every kind of store, and each reply held against the document.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod ask;
mod bodies;
mod changes;
mod cross_site;
mod document;
mod environments;
mod failing;
mod gated;
mod idempotency;
mod in_flight;
mod lax_session;
mod limits;
mod list;
mod list_queries;
mod list_walks;
mod lives;
mod members;
mod mounting;
#[path = "../nginx/mod.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod nginx;
mod paths;
mod policy;
mod preconditions;
mod proxies;
mod races;
mod raw;
mod repeats_later;
mod restrictions;
mod same_change_races;
mod schema;
mod sessions;
mod support;
mod takeover;
mod texts;
mod tokens_shut_out;
mod whole_replies;
mod words;
