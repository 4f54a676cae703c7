//! Personal access tokens in command-line programs whose users authenticate with one: where the token comes from,
//! `login`, `logout` and `whoami`.
//!
//! ```no_run
//! use counterfoil::TokenFormat;
//! use counterfoil_client::{Browser, Client};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("acme-cli", TokenFormat::builder("acme").build()?, "https://api.acme.example/token")
//!     .flag("--api-key")
//!     .variable("ACME_API_KEY")
//!     .tokens_page("https://acme.example/settings/tokens")
//!     .build()?;
//!
//! println!("{}", client.login(Browser::Auto)?); // opens the page, reads the paste, asks the server, writes the file
//! println!("{}", client.whoami(None)?); // name, scopes, end, and where the token came from
//! println!("{}", client.logout()?); // forgets it here, and says how to revoke it
//!
//! let token = client.token(None)?; // for your own requests
//! let header = format!("Bearer {}", token.expose());
//! # Ok(())
//! # }
//! ```
//!
//! The server is one with a route where a token sees itself, such as `self_service` of `counterfoil-axum`. A whole
//! program is in `examples/acme.rs`.
//!
//! # Where a token comes from
//!
//! 1. The command line, whose option the program reads itself.
//! 2. An environment variable. One that is set to nothing, or to white space, counts as not set.
//! 3. The config file.
//!
//! The first of them that has a text decides. White space, line ends and a byte-order mark around it are dropped. If that text is no token, this is an error which names the place; the
//! next place is not asked, and the token is not shown.
//!
//! # The config file
//!
//! A JSON object with the token in one member; the others belong to the program, and stay as they are written. It is
//! `config.json` in the program's directory under `$XDG_CONFIG_HOME` or `~/.config`, on macOS too, as command-line
//! programs have it there; on Windows under `%APPDATA%`.
//!
//! On Unix the file is made with mode 0600 and missing directories with 0700. A file that group or others can use is
//! refused, with the command that fixes it. On Windows it lies in the user's profile, whose access list lets in the
//! user, the system and administrators, and no mode is checked.
//!
//! The file is replaced as a whole: a program that is killed leaves the old file or the new one (and at worst a file
//! `.token-….tmp` next to it, with the same rights). If two programs write at the same moment, the later one wins.
//!
//! A symbolic link is followed, and stays, if it leads to a file of the user's own that nobody else can use. A file that
//! cannot be replaced, because a container has mounted it by itself or its directory cannot be written to, is written over: a
//! crash in between can leave a part of it. A byte-order mark is read over, and is gone once `login` has written the file.
//!
//! # What is sent where
//!
//! A token is sent to the self-service route alone, by `https`, or by `http` to this machine. Redirects are not
//! followed, answers are read up to a limit within a deadline, and certificates are checked against the operating
//! system's roots. What a server says is printed without characters that steer a terminal.
//!
//! # What it does not promise
//!
//! The token is wiped from the buffers of this crate. Those of the operating system, of the HTTP library and of standard
//! input are out of reach, and so is a command line, which others on the machine may see while the program runs.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking"))]

mod answer;
mod browser;
mod client;
mod config_file;
mod defect;
mod endpoint;
mod login;
mod logout;
mod members;
mod printable;
mod server;
mod source;
mod terminal;
mod token;
mod whoami;

pub use answer::{Identity, ServerError};
pub use browser::Browser;
pub use client::{Client, ClientBuilder, InvalidClient};
pub use config_file::{FileError, FileFault, Removed};
pub use defect::Defect;
pub use endpoint::InvalidUrl;
pub use login::{LoggedIn, LoginError};
pub use logout::LoggedOut;
pub use source::{Absent, Source, TokenError};
pub use token::FoundToken;
pub use whoami::{AskError, Revoked, WhoAmI};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
