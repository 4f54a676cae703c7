//! How to stand at the door of a framework that is not built on Tower.
//!
//! Two calls do it: [`Gate::admit`](crate::Gate::admit) takes a request's head in the types of the `http` crate, and leaves the
//! proof in its extensions or gives an answer; [`Gate::refuse`](crate::Gate::refuse) makes the response of that answer. What
//! remains is to carry headers from one crate's types into the other's. Here it is done for actix-web, as an extractor
//! in thirty lines; `cargo run -p counterfoil-tower --example actix` runs it.
//!
#![doc = "```rust"]
#![doc = include_str!("../examples/actix.rs")]
#![doc = "```"]
