//! Who is at the page: the host's session.

use std::future::Future;

use counterfoil::Owner;

use super::ScopeGroup;
use crate::management::{Declined, PathParams, Session};

/// The host's session, for the settings page: the [`Session`] of the management API, asked the same questions, and three
/// that only a page has.
///
/// ```
/// use counterfoil::{Actor, Owner, Record};
/// use counterfoil_axum::management::{Declined, Operation, PathParams, Session};
/// use counterfoil_axum::page::PageSession;
///
/// /// Who is signed in, and the secret of the cookie that says so.
/// struct User { owner: Owner, cookie: String }
///
/// impl PageSession for User {
///     fn form_secret(&self) -> impl AsRef<[u8]> {
///         &self.cookie
///     }
/// }
/// # impl Session for User {
/// #     fn actor(&self) -> Option<Actor> { None }
/// #     async fn owner(&self, _: Operation, _: &PathParams) -> Result<Owner, Declined> { Ok(self.owner.clone()) }
/// #     async fn may(&self, _: Operation, _: &Record, _: &PathParams) -> Result<(), Declined> { Err(Declined::NotFound) }
/// # }
/// ```
pub trait PageSession: Session {
    /// A secret that this session has and no other: the value of its cookie, say. At least 16 bytes; with fewer the page
    /// answers 500.
    ///
    /// It must stay the same for as long as the session lasts: a form that was shown under another one is refused. Forms have
    /// no age of their own, and end with the session. Every form holds an HMAC under it, by which the page knows that the form was shown to this session. The secret itself
    /// is never shown.
    fn form_secret(&self) -> impl AsRef<[u8]>;

    /// The language tag that this person has chosen, such as `ja`. By default it is the best one in the request's
    /// `Accept-Language` header. Only [languages of the page](super::SettingsPage::language) are shown.
    fn language(&self) -> Option<&str> {
        None
    }

    /// The scopes that are offered for a new token of `owner`'s: `groups`, which the page was made with, unless the host
    /// knows better, such as the collections that this owner may see.
    ///
    /// Two with one key, or with a key that [is none](ScopeGroup::any_of), are answered with 500.
    ///
    /// # Errors
    ///
    /// [`Declined`].
    fn scope_groups(
        &self,
        owner: &Owner,
        path: &PathParams,
        groups: Vec<ScopeGroup>,
    ) -> impl Future<Output = Result<Vec<ScopeGroup>, Declined>> + Send {
        let _ = (owner, path);
        async { Ok(groups) }
    }
}
