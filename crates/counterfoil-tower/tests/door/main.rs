//! The door over raw sockets, under plain hyper and under axum.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod answers;
mod attempts;
mod counted;
mod governor;
mod headers;
mod metadata;
mod nested;
mod request_id;
mod second;
mod support;
