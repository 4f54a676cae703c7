//! What a form has sent.

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
};

use crate::management::{ApiError, json};

/// A form is a few texts and the names of choices.
const LIMIT: usize = 64 * 1024;

/// The fields that people fill in, in addition to those of scopes.
const ENTERED: [&str; 7] = ["name", "description", "expiry", "date", "networks", "audience", "overlap"];

/// The fields of a form, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Form(Vec<(String, String)>);

/// A field that cannot be taken, and what the person is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// The field's id in the page; empty if it is the whole that is wrong.
    pub(super) field: String,
    pub(super) text: String,
    /// Where people can read on.
    pub(super) link: Option<String>,
}

impl Wrong {
    pub(super) fn new(field: impl Into<String>, text: impl Into<String>) -> Self {
        Self { field: field.into(), text: text.into(), link: None }
    }
}

impl Form {
    /// Reads the body, and gives it back as it was sent too.
    pub(super) async fn read(request: Request) -> Result<(Self, Vec<u8>), ApiError> {
        let (parts, body) = request.into_parts();
        check_content_type(&parts.headers)?;
        let body = json::read(body, LIMIT).await?;
        Ok((Self(form_urlencoded::parse(&body).into_owned().collect()), body.to_vec()))
    }

    /// Reads the body of a request, and gives the request back with it. `None` if it is no form.
    pub(super) async fn peek(request: Request) -> Result<(Request, Option<Self>), ApiError> {
        if check_content_type(request.headers()).is_err() {
            return Ok((request, None));
        }
        let (parts, body) = request.into_parts();
        let body = json::read(body, LIMIT).await?;
        let form = Self(form_urlencoded::parse(&body).into_owned().collect());
        Ok((Request::from_parts(parts, body.into()), Some(form)))
    }

    /// What a person has entered: neither the key of the form nor a field that no form has.
    pub(super) fn entered(self) -> Vec<(String, String)> {
        let is_entered = |name: &str| ENTERED.contains(&name) || name.starts_with("scopes-");
        self.0.into_iter().filter(|(name, _)| is_entered(name)).collect()
    }

    pub(super) fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// What stands in a text field, without white space around it.
    pub(super) fn text(&self, name: &str) -> &str {
        self.first(name).unwrap_or_default().trim()
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|found| found == value)
    }

    /// Refuses fields that the form does not have, and those given twice that stand once in it: whoever has left out a part
    /// of what was asked for would make something else.
    pub(super) fn check(&self, once: &[&str], often: &[String]) -> Result<(), ApiError> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            let is_often = often.contains(name);
            if !is_often && !once.contains(&name.as_str()) {
                return Err(ApiError::of_field(name, "no such field"));
            }
            if !is_often && self.0[..at].iter().any(|(other, _)| other == name) {
                return Err(ApiError::of_field(name, "given twice"));
            }
        }
        Ok(())
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let only = values.next().filter(|_| values.next().is_none());
    let kind = only.and_then(|value| value.to_str().ok()).and_then(|value| value.split(';').next());
    if kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")) {
        return Ok(());
    }
    let text = "content type: expected application/x-www-form-urlencoded";
    Err(ApiError::own(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", text))
}
