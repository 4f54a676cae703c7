//! Five services, each with the personal access tokens that its documentation promises, on counterfoil's public API alone.
//!
//! Every statement of theirs stands beside its test in `STATEMENTS.md`. Each service is one module and one binary of the
//! same name: `cargo run -p systems --bin arca -- --demo`. Of those with a page for people (Arca, ARKA and ARPIA), a demo
//! prints a link that signs a browser in.
#![forbid(unsafe_code)]

pub mod app;
pub mod arca;
pub mod arcnm;
pub mod arka;
pub mod arpia;
pub mod authpi;
pub mod host;
pub mod session;
