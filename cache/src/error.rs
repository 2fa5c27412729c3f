//! What can go wrong with a store.

use std::io;
use std::path::PathBuf;

use crate::digest::Digest;

/// A failure of the store. Nothing that was stored before is lost by any of them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused an operation on a path.
    #[error("cannot {operation} `{}` in the store: {}", path.display(), reason(source))]
    Path {
        /// What was tried, as a verb.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder holds a store of another version.
    #[error("the store `{}` has format {found:?}; this version reads {expected:?}", path.display())]
    Format {
        /// The store.
        path: PathBuf,
        /// The format it has.
        found: String,
        /// The format this version reads.
        expected: &'static str,
    },
    /// The folder holds something that is no store.
    #[error("`{}` is not empty and not a store", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// A blob's content is not what its name says.
    #[error("content has the digest `{found}`, not `{expected}`")]
    Digest {
        /// What was promised.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// A blob's length is not what was promised.
    #[error("content of `{digest}` has {found} bytes, not {expected}")]
    Size {
        /// The blob.
        digest: Digest,
        /// What was promised, in bytes.
        expected: u64,
        /// What came, in bytes.
        found: u64,
    },
}

impl Error {
    /// Whether the store's disk has no room left.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Path { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// The system's words without the error number, in lower case.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Gives an I/O result its place.
pub(crate) trait At<T> {
    fn at(self, operation: &'static str, path: impl Into<PathBuf>) -> Result<T, Error>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, operation: &'static str, path: impl Into<PathBuf>) -> Result<T, Error> {
        self.map_err(|error| Error::Path { operation, path: path.into(), source: error.into() })
    }
}
