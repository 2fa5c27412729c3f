//! What can go wrong with layers.

use std::io;
use std::path::PathBuf;

use layercake_cache::Digest;

use crate::fault::{Fault, PathError, reason};
use crate::{change, overlay};

/// A layer could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused an operation on a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The folders of a layer cannot be mounted.
    #[error(transparent)]
    Overlay(#[from] overlay::Error),
    /// What was unpacked cannot be taken as a change set.
    #[error(transparent)]
    Change(#[from] change::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] layercake_cache::Error),
    /// A stream failed: the disk is full, or the data is not what its magic number promised.
    #[error("cannot {operation}: {}", reason(source))]
    Stream {
        /// What was tried, as a verb.
        operation: &'static str,
        /// What was said.
        source: io::Error,
        /// Whose fault that is.
        fault: Fault,
    },
    /// A file is not as long as it was when its reading began.
    #[error("`{}` changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Something cannot be part of a layer.
    #[error("`{}` cannot be part of a layer: {reason}", path.display())]
    Inexpressible {
        /// In the tree.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// An archive holds more than there is room for.
    #[error("there is no room for `{}` of the archive: it is {size} bytes long, and there may be {left} more", path.display())]
    NoRoom {
        /// In the archive.
        path: PathBuf,
        /// Its length in bytes.
        size: u64,
        /// What may still be written without filling the disk, in bytes.
        left: u64,
    },
    /// A compression level that does not exist.
    #[error("{format} has no compression level {level}: use one from {least} to {most}")]
    Level {
        /// `gzip`, `zstd`.
        format: &'static str,
        /// The level asked for.
        level: i32,
        /// The least there is.
        least: i32,
        /// The highest there is.
        most: i32,
    },
    /// An archive that breaks its format.
    #[error("the archive is damaged at byte {offset}: {reason}")]
    Archive {
        /// Of the uncompressed archive.
        offset: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// An entry that cannot be unpacked.
    #[error("the archive's entry `{}` cannot be unpacked: {reason}", path.display())]
    Entry {
        /// As the archive has it.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// A hard link to something that is not there.
    #[error("the archive's entry `{}` is a hard link to `{}`, which is not there", path.display(), target.display())]
    LinkTarget {
        /// The entry.
        path: PathBuf,
        /// What it links to.
        target: PathBuf,
    },
    /// An owner that this user namespace has no id for.
    #[error("`{}` belongs to {uid}:{gid}, which has no id here; extend the ranges in /etc/subuid and /etc/subgid", path.display())]
    Owner {
        /// The entry.
        path: PathBuf,
        /// Its user id.
        uid: u32,
        /// Its group id.
        gid: u32,
    },
    /// A layer's content is not what the image's configuration says.
    #[error("the layer's content is `{found}`, but the image says `{expected}`")]
    DiffId {
        /// What the image says.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// A layer that this one depends on failed; the error that says why comes first.
    #[error("a layer below could not be unpacked")]
    Below,
    /// A blob is not in the store.
    #[error("the blob `{digest}` is not in the store")]
    Missing {
        /// The blob.
        digest: Digest,
    },
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Path(_)
            | Self::Overlay(_)
            | Self::Store(_)
            | Self::Changed { .. }
            | Self::Owner { .. }
            | Self::NoRoom { .. } => Fault::Environment,
            Self::Change(error) => error.fault(),
            Self::Stream { fault, .. } => *fault,
            Self::Inexpressible { .. }
            | Self::Level { .. }
            | Self::Archive { .. }
            | Self::Entry { .. }
            | Self::LinkTarget { .. }
            | Self::DiffId { .. } => Fault::Input,
            Self::Missing { .. } | Self::Below => Fault::Bug,
        }
    }
}
