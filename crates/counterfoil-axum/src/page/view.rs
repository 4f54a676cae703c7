//! What the templates are given.

use askama::Template;

use super::{
    facts::{Cell, Labelled, Row},
    field::{ExpiryField, GroupField, OptionView, TextField, TextKind},
    filling::{Told, fill},
    form::Wrong,
    lettering::undirected,
    links::Links,
    words::Words,
};

/// The page around each content.
pub(super) struct Frame<'a> {
    pub(super) words: &'a Words,
    pub(super) links: &'a Links,
    /// What names the style and the script as they are now.
    pub(super) assets: &'a Assets,
    /// Label and address of the link above the page.
    pub(super) home: Option<(&'a str, String)>,
    pub(super) heading: &'a str,
    pub(super) has_problem: bool,
}

/// Short names of texts, so that each is fetched anew when it has changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Assets {
    pub(super) style: String,
    pub(super) script: String,
}

impl Frame<'_> {
    /// Says in the title, which is read first, that something is wrong.
    pub(super) fn telling_of(self, wrong: &[Wrong]) -> Self {
        Self { has_problem: !wrong.is_empty(), ..self }
    }

    fn base(&self) -> &str {
        self.links.base()
    }

    fn list(&self) -> &str {
        self.links.list()
    }

    fn title(&self) -> String {
        let title = match self.heading == self.words.title {
            true => self.heading.to_owned(),
            false => format!("{} · {}", self.heading, self.words.title),
        };
        let title = if self.has_problem { fill(&self.words.title_problem, &[("title", &title)]) } else { title };
        undirected(&title).into_owned()
    }
}

pub(super) struct Link<'a> {
    pub(super) href: String,
    pub(super) label: &'a str,
    /// The lines of an icon that is shown in place of the label.
    pub(super) icon: Option<&'static str>,
    pub(super) is_current: bool,
}

#[derive(Template)]
#[template(path = "page/list.html")]
pub(super) struct List<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) can_create: bool,
    pub(super) done: Option<Told<'a>>,
    pub(super) filters: Vec<Link<'a>>,
    pub(super) headings: Vec<&'a str>,
    /// Which cell of a row names it.
    pub(super) header: usize,
    pub(super) rows: Vec<Row<'a>>,
    pub(super) has_actions: bool,
    /// What is said where there are no rows.
    pub(super) empty: &'a str,
    pub(super) has_unreadable: bool,
    pub(super) first: Option<String>,
    pub(super) next: Option<String>,
}

#[derive(Template)]
#[template(path = "page/token.html")]
pub(super) struct OneToken<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) done: Option<Told<'a>>,
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
#[template(path = "page/sent_before.html")]
pub(super) struct SentBefore<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) facts: Vec<Labelled<'a>>,
    pub(super) actions: Vec<Link<'a>>,
}

#[derive(Template)]
#[template(path = "page/message.html")]
pub(super) struct Message<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) text: &'a str,
    pub(super) link: Option<String>,
}

#[derive(Template)]
#[template(path = "page/signed_out.html")]
pub(super) struct SignedOut<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) text: &'a str,
    pub(super) link: Option<String>,
    pub(super) sign_in: Option<String>,
    /// The fields of the form that was sent without a session.
    pub(super) kept: Option<&'a [(String, String)]>,
    /// Where that form is sent again.
    pub(super) action: &'a str,
}
