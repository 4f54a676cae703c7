//! What the templates are given.

use askama::Template;
use counterfoil::{Expiry, Record, Status, Timestamp, store::Stored};

use super::{
    Column, SettingsPage,
    column::OwnColumn,
    expiries::Choice,
    form::{Form, Wrong},
    scopes::{ALL, Kind, SOME, ScopeGroup},
    words::{Words, fill},
};
use crate::management::Operation;

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

pub(super) struct Moment {
    exact: String,
    text: String,
}

impl Moment {
    fn of(at: Timestamp, words: &Words) -> Self {
        let exact = at.to_string();
        // RFC 3339: the day, `T`, and the time to the minute.
        let (date, time) = (exact.get(..10).unwrap_or_default(), exact.get(11..16).unwrap_or_default());
        let text = fill(&words.moment, &[("date", date), ("time", time)]);
        Self { exact, text }
    }
}

/// Today in UTC, as `YYYY-MM-DD`.
pub(super) fn day_of(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// One fact about a token.
pub(super) enum Cell<'a> {
    Name { text: &'a str, href: Option<String> },
    Token(&'a str),
    Scopes(Vec<&'a str>),
    Expiry { end: Option<Moment>, warning: Option<&'a str> },
    LastUsed { at: Option<Moment>, from: Option<String> },
    Status { name: &'static str, text: &'a str },
    Moment(Moment),
    Text(String),
}

pub(super) struct Labelled<'a> {
    pub(super) label: &'a str,
    pub(super) cell: Cell<'a>,
}

pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) cells: Vec<Labelled<'a>>,
    pub(super) actions: Vec<Link<'a>>,
}

/// Of an end within so many days is warned.
const SOON: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

/// How tokens are shown at one moment.
pub(super) struct Showing<'a> {
    pub(super) page: &'a SettingsPage,
    pub(super) base: &'a str,
    pub(super) now: Timestamp,
}

impl<'a> Showing<'a> {
    pub(super) fn name(&self, record: &'a Record) -> &'a str {
        record.annotations().name.as_ref().map_or(&*self.page.words.unnamed, |name| name.as_str())
    }

    pub(super) fn href(&self, record: &Record, suffix: &str) -> String {
        format!("{}/{}{suffix}", self.base, record.id())
    }

    pub(super) fn actions(&self, record: &'a Record, wanted: &[Operation]) -> Vec<Link<'a>> {
        let offered = wanted.iter().filter(|operation| self.page.offers(**operation, record, self.now));
        let link = |operation: &Operation| Link {
            href: self.href(record, super::suffix(*operation)),
            label: self.page.words.action(*operation).label,
            is_current: false,
        };
        offered.map(link).collect()
    }

    pub(super) fn row(&self, stored: &'a Stored) -> Row<'a> {
        let cell = |column: &'a Column| self.labelled(column, stored);
        Row {
            name: self.name(&stored.record),
            cells: self.page.columns.iter().map(cell).collect(),
            actions: self.actions(&stored.record, &self.page.row_actions),
        }
    }

    fn labelled(&self, column: &'a Column, stored: &'a Stored) -> Labelled<'a> {
        let cell = match column {
            Column::Name => {
                let href = self.page.has(Operation::Get).then(|| self.href(&stored.record, ""));
                Cell::Name { text: self.name(&stored.record), href }
            }
            Column::Own(own) => Cell::Text(OwnColumn::text(own, stored)),
            _ => self.cell(column, stored),
        };
        Labelled { label: column.heading(&self.page.words), cell }
    }

    fn cell(&self, column: &Column, stored: &'a Stored) -> Cell<'a> {
        let (words, record) = (&self.page.words, &*stored.record);
        match column {
            Column::Scopes => Cell::Scopes(record.scopes().texts().collect()),
            Column::Expiry => self.expiry(record),
            Column::LastUsed => Cell::LastUsed {
                at: stored.usage.as_ref().map(|usage| Moment::of(usage.at, words)),
                from: stored
                    .usage
                    .as_ref()
                    .and_then(|usage| usage.address)
                    .filter(|_| self.page.addresses)
                    .map(|address| fill(&words.used_from, &[("address", &address.to_string())])),
            },
            Column::Status => {
                let status = record.status(self.now);
                Cell::Status { name: status.as_str(), text: words.status(status) }
            }
            Column::Created => Cell::Moment(Moment::of(record.created_at(), words)),
            _ => Cell::Token(record.public()),
        }
    }

    fn expiry(&self, record: &Record) -> Cell<'a> {
        let words = &self.page.words;
        let is_over = matches!(record.status(self.now), Status::Revoked | Status::Expired);
        match record.expiry() {
            Expiry::Never => Cell::Expiry { end: None, warning: (!is_over).then_some(&*words.never_expires) },
            Expiry::At(end) => {
                let is_soon = self.now.checked_add(SOON).is_ok_and(|soon| end <= soon);
                let warning = (is_soon && !is_over).then_some(&*words.expires_soon);
                Cell::Expiry { end: Some(Moment::of(end, words)), warning }
            }
        }
    }

    /// All that is told of one token.
    pub(super) fn facts(&self, stored: &'a Stored) -> Vec<Labelled<'a>> {
        let (words, record) = (&self.page.words, &*stored.record);
        let mut facts = self.summary(stored);
        let mut tell = |label: &'a str, cell: Option<Cell<'a>>| facts.extend(cell.map(|cell| Labelled { label, cell }));
        let notes = record.annotations();
        let text = |text: Option<String>| text.map(Cell::Text);
        let moment = |at: Option<Timestamp>| at.map(|at| Cell::Moment(Moment::of(at, words)));
        tell(&words.description, text(notes.description.as_ref().map(ToString::to_string)));
        tell(&words.column_scopes, Some(Cell::Scopes(record.scopes().texts().collect())));
        let networks: Vec<String> = record.restrictions().networks().iter().map(ToString::to_string).collect();
        let networks = if networks.is_empty() { words.any_network.to_string() } else { networks.join(", ") };
        tell(&words.networks, Some(Cell::Text(networks)));
        tell(&words.audience, text(record.restrictions().audience().map(ToString::to_string)));
        for column in &self.page.columns {
            if let Column::Own(own) = column {
                tell(column.heading(words), Some(Cell::Text(own.text(stored))));
            }
        }
        tell(&words.column_created, moment(Some(record.created_at())));
        tell(&words.rotated, moment(record.rotated_at()));
        let overlap = record.slots().retiring.as_ref().map(|slot| slot.until).filter(|until| *until > self.now);
        tell(&words.overlap, moment(overlap));
        for (label, mark) in [
            (&words.blocked_at, record.blocked()),
            (&words.suspended_at, record.suspended()),
            (&words.revoked_at, record.revoked()),
        ] {
            tell(label, moment(mark.map(|mark| mark.at)));
            tell(&words.reason, text(mark.and_then(|mark| mark.reason.as_ref()).map(ToString::to_string)));
        }
        facts
    }

    /// What a person needs to know a token by.
    pub(super) fn summary(&self, stored: &'a Stored) -> Vec<Labelled<'a>> {
        let words = &self.page.words;
        let name = Cell::Name { text: self.name(&stored.record), href: None };
        let of = |column: Column| {
            let label: &'a str = match column {
                Column::Status => &words.column_status,
                Column::Expiry => &words.column_expiry,
                Column::LastUsed => &words.column_last_used,
                _ => &words.column_token,
            };
            Labelled { label, cell: self.cell(&column, stored) }
        };
        let mut summary = vec![Labelled { label: &words.column_name, cell: name }];
        summary.extend([Column::Token, Column::Status, Column::Expiry, Column::LastUsed].map(of));
        summary
    }
}

/// A text field as it stands in the form.
pub(super) struct TextField<'a> {
    pub(super) id: &'static str,
    pub(super) label: &'a str,
    pub(super) hint: &'a str,
    pub(super) value: &'a str,
    pub(super) error: Option<&'a str>,
    pub(super) is_long: bool,
    pub(super) is_required: bool,
}

pub(super) struct OptionView<'a> {
    pub(super) id: String,
    pub(super) value: String,
    pub(super) label: &'a str,
    pub(super) hint: Option<&'a str>,
    pub(super) is_chosen: bool,
}

/// The choice of an end.
pub(super) struct ExpiryField<'a> {
    pub(super) words: &'a Words,
    pub(super) options: Vec<OptionView<'a>>,
    pub(super) warning: Option<&'a str>,
    pub(super) has_date: bool,
    pub(super) date: &'a str,
    pub(super) today: String,
    pub(super) error: Option<&'a str>,
    pub(super) date_error: Option<&'a str>,
}

impl<'a> ExpiryField<'a> {
    pub(super) fn of(
        words: &'a Words,
        offered: &[&'a Choice],
        form: &'a Form,
        wrong: &'a [Wrong],
        now: Timestamp,
    ) -> Self {
        let option = |choice: &&'a Choice| OptionView {
            id: String::new(),
            value: choice.value.clone(),
            label: &choice.label,
            hint: None,
            is_chosen: form.has("expiry", &choice.value),
        };
        Self {
            words,
            options: offered.iter().map(option).collect(),
            warning: offered.iter().find_map(|choice| choice.warning.as_deref()),
            has_date: offered.iter().any(|choice| choice.value == "date"),
            date: form.text("date"),
            today: day_of(now),
            error: error_of(wrong, "expiry"),
            date_error: error_of(wrong, "date"),
        }
    }

    fn is_open(&self) -> bool {
        self.options.iter().any(|option| option.is_chosen)
    }

    fn described(&self) -> String {
        let parts = [
            (!self.words.hint_expiry.is_empty(), "expiry-hint"),
            (self.error.is_some(), "expiry-error"),
            (self.warning.is_some(), "expiry-warning"),
        ];
        described(parts)
    }
}

pub(super) fn error_of<'a>(wrong: &'a [Wrong], field: &str) -> Option<&'a str> {
    wrong.iter().find(|wrong| wrong.field == field).map(|wrong| wrong.text.as_str())
}

/// The ids of the texts that are there, as `aria-describedby` lists them.
fn described<const N: usize>(parts: [(bool, &str); N]) -> String {
    let there = parts.into_iter().filter(|(is_there, _)| *is_there).map(|(_, id)| id);
    there.collect::<Vec<_>>().join(" ")
}

/// A group of scopes as it stands in the form.
pub(super) struct GroupField<'a> {
    pub(super) id: String,
    pub(super) among: String,
    pub(super) legend: &'a str,
    pub(super) hint: Option<&'a str>,
    pub(super) error: Option<&'a str>,
    pub(super) kind: &'static str,
    /// `all` and `some`, where there are these.
    pub(super) outer: Vec<OptionView<'a>>,
    pub(super) choices: Vec<OptionView<'a>>,
}

impl<'a> GroupField<'a> {
    pub(super) fn of(group: &'a ScopeGroup, form: &Form, wrong: &'a [Wrong]) -> Self {
        let (id, among) = (group.field(), group.among_field());
        let (kind, outer, field) = match &group.kind {
            Kind::Any => ("checkbox", Vec::new(), &id),
            Kind::One => ("radio", Vec::new(), &id),
            Kind::AllOr { all, some } => {
                let options = [(ALL, &all.label, all.hint.as_deref()), (SOME, some, None)];
                let option = |(value, label, hint): (&str, &'a String, Option<&'a str>)| OptionView {
                    id: format!("{id}-{value}"),
                    value: value.to_owned(),
                    label,
                    hint,
                    is_chosen: form.has(&id, value),
                };
                ("checkbox", options.into_iter().map(option).collect(), &among)
            }
        };
        let choices = group.choices.iter().enumerate().map(|(at, choice)| OptionView {
            id: format!("{field}-{at}"),
            value: choice.value(),
            label: &choice.label,
            hint: choice.hint.as_deref(),
            is_chosen: form.has(field, &choice.value()),
        });
        let choices = choices.collect();
        let error = error_of(wrong, &id);
        Self { legend: &group.legend, hint: group.hint.as_deref(), error, kind, outer, choices, id, among }
    }

    fn described(&self) -> String {
        let (hint, error) = (format!("{}-hint", self.id), format!("{}-error", self.id));
        described([(self.hint.is_some(), &hint), (self.error.is_some(), &error)])
    }
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
