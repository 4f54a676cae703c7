//! The program of `examples/acme.rs`, on a terminal and in scripts, with a real service behind it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod answers;
mod commands;
mod login;
mod program;
mod service;
mod terminal;
mod tls;
