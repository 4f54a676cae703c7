//! A whole command-line program whose users authenticate with a personal access token.
//!
//! `cargo run -p counterfoil-client --example acme -- --help`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program with a command line")]

use std::{env, error::Error, process::ExitCode};

use counterfoil::TokenFormat;
use counterfoil_client::{Browser, Client};
use lexopt::{Arg, ValueExt as _};

const HELP: &str = "\
usage: acme [--api-key TOKEN] [--no-browser] COMMAND

  login    asks for a token, checks it, and keeps it
  whoami   tells which token is used, and what it may do
  logout   forgets the token that is kept
  revoke   ends the token for good

The token is taken from --api-key, else from ACME_API_KEY, else from the config file.
The server is that of ACME_URL.";

fn main() -> ExitCode {
    match run() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("acme: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Box<dyn Error>> {
    let (mut command, mut api_key, mut browser) = (None, None, Browser::Auto);
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("api-key") => api_key = Some(arguments.value()?.string()?),
            Arg::Long("no-browser") => browser = Browser::Never,
            Arg::Long("help") | Arg::Short('h') => return Ok(HELP.to_owned()),
            Arg::Value(value) if command.is_none() => command = Some(value.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let url = env::var("ACME_URL").unwrap_or_else(|_| "https://api.acme.example".to_owned());
    let mut client = Client::builder("acme-cli", TokenFormat::builder("acme").build()?, &format!("{url}/token"))
        .flag("--api-key")
        .variable("ACME_API_KEY")
        .tokens_page("https://acme.example/settings/tokens");
    // Services that take an API key elsewhere than in `Authorization` name the header.
    if let Ok(header) = env::var("ACME_HEADER") {
        client = client.header(&header);
    }
    let client = client.build()?;
    let api_key = api_key.as_deref();
    Ok(match command.as_deref() {
        Some("login") => client.login(browser)?.to_string(),
        Some("whoami") => client.whoami(api_key)?.to_string(),
        Some("logout") => client.logout()?.to_string(),
        Some("revoke") => client.revoke(api_key)?.to_string(),
        _ => return Err(HELP.into()),
    })
}
