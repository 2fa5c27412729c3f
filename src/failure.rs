//! [`Failure`]: what ends a command: a message, help, and the exit status that tells whose fault it was.

use std::fmt::Display;
use std::process::ExitCode;

use layercake_executor::fault::Fault;

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

    /// Adds what to do; begins with a verb.
    #[must_use]
    pub fn help(mut self, help: impl Display) -> Self {
        self.help = Some(help.to_string());
        self
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
        let full = error.is_full();
        let failure = Self::environment(error);
        if full {
            failure.help("make room on the disk of the store, or choose another one with `LAYERCAKE_HOME`")
        } else {
            failure
        }
    }
}

impl From<layercake_executor::image::error::Error> for Failure {
    fn from(error: layercake_executor::image::error::Error) -> Self {
        Self::new(error.fault(), error)
    }
}

impl From<layercake_executor::registry::error::Error> for Failure {
    fn from(error: layercake_executor::registry::error::Error) -> Self {
        Self::new(error.fault(), error)
    }
}

impl From<layercake_executor::namespace::Error> for Failure {
    fn from(error: layercake_executor::namespace::Error) -> Self {
        let help = error.help();
        let failure = Self::new(error.fault(), error);
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}
