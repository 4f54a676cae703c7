//! Personal access tokens whose text is a JWT.
#![forbid(unsafe_code)]
