//! Why a command did not do what it should.

use std::io;

use super::cause::Cause;
use crate::fault::Fault;
use crate::sandbox::{self, End};
use crate::{agent, cdi, cgroup};

/// How much of a command an error repeats, in characters.
const LONGEST_COMMAND: usize = 120;

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It ran and failed. In BuildKit's words.
    #[error("process {} did not complete successfully: {}", quoted(command), how(*end))]
    Failed {
        /// Its program and arguments.
        command: Vec<String>,
        /// How it ended.
        end: End,
        /// Its last output.
        tail: String,
        /// What may be behind it, where the end alone does not say.
        cause: Option<Cause>,
    },
    /// It could not be run.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// Its output could not be read.
    #[error("cannot read the output of the command: {0}")]
    Output(io::Error),
    /// A secret that it needs and that was not given.
    #[error("secret {0}: not found")]
    MissingSecret(String),
    /// An SSH agent that it needs and that was not given.
    #[error("the SSH agent `{0}` is required and was not given")]
    MissingAgent(String),
    /// An SSH agent that was given and cannot be had.
    #[error(transparent)]
    Agent(#[from] agent::Error),
    /// A device that it needs and that cannot be had.
    #[error(transparent)]
    Device(#[from] cdi::Error),
    /// Its limits cannot be set.
    #[error(transparent)]
    Group(#[from] cgroup::Error),
    /// It wants more than it is allowed.
    #[error("the command wants `{0}`, which has to be allowed")]
    NotAllowed(String),
    /// A mount that names nothing.
    #[error("cannot mount \"{0}\": not found")]
    MissingSource(String),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Failed { .. } => Fault::Command,
            Self::Sandbox(error) => error.fault(),
            Self::Agent(error) => error.fault(),
            Self::Device(error) => error.fault(),
            Self::Group(error) => error.fault(),
            Self::Output(_) => Fault::Environment,
            Self::MissingSecret(_) | Self::MissingAgent(_) | Self::NotAllowed(_) | Self::MissingSource(_) => {
                Fault::Input
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Sandbox(error) => error.help(),
            Self::Agent(error) => error.help().map(str::to_owned),
            Self::Device(error) => error.help().map(str::to_owned),
            Self::Group(error) => error.help().map(str::to_owned),
            Self::MissingSecret(id) => Some(format!("give it, for it is required: `--secret id={id},src=FILE`")),
            Self::MissingAgent(id) => {
                Some(format!("give it with `--ssh {id}`, or `--ssh {id}=SOCKET`, or `--ssh {id}=KEY`"))
            }
            Self::NotAllowed(what) => Some(format!("allow it with `--allow {what}`, if you trust the Dockerfile")),
            Self::Failed { cause: Some(cause), .. } => Some(cause.help()),
            Self::Failed { end: End::OutOfMemory, .. } => {
                Some("give it more memory: raise `--memory`, or leave it out".to_owned())
            }
            Self::Failed { end: End::Exited(127), .. } => {
                Some("install the program in an earlier step, or check its spelling and `PATH`".to_owned())
            }
            Self::Failed { .. } | Self::Output(_) | Self::MissingSource(_) => None,
        }
    }
}

fn how(end: End) -> String {
    match end {
        End::Exited(status) => format!("exit code: {status}"),
        End::Signalled(signal) => format!("it was ended by signal {signal}"),
        End::OutOfMemory => {
            "cannot allocate memory: the kernel ended a process of it, for it had used up its memory".to_owned()
        }
    }
}

/// A command on one line, of which only the beginning is shown if it is long: it may be a whole script.
fn quoted(command: &[String]) -> String {
    let text = command.join(" ");
    match text.char_indices().nth(LONGEST_COMMAND) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}
