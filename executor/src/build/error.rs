//! What ends a build: the step, and why it could not be done.

use std::path::PathBuf;

use layercake_compiler::ignore::InvalidPattern;
use layercake_compiler::plan::StepId;
use rustix::io::Errno;

use crate::draft::WriteError;
use crate::fault::{Fault, PathError, help_if_full};
use crate::image::error::ArchiveProblem;
use crate::op::copy::mode::InvalidMode;
use crate::op::copy::owner::OwnerError;
use crate::op::copy::source::SelectError;
use crate::op::run;
use crate::{change, git, http, layer, overlay, registry, remote, select};

/// What ends a build. Everything that was finished before is in the store.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct StepError {
    /// The step.
    pub step: StepId,
    /// Why it could not be done.
    #[source]
    pub cause: Box<Error>,
}

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] layercake_cache::Error),
    /// The system refused an operation on a path.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A tree cannot be mounted.
    #[error(transparent)]
    Overlay(#[from] overlay::Error),
    /// What a step wrote cannot be taken as a change set.
    #[error(transparent)]
    Change(#[from] change::Error),
    /// A layer cannot be packed or unpacked.
    #[error(transparent)]
    Layer(#[from] layer::Error),
    /// A layer cannot be fetched.
    #[error(transparent)]
    Registry(#[from] registry::error::Error),
    /// A cache from elsewhere cannot be used.
    #[error(transparent)]
    Remote(Box<remote::error::Error>),
    /// A file cannot be fetched.
    #[error(transparent)]
    Http(#[from] http::error::Error),
    /// A git repository cannot be had.
    #[error(transparent)]
    Git(git::Error),
    /// A command failed or could not be run.
    #[error(transparent)]
    Run(#[from] run::Error),
    /// The source of a copy is not there.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The sources of a copy cannot be read.
    #[error(transparent)]
    Selection(#[from] select::Error),
    /// The destination of a copy cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The owner that a copy names is not known.
    #[error(transparent)]
    Owner(#[from] OwnerError),
    /// The mode that a copy names is none.
    #[error(transparent)]
    Mode(#[from] InvalidMode),
    /// A base image that the caller did not find out about.
    #[error("the plan starts from `{0}`, and nobody has found out what that is")]
    UnknownBase(String),
    /// A context that the caller did not open.
    #[error("the plan copies from the context `{}`, which nobody has opened", .0.as_deref().unwrap_or("."))]
    UnknownContext(Option<String>),
    /// A pattern of `--exclude` that is none.
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
    /// An archive of an `ADD` that cannot be unpacked.
    #[error("cannot unpack `{}`: {}", .0.display(), .1)]
    Archive(PathBuf, ArchiveProblem),
    /// Something this version cannot do.
    #[error("{0} is not built yet")]
    NotBuilt(&'static str),
    /// The build was stopped because another step failed.
    #[error("stopped")]
    Cancelled,
}

impl Error {
    /// Whether nobody has what a step is known to have made.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Remote(error) if matches!(**error, remote::error::Error::Gone))
    }

    /// Whether a cache has what is needed, and may not be asked for it.
    pub(super) fn is_unasked(&self) -> bool {
        matches!(self, Self::Remote(error) if matches!(**error, remote::error::Error::Unasked))
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            // Links that lead in a circle are the image's or the context's.
            Self::Path(PathError { source, .. })
            | Self::Select(SelectError::System { source, .. })
            | Self::Write(WriteError::System { source, .. })
                if Errno::from_io_error(source) == Some(Errno::LOOP) =>
            {
                Fault::Input
            }
            Self::Store(_) | Self::Path(_) => Fault::Environment,
            Self::Overlay(error) => error.fault(),
            Self::Change(error) => error.fault(),
            Self::Layer(error) => error.fault(),
            Self::Registry(error) => error.fault(),
            Self::Remote(error) => error.fault(),
            Self::Http(error) => error.fault(),
            Self::Git(error) => error.fault(),
            Self::Selection(error) => error.fault(),
            Self::Run(error) => error.fault(),
            Self::Select(SelectError::System { .. })
            | Self::Write(WriteError::System { .. } | WriteError::Source { .. } | WriteError::Below(_))
            | Self::Owner(OwnerError::Unreadable { .. }) => Fault::Environment,
            Self::Select(_)
            | Self::Write(_)
            | Self::Owner(_)
            | Self::Mode(_)
            | Self::NotBuilt(_)
            | Self::Pattern(_)
            | Self::Archive(..) => Fault::Input,
            Self::UnknownBase(_) | Self::UnknownContext(_) => Fault::Bug,
            Self::Cancelled => Fault::Command,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Overlay(error) => error.help().map(str::to_owned),
            Self::Layer(layer::Error::NoRoom { .. }) => Some(
                "make room on the disk of the store, or choose another one with `LAYERCAKE_HOME`; if the archive is not \
                 meant to be so large, do not use it"
                    .to_owned(),
            ),
            Self::Git(error) => error.help().or_else(|| help_if_full(error)).map(str::to_owned),
            Self::Run(error) => error.help(),
            Self::Http(error) => error.help().or_else(|| help_if_full(error).map(str::to_owned)),
            Self::Select(SelectError::NotFound(path)) => Some(match scheme(path) {
                None => format!(
                    "check that `{path}` exists, and that it lies in the build context or the stage it is copied from"
                ),
                Some(scheme) => format!(
                    "begin addresses with `https://` or `http://`: `{scheme}` is an unsupported protocol scheme, so \
                     that this is a path"
                ),
            }),
            Self::Select(SelectError::Ignored(path)) => {
                Some(format!("add a line `!{path}` to the ignore file, or copy something else"))
            }
            Self::Owner(OwnerError::Unknown { what, .. }) => {
                Some(format!("create the {what} in an earlier step, or name it by its number"))
            }
            error => help_if_full(error).map(str::to_owned),
        }
    }
}

/// The scheme of an address that was taken for a path, in which slashes that follow one another are one.
fn scheme(path: &str) -> Option<&str> {
    let (scheme, _) = path.trim_start_matches('/').split_once(":/")?;
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(is_letter)).then_some(scheme)
}

impl From<remote::error::Error> for Error {
    fn from(error: remote::error::Error) -> Self {
        Self::Remote(Box::new(error))
    }
}

impl From<git::Error> for Error {
    fn from(error: git::Error) -> Self {
        match error {
            git::Error::Cancelled => Self::Cancelled,
            error => Self::Git(error),
        }
    }
}
