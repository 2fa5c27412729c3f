//! Runs one command in a tree, apart from the rest of the machine.
//!
//! A process with threads cannot make these namespaces safely by forking, so the sandbox is our own executable started
//! again: `main` calls [`hook`] before anything else, which recognizes that start and never returns from it. The new
//! process, the *supervisor*, makes the namespaces, forks the command as process 1 of its own, and tells the
//! parent how both went. When process 1 ends the kernel kills and reaps whatever it left running.
//!
//! Nothing outlives the parent: the supervisor asks for its own death with the *thread* that started it, which therefore
//! has to stay until [`start`] returns; from then on it watches the socket to its parent, which closes with the process.
//! Process 1 in turn dies with the supervisor.

mod capability;
mod control;
mod device;
mod execute;
mod failure;
mod file;
mod foreign;
mod init;
mod limit;
mod lookup;
mod message;
mod network;
mod outcome;
mod place;
mod process;
mod seccomp;
mod skeleton;
mod spec;
mod supervisor;
mod system;
mod terminal;
mod tree;
mod user;

pub use control::{Killer, Running, Standard, start, start_connected};
pub use failure::{Error, Failure};
pub use foreign::Lack;
pub use outcome::{End, Outcome};
pub use spec::{Access, DeviceGuard, Host, Limit, Mount, MountKind, Network, Resource, Spec, TerminalSize};
pub use supervisor::hook;
