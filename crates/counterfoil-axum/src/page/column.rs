//! What the list shows of each token.

use std::{fmt, sync::Arc};

use counterfoil::store::Stored;

use super::words::Words;

/// A column of the list.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Column {
    /// Its name.
    Name,
    /// The part of its text that may be shown.
    Token,
    /// What its bearer may do.
    Scopes,
    /// When it ends.
    Expiry,
    /// When it was last used, and from where.
    LastUsed,
    /// What it comes to now.
    Status,
    /// When it was made.
    Created,
    /// A column of the host's.
    Own(OwnColumn),
}

/// A column that the host computes.
#[derive(Clone)]
pub struct OwnColumn {
    heading: String,
    text: Arc<dyn Fn(&Stored) -> String + Send + Sync>,
}

impl Column {
    /// A column of the host's: plain text of each token.
    ///
    /// ```
    /// use counterfoil_axum::page::Column;
    ///
    /// let proxy: counterfoil::Scope = "ai:chat".parse()?;
    /// let column = Column::own("AI/LLM Proxy Access", move |token| {
    ///     if token.record.scopes().allow(&proxy) { "enabled".into() } else { "disabled".into() }
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn own(heading: impl Into<String>, text: impl Fn(&Stored) -> String + Send + Sync + 'static) -> Self {
        Self::Own(OwnColumn { heading: heading.into(), text: Arc::new(text) })
    }

    pub(super) fn heading<'a>(&'a self, words: &'a Words) -> &'a str {
        match self {
            Self::Name => &words.column_name,
            Self::Token => &words.column_token,
            Self::Scopes => &words.column_scopes,
            Self::Expiry => &words.column_expiry,
            Self::LastUsed => &words.column_last_used,
            Self::Status => &words.column_status,
            Self::Created => &words.column_created,
            Self::Own(own) => &own.heading,
        }
    }
}

impl OwnColumn {
    pub(super) fn text(&self, token: &Stored) -> String {
        (self.text)(token)
    }
}

impl fmt::Debug for OwnColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnColumn({:?})", self.heading)
    }
}
