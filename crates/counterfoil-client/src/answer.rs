//! What a server's answer comes to.

use std::{collections::HashMap, fmt};

use counterfoil::{Expiry, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, value::RawValue};

use crate::{FoundToken, printable::printable};

/// What the server sent, its body cut at a limit.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Vec<u8>,
}

/// What the server knows of a token, as its self-service route tells it.
///
/// All texts are as they may be printed: without characters that steer a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// What a person calls the token.
    pub name: Option<String>,
    /// The start of its text, which may be shown.
    pub public: String,
    /// What its bearer may do.
    pub scopes: Vec<String>,
    /// The environment it is for.
    pub environment: Option<String>,
    /// When it ends.
    pub expiry: Expiry,
}

/// Lines of `name  value`, the last without a line break.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes = if self.scopes.is_empty() { "none".to_owned() } else { self.scopes.join(" ") };
        writeln!(f, "name     {}", self.name.as_deref().unwrap_or("none"))?;
        writeln!(f, "token    {}…", self.public)?;
        if let Some(environment) = &self.environment {
            writeln!(f, "for      {environment}")?;
        }
        writeln!(f, "scopes   {scopes}")?;
        match self.expiry {
            Expiry::Never => write!(f, "expires  never"),
            Expiry::At(end) => write!(f, "expires  {end}"),
        }
    }
}

/// Why the server did not do as it was asked. Its own texts are in it, as they may be printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// 401: the token is not good there.
    #[error("the server does not accept this token{}", after(message))]
    NotAccepted {
        /// The server's own words.
        message: Option<String>,
    },
    /// 403: the token is good, and is refused all the same.
    #[error("the server refuses{}{}", after(message), see(link))]
    Refused {
        /// The server's own words.
        message: Option<String>,
        /// Its stable name for the reason.
        code: Option<String>,
        /// Where one can read on or change it: a URL of `https` or `http`.
        link: Option<String>,
    },
    /// 429 and 5xx: the server cannot say now. This tells nothing of the token.
    #[error("the server cannot answer now (status {status}){}{}", after(message), wait(*retry_after))]
    Unavailable {
        /// The status.
        status: u16,
        /// The server's own words.
        message: Option<String>,
        /// When to come again, in seconds.
        retry_after: Option<u64>,
    },
    /// A redirect, which a token does not follow.
    #[error("the server redirects elsewhere (status {status}), where a token is not sent")]
    Redirected {
        /// The status.
        status: u16,
    },
    /// Another status: most likely there is no self-service route at this address.
    #[error("the server answered with status {status}{}", after(message))]
    Unexpected {
        /// The status.
        status: u16,
        /// The server's own words.
        message: Option<String>,
    },
    /// It succeeded, with a body that says nothing of a token.
    #[error("the server's answer is not about a token: is this the address of its self-service route?")]
    Unreadable,
    /// No server was reached, or it broke off.
    #[error("no answer from the server: {reason}")]
    Unreachable {
        /// What went wrong.
        reason: String,
    },
}

impl ServerError {
    /// What an answer to a request of the program's own comes to, so that it can be told in the same words: `Ok` for a
    /// status of 200 to 299. `body` is problem+json or `{"error": "…"}`; of any other the status alone is told.
    ///
    /// ```no_run
    /// # use counterfoil_client::{Client, ServerError};
    /// # fn ask(client: &Client, status: u16, body: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// let token = client.token(None)?;
    /// // … a request with `token.expose()`, and its answer …
    /// ServerError::check_answer(status, body, &token)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The error that the answer is.
    pub fn check_answer(status: u16, body: &[u8], token: &FoundToken) -> Result<(), Self> {
        succeeded(&Reply { status, retry_after: None, body: body.to_vec() }, token.expose())
    }
}

fn after(message: &Option<String>) -> String {
    message.as_ref().map_or_else(String::new, |message| format!(": {message}"))
}

fn see(link: &Option<String>) -> String {
    link.as_ref().map_or_else(String::new, |link| format!(" (see {link})"))
}

fn wait(seconds: Option<u64>) -> String {
    seconds.map_or_else(String::new, |seconds| format!(", try again in {seconds} s"))
}

/// The answer to "what are you?".
pub(crate) fn identity(reply: &Reply, token: &str) -> Result<Identity, ServerError> {
    succeeded(reply, token)?;
    let shown = |text: String| printable(&text, token);
    let read = |view: Members| {
        Some(Identity {
            public: view.get("public").map(shown)?,
            scopes: view.get::<Vec<String>>("scopes")?.into_iter().map(shown).collect(),
            expiry: view.end("expires_at")?,
            name: view.get("name").map(shown),
            environment: view.get("environment").map(shown),
        })
    };
    Members::of(&reply.body).and_then(read).ok_or(ServerError::Unreadable)
}

/// The answer to a question whose success is a status of 200 to 299.
pub(crate) fn succeeded(reply: &Reply, token: &str) -> Result<(), ServerError> {
    let status = reply.status;
    if (200..300).contains(&status) {
        return Ok(());
    }
    let complaint = Members::of(&reply.body).unwrap_or_else(|| Members(HashMap::new()));
    // The members of RFC 9457 (section 3.1) and its extensions here, or `{"error": "…"}`.
    let shown = |name: &str| {
        let text: Option<String> = complaint.get(name);
        let text = text.map(|text| printable(&text, token));
        text.filter(|text| !text.trim().is_empty())
    };
    let message = shown("detail").or_else(|| shown("error")).or_else(|| shown("title"));
    Err(match status {
        401 => ServerError::NotAccepted { message },
        403 => {
            let link = shown("link").filter(|link| link.starts_with("https://") || link.starts_with("http://"));
            ServerError::Refused { message, code: shown("code"), link }
        }
        429 | 500.. => ServerError::Unavailable { status, message, retry_after: reply.retry_after },
        300..=399 => ServerError::Redirected { status },
        _ => ServerError::Unexpected { status, message },
    })
}

/// The members of a JSON object, read one by one: a member that is not used, or is not needed and of another type, is
/// ignored (RFC 9457, section 3.1).
struct Members(HashMap<String, Box<RawValue>>);

impl Members {
    fn of(body: &[u8]) -> Option<Self> {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        serde_json::from_slice(body).ok().map(Self)
    }

    fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    /// Milliseconds, or never: null. An end that is left out is not read as "never".
    fn end(&self, name: &str) -> Option<Expiry> {
        let value: Value = self.get(name)?;
        if value.is_null() {
            return Some(Expiry::Never);
        }
        Timestamp::from_unix_millis(whole(&value)?).ok().map(Expiry::At)
    }
}

/// A number without a fraction, however it is written: `17`, `17.0`, `1.7e1`.
fn whole(value: &Value) -> Option<i64> {
    // Up to 2^53 a float is exact, and no moment is later.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let of_float = || value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT);
    value.as_i64().or_else(|| of_float().map(|number| number as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, retry_after: None, body: body.into() }
    }

    #[test]
    fn an_answer_is_told_for_people() {
        let problem = r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"the token has expired"}"#;
        let plan = r#"{"title":"Forbidden","detail":"Pro subscription required","code":"plan_required",
            "link":"https://arka-ai.com/billing"}"#;
        let refused = "the server does not accept this token";
        let table = [
            (401, problem, format!("{refused}: the token has expired")),
            (401, r#"{"title":"Unauthorized"}"#, format!("{refused}: Unauthorized")),
            (401, r#"{"error":"Invalid token"}"#, format!("{refused}: Invalid token")),
            (401, r#"{"error":"\u001b[31mInvalid"}"#, format!("{refused}: \u{fffd}[31mInvalid")),
            (401, r#"{"error":"no such token: acme_s3cret"}"#, format!("{refused}: no such token: (the token)")),
            (401, r#"{"error":""}"#, refused.to_owned()),
            (401, "<html>", refused.to_owned()),
            (401, "", refused.to_owned()),
            (403, plan, "the server refuses: Pro subscription required (see https://arka-ai.com/billing)".to_owned()),
            (403, r#"{"error":"no","link":"javascript:alert(1)"}"#, "the server refuses: no".to_owned()),
            (403, "", "the server refuses".to_owned()),
            // One member of another type spoils no other one.
            (401, r#"{"title":7,"status":"401","detail":"expired","type":{}}"#, format!("{refused}: expired")),
            (401, r#"{"detail":["expired"],"error":"expired"}"#, format!("{refused}: expired")),
            (401, r#"{"detail":null,"title":"Unauthorized","x":1e400}"#, format!("{refused}: Unauthorized")),
            (401, r#"{"error":{"code":401,"message":"expired"}}"#, refused.to_owned()),
            (401, "\u{feff}{\"error\":\"expired\"}", format!("{refused}: expired")),
            (401, r#"{"error":" ","title":"Unauthorized"}"#, format!("{refused}: Unauthorized")),
            (403, r#"{"detail":"no","code":403,"link":7}"#, "the server refuses: no".to_owned()),
            (503, "", "the server cannot answer now (status 503)".to_owned()),
            (502, "<html>", "the server cannot answer now (status 502)".to_owned()),
            (429, r#"{"error":"slow down"}"#, "the server cannot answer now (status 429): slow down".to_owned()),
            (307, "", "the server redirects elsewhere (status 307), where a token is not sent".to_owned()),
            (404, "", "the server answered with status 404".to_owned()),
            (400, r#"{"error":"what?"}"#, "the server answered with status 400: what?".to_owned()),
        ];
        for (status, body, expected) in table {
            let error = identity(&reply(status, body), "acme_s3cret").unwrap_err();
            assert_eq!(error.to_string(), expected, "{status} {body}");
        }
        let busy = Reply { retry_after: Some(7), ..reply(503, "") };
        let text = identity(&busy, "t").unwrap_err().to_string();
        assert_eq!(text, "the server cannot answer now (status 503), try again in 7 s");
    }

    #[test]
    fn what_is_not_about_a_token_is_not_taken_for_one() {
        let table = [
            "",
            "<html>",
            "{}",
            "[]",
            r#"{"name":"x","scopes":[]}"#,
            r#"{"public":"acme_1","scopes":[]}"#,
            r#"{"public":"acme_1","scopes":[],"expires_at":"soon"}"#,
            r#"{"public":"acme_1","scopes":[],"expires_at":17}"#,
            r#"{"public":"acme_1","scopes":[],"expires_at":1767268800000.5}"#,
            r#"{"public":"acme_1","scopes":[],"expires_at":1e300}"#,
            r#"{"public":"acme_1","scopes":[],"expires_at":true}"#,
            r#"{"public":"acme_1","scopes":"parts:read","expires_at":null}"#,
            r#"{"public":"acme_1","scopes":["parts:read",7],"expires_at":null}"#,
            r#"{"public":["acme_1"],"scopes":[],"expires_at":null}"#,
        ];
        for body in table {
            assert_eq!(identity(&reply(200, body), "t"), Err(ServerError::Unreadable), "{body}");
        }
    }

    #[test]
    fn member_that_is_not_needed_spoils_no_answer() {
        for (more, name) in [
            ("", None),
            (r#""name":"CI","#, Some("CI")),
            (r#""name":7,"#, None),
            (r#""name":["CI"],"environment":{"live":true},"#, None),
            (r#""limits":[1e400],"a":1,"a":2,"created_at":"soon","#, None),
        ] {
            for (end, expiry) in [
                ("null", Expiry::Never),
                ("1767268800000", Expiry::At(Timestamp::from_unix_millis(1_767_268_800_000).unwrap())),
                ("1767268800000.0", Expiry::At(Timestamp::from_unix_millis(1_767_268_800_000).unwrap())),
                ("1.7672688e12", Expiry::At(Timestamp::from_unix_millis(1_767_268_800_000).unwrap())),
            ] {
                let body = format!(r#"{{{more}"public":"acme_1","scopes":[],"expires_at":{end}}}"#);
                let identity = identity(&reply(200, &body), "t").unwrap_or_else(|error| panic!("{error}: {body}"));
                assert_eq!((identity.name.as_deref(), identity.expiry), (name, expiry), "{body}");
            }
        }
    }

    #[test]
    fn an_identity_is_shown_in_lines() {
        let body = r#"{"id":"x","public":"acme_1","name":"CI \u001b[2J","scopes":["parts:read","parts:write"],
            "environment":null,"status":"active","created_at":1767225600000,"expires_at":1767268800000}"#;
        let identity = identity(&reply(200, body), "acme_s3cret").unwrap();
        let expected =
            "name     CI \u{fffd}[2J\ntoken    acme_1…\nscopes   parts:read parts:write\nexpires  2026-01-01T12:00:00Z";
        assert_eq!(identity.to_string(), expected);
        let identity = Identity {
            name: None,
            scopes: vec![],
            environment: Some("live".into()),
            expiry: Expiry::Never,
            ..identity
        };
        let expected = "name     none\ntoken    acme_1…\nfor      live\nscopes   none\nexpires  never";
        assert_eq!(identity.to_string(), expected);
    }
}
