//! Runs one command in a tree, apart from the rest of the machine.
//!
//! A process with threads cannot make these namespaces safely by forking, so the sandbox is our own executable started
//! again: `main` calls [`hook`] before anything else, which recognizes that start and never returns from it. The new
//! process, the *supervisor*, serves all commands of the program: it forks each as process 1 of new namespaces, and tells the
//! parent how it went. When process 1 ends the kernel kills and reaps whatever it left running.
//!
//! Nothing outlives the parent: the supervisor watches its socket to the parent, which closes with the process, and kills
//! what runs. Process 1 in turn dies with the supervisor.

mod capability;
mod control;
mod device;
mod execute;
mod failure;
mod file;
mod foreign;
mod frame;
mod huge_pages;
mod init;
mod limit;
mod lookup;
mod message;
mod network;
mod outcome;
mod place;
mod process;
mod seccomp;
mod service;
mod skeleton;
mod spare;
mod spec;
mod supervisor;
mod system;
mod terminal;
mod tree;
mod user;

pub use control::{Killer, Running, Standard, prepare, start, start_connected};
pub use failure::{Error, Failure};
pub use foreign::Lack;
pub use outcome::{End, Outcome};
pub use spec::{Access, DeviceGuard, Host, Limit, Mount, MountKind, Network, Resource, Spec, TerminalSize};
pub use supervisor::hook;
