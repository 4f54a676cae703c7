//! Who has an account in which workspace, and which collections it may use now.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header::AUTHORIZATION, request::Parts},
};
use counterfoil::{
    Actor, By, Caller, Grant, Owner, Policy, Record, Scopes, Verified,
    policy::{Approval, Assent, Objection, Refusal},
};
use counterfoil_axum::management::{ApiError, Declined, Operation, PathParams, Session};

use super::{ALL_COLLECTIONS, Arpia, LLM_PROXY};
use crate::{host::Error, session::Person};

/// A person's account. A real service looks into its database.
#[derive(Debug, Clone)]
pub struct Account {
    /// What it may be granted: its collections, each by its scope, and the proxy.
    pub rights: Scopes,
    /// The addresses that the person has said to be theirs.
    pub known: HashSet<IpAddr>,
    is_active: bool,
}

impl Account {
    /// Whether it has access to any collection.
    pub fn has_collections(&self) -> bool {
        self.rights.exact().any(|scope| super::collection_of(scope).is_some())
    }

    /// Whether a use from there is one that the person should look at.
    pub fn is_unknown(&self, address: Option<IpAddr>) -> bool {
        address.is_some_and(|address| !self.known.contains(&address))
    }
}

/// The accounts. An owner's tenant is the workspace.
#[derive(Debug, Clone, Default)]
pub struct Accounts(Arc<RwLock<HashMap<Owner, Account>>>);

impl Accounts {
    /// Opens an account, or gives it these collections instead of those it has.
    ///
    /// # Errors
    ///
    /// A workspace that is not 10 hex digits, a name that no scope can hold, or more than 127 names.
    pub fn permit(&self, owner: &Owner, collections: &[&str]) -> Result<(), Error> {
        super::workspace(owner.tenant_or_empty())?;
        let mut rights = Scopes::none();
        rights.insert(LLM_PROXY.parse()?)?;
        for name in collections {
            rights.insert(super::scope_of(name)?)?;
        }
        let mut accounts = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = accounts.remove(owner).map(|account| account.known).unwrap_or_default();
        accounts.insert(owner.clone(), Account { rights, known, is_active: true });
        Ok(())
    }

    /// Takes the account out of use.
    pub fn deactivate(&self, owner: &Owner) {
        self.change(owner, |account| account.is_active = false);
    }

    /// Notes an address as the person's own.
    pub fn know(&self, owner: &Owner, address: IpAddr) {
        self.change(owner, |account| {
            account.known.insert(address);
        });
    }

    fn change(&self, owner: &Owner, change: impl FnOnce(&mut Account)) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).get_mut(owner).map(change);
    }

    /// The account as it is now.
    ///
    /// # Errors
    ///
    /// There is none, or it is out of use.
    pub fn active(&self, owner: &Owner) -> Result<Account, Refusal> {
        let account = self.0.read().unwrap_or_else(PoisonError::into_inner).get(owner).cloned();
        let active = account.filter(|account| account.is_active);
        active.ok_or_else(|| Refusal::new("account_inactive", "an active ARPIA account is required"))
    }
}

/// The refusal of somebody without any collection.
pub fn no_collections() -> Refusal {
    Refusal::new("no_collections", "No collections: missing permissions, contact your admin")
}

impl Policy for Accounts {
    async fn at_use(&self, verified: &Verified, _: &Caller) -> Result<Assent, Objection> {
        let account = self.active(verified.record().owner())?;
        Ok(Assent::plain().ceiling(account.rights.clone()).attach(account))
    }

    async fn at_issue(&self, grant: &Grant) -> Result<Approval, Objection> {
        let account = self.active(&grant.owner)?;
        if !account.has_collections() {
            return Err(no_collections().into());
        }
        // "All permitted collections" is anyone's to grant: what it comes to is said at each use.
        let is_for_all = grant.scopes.patterns().any(|pattern| pattern.as_str() == ALL_COLLECTIONS);
        let anything = || Scopes::from_texts([ALL_COLLECTIONS, LLM_PROXY]);
        let ceiling = if is_for_all { anything() } else { Ok(account.rights) };
        let ceiling = ceiling.map_err(|error| Objection::Unavailable(error.into()))?;
        Ok(Approval::plain().ceiling(ceiling))
    }

    async fn at_rotate(&self, record: &Record, _: &By) -> Result<(), Objection> {
        Ok(self.active(record.owner()).map(drop)?)
    }
}

/// Somebody who is signed in, has an active account, and shows no token.
#[derive(Debug, Clone)]
pub struct Member {
    /// The person.
    pub person: Person,
    /// Their account.
    pub account: Account,
}

impl FromRequestParts<Arpia> for Member {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, arpia: &Arpia) -> Result<Self, ApiError> {
        if parts.headers.contains_key(AUTHORIZATION) {
            let text = "personal tokens do not grant access here: sign in instead";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "session_required", text));
        }
        let person = Person::of(&arpia.sessions, &parts.headers)?;
        let account = arpia.accounts.active(&person.owner).map_err(Declined::from)?;
        Ok(Self { person, account })
    }
}

impl Session for Member {
    fn actor(&self) -> Option<Actor> {
        self.person.actor()
    }

    async fn owner(&self, operation: Operation, path: &PathParams) -> Result<Owner, Declined> {
        self.person.owner(operation, path).await
    }

    async fn may(&self, operation: Operation, token: &Record, path: &PathParams) -> Result<(), Declined> {
        self.person.may(operation, token, path).await
    }

    /// The workspace goes into the token's text.
    async fn grant(&self, grant: Grant) -> Result<Grant, Declined> {
        let workspace = grant.owner.tenant_or_empty().to_owned();
        Ok(grant.routing(workspace))
    }
}
