//! The settings page from outside: request → page, over a socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what is not tested is said aloud")]

mod access;
mod browser;
mod browsing;
mod changes;
mod client;
mod creating;
mod display;
mod guards;
mod host;
mod hosts;
mod lists;
#[path = "../nginx/mod.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod nginx;
mod owners;
mod pages;
mod pictures;
mod proxies;
mod signing_in;
mod translated;
mod twice;
mod writing;
