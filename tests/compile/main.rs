//! `compile`: what it prints on the way to a plan, plans that are stored, and the lock file, from the outside.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod damage;
mod drift;
mod emit;
mod locked;
mod page;
mod stored;
