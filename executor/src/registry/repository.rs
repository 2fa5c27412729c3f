//! [`Repository`]: a place in a registry that holds images and blobs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::image::reference::Reference;

/// A repository in a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Repository {
    /// The registry, as names have it: `docker.io`, `localhost:5000`.
    pub host: String,
    /// The repository's name there: `library/busybox`.
    pub path: String,
}

impl Repository {
    /// From a host and a path, separated by a slash. `None` if one of the two is missing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (host, path) = text.split_once('/')?;
        (!host.is_empty() && !path.is_empty()).then(|| Self { host: host.to_owned(), path: path.to_owned() })
    }

    /// What corresponds to this repository in another registry that has all of this one's below `prefix`.
    pub(crate) fn below(&self, host: &str, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        let separator = if prefix.is_empty() { "" } else { "/" };
        Self { host: host.to_owned(), path: format!("{prefix}{separator}{}", self.path) }
    }
}

impl From<&Reference> for Repository {
    fn from(reference: &Reference) -> Self {
        Self { host: reference.host().to_owned(), path: reference.repository().to_owned() }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}
