//! [`Way`]: how a server is reached: how safely, whom it may be vouched for by, and what it is shown of us.

use std::path::PathBuf;

use crate::registry::settings::{Identity, Security};

/// How a server is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) security: Security,
    /// Files of certificates that are trusted in addition to all others.
    pub(crate) certificates: Vec<PathBuf>,
    pub(crate) identity: Option<Identity>,
    /// Headers that its gateway wants, by name.
    pub(crate) headers: Vec<(String, String)>,
}

impl Way {
    /// The way on to another server that this one sends us to: it learns nothing about us.
    pub(crate) fn elsewhere(&self) -> Self {
        Self { identity: None, headers: Vec::new(), ..self.clone() }
    }
}
