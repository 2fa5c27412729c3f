//! Whose fault an error is, and the error of an operation on a path, which every part of the executor shares.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

pub use layercake_cache::reason;

/// Whose fault an error is; the command line derives its exit status from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What the user wrote or named is wrong.
    Input,
    /// The machine, the network or a permission is.
    Environment,
    /// A command of the user's failed: a `RUN`, or the container of `run`.
    Command,
    /// We are.
    Bug,
}

/// An operation on a path that the operating system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} `{}`: {}", path.display(), reason(source))]
pub struct PathError {
    /// What was tried, as a verb: `open`, `create the folder`.
    pub operation: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl PathError {
    /// The error of trying `operation` on `path`.
    pub fn new(operation: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self { operation, path: path.into(), source: source.into() }
    }
}

/// Gives an I/O result its place.
pub trait At<T> {
    /// Names the operation, as a verb, and the path.
    ///
    /// # Errors
    /// The same failure, with its place.
    fn at(self, operation: &'static str, path: &Path) -> Result<T, PathError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, operation: &'static str, path: &Path) -> Result<T, PathError> {
        self.map_err(|error| PathError::new(operation, path, error))
    }
}

/// What to do, if a full disk is behind the error.
#[must_use]
pub fn help_if_full(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let is_full = error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded));
    if is_full {
        return Some("make room on the disk of the store, or choose another one with `LAYERCAKE_HOME`");
    }
    error.source().and_then(help_if_full)
}
