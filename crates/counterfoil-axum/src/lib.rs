//! Personal access tokens in axum: extractors for handlers, a management API, a settings page, and routes for a token to
//! see and revoke itself.
//!
//! The door is [`counterfoil_tower::TokenLayer`]; what is here stands behind it.
//!
//! ```
//! use axum::{Router, routing::get};
//! use counterfoil::Registry;
//! use counterfoil_axum::{Proof, RequireScope};
//! use counterfoil_tower::{Gate, TokenLayer, Transport};
//!
//! async fn parts(Proof(verified): Proof) -> String {
//!     format!("parts of {}", verified.record().owner().subject())
//! }
//!
//! fn app(registry: Registry) -> Result<Router, Box<dyn std::error::Error>> {
//!     Ok(Router::new()
//!         .route("/parts", get(parts).layer(RequireScope::new("parts:read".parse()?)))
//!         .layer(TokenLayer::new(Gate::new(registry, Transport::bearer()))))
//! }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "management")]
#[cfg_attr(docsrs, doc(cfg(feature = "management")))]
pub mod management;
#[cfg(feature = "page")]
#[cfg_attr(docsrs, doc(cfg(feature = "page")))]
pub mod page;
mod proof;
mod scope;
mod self_service;

#[cfg(feature = "management")]
#[cfg_attr(docsrs, doc(cfg(feature = "management")))]
#[doc(inline)]
pub use management::Management;
#[cfg(feature = "page")]
#[cfg_attr(docsrs, doc(cfg(feature = "page")))]
#[doc(inline)]
pub use page::SettingsPage;
pub use proof::{NotLetIn, Proof};
pub use scope::{Named, RequireScope, RequireScopeService, Scoped};
pub use self_service::{TokenView, self_service};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
