//! Five services with personal access tokens.
#![forbid(unsafe_code)]
