//! Personal access tokens in command-line programs.
#![forbid(unsafe_code)]
