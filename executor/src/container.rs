//! Runs a container in the foreground, as `docker run` does: terminal, signals and published ports included.

mod error;
mod input;
pub(crate) mod outbound;
mod port;
mod proxy;
mod run;
mod signal;
mod terminal;

pub use error::Error;
pub use outbound::NoPasta;
pub use port::{Port, PortError};
pub use run::{Container, Notice, Streams, run};
