//! A token that another system has made → the record that is kept of it.

use std::sync::Arc;

use crate::{
    annotation::{Annotations, Name},
    digest::{
        Digest, Form, InvalidCost,
        imported::{Imported, NotAdmitted},
    },
    expiry::Expiry,
    record::{Record, Revision, Slot, Slots, Usage},
    restriction::Restrictions,
    scope::Scopes,
    subject::{Actor, Mark, Owner},
    time::Timestamp,
    token::{Environment, Families, Selector, TokenId},
};

/// A token as another system has kept it: all that is known of it but its text.
///
/// What is given is kept: id, times, marks, scopes and restrictions are not held against any rule of this service, but
/// for what a [catalog](crate::ScopeCatalog) forbids, which is looked at with every use.
///
/// ```
/// use counterfoil::digest::{ImportedAlgorithm::Sha256, ImportedDigests, Over};
/// use counterfoil::{Digest, Expiry, Families, Import, Owner, Timestamp, TokenFormat};
///
/// let format = TokenFormat::builder("acme")
///     .accepts_imported(ImportedDigests { sha256: true, ..ImportedDigests::default() })
///     .build()?;
/// let sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
/// let digest = Digest::imported(Sha256, sha256, Over::Text)?;
/// let made = Timestamp::from_unix_millis(1_700_000_000_000)?;
///
/// let import = Import::new(Owner::new("user-42")?, "acme_dXt8q2RbLm3k", digest, made, Expiry::Never);
/// let record = import.into_record(&Families::minting(format))?;
/// assert_eq!(record.slots().current.selector.as_str(), "dXt8q2RbLm3k");
/// assert_eq!(record.created_at(), made);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "an import is only a wish until it is given to a registry"]
pub struct Import {
    /// The record's id, of any version of UUID: the other system's own, and the same whenever the row is imported. Without
    /// one it is made of the time and the digest. So the same row comes in once, however often it is imported; under
    /// another id it could come in beside itself, once its selector has moved, and neither would verify.
    pub id: Option<TokenId>,
    /// On whose behalf the token acts.
    pub owner: Owner,
    /// The part of the token's text that may be shown: all before the `_` of the secret or, in a format without a
    /// selector, all before the secret and as much of its hint as is known. It says of which format the token is, and
    /// names its environment, its routing segment and its selector.
    pub public: String,
    /// What the other system has stored of the secret.
    pub digest: Digest,
    /// When the token was made.
    pub created_at: Timestamp,
    /// Who made it, if known.
    pub created_by: Option<Actor>,
    /// When it ends or has ended.
    pub expiry: Expiry,
    /// That it was revoked.
    pub revoked: Option<Mark>,
    /// That it is suspended.
    pub suspended: Option<Mark>,
    /// That it is blocked.
    pub blocked: Option<Mark>,
    /// When it was last used, if known. A registry that [revokes what is not
    /// used](crate::registry::RegistryBuilder::revoke_unused_after) goes by it.
    pub usage: Option<Usage>,
    /// What the bearer may do.
    pub scopes: Scopes,
    /// Where the token may be used.
    pub restrictions: Restrictions,
    /// Name, description, tags and metadata.
    pub annotations: Annotations,
}

impl Import {
    /// The greatest length of a public part, in bytes.
    pub const MAX_PUBLIC_LEN: usize = 1024;

    /// A token without id, marks, rights, names and restrictions.
    pub fn new(owner: Owner, public: impl Into<String>, digest: Digest, created_at: Timestamp, expiry: Expiry) -> Self {
        Self {
            id: None,
            owner,
            public: public.into(),
            digest,
            created_at,
            created_by: None,
            expiry,
            revoked: None,
            suspended: None,
            blocked: None,
            usage: None,
            scopes: Scopes::none(),
            restrictions: Restrictions::none(),
            annotations: Annotations::default(),
        }
    }

    /// With this id.
    pub fn id(self, id: TokenId) -> Self {
        Self { id: Some(id), ..self }
    }

    /// Revoked.
    pub fn revoked(self, mark: Mark) -> Self {
        Self { revoked: Some(mark), ..self }
    }

    /// With its last use.
    pub fn usage(self, usage: Usage) -> Self {
        Self { usage: Some(usage), ..self }
    }

    /// With these scopes.
    pub fn scopes(self, scopes: Scopes) -> Self {
        Self { scopes, ..self }
    }

    /// With these restrictions.
    pub fn restrictions(self, restrictions: Restrictions) -> Self {
        Self { restrictions, ..self }
    }

    /// With this name.
    pub fn name(mut self, name: Name) -> Self {
        self.annotations.name = Some(name);
        self
    }

    /// The record to keep, if one of `families` could ever verify its token.
    ///
    /// # Errors
    ///
    /// [`ImportRefused`] otherwise.
    pub fn into_record(self, families: &Families) -> Result<Record, ImportRefused> {
        let Form::Imported(digest) = &self.digest.0 else { return Err(ImportRefused::Digest) };
        if self.public.len() > Self::MAX_PUBLIC_LEN || !self.public.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ImportRefused::Public);
        }
        // Where two families could have written the public part, the digest decides.
        let mut refused = ImportRefused::Public;
        let mut fitting = None;
        for text in families.complete(&self.public) {
            match Fitting::of(&text, families, digest) {
                Ok(found) => {
                    fitting = Some(found);
                    break;
                }
                Err(reason) if refused == ImportRefused::Public => refused = reason,
                Err(_) => {}
            }
        }
        if refused == ImportRefused::Public {
            refused = other_width(&self.public, families).unwrap_or(refused);
        }
        let Fitting { selector, environment, routing } = fitting.ok_or(refused)?;
        Ok(Record {
            id: self.id.unwrap_or_else(|| id_of(self.created_at, digest)),
            owner: self.owner,
            revision: Revision::FIRST,
            created_at: self.created_at,
            created_by: self.created_by,
            rotated_at: None,
            rotation_request: None,
            expiry: self.expiry,
            revoked: self.revoked.map(Box::new),
            suspended: self.suspended.map(Box::new),
            blocked: self.blocked.map(Box::new),
            environment,
            routing,
            slots: Slots::only(Slot { selector, digest: self.digest }),
            public: self.public.into(),
            annotations: self.annotations,
            scopes: self.scopes,
            restrictions: self.restrictions,
            text_end: None,
            unread: None,
        })
    }
}

/// What a record has of its token's text.
struct Fitting {
    selector: Selector,
    environment: Option<Environment>,
    routing: Option<Arc<str>>,
}

impl Fitting {
    /// What the record has of a token like `text`, if that could be verified with this digest.
    fn of(text: &str, families: &Families, digest: &Imported) -> Result<Self, ImportRefused> {
        let presented = families.parse(text).map_err(|_| ImportRefused::Public)?;
        let imports = presented.imports.ok_or(ImportRefused::NotAccepted)?;
        digest.admit(&imports.accepted).map_err(|refused| match refused {
            NotAdmitted::Algorithm => ImportRefused::NotAccepted,
            NotAdmitted::Cost(cost) => ImportRefused::Cost(cost),
        })?;
        digest.over.of(text, imports.secret).ok_or(ImportRefused::NoSecret)?;
        let selector = presented.selector().or_else(|| digest.selector().map(Selector::imported));
        let environment = presented.environment().map(Environment::new).transpose();
        Ok(Self {
            selector: selector.ok_or(ImportRefused::NotFound)?,
            environment: environment.map_err(|_| ImportRefused::Public)?,
            routing: presented.routing().map(Into::into),
        })
    }
}

/// The reason, if `public` would be the public part of a token with a few characters more or fewer.
fn other_width(public: &str, families: &Families) -> Option<ImportRefused> {
    let is_read = |public: &str| {
        let mut texts = families.complete(public);
        texts.any(|text| families.parse(&text).is_ok_and(|presented| presented.selector().is_some()))
    };
    let expected = (1..=3).find_map(|by| {
        let shorter = public.get(..public.len().checked_sub(by)?);
        let longer = format!("{public}{}", "0".repeat(by));
        let is_longer = is_read(&longer).then_some(longer.len());
        is_longer.or_else(|| shorter.filter(|shorter| is_read(shorter)).map(str::len))
    });
    expected.map(|expected| ImportRefused::Width { found: public.len(), expected })
}

/// An id in the order of ids that are minted.
fn id_of(created_at: Timestamp, digest: &Imported) -> TokenId {
    TokenId::new(created_at, digest.id_bits())
}

/// A token that is not imported, since it could never be verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportRefused {
    /// The digest is one of this library's own, which is bound to a record that is there already.
    #[error("digest: expected one that other software made")]
    Digest,
    /// No family accepts tokens with this public part, or it cannot say so.
    #[error("public part: expected the beginning of a token of an accepted family, up to its secret")]
    Public,
    /// The public part has another length than the family's. The secret of such software may vary in width as well, and the
    /// tokens of other rows would be imported and never verify: describe them with an
    /// [`ImportedFormat`](crate::token::ImportedFormat).
    #[error(
        "public part: found {found} characters, expected {expected}; a fixed width also loses tokens whose secret is of \
         another width: describe tokens of varying width with an imported format"
    )]
    Width {
        /// The length in bytes.
        found: usize,
        /// The nearest length of the family's public parts.
        expected: usize,
    },
    /// The token's family accepts no imported digest of this algorithm.
    #[error("digest: the token's family does not accept its algorithm")]
    NotAccepted,
    /// The token's family does not accept the digest's cost.
    #[error(transparent)]
    Cost(#[from] InvalidCost),
    /// The digest is over the secret, and the family does not say which part of a text that is.
    #[error("digest: it is over the secret, and the token's family does not tell the secret from the text")]
    NoSecret,
    /// The family prints no selector, and a salted hash finds no row.
    #[error("digest: it is salted, and tokens of this family print no selector, so nothing could find the row")]
    NotFound,
}
