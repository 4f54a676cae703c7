//! What a cache tells its host.

use std::time::Duration;

use crate::channel::ChannelError;

/// What a cache that serves by a lease tells its host.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CacheEvent {
    /// A warning: nothing is served from memory from now on, and every read goes to the store. It is told again when the
    /// reason is another.
    ///
    /// What listens tells it: up to half the bound after the first such read, and not at all where a heartbeat comes back before,
    /// as when the process stood still. Where a trigger of the database does not report changes, the source of the error names
    /// the trigger and its state. Where the store is another one than was opened, or only part of it is there, the
    /// source is the store's error. [`Counts::aside`](crate::Counts::aside) counts each read. One is usual when the
    /// database restarts; an alert is due where no [`Serves`](Self::Serves) follows within some seconds.
    #[non_exhaustive]
    StoodAside {
        /// Why.
        error: ChannelError,
    },
    /// A heartbeat came back, and entries are served.
    #[non_exhaustive]
    Serves {
        /// For how long none were.
        after: Duration,
    },
}
