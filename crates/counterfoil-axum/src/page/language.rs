//! The languages of the page, and which one a request is answered in.

use std::{fmt, sync::Arc};

use axum::http::{HeaderMap, header::ACCEPT_LANGUAGE};

use super::{InvalidSettingsPage, SettingsPage};

type SetUp = dyn Fn(SettingsPage) -> SettingsPage + Send + Sync;

/// A language that was added to a page.
#[derive(Clone)]
pub(super) struct Language {
    tag: String,
    set_up: Arc<SetUp>,
}

impl Language {
    pub(super) fn new(tag: String, set_up: impl Fn(SettingsPage) -> SettingsPage + Send + Sync + 'static) -> Self {
        Self { tag, set_up: Arc::new(set_up) }
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Language({:?})", self.tag)
    }
}

/// The page in each of its languages, the page itself first.
#[derive(Debug, Clone)]
pub(super) struct Languages(Vec<(String, Arc<SettingsPage>)>);

impl Languages {
    pub(super) fn of(mut page: SettingsPage) -> Result<Self, InvalidSettingsPage> {
        let languages = std::mem::take(&mut page.languages);
        let mut pages = vec![(page.words.language.to_string(), page.clone())];
        for Language { tag, set_up } in languages {
            let is_known = pages.iter().any(|(known, _)| known.eq_ignore_ascii_case(&tag));
            if is_known || !is_tag(&tag) {
                return Err(InvalidSettingsPage::Language { tag });
            }
            let translated = set_up(page.clone().words(|words| words.language = tag.clone().into()));
            // What decides where the page is and what it does is the same in every language.
            let SettingsPage { registry, path, public_url, cross_site, sign_in, .. } = page.clone();
            let SettingsPage { requests, credential_headers, left_out, names, style, script, .. } = page.clone();
            let translated = SettingsPage {
                registry,
                path,
                public_url,
                cross_site,
                sign_in,
                requests,
                credential_headers,
                left_out,
                names,
                style,
                script,
                languages: Vec::new(),
                ..translated
            };
            pages.push((tag, translated));
        }
        let settled = pages.into_iter().map(|(tag, mut page)| {
            page.check()?;
            page.settle();
            Ok((tag, Arc::new(page)))
        });
        settled.collect::<Result<_, _>>().map(Self)
    }

    /// The page itself, whose operations and assets are those of all languages.
    pub(super) fn first(&self) -> &Arc<SettingsPage> {
        // INVARIANT: made with one at least.
        &self.0[0].1
    }

    /// The page that a person is shown: in the session's language, or in the one that the request prefers.
    pub(super) fn choose(&self, of_session: Option<&str>, headers: &HeaderMap) -> &Arc<SettingsPage> {
        if self.0.len() == 1 {
            return self.first();
        }
        let of_session = of_session.and_then(|tag| self.lookup(tag));
        of_session.or_else(|| self.accepted(headers)).unwrap_or(self.first())
    }

    /// The page for a tag, or for the longest beginning of it that there is (RFC 4647, section 3.4).
    fn lookup(&self, tag: &str) -> Option<&Arc<SettingsPage>> {
        let mut range = tag.trim();
        loop {
            if let Some((_, page)) = self.0.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(range)) {
                return Some(page);
            }
            range = &range[..range.rfind('-')?];
        }
    }

    /// The first of the languages that the request accepts, the most wanted one first (RFC 9110, section 12.5.4).
    fn accepted(&self, headers: &HeaderMap) -> Option<&Arc<SettingsPage>> {
        let values = headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let mut ranges: Vec<(&str, f32)> = values.flat_map(|value| value.split(',')).map(weighed).collect();
        // A stable sort: of two that are wanted alike, the first.
        ranges.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        ranges.into_iter().filter(|(_, weight)| *weight > 0.0).find_map(|(range, _)| match range {
            "*" => Some(self.first()),
            _ => self.lookup(range),
        })
    }
}

fn weighed(part: &str) -> (&str, f32) {
    let (range, parameters) = part.split_once(';').unwrap_or((part, ""));
    let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |weight| weight.parse().ok());
    // A weight that cannot be read is none.
    (range.trim(), weight.filter(|weight: &f32| (0.0..=1.0).contains(weight)).unwrap_or(0.0))
}

fn is_tag(tag: &str) -> bool {
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    tag.split('-').all(is_part)
}
