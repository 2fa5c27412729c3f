//! Why an overlay cannot be mounted.

use std::io;

use rustix::io::Errno;

use crate::fault::{Fault, PathError, reason};

/// Why an overlay cannot be mounted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of its folders cannot be used.
    #[error(transparent)]
    Path(#[from] PathError),
    /// It has more layers than the kernel stacks.
    #[error("a tree of {count} layers cannot be mounted: this kernel stacks at most {limit}")]
    TooManyLowers {
        /// How many it has.
        count: usize,
        /// How many the kernel takes, by the way that it knows.
        limit: usize,
    },
    /// The kernel refuses it.
    #[error("cannot mount an overlay of {count} layers: {}{}", reason(source), suffix(detail))]
    Mount {
        /// How many layers it has.
        count: usize,
        /// What the kernel says about it; often empty.
        detail: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Whose fault it is: the machine's.
    #[must_use]
    pub fn fault(&self) -> Fault {
        Fault::Environment
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Path(_) => None,
            Self::TooManyLowers { .. } => Some("squash some of the image's layers, or use Linux 6.5 or newer"),
            Self::Mount { .. } => Some(
                "run `layercake doctor`: overlays in a user namespace need Linux 5.11, and a file system with user \
                 attributes below the store (not NFS, nor another overlay)",
            ),
        }
    }

    /// Takes what was said about another try, where nothing was about this one.
    pub(super) fn or_detail(mut self, other: String) -> Self {
        if let Self::Mount { detail, .. } = &mut self
            && detail.is_empty()
        {
            *detail = other;
        }
        self
    }

    pub(super) fn mount(count: usize, detail: String, error: Errno) -> Self {
        Self::Mount { count, detail, source: error.into() }
    }
}

fn suffix(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}
