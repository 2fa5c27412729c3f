//! What can go wrong with an engine.

use std::io;

use crate::fault::{Fault, reason};
use crate::image::error::Error as ImageError;

/// An engine has not taken an image in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// None answers.
    #[error("nobody can load the image: {}", list(.0))]
    Nobody(Vec<Problem>),
    /// It says why not.
    #[error("`{engine}` has not loaded the image: {said}")]
    Refused {
        /// Its name.
        engine: &'static str,
        /// In its own words.
        said: String,
    },
    /// It cannot be started, or spoken to.
    #[error("cannot speak to `{engine}`: {}", reason(source))]
    System {
        /// Its name.
        engine: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] ImageError),
}

/// Why an engine cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Its program is not on the path.
    #[error("there is no `{0}`")]
    Missing(&'static str),
    /// The program says so itself; mostly, that its service does not answer.
    #[error("`{program}` does not work: {said}")]
    Unusable {
        /// Its name.
        program: &'static str,
        /// In its own words.
        said: String,
    },
    /// The program cannot be started.
    #[error("`{program}` cannot be started: {}", reason(source))]
    System {
        /// Its name.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Problem {
    /// Whether its program is not installed.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing(_))
    }
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Archive(error) => error.fault(),
            Self::Nobody(_) | Self::Refused { .. } | Self::System { .. } => Fault::Environment,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Nobody(_) => Some(
                "start one of them, or write an archive with `--output type=docker,dest=FILE`; \
                 `load = \"podman\"` in the section `[build]` of the settings chooses",
            ),
            Self::Refused { .. } | Self::System { .. } | Self::Archive(_) => None,
        }
    }
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
