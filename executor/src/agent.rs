//! SSH agents that a `RUN` may ask: the user's own, or one that is started for keys of the user's and ends with the build.
//! A command never has the agent's own socket, but one of ours, behind which only questions pass that take nothing away.

mod error;
mod forward;
mod keys;
mod protocol;
mod source;

pub use error::Error;
pub(crate) use forward::{Forwarding, Permissions};
pub use source::Agent;
