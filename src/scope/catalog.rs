//! Which scopes a service has, and what a request for scopes comes to.

use std::collections::{BTreeMap, BTreeSet};

use super::{InvalidScope, Scope, ScopePattern, Scopes};

/// The scopes that a service knows: what exists, what implies what, what is reserved, what can never be granted.
///
/// ```
/// use counterfoil::{ScopeCatalog, Scopes, UnknownScopes};
///
/// let catalog = ScopeCatalog::builder()
///     .scope("parts:read", "list and read parts")
///     .scope("parts:write", "change parts")
///     .implies("parts:write", "parts:read")
///     .reserved("parts:calculations:read", "for later")
///     .family("collections:*", "one collection, or all")
///     .never("admin:*")
///     .build()?;
///
/// let asked: Scopes = "parts:write collections:7 admin:plan".parse()?;
/// let resolved = catalog.resolve(&asked, UnknownScopes::Drop)?;
/// assert_eq!(resolved.scopes.to_string(), "collections:7 parts:read parts:write");
/// assert_eq!(resolved.dropped.to_string(), "admin:plan");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What a scope implies is written into the token when it is minted, so a later edit of the catalog widens no token
/// that was issued before. What can never be granted is refused at the check as well, whatever a row says.
#[derive(Debug, Clone)]
pub struct ScopeCatalog {
    entries: BTreeMap<Scope, Entry>,
    families: Vec<(ScopePattern, String)>,
    never: Scopes,
}

#[derive(Debug, Clone)]
struct Entry {
    description: String,
    reserved: bool,
    implied: BTreeSet<Scope>,
}

impl ScopeCatalog {
    /// Begins an empty catalog.
    pub fn builder() -> CatalogBuilder {
        CatalogBuilder::default()
    }

    /// What a request for `asked` comes to: known scopes with all they imply.
    ///
    /// A scope is known if it has an entry or lies in a family; a pattern only if it lies in a family. A scope that can
    /// never be granted is as unknown as one that does not exist.
    ///
    /// # Errors
    ///
    /// [`ScopesRefused`]: an unknown scope under [`UnknownScopes::Reject`]; nothing left of a request that asked for
    /// something; more than [`Scopes::MAX_COUNT`] after expansion.
    pub fn resolve(&self, asked: &Scopes, unknown: UnknownScopes) -> Result<Resolved, ScopesRefused> {
        let mut resolved = Resolved { scopes: Scopes::none(), dropped: Scopes::none() };
        for scope in asked.exact() {
            if !self.knows(scope) {
                resolved.dropped.insert(scope.clone())?;
                continue;
            }
            resolved.scopes.insert(scope.clone())?;
            for implied in self.entries.get(scope).into_iter().flat_map(|entry| &entry.implied) {
                resolved.scopes.insert(implied.clone())?;
            }
        }
        for pattern in asked.patterns() {
            let is_forbidden = self.never.patterns().any(|never| pattern.is_within(never));
            if !is_forbidden && self.families.iter().any(|(family, _)| pattern.is_within(family)) {
                resolved.scopes.insert_pattern(pattern.clone())?;
            } else {
                resolved.dropped.insert_pattern(pattern.clone())?;
            }
        }
        if unknown == UnknownScopes::Reject && !resolved.dropped.is_empty() {
            return Err(ScopesRefused::Unknown { scopes: resolved.dropped });
        }
        if resolved.scopes.is_empty() && !asked.is_empty() {
            return Err(ScopesRefused::NothingLeft { scopes: resolved.dropped });
        }
        Ok(resolved)
    }

    /// Whether `scope` exists here and may be granted.
    pub fn knows(&self, scope: &Scope) -> bool {
        !self.forbids(scope)
            && (self.entries.contains_key(scope) || self.families.iter().any(|(family, _)| family.matches(scope)))
    }

    /// Whether `scope` can never be granted, whatever a token holds.
    pub fn forbids(&self, scope: &Scope) -> bool {
        self.never.allow(scope)
    }

    /// The scopes without those that can never be granted. A pattern that holds some of them and others as well stays:
    /// [`Verified::require`](crate::Verified::require) is what decides.
    pub fn without_forbidden(&self, scopes: &Scopes) -> Scopes {
        let is_allowed = |scope: &&Scope| !self.forbids(scope);
        let is_open = |pattern: &&ScopePattern| !self.never.patterns().any(|never| pattern.is_within(never));
        Scopes {
            exact: scopes.exact().filter(is_allowed).cloned().collect(),
            patterns: scopes.patterns().filter(is_open).cloned().collect(),
        }
    }

    /// Whether `scope` is reserved: it may be granted, and nothing asks for it yet.
    pub fn is_reserved(&self, scope: &Scope) -> bool {
        self.entries.get(scope).is_some_and(|entry| entry.reserved)
    }

    /// The scopes with their descriptions, in byte order, the reserved ones among them.
    pub fn scopes(&self) -> impl Iterator<Item = (&Scope, &str)> {
        self.entries.iter().map(|(scope, entry)| (scope, entry.description.as_str()))
    }

    /// The families with their descriptions, in the order in which they were named.
    pub fn families(&self) -> impl Iterator<Item = (&ScopePattern, &str)> {
        self.families.iter().map(|(pattern, description)| (pattern, description.as_str()))
    }
}

/// What becomes of scopes that the catalog does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownScopes {
    /// One unknown scope refuses the whole request.
    Reject,
    /// Unknown scopes are left out and reported; if none remains, the request is refused.
    Drop,
}

/// What a request for scopes came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// What the token gets.
    pub scopes: Scopes,
    /// What was asked for and left out.
    pub dropped: Scopes,
}

/// A request for scopes that the catalog does not grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopesRefused {
    /// Scopes that do not exist or can never be granted.
    #[error("unknown scopes: {scopes}")]
    Unknown {
        /// Which.
        scopes: Scopes,
    },
    /// Every scope that was asked for is unknown.
    #[error("no known scope among those asked for: {scopes}")]
    NothingLeft {
        /// Which were asked for.
        scopes: Scopes,
    },
    /// Too many scopes, with those implied.
    #[error(transparent)]
    Invalid(#[from] InvalidScope),
}

/// Collects a [`ScopeCatalog`]; mistakes come out at [`build`](Self::build).
#[derive(Debug, Clone, Default)]
pub struct CatalogBuilder {
    scopes: Vec<(String, String, bool)>,
    implications: Vec<(String, String)>,
    families: Vec<(String, String)>,
    never: Vec<String>,
}

impl CatalogBuilder {
    /// Adds a scope that handlers ask for.
    pub fn scope(mut self, scope: &str, description: &str) -> Self {
        self.scopes.push((scope.into(), description.into(), false));
        self
    }

    /// Adds a scope that may be granted though nothing asks for it yet.
    pub fn reserved(mut self, scope: &str, description: &str) -> Self {
        self.scopes.push((scope.into(), description.into(), true));
        self
    }

    /// Adds a pattern under which scopes need no entry of their own, such as one for every collection.
    pub fn family(mut self, pattern: &str, description: &str) -> Self {
        self.families.push((pattern.into(), description.into()));
        self
    }

    /// States that whoever is granted `scope` is granted `implied` too, and what that implies in turn.
    pub fn implies(mut self, scope: &str, implied: &str) -> Self {
        self.implications.push((scope.into(), implied.into()));
        self
    }

    /// Adds a scope or pattern that can never be granted.
    pub fn never(mut self, scope_or_pattern: &str) -> Self {
        self.never.push(scope_or_pattern.into());
        self
    }

    /// The catalog.
    ///
    /// # Errors
    ///
    /// [`InvalidCatalog`] for a text that is not a scope or pattern, for a scope or family that is added twice, for an
    /// implication between scopes that are not in the catalog, and for a scope that is both listed and never granted.
    /// Repeating an implication or a call of [`never`](Self::never) has no effect.
    pub fn build(self) -> Result<ScopeCatalog, InvalidCatalog> {
        let mut catalog = ScopeCatalog {
            entries: BTreeMap::new(),
            families: Vec::new(),
            never: Scopes::from_texts(self.never.iter().map(String::as_str))?,
        };
        for (scope, description, reserved) in self.scopes {
            let scope: Scope = scope.parse()?;
            if catalog.forbids(&scope) {
                return Err(InvalidCatalog::Contradiction { scope });
            }
            let entry = Entry { description, reserved, implied: BTreeSet::new() };
            if catalog.entries.insert(scope.clone(), entry).is_some() {
                return Err(InvalidCatalog::Repeated { scope: scope.into() });
            }
        }
        for (pattern, description) in self.families {
            let pattern: ScopePattern = pattern.parse()?;
            if catalog.families.iter().any(|(known, _)| *known == pattern) {
                return Err(InvalidCatalog::Repeated { scope: pattern.into() });
            }
            catalog.families.push((pattern, description));
        }
        let mut direct: BTreeMap<Scope, BTreeSet<Scope>> = BTreeMap::new();
        for (scope, implied) in self.implications {
            let (scope, implied): (Scope, Scope) = (scope.parse()?, implied.parse()?);
            if let Some(scope) = [&scope, &implied].into_iter().find(|scope| !catalog.entries.contains_key(scope)) {
                return Err(InvalidCatalog::NotListed { scope: scope.clone() });
            }
            direct.entry(scope).or_default().insert(implied);
        }
        for (scope, entry) in &mut catalog.entries {
            let mut open = vec![scope];
            while let Some(scope) = open.pop() {
                let implied = direct.get(scope).into_iter().flatten();
                open.extend(implied.filter(|scope| entry.implied.insert((*scope).clone())));
            }
        }
        Ok(catalog)
    }
}

/// A catalog that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCatalog {
    /// A text that is no scope or pattern.
    #[error(transparent)]
    Scope(#[from] InvalidScope),
    /// A scope or family is added twice, or once as a scope and once as reserved.
    #[error("`{scope}` is in the catalog twice: expected one call of `scope`, `reserved` or `family` for it")]
    Repeated {
        /// The scope, or the pattern of the family.
        scope: String,
    },
    /// An implication names a scope that the catalog does not list.
    #[error("scope `{scope}` is part of an implication but not listed: add it with `scope` or `reserved`")]
    NotListed {
        /// The scope.
        scope: Scope,
    },
    /// A scope is listed and can never be granted.
    #[error("`{scope}` is listed and can never be granted: expected it either listed or in `never`")]
    Contradiction {
        /// The scope.
        scope: Scope,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalog_that_contradicts_itself_is_refused_by_name() {
        let once = "expected one call of `scope`, `reserved` or `family` for it";
        let never = "is listed and can never be granted: expected it either listed or in `never`";
        let empty = ScopeCatalog::builder;
        for (builder, expected) in [
            (empty().scope("a:b", "one").scope("a:b", "two"), format!("`a:b` is in the catalog twice: {once}")),
            (empty().scope("a:b", "one").scope("a:b", "one"), format!("`a:b` is in the catalog twice: {once}")),
            (empty().scope("a:b", "").reserved("a:b", ""), format!("`a:b` is in the catalog twice: {once}")),
            (empty().reserved("a:b", "").reserved("a:b", ""), format!("`a:b` is in the catalog twice: {once}")),
            (empty().family("a:*", "").family("a:*", ""), format!("`a:*` is in the catalog twice: {once}")),
            (empty().scope("a:b", "").never("a:b"), format!("`a:b` {never}")),
            (empty().scope("a:b", "").never("a:*"), format!("`a:b` {never}")),
            (
                empty().scope("a:b", "").implies("a:b", "a:c"),
                "scope `a:c` is part of an implication but not listed: add it with `scope` or `reserved`".to_owned(),
            ),
        ] {
            assert_eq!(builder.build().err().map(|error| error.to_string()), Some(expected));
        }
        let texts = empty().scope("a,b", "").build().err();
        assert!(matches!(texts, Some(InvalidCatalog::Scope(InvalidScope::Separator { character: ',', at: 1, .. }))));
        // A scope within a family has a description of its own, and repeated rules have no effect.
        let good = empty().family("a:*", "").scope("a:b", "").scope("A:b", "").never("c").never("c");
        assert!(good.implies("a:b", "A:b").implies("a:b", "A:b").build().is_ok());
    }
}
