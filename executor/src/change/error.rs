//! What can go wrong while a change set is taken.

use std::path::PathBuf;

use crate::fault::{Fault, PathError};

/// A change set could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused an operation on a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The overlay kept part of a file or folder in a layer below and noted so in an attribute, which a layer cannot
    /// express. Mounted with `userxattr` alone, it does not.
    #[error("`{}` has the overlay attribute `{attribute}`; mount without `redirect_dir` and `metacopy`", path.display())]
    Overlay {
        /// In the upper folder.
        path: PathBuf,
        /// The attribute.
        attribute: String,
    },
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Path(_) => Fault::Environment,
            Self::Overlay { .. } => Fault::Bug,
        }
    }
}
