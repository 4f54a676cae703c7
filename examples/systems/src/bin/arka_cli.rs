//! ARKA's command-line program, for people with a personal access token: `arka-code --help`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program with a command line")]

use std::{env, process::ExitCode};

use counterfoil_client::{Browser, Client, FoundToken, ServerError};
use lexopt::{Arg, ValueExt as _};
use serde_json::{Value, json};
use systems::{arka, host::Error};
use ureq::{
    Agent,
    tls::{RootCerts, TlsConfig},
};

const HELP: &str = "\
usage: arka-code [--api-key TOKEN] [--server URL] [--no-browser] COMMAND

  login          opens the tokens page, asks for a token, and stores it
  whoami         tells which token is in use, and from where
  logout         forgets the stored token
  ask QUESTION   asks ARKA

The token is taken from --api-key, else from ARKA_API_KEY, else from what login has stored.
The server is --server, else ARKA_API_URL, else https://arka-ai.com; the tokens page is there too.";

fn main() -> ExitCode {
    match run() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("arka-code: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, Error> {
    let (mut api_key, mut server, mut browser, mut words) = (None, None, Browser::Auto, Vec::new());
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("api-key") => api_key = Some(arguments.value()?.string()?),
            Arg::Long("server") => server = Some(arguments.value()?.string()?),
            Arg::Long("no-browser") => browser = Browser::Never,
            Arg::Long("help") | Arg::Short('h') => return Ok(HELP.to_owned()),
            Arg::Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    let server = server.or_else(|| env::var("ARKA_API_URL").ok()).unwrap_or_else(|| "https://arka-ai.com".to_owned());
    let server = server.trim_end_matches('/');
    let client = Client::builder("arka-code-nodejs", arka::format()?, &format!("{server}/v1/token"))
        .flag("--api-key")
        .variable("ARKA_API_KEY")
        .tokens_page(&format!("{server}{}", arka::page::PATH))
        .build()?;
    let api_key = api_key.as_deref();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    Ok(match words[..] {
        ["login"] => client.login(browser)?.to_string(),
        ["whoami"] => client.whoami(api_key)?.to_string(),
        ["logout"] => client.logout()?.to_string(),
        ["ask", question] => ask(server, &client.token(api_key)?, question)?,
        _ => return Err(HELP.into()),
    })
}

/// A request as the program makes many: here the token is in use.
fn ask(server: &str, token: &FoundToken, question: &str) -> Result<String, Error> {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent = Agent::config_builder().tls_config(tls).http_status_as_error(false).max_redirects(0);
    // The client has seen to it that a server without TLS is this machine: its requests go past no proxy.
    let agent = if server.starts_with("https:") { agent } else { agent.proxy(None) }.build().new_agent();
    let mut answer = agent
        .post(format!("{server}/v1/ask"))
        .header("authorization", format!("Bearer {}", token.expose()))
        .send_json(json!({ "prompt": question }))?;
    let body = answer.body_mut().read_to_vec()?;
    ServerError::check_answer(answer.status().as_u16(), &body, token)?;
    let answer: Value = serde_json::from_slice(&body)?;
    let text = answer["answer"].as_str().ok_or("the server's answer is no answer")?;
    Ok(text.chars().filter(|char| !char.is_control() || *char == '\n').collect())
}
