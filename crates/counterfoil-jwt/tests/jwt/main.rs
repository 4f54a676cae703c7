//! What the family promises, from outside: what is read and what is not, keys that change, and what a record adds.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod forged;
mod gate;
mod key_sets;
mod keys;
mod length;
mod offline;
mod other_crate;
mod properties;
mod registry;
mod support;
