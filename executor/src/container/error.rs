//! Why a container could not be run.

use std::io;
use std::net::SocketAddr;

use crate::fault::{Fault, reason};
use crate::sandbox;

/// Why a container could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its command could not be.
    #[error(transparent)]
    Sandbox(#[from] sandbox::Error),
    /// A port of the machine's cannot be had.
    #[error("cannot publish a port on `{address}`: {}", reason(source))]
    Publish {
        /// The address and port.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// There is no terminal to be used.
    #[error("the standard input is not a terminal")]
    NoTerminal,
    /// The terminal, the signals or the threads that pass things on fail.
    #[error("cannot {operation}: {}", reason(source))]
    System {
        /// What was tried, as a verb and its object.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Sandbox(error) => error.fault(),
            Self::NoTerminal => Fault::Input,
            Self::Publish { .. } | Self::System { .. } => Fault::Environment,
        }
    }

    /// The status by which a shell, and `docker run`, tells that a program could not be run; `None` if it is not the
    /// program that is at fault.
    #[must_use]
    pub fn status(&self) -> Option<u8> {
        match self {
            Self::Sandbox(sandbox::Error::Failure(failure)) => failure.status(),
            _ => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Sandbox(error) => error.help(),
            Self::NoTerminal => Some("leave out `-t`, or run this from a terminal".to_owned()),
            Self::Publish { address, source } => match source.kind() {
                io::ErrorKind::AddrInUse => Some("publish on another port, or stop what uses this one".to_owned()),
                io::ErrorKind::PermissionDenied if address.port() < 1024 => Some(format!(
                    "publish on a port from 1024 on, or run `sudo sysctl -w net.ipv4.ip_unprivileged_port_start={}`",
                    address.port()
                )),
                io::ErrorKind::AddrNotAvailable => Some("name an address that this machine has".to_owned()),
                _ => None,
            },
            Self::System { .. } => None,
        }
    }
}

/// Names what was tried.
pub(super) fn system<E: Into<io::Error>>(operation: &'static str) -> impl FnOnce(E) -> Error {
    move |error| Error::System { operation, source: error.into() }
}
