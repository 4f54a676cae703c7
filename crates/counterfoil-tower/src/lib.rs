//! Lets in requests with a good personal access token, and answers all others as RFC 6750 asks.
//!
//! [`Gate`] is the door, [`TokenLayer`] puts it before a Tower service, and every piece can be used alone:
//! [`Transport`] finds the credential, [`Answer`] says what to answer, [`Challenge`] and [`Renderer`] write it.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod answer;
mod attempt;
mod cache_headers;
mod challenge;
mod client;
mod gate;
mod layer;
mod limit;
mod metadata;
mod observe;
pub mod other_frameworks;
mod render;
mod second;
mod transport;
mod user_agent;

pub use answer::{Answer, Codes, Kind};
pub use attempt::{Attempt, AttemptLimiter};
pub use challenge::{Challenge, InvalidChallenge};
pub use client::ClientAddress;
pub use gate::Gate;
pub use layer::{TokenLayer, TokenService};
pub use limit::{Later, Limiter};
pub use metadata::{InvalidResource, ResourceMetadata};
pub use render::Renderer;
pub use second::{Admission, NotAdmitted, SecondVerifier};
pub use transport::{InvalidTransport, MalformedCredential, Transport};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
