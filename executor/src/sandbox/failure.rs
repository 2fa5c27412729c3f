//! Why a command could not be run.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::foreign::Lack;
use crate::emulation::Architecture;
use crate::fault::{self, Fault, PathError};
use crate::overlay;

/// Why a command could not be run, as the parent sees it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The supervisor says why.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// The supervisor cannot be started or spoken to.
    #[error("cannot {operation} the sandbox: {}", fault::reason(source))]
    Control {
        /// What was tried, as a verb.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The supervisor ended without a word.
    #[error("the sandbox ended without saying how its command did ({status})")]
    Vanished {
        /// How it ended, in words.
        status: String,
    },
    /// What the parent wanted to connect to the command's network did not work.
    #[error("cannot connect the sandbox's network: {message}")]
    Connection {
        /// Why.
        message: String,
    },
}

/// Why a command could not be run, as the processes that set it up say it to the parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// The system refused an operation on a path of the machine's.
    #[error("cannot {operation} `{}`: {}", path.display(), reason(*errno))]
    Path {
        /// What was tried, as a verb.
        operation: String,
        /// On what.
        path: PathBuf,
        /// What the system said.
        errno: i32,
    },
    /// The system refused something.
    #[error("cannot {operation}: {}", reason(*errno))]
    System {
        /// What was tried, as a verb and its object.
        operation: String,
        /// What the system said.
        errno: i32,
    },
    /// The overlay of a tree cannot be mounted.
    #[error("{message}")]
    Overlay {
        /// Why.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// A mount's target is there, as something else.
    #[error("cannot mount a {source_kind} over `{target}`, which is a {target_kind}")]
    TargetKind {
        /// The target.
        target: String,
        /// What is mounted: `file` or `folder`.
        source_kind: String,
        /// What is there.
        target_kind: String,
    },
    /// A path in the tree leads nowhere.
    #[error("cannot {operation} `{}` in the tree: {}", path.display(), reason(*errno))]
    TreePath {
        /// What was tried, as a verb.
        operation: String,
        /// On what.
        path: PathBuf,
        /// What the system said.
        errno: i32,
    },
    /// A user that the tree does not know.
    #[error("the tree has no {what} `{name}`: `{file}` does not name it")]
    UnknownOwner {
        /// `user` or `group`.
        what: String,
        /// Its name.
        name: String,
        /// The file that should.
        file: String,
    },
    /// An id that the user namespace has no counterpart for.
    #[error("the id {id} is beyond the ids that this machine gives the user namespace")]
    UnmappedId {
        /// The id.
        id: u32,
    },
    /// There is no such program.
    #[error("`{program}` is not a program of the tree{}", if *searched { " (in no folder of `PATH`)" } else { "" })]
    NoProgram {
        /// Its name, as given.
        program: String,
        /// Whether it was looked up in `PATH`.
        searched: bool,
    },
    /// The program is there and cannot be run.
    #[error("cannot run `{program}`: {}", reason(*errno))]
    Program {
        /// Its path.
        program: String,
        /// What the system said.
        errno: i32,
    },
    /// The program is for another processor.
    #[error(
        "cannot run `{program}`: it is a program for {architecture}, which this machine does not run{}",
        without(lack)
    )]
    Foreign {
        /// Its path.
        program: String,
        /// The processor.
        architecture: Architecture,
        /// Why nothing runs it in the processor's place.
        lack: Lack,
    },
    /// A string of the specification has a zero byte.
    #[error("{what} has a zero byte in it")]
    ZeroByte {
        /// Which.
        what: String,
    },
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Failure(failure) => failure.fault(),
            Self::Control { .. } | Self::Connection { .. } => Fault::Environment,
            // Out of memory and an eager administrator end it as well, yet neither is likelier than a defect.
            Self::Vanished { .. } => Fault::Bug,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Failure(failure) => failure.help(),
            _ => None,
        }
    }
}

impl Failure {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Path { .. }
            | Self::System { .. }
            | Self::Overlay { .. }
            | Self::UnmappedId { .. }
            | Self::Foreign { .. } => Fault::Environment,
            Self::TargetKind { .. } | Self::TreePath { .. } | Self::UnknownOwner { .. } | Self::ZeroByte { .. } => {
                Fault::Input
            }
            Self::NoProgram { .. } | Self::Program { .. } => Fault::Command,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Overlay { help, .. } => return help.clone(),
            Self::UnknownOwner { what, file, .. } => {
                return Some(format!(
                    "create the {what} in an earlier step, or name it by a number, which `{file}` need not have"
                ));
            }
            Self::Foreign { lack: Lack::Emulator | Lack::Interpreter(_), .. } => {
                "install the package `qemu-user-static`, whose programs run those for other processors"
            }
            Self::Foreign { lack: Lack::Registration { .. }, .. } => {
                "use Linux 6.7 or newer, or have the machine's administrator register qemu for the whole machine: the package \
                 `qemu-user-static` does so when it is installed"
            }
            Self::UnmappedId { .. } => {
                "give the user a longer range in `/etc/subuid` and `/etc/subgid`, or run as root"
            }
            Self::NoProgram { searched: true, .. } => "check the spelling, and that `PATH` names the program's folder",
            Self::NoProgram { searched: false, .. } => {
                "check the path, and that the base image or an earlier step brings the program; `RUN [\"program\", \"argument\"]` \
                 needs no shell"
            }
            Self::Program { errno, .. } => match Errno::from_raw_os_error(*errno) {
                Errno::NOEXEC => {
                    "check that the program is built for this platform, and that a script begins with `#!`"
                }
                Errno::NOENT => {
                    "check the program's interpreter: the first line of a script, or the ELF loader, is missing in the tree"
                }
                Errno::ACCESS => "make it executable: `chmod +x`",
                _ => return None,
            },
            _ => return None,
        };
        Some(help.to_owned())
    }

    /// The status by which a shell, and `docker run`, tells that a program could not be run; `None` if it is not the
    /// program that is at fault.
    #[must_use]
    pub fn status(&self) -> Option<u8> {
        match self {
            Self::NoProgram { .. } => Some(127),
            Self::Program { .. } => Some(126),
            _ => None,
        }
    }

    pub(super) fn system(operation: impl Into<String>, error: Errno) -> Self {
        Self::System { operation: operation.into(), errno: error.raw_os_error() }
    }

    pub(super) fn tree(operation: &str, path: impl Into<PathBuf>, error: Errno) -> Self {
        Self::TreePath { operation: operation.to_owned(), path: path.into(), errno: error.raw_os_error() }
    }
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        let errno = error.source.raw_os_error().unwrap_or(libc::EIO);
        Self::Path { operation: error.operation.to_owned(), path: error.path, errno }
    }
}

impl From<overlay::Error> for Failure {
    fn from(error: overlay::Error) -> Self {
        match error {
            overlay::Error::Path(error) => error.into(),
            error => Self::Overlay { message: error.to_string(), help: error.help().map(str::to_owned) },
        }
    }
}

/// Says what could not be done.
pub(super) trait Doing<T> {
    /// Names the operation: a verb and its object.
    fn doing(self, operation: &str) -> Result<T, Failure>;
}

impl<T> Doing<T> for Result<T, Errno> {
    fn doing(self, operation: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::system(operation, error))
    }
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, operation: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::system(operation, Errno::from_io_error(&error).unwrap_or(Errno::IO)))
    }
}

/// What there is instead of somebody who runs the program.
fn without(lack: &Lack) -> String {
    match lack {
        Lack::Emulator => String::new(),
        Lack::Interpreter(path) => {
            format!("; it would have `{}` run it, which is not in the tree", path.display())
        }
        Lack::Registration { emulator, reason } => {
            format!("; `{}` would, but it cannot be registered: {reason}", emulator.display())
        }
    }
}

/// The system's words for an error number.
fn reason(errno: i32) -> String {
    fault::reason(&io::Error::from_raw_os_error(errno))
}
