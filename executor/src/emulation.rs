//! Programs for other processors: which of them this machine runs itself, and what runs the others.
//!
//! The kernel hands a program that it cannot run to an interpreter that somebody has registered in its file system
//! `binfmt_misc`. Since Linux 6.7 every user namespace may have one of its own, so nothing has to be registered for the whole
//! machine. What registers is the sandbox; here is what it knows.

mod architecture;
mod emulator;
mod handler;

pub use architecture::Architecture;
pub(crate) use emulator::registration;
pub use emulator::{Emulator, installed};
pub use handler::registered;
pub(crate) use handler::{FOLDER, Handler, Opened};
