//! A page on which a person who is signed in manages tokens.
//!
//! [`SettingsPage`] collects what the host has to say, and [`PageSession`] is the only way in. The page is written by the
//! server, works without script and by keyboard alone, and brings its own style, which the host can replace.

mod answer;
mod change;
mod changing;
mod column;
mod creating;
mod day;
mod expiries;
mod facts;
mod field;
mod filling;
mod form;
mod form_key;
mod invalid;
mod language;
mod lettering;
mod links;
mod looking;
mod mount;
mod offer;
mod reply;
mod scopes;
mod session;
mod trouble;
mod view;
mod words;

use std::{borrow::Cow, sync::Arc, time::Duration};

use axum::{
    extract::Request,
    http::{HeaderName, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use counterfoil::{Record, Registry, Timestamp, policy::Lifetimes, record::Statuses, store::IdempotencyStore};
use sha2::{Digest as _, Sha256};
use tower_http::csrf::CsrfLayer;

use self::links::Links;
pub use self::{
    change::Change,
    column::{Column, OwnColumn},
    expiries::Expiries,
    invalid::InvalidSettingsPage,
    scopes::{ScopeChoice, ScopeGroup},
    session::PageSession,
    words::Words,
};
use crate::management::{
    ApiError, Operation,
    guard::CredentialHeaders,
    names::Names,
    public_url::{self, PublicUrl},
    refusal::Refusals,
    requests::SharedRequests,
};

/// A settings page for personal access tokens: list, create, rotate, change expiration, block, revoke.
///
/// ```
/// use axum::{Router, extract::FromRequestParts};
/// use counterfoil::{MemoryStore, Registry, Status, record::Statuses};
/// use counterfoil_axum::page::{Expiries, InvalidSettingsPage, PageSession, SettingsPage};
///
/// fn settings<User>(registry: Registry, requests: MemoryStore) -> Result<Router, InvalidSettingsPage>
/// where
///     User: PageSession + FromRequestParts<()>,
/// {
///     SettingsPage::new(registry)
///         .path("/settings/api-keys")
///         .words(|words| {
///             words.title = "API keys".into();
///             words.create = "New API key".into();
///         })
///         .expiries(Expiries::none().days(30, "30 days").never("No expiration", "").on_date("Custom date"))
///         .listing(Statuses::except(Status::Revoked))
///         .idempotency(requests)
///         .home("Example", "/")
///         .router::<User, ()>()
/// }
/// ```
///
/// # What holds for every page
///
/// - As in the [management API](crate::Management), a request that shows a token of ours or comes with a proof of one is
///   refused, and so is a change that another site's page has sent.
/// - Every form holds a field that is good for the session it was shown to, and for this one change of this one token.
/// - A secret stands in the reply to the form that made it and nowhere else: in no address, cookie or store. A form that is
///   sent again shows it no more, and leads to the token; a form to create is known again where the host has given an
///   [`IdempotencyStore`](Self::idempotency).
/// - What the form does not offer is not taken from behind it: ends, overlaps and scopes are closed sets. The registry's own
///   rules hold beside them.
/// - A change is asked for once more, on a page that tells what will happen. If the token was changed meanwhile, a rotation,
///   a new end and the end of a block are not made but shown again; a block and a revocation are made.
/// - The content security policy allows the page's own style and script, nothing inline, and no frame around the page.
///   No page may be stored by anyone.
///
/// # Paths
///
/// Below [its own](Self::path): `/new`, `/{token_id}`, and behind that `/rotate`, `/expiry`, `/block`, `/unblock`, `/revoke`;
/// `/style.css` and `/script.js`, which anyone may read.
#[derive(Debug, Clone)]
#[must_use = "a settings page does nothing until its router is mounted"]
pub struct SettingsPage {
    registry: Registry,
    /// Of fields, as the registry's refusals name them: the page's own names.
    names: Names,
    requests: Option<SharedRequests>,
    credential_headers: CredentialHeaders,
    path: String,
    public_url: PublicUrl,
    cross_site: CsrfLayer,
    /// What is wrong with what was said so far.
    invalid: Option<InvalidSettingsPage>,
    sign_in: Option<String>,
    words: Words,
    languages: Vec<language::Language>,
    style: Arc<str>,
    script: Arc<str>,
    assets: view::Assets,
    home: Option<(String, String)>,
    columns: Vec<Column>,
    addresses: bool,
    row_actions: Vec<Change>,
    icons: bool,
    usual: Statuses,
    filters: bool,
    page_size: u32,
    fields: Vec<Field>,
    groups: Option<Vec<ScopeGroup>>,
    expiries: Option<Expiries>,
    overlaps: Option<Vec<(Duration, String)>>,
    left_out: Vec<Operation>,
}

/// A field of the form for a new token, beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// What the token is for.
    Description,
    /// When it ends. Without this field the registry's default holds.
    Expiry,
    /// What its bearer may do.
    Scopes,
    /// From where it may be used.
    Networks,
    /// The resource server that it is meant for.
    Audience,
}

impl SettingsPage {
    /// A page for the tokens of this registry, at `/settings/tokens`.
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            names: Names::default(),
            requests: None,
            credential_headers: CredentialHeaders::default(),
            path: "/settings/tokens".into(),
            public_url: PublicUrl::default(),
            cross_site: CsrfLayer::new(),
            invalid: None,
            sign_in: None,
            words: Words::default(),
            languages: Vec::new(),
            style: include_str!("../templates/page/style.css").into(),
            script: include_str!("../templates/page/script.js").into(),
            assets: view::Assets::default(),
            home: None,
            columns: vec![
                Column::Name,
                Column::Token,
                Column::Scopes,
                Column::Expiry,
                Column::LastUsed,
                Column::Status,
            ],
            addresses: true,
            row_actions: vec![Change::Rotate, Change::Revoke],
            icons: false,
            usual: Statuses::ALL,
            filters: true,
            page_size: 25,
            fields: vec![Field::Expiry, Field::Scopes, Field::Networks],
            groups: None,
            expiries: None,
            overlaps: None,
            left_out: Vec::new(),
        }
    }

    /// The path of the list, without `/` at its end; the other pages stand below it. Its parameters are handed to the session.
    pub fn path(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// Sets the URL under which browsers reach your service, if a reverse proxy changes it:
    /// `https://tools.example.com/acme`, or the path alone, `/acme`.
    ///
    /// The path is the prefix that the proxy removes. Links, forms, redirects and the style get it, and so do the paths that
    /// you give to [`home`](Self::home), [`sign_in`](Self::sign_in) and the links of your refusals. The origin is a
    /// [trusted](Self::trusted_origin) one. See the [guide](counterfoil::guide::reverse_proxies).
    pub fn public_url(mut self, url: &str) -> Self {
        match self.public_url.set(url) {
            Ok(()) => match self.public_url.origin.clone() {
                Some(origin) => self.trusted_origin(&origin),
                None => self,
            },
            Err(why) => self.wrong(InvalidSettingsPage::PublicUrl { why }),
        }
    }

    /// Takes the path prefix from the header `X-Forwarded-Prefix`, instead of from [`public_url`](Self::public_url), where a
    /// request has it.
    ///
    /// Use it only behind a proxy that sets or removes this header in every request. If it has several values, the first is
    /// the outermost prefix. A header that holds anything but paths is ignored.
    pub fn trust_forwarded_prefix(mut self) -> Self {
        self.public_url.trusts_header = true;
        self
    }

    /// Accepts forms that pages of this origin have sent, such as `https://tools.example.com`, in addition to those of the
    /// host that the request names.
    ///
    /// Name the public origin of your own service here if a proxy changes the `Host` header. Give it as in the address bar:
    /// case, a default port and a `/` at the end do not matter.
    pub fn trusted_origin(self, origin: &str) -> Self {
        let added = public_url::normal_origin(origin)
            .and_then(|origin| self.cross_site.clone().add_trusted_origin(&origin).map_err(|error| error.to_string()));
        match added {
            Ok(layer) => Self { cross_site: layer, ..self },
            Err(why) => self.wrong(InvalidSettingsPage::Origin { why }),
        }
    }

    /// Sets where people sign in: `/sign-in?return_to={path}`, or an `https` URL. `{path}` is replaced by the path of the
    /// page that they wanted to see, percent-encoded.
    ///
    /// A request without a session is then answered with a page that leads there. That is also true for a form that was
    /// filled in meanwhile: its values are kept on the page, and the form can be sent again after signing in. Without this
    /// setting, the page shows what your session extractor answers.
    ///
    /// Before your sign-in redirects to `{path}`, check it with [`is_local_path`]: anyone can write a link to your sign-in.
    pub fn sign_in(mut self, url: impl Into<String>) -> Self {
        let url = url.into();
        if is_local_path(&url.replace("{path}", "")) || url.starts_with("https://") || url.starts_with("http://") {
            self.sign_in = Some(url);
            return self;
        }
        self.wrong(InvalidSettingsPage::SignIn { url })
    }

    fn wrong(mut self, invalid: InvalidSettingsPage) -> Self {
        self.invalid.get_or_insert(invalid);
        self
    }

    /// The page's heading.
    pub fn title(mut self, title: impl Into<Cow<'static, str>>) -> Self {
        self.words.title = title.into();
        self
    }

    /// Changes texts of the page, its language among them.
    pub fn words(mut self, change: impl FnOnce(&mut Words)) -> Self {
        change(&mut self.words);
        self
    }

    /// Adds a language: the page as `set_up` makes it is shown to people who read it. The page itself is shown to all others.
    ///
    /// The language of a session is what [`PageSession::language`] says. Without that, and before there is a session, it is
    /// the best one in the `Accept-Language` header. `tag` is a language tag such as `ja` or `pt-BR`.
    ///
    /// `set_up` gets the finished page, with [`Words::language`] set to the tag. It can change everything that people read:
    /// words, labels of expirations, overlaps and scopes, headings of columns. Paths, operations and the registry stay those
    /// of the page.
    ///
    /// ```
    /// # fn page(page: counterfoil_axum::SettingsPage) -> counterfoil_axum::SettingsPage {
    /// page.language("de", |page| {
    ///     page.words(|words| {
    ///         words.title = "Zugriffstoken".into();
    ///         words.create = "Neues Token".into();
    ///     })
    /// })
    /// # }
    /// ```
    pub fn language(mut self, tag: impl Into<String>, set_up: impl Fn(Self) -> Self + Send + Sync + 'static) -> Self {
        self.languages.push(language::Language::new(tag.into(), set_up));
        self
    }

    /// The page's style, instead of the one it brings. Whatever it loads must come from the page's own origin.
    pub fn style(self, css: impl Into<Arc<str>>) -> Self {
        Self { style: css.into(), ..self }
    }

    /// A link above every page, to where the person came from.
    pub fn home(self, label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { home: Some((label.into(), href.into())), ..self }
    }

    /// The columns of the list: name, token, scopes, expiration, last use and status, unless this is said.
    pub fn columns(self, columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), ..self }
    }

    /// Does not show from which address a token was last used.
    pub fn without_addresses(self) -> Self {
        Self { addresses: false, ..self }
    }

    /// The changes that the list itself offers for each token: rotate and revoke, unless this is said. The token's own page
    /// offers all that there are. The session [is asked](crate::management::Session::may) of each before it is
    /// offered, and of the token's own page: once more for every row.
    pub fn row_actions(self, changes: impl IntoIterator<Item = Change>) -> Self {
        Self { row_actions: changes.into_iter().collect(), ..self }
    }

    /// Shows the changes in the list as icons. Each has its word as the accessible name and as the tooltip. Prefer this to
    /// an emoji in the words, which is an empty box on a system without a font for it.
    pub fn row_action_icons(self) -> Self {
        Self { icons: true, ..self }
    }

    /// Lists these where the person has chosen no status: all of them, unless this is said.
    pub fn listing(self, usual: Statuses) -> Self {
        Self { usual, ..self }
    }

    /// Offers no choice of a status.
    pub fn without_filters(self) -> Self {
        Self { filters: false, ..self }
    }

    /// How many tokens stand on one page of the list: 25, unless this is said; 1 to 100.
    pub fn page_size(self, tokens: u32) -> Self {
        Self { page_size: tokens.clamp(1, 100), ..self }
    }

    /// Sets the fields of the form for a new token, in addition to its name. Defaults to expiration, scopes and networks.
    /// Networks are offered only if
    /// [clients' addresses are known](counterfoil::registry::RegistryBuilder::client_addresses_known).
    pub fn fields(self, fields: impl IntoIterator<Item = Field>) -> Self {
        Self { fields: fields.into_iter().collect(), ..self }
    }

    /// The scopes that are offered: one group with all of the registry's catalog, unless this is said. A session may
    /// [offer others](PageSession::scope_groups).
    pub fn scope_groups(self, groups: impl IntoIterator<Item = ScopeGroup>) -> Self {
        Self { groups: Some(groups.into_iter().collect()), ..self }
    }

    /// The ends that are offered, for a new token and for a new end: 30, 60, 90 days, a year, a date, or never, as far as
    /// the registry takes them, unless this is said.
    pub fn expiries(self, expiries: Expiries) -> Self {
        Self { expiries: Some(expiries), ..self }
    }

    /// For how long, in whole seconds, the old secret may stay good when a token is rotated, the first standing chosen: not
    /// at all, an hour, or a day, unless this is said. At least one, and none twice.
    pub fn overlaps<L: Into<String>>(self, overlaps: impl IntoIterator<Item = (Duration, L)>) -> Self {
        let overlaps = overlaps.into_iter().map(|(time, label)| (time, label.into())).collect();
        Self { overlaps: Some(overlaps), ..self }
    }

    /// Leaves an operation out: its links and its path. Without [`Get`](Operation::Get) a token has no page of its own; the
    /// list cannot be left out.
    pub fn without(mut self, operation: Operation) -> Self {
        self.left_out.push(operation);
        self
    }

    /// Remembers forms in this store, so that one which is sent twice makes one token. Give it to the registry too, with
    /// [`idempotency`](counterfoil::registry::RegistryBuilder::idempotency), which forgets old ones.
    pub fn idempotency(self, requests: impl IdempotencyStore) -> Self {
        Self { requests: Some(SharedRequests::new(requests)), ..self }
    }

    /// Looks for tokens in this header too, beside `Authorization` and `X-API-Key`: name every header that a door of the
    /// host's reads.
    pub fn credential_header(mut self, name: HeaderName) -> Self {
        self.credential_headers.add(name);
        self
    }

    fn shut(&self, request: &Request) -> Result<(), ApiError> {
        self.credential_headers.shut(request, self.registry.families())
    }

    fn has(&self, operation: Operation) -> bool {
        !self.left_out.contains(&operation)
    }

    /// Whether it makes sense for this token now.
    fn offers(&self, change: Change, record: &Record, now: Timestamp) -> bool {
        let makes_sense = match change {
            Change::Rotate => !record.expiry().has_passed(now),
            Change::SetExpiry => !self.offered_expiries(now).is_empty(),
            Change::Block => record.blocked().is_none(),
            Change::Unblock => record.blocked().is_some(),
            Change::Revoke => true,
        };
        makes_sense && record.revoked().is_none() && self.has(change.operation())
    }

    fn refusals(&self) -> Refusals<'_> {
        Refusals { names: &self.names, limit: StatusCode::TOO_MANY_REQUESTS }
    }

    fn lifetimes(&self) -> &Lifetimes {
        &self.registry.issue_policy().lifetimes
    }

    /// What the registry would take of the ends that are offered.
    fn offered_expiries(&self, now: Timestamp) -> Vec<&expiries::Choice> {
        self.expiries.iter().flat_map(|expiries| expiries.within(self.lifetimes(), now)).collect()
    }

    fn offered_overlaps(&self) -> &[(Duration, String)] {
        self.overlaps.as_deref().unwrap_or_default()
    }

    fn offered_groups(&self) -> Vec<ScopeGroup> {
        self.groups.clone().unwrap_or_default()
    }

    /// What the host has left unsaid, in the words that it has said.
    fn settle(&mut self) {
        self.assets = view::Assets { style: fingerprint(&self.style), script: fingerprint(&self.script) };
        let Self { registry, words, .. } = self;
        self.expiries.get_or_insert_with(|| Expiries::usual(words));
        self.groups.get_or_insert_with(|| ScopeGroup::of_catalog(registry, words).into_iter().collect());
        self.overlaps.get_or_insert_with(|| {
            let usual = [
                (Duration::ZERO, &words.overlap_none),
                (Duration::from_secs(3600), &words.overlap_hour),
                (Duration::from_secs(86_400), &words.overlap_day),
            ];
            usual.map(|(time, label)| (time, label.to_string())).into()
        });
    }

    fn frame<'a>(&'a self, links: &'a Links, heading: &'a str) -> view::Frame<'a> {
        let home = self.home.as_ref().map(|(label, href)| (label.as_str(), links.application(href)));
        view::Frame { words: &self.words, links, assets: &self.assets, home, heading, has_problem: false }
    }
}

/// Whether a text is a path on your own host, so that a redirect to it leads to no other one: one `/` first, no
/// backslash, no control character.
///
/// ```
/// use counterfoil_axum::page::is_local_path;
///
/// assert!(is_local_path("/settings/tokens?status=active"));
/// for elsewhere in ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "settings", ""] {
///     assert!(!is_local_path(elsewhere), "{elsewhere}");
/// }
/// ```
pub fn is_local_path(text: &str) -> bool {
    // Browsers leave out tabs and line breaks, and read a backslash as a slash (URL Standard, section 4.4).
    let is_odd = |character: char| character == '\\' || character.is_control();
    text.starts_with('/') && !text.starts_with("//") && !text.contains(is_odd)
}

/// A short name of a text: it is fetched anew when it has changed.
fn fingerprint(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    URL_SAFE_NO_PAD.encode(&digest[..9])
}
