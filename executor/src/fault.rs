//! Whose fault an error is, and the error of an operation on a path, which every part of the executor shares.

use std::io;
use std::path::{Path, PathBuf};

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

/// The system's words without the error number, in lower case.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
