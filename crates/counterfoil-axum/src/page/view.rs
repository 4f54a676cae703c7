//! What the templates are given.

use askama::Template;

use super::{
    facts::{Cell, Labelled, Row},
    field::{ExpiryField, GroupField, OptionView, TextField},
    form::Wrong,
    words::Words,
};

/// The page around each content.
pub(super) struct Frame<'a> {
    pub(super) words: &'a Words,
    /// The list's own path, without `/` at its end.
    pub(super) base: &'a str,
    pub(super) style: String,
    pub(super) script: String,
    pub(super) home: Option<&'a (String, String)>,
    pub(super) heading: &'a str,
}

impl Frame<'_> {
    fn list(&self) -> &str {
        if self.base.is_empty() { "/" } else { self.base }
    }
}

pub(super) struct Link<'a> {
    pub(super) href: String,
    pub(super) label: &'a str,
    pub(super) is_current: bool,
}

#[derive(Template)]
#[template(path = "page/list.html")]
pub(super) struct List<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) can_create: bool,
    pub(super) done: Option<&'a str>,
    pub(super) filters: Vec<Link<'a>>,
    pub(super) headings: Vec<&'a str>,
    pub(super) rows: Vec<Row<'a>>,
    pub(super) has_actions: bool,
    pub(super) is_filtered: bool,
    pub(super) has_unreadable: bool,
    pub(super) first: Option<String>,
    pub(super) next: Option<String>,
}

#[derive(Template)]
#[template(path = "page/token.html")]
pub(super) struct OneToken<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) done: Option<&'a str>,
    pub(super) facts: Vec<Labelled<'a>>,
    pub(super) actions: Vec<Link<'a>>,
}

#[derive(Template)]
#[template(path = "page/create.html")]
pub(super) struct Create<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) form: String,
    pub(super) wrong: &'a [Wrong],
    pub(super) before: Vec<TextField<'a>>,
    pub(super) expiry: Option<ExpiryField<'a>>,
    pub(super) groups: Vec<GroupField<'a>>,
    pub(super) after: Vec<TextField<'a>>,
}

#[derive(Template)]
#[template(path = "page/change.html")]
pub(super) struct Change<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) form: String,
    pub(super) version: u64,
    pub(super) wrong: &'a [Wrong],
    pub(super) text: &'a str,
    pub(super) submit: &'a str,
    pub(super) is_final: bool,
    pub(super) summary: Vec<Labelled<'a>>,
    pub(super) expiry: Option<ExpiryField<'a>>,
    pub(super) overlaps: Vec<OptionView<'a>>,
    pub(super) overlap_error: Option<&'a str>,
    pub(super) cancel: String,
}

#[derive(Template)]
#[template(path = "page/shown.html")]
pub(super) struct Shown<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) token: &'a str,
    pub(super) facts: Vec<Labelled<'a>>,
    pub(super) dropped: String,
}

#[derive(Template)]
#[template(path = "page/message.html")]
pub(super) struct Message<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) text: &'a str,
    pub(super) link: Option<&'a str>,
}
