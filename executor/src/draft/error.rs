//! What can go wrong while something is put into a tree.

use std::io;
use std::path::{Path, PathBuf};

use crate::fault::{PathError, reason};

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A folder of the source meets something else in the tree.
    #[error("cannot copy to non-directory: `/{}` exists and is no folder", .0.display())]
    FolderOverFile(PathBuf),
    /// A file of the source meets a folder in the tree.
    #[error("cannot replace to directory: `/{}` is a folder and would become a file", .0.display())]
    FileOverFolder(PathBuf),
    /// The system refused.
    #[error("cannot write `/{}`: {}", path.display(), reason(source))]
    System {
        /// Where in the tree.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The source could not be read.
    #[error("cannot read `{}`: {}", path.display(), reason(source))]
    Source {
        /// Where in the source.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The tree below could not be read.
    #[error(transparent)]
    Below(#[from] PathError),
}

impl WriteError {
    /// The system refused something at a path of the tree.
    pub(crate) fn system(path: &Path, error: impl Into<io::Error>) -> Self {
        Self::System { path: path.strip_prefix("/").unwrap_or(path).to_owned(), source: error.into() }
    }

    /// Something at a path of the source could not be read.
    pub(crate) fn unreadable(path: &Path, error: impl Into<io::Error>) -> Self {
        Self::Source { path: path.to_owned(), source: error.into() }
    }
}
