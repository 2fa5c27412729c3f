//! [`Failure`]: what ends a command: a message, help, and the exit status that tells whose fault it was.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use layercake_cache::Error as StoreError;
use layercake_executor::fault::{Fault, help_if_full};

/// What ends a command.
#[derive(Debug)]
pub struct Failure {
    fault: Fault,
    /// Replaces the status that the fault would give: that of the command in a container.
    status: Option<u8>,
    message: String,
    help: Option<String>,
}

impl Failure {
    /// A failure that is somebody's fault.
    pub fn new(fault: Fault, message: impl Display) -> Self {
        Self { fault, status: None, message: message.to_string(), help: None }
    }

    /// The user wrote or named something wrong.
    pub fn input(message: impl Display) -> Self {
        Self::new(Fault::Input, message)
    }

    /// The machine, the network or a permission is not as it must be.
    pub fn environment(message: impl Display) -> Self {
        Self::new(Fault::Environment, message)
    }

    /// Something that is still to be made.
    pub fn not_built(what: impl Display) -> Self {
        Self::input(format!("{what} is not built yet"))
    }

    /// Ends without a word, with this status: everything has been said.
    pub fn silent(status: u8) -> Self {
        Self { fault: Fault::Command, status: Some(status), message: String::new(), help: None }
    }

    /// Ends the program with this status, and not with that of the fault.
    #[must_use]
    pub fn exit(mut self, status: u8) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds what to do; begins with a verb.
    #[must_use]
    pub fn help(mut self, help: impl Display) -> Self {
        self.help = Some(help.to_string());
        self
    }

    /// Adds what to do, if anything can be done.
    #[must_use]
    pub fn perhaps_help(self, help: Option<impl Display>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// The message; empty if there is nothing to say.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The exit status.
    pub fn status(&self) -> ExitCode {
        ExitCode::from(self.status.unwrap_or(match self.fault {
            Fault::Command => 1,
            Fault::Input => 2,
            Fault::Environment => 3,
            Fault::Bug => 101,
        }))
    }
}

impl From<layercake_cache::Error> for Failure {
    fn from(error: layercake_cache::Error) -> Self {
        let help = match &error {
            StoreError::Path { source, .. } if is_refused(source) => {
                Some("choose a folder that you can write to with `LAYERCAKE_HOME`")
            }
            StoreError::Format { .. } => {
                Some("choose another folder with `LAYERCAKE_HOME`, or remove this one: what it holds is then made anew")
            }
            StoreError::NotAStore { .. } => Some("choose an empty folder with `LAYERCAKE_HOME`"),
            error => help_if_full(error),
        };
        Self::environment(error).perhaps_help(help)
    }
}

/// Whether another folder would do where this one does not.
fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), ReadOnlyFilesystem | PermissionDenied | AlreadyExists | NotADirectory)
}

impl From<layercake_executor::image::error::Error> for Failure {
    fn from(error: layercake_executor::image::error::Error) -> Self {
        let help = help_if_full(&error);
        Self::new(error.fault(), error).perhaps_help(help)
    }
}

impl From<layercake_executor::registry::error::Error> for Failure {
    fn from(error: layercake_executor::registry::error::Error) -> Self {
        let help = error.help().or_else(|| help_if_full(&error).map(str::to_owned));
        Self::new(error.fault(), error).perhaps_help(help)
    }
}

impl From<layercake_executor::engine::Error> for Failure {
    fn from(error: layercake_executor::engine::Error) -> Self {
        let help = error.help().or_else(|| help_if_full(&error));
        Self::new(error.fault(), error).perhaps_help(help)
    }
}

impl From<layercake_executor::http::error::Error> for Failure {
    fn from(error: layercake_executor::http::error::Error) -> Self {
        let help = error.help().or_else(|| help_if_full(&error).map(str::to_owned));
        Self::new(error.fault(), error).perhaps_help(help)
    }
}

impl From<layercake_executor::namespace::Error> for Failure {
    fn from(error: layercake_executor::namespace::Error) -> Self {
        let help = error.help();
        Self::new(error.fault(), error).perhaps_help(help)
    }
}
