//! [`Event`]: what happens with blobs on their way, for whoever shows it.

use std::time::Duration;

use layercake_cache::Digest;

use crate::registry::repository::Repository;

/// Something that happened. Events of several blobs come mixed and from several threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes of a blob have moved; the first event of a blob has `done: 0`. `done` falls when a transfer starts anew.
    Moved {
        /// Which blob.
        digest: Digest,
        /// Where to.
        direction: Direction,
        /// Bytes so far.
        done: u64,
        /// Bytes altogether.
        total: u64,
    },
    /// A blob is complete.
    Finished {
        /// Which blob.
        digest: Digest,
        /// Where to.
        direction: Direction,
        /// How it got there.
        how: How,
    },
    /// Something failed that may pass; it is tried again after the wait.
    Retrying {
        /// What failed, for people.
        reason: String,
        /// How long is waited.
        wait: Duration,
    },
    /// A mirror could not help; the next place is asked.
    MirrorFailed {
        /// Where it was looked for.
        mirror: Repository,
        /// Why it failed, for people.
        reason: String,
    },
}

/// Which way a blob goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a registry.
    Down,
    /// To a registry.
    Up,
}

/// How a blob got where it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// Its bytes were sent.
    Moved,
    /// It was there already.
    Present,
    /// The registry took it from another of its repositories.
    Mounted(Repository),
}

/// Who is told of events.
pub type Events<'a> = &'a (dyn Fn(Event) + Sync);

/// Tells nobody.
pub fn ignore(_: Event) {}
