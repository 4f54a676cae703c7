//! What is told of a token, in the list and on its own pages.

use std::{borrow::Cow, time::Duration};

use counterfoil::{Expiry, Record, Status, Timestamp, store::Stored};

use super::{
    Change, Column, SettingsPage,
    column::OwnColumn,
    filling::{Told, fill},
    lettering::{is_visible, upright},
    links::Links,
    view::Link,
    words::Words,
};

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

/// One fact about a token.
pub(super) enum Cell<'a> {
    Name {
        text: Cow<'a, str>,
        href: Option<String>,
    },
    Token(&'a str),
    /// The scopes, and what is said of those that are left out.
    Scopes {
        scopes: Vec<&'a str>,
        more: Option<String>,
    },
    Expiry {
        end: Option<Moment>,
        warning: Option<&'a str>,
    },
    LastUsed {
        at: Option<Moment>,
        from: Option<String>,
        is_idle: bool,
    },
    Status {
        name: &'static str,
        text: &'a str,
    },
    Moment(Moment),
    Text(String),
}

pub(super) struct Labelled<'a> {
    pub(super) label: &'a str,
    pub(super) cell: Cell<'a>,
}

pub(super) struct Row<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) cells: Vec<Labelled<'a>>,
    pub(super) actions: Vec<Link<'a>>,
}

/// Of an end within so many days is warned.
const SOON: Duration = Duration::from_secs(7 * 86_400);

/// A token that nobody has used is no cause for a warning while it is as new as this.
const NEW: Duration = Duration::from_secs(86_400);

/// How many scopes a row of the list shows.
const MOST_SCOPES: usize = 6;

fn text_cell<'a>(text: &str) -> Cell<'a> {
    Cell::Text(upright(text).into_owned())
}

/// At most so many scopes; one more than that is shown rather than counted.
fn scopes_cell<'a>(stored: &'a Stored, most: usize, words: &Words) -> Cell<'a> {
    let mut scopes: Vec<&str> = stored.record.scopes().texts().collect();
    let left_out = if scopes.len() > most.saturating_add(1) { scopes.len() - most } else { 0 };
    scopes.truncate(scopes.len() - left_out);
    let more = (left_out > 0).then(|| fill(&words.more_scopes, &[("count", &left_out.to_string())]));
    Cell::Scopes { scopes, more }
}

/// How tokens are shown at one moment.
pub(super) struct Showing<'a> {
    pub(super) page: &'a SettingsPage,
    pub(super) links: &'a Links,
    pub(super) now: Timestamp,
}

impl<'a> Showing<'a> {
    pub(super) fn name(&self, record: &'a Record) -> Cow<'a, str> {
        let name = record.annotations().name.as_ref().map(|name| name.as_str());
        name.filter(|name| is_visible(name)).map_or(Cow::Borrowed(&self.page.words.unnamed), upright)
    }

    /// The token's own page, or that of a change.
    pub(super) fn href(&self, record: &Record, change: Option<Change>) -> String {
        let own = format!("{}/{}", self.links.base(), record.id());
        change.map_or(own.clone(), |change| format!("{own}/{}", change.segment()))
    }

    pub(super) fn actions(&self, record: &'a Record, allowed: &[Change]) -> Vec<Link<'a>> {
        let link = |change: &Change| Link {
            href: self.href(record, Some(*change)),
            label: self.page.words.action(*change).label,
            icon: None,
            is_current: false,
        };
        allowed.iter().map(link).collect()
    }

    pub(super) fn row(&self, stored: &'a Stored, is_linked: bool, allowed: &[Change]) -> Row<'a> {
        let cell = |column: &'a Column| self.labelled(column, stored, is_linked);
        let mut actions = self.actions(&stored.record, allowed);
        if self.page.icons {
            actions.iter_mut().zip(allowed).for_each(|(link, change)| link.icon = Some(change.icon()));
        }
        Row { name: self.name(&stored.record), cells: self.page.columns.iter().map(cell).collect(), actions }
    }

    fn name_cell(&self, record: &'a Record, is_linked: bool) -> Cell<'a> {
        Cell::Name { text: self.name(record), href: is_linked.then(|| self.href(record, None)) }
    }

    fn labelled(&self, column: &'a Column, stored: &'a Stored, is_linked: bool) -> Labelled<'a> {
        let cell = match column {
            Column::Name => self.name_cell(&stored.record, is_linked),
            Column::Own(own) => text_cell(&OwnColumn::text(own, stored)),
            Column::Scopes => scopes_cell(stored, MOST_SCOPES, &self.page.words),
            _ => self.cell(column, stored),
        };
        Labelled { label: column.heading(&self.page.words), cell }
    }

    fn cell(&self, column: &Column, stored: &'a Stored) -> Cell<'a> {
        let (words, record) = (&self.page.words, &*stored.record);
        match column {
            Column::Scopes => scopes_cell(stored, usize::MAX, words),
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

    /// That a change was made, as far as the record says so itself: the address that asks for it may be anybody's, and old.
    pub(super) fn done(&self, change: Change, record: &'a Record) -> Option<Told<'a>> {
        let words = &self.page.words;
        let is_revoked = record.revoked().is_some();
        let (text, holds) = match change {
            Change::Rotate => return None,
            Change::SetExpiry => (&words.done_expiry, !is_revoked),
            Change::Block => (&words.done_block, record.blocked().is_some() && !is_revoked),
            Change::Unblock => (&words.done_unblock, record.blocked().is_none() && !is_revoked),
            Change::Revoke => (&words.done_revoke, is_revoked),
        };
        let end = record.expiry().at().map(|end| Moment::of(end, words).text);
        let end = end.as_deref().unwrap_or(&words.never_expires);
        holds.then(|| Told::of(text, self.name(record), &[("expiry", end)]))
    }

    /// All that is told of one token.
    pub(super) fn facts(&self, stored: &'a Stored) -> Vec<Labelled<'a>> {
        let (words, record) = (&self.page.words, &*stored.record);
        let mut facts = self.summary(stored, false);
        let mut tell = |label: &'a str, cell: Option<Cell<'a>>| facts.extend(cell.map(|cell| Labelled { label, cell }));
        let notes = record.annotations();
        let text = |text: Option<String>| text.as_deref().map(text_cell);
        let moment = |at: Option<Timestamp>| at.map(|at| Cell::Moment(Moment::of(at, words)));
        tell(&words.description, text(notes.description.as_ref().map(ToString::to_string)));
        tell(&words.column_scopes, Some(scopes_cell(stored, usize::MAX, words)));
        let networks: Vec<String> = record.restrictions().networks().iter().map(ToString::to_string).collect();
        let networks = if networks.is_empty() { words.any_network.to_string() } else { networks.join(", ") };
        tell(&words.networks, Some(Cell::Text(networks)));
        tell(&words.audience, text(record.restrictions().audience().map(ToString::to_string)));
        for column in &self.page.columns {
            if let Column::Own(own) = column {
                tell(column.heading(words), Some(text_cell(&own.text(stored))));
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
    pub(super) fn summary(&self, stored: &'a Stored, is_linked: bool) -> Vec<Labelled<'a>> {
        let words = &self.page.words;
        let name = self.name_cell(&stored.record, is_linked);
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
