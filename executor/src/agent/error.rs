//! Why an SSH agent cannot be had.

use std::io;
use std::path::PathBuf;

use crate::fault::{Fault, PathError, reason};

/// Why an SSH agent cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path leads nowhere, or the system refused an operation on it.
    #[error(transparent)]
    Path(#[from] PathError),
    /// More than one socket, or sockets and keys.
    #[error("`{}` cannot be had beside another agent or key", .0.display())]
    Several(PathBuf),
    /// Nobody answers at a socket.
    #[error("no SSH agent answers at `{}`: {}", path.display(), reason(source))]
    Silent {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program that keeps keys is not here.
    #[error("cannot run `{program}`: {}", reason(source))]
    Program {
        /// Which.
        program: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The agent that was started ended at once.
    #[error("`ssh-agent` does not work: {0}")]
    Ended(String),
    /// A file that holds no key that could be used.
    #[error("cannot use the SSH key `{}`: {message}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What `ssh-add` said.
        message: String,
    },
    /// No socket or thread can be had for a command.
    #[error("cannot forward the SSH agent: {}", reason(.0))]
    Forward(io::Error),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Path(error) if error.source.kind() == io::ErrorKind::NotFound => Fault::Input,
            Self::Several(_) | Self::Key { .. } => Fault::Input,
            Self::Path(_) | Self::Silent { .. } | Self::Program { .. } | Self::Ended(_) | Self::Forward(_) => {
                Fault::Environment
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Several(_) => Some("give each agent an id of its own: `--ssh one=SOCKET --ssh two=KEY,KEY`"),
            Self::Silent { .. } => Some("start an agent with `eval $(ssh-agent)` and `ssh-add`"),
            Self::Program { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                Some("install the package `openssh-client`, or give the socket of an agent that has the key")
            }
            Self::Key { .. } => Some(
                "name a file with a private key; one with a passphrase needs a terminal to ask for it, or an agent that \
                 has it already",
            ),
            _ => None,
        }
    }
}
