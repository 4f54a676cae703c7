//! What is told of a token, in the list and on its own pages.

use std::time::Duration;

use counterfoil::{Expiry, Record, Status, Timestamp, store::Stored};

use super::{
    Column, SettingsPage,
    column::OwnColumn,
    view::Link,
    words::{Words, fill},
};
use crate::management::Operation;

pub(super) struct Moment {
    pub(super) exact: String,
    pub(super) text: String,
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
    LastUsed { at: Option<Moment>, from: Option<String>, is_idle: bool },
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
const SOON: Duration = Duration::from_secs(7 * 86_400);

/// A token that nobody has used is no cause for a warning while it is as new as this.
const NEW: Duration = Duration::from_secs(86_400);

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
            Column::LastUsed => self.last_used(stored),
            Column::Status => {
                let status = record.status(self.now);
                Cell::Status { name: status.as_str(), text: words.status(status) }
            }
            Column::Created => Cell::Moment(Moment::of(record.created_at(), words)),
            _ => Cell::Token(record.public()),
        }
    }

    fn last_used(&self, stored: &Stored) -> Cell<'a> {
        let (words, usage) = (&self.page.words, stored.usage.as_ref());
        let address = usage.and_then(|usage| usage.address).filter(|_| self.page.addresses);
        let is_old = stored.record.created_at().checked_add(NEW).is_ok_and(|end| end <= self.now);
        Cell::LastUsed {
            at: usage.map(|usage| Moment::of(usage.at, words)),
            from: address.map(|address| fill(&words.used_from, &[("address", &address.to_string())])),
            is_idle: usage.is_none() && is_old && stored.record.status(self.now) == Status::Active,
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
        // A start that is the family's alone tells nothing of this token.
        summary.extend((!stored.record.public().ends_with('_')).then(|| of(Column::Token)));
        summary.extend([Column::Status, Column::Expiry, Column::LastUsed].map(of));
        summary
    }
}
