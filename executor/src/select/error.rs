//! What can go wrong while a selection is looked at.

use std::path::PathBuf;

use crate::fault::{Fault, PathError};

/// A selection has no identity.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused an operation on a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] layercake_cache::Error),
    /// A selected path is not there.
    #[error("`{}` is not there", path.display())]
    Missing {
        /// From the root.
        path: PathBuf,
    },
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Path(_) | Self::Store(_) => Fault::Environment,
            Self::Missing { .. } => Fault::Input,
        }
    }
}
