//! The settings page from outside: request → page, over a socket.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what is not tested is said aloud")]

mod access;
mod browser;
mod browsing;
mod changes;
mod client;
mod creating;
mod guards;
mod host;
mod hosts;
mod lists;
mod owners;
mod pages;
mod pictures;
mod twice;
mod writing;
