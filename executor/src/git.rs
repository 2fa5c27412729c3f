//! Git repositories, by way of the user's own `git`: what a reference is at now, and the files of a commit.
//! It does not know plans, keys or layers.

mod checkout;
mod client;
mod command;
mod error;
mod process;
mod projection;
mod reference;
mod remote;
mod repository;
mod submodule;

pub use client::{Access, Client, Settings};
pub use error::Error;
pub use reference::Pin;
