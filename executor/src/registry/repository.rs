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
