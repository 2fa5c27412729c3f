//! Building, from the outside: what is done and what is not done again, what the language means, and what stays in layers.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod cache;
mod context;
mod devices;
mod host;
mod hostile;
mod language;
mod limits;
mod merge;
mod mounts;
mod packs;
mod run;
mod sharing;
mod ssh;
mod surroundings;
mod together;
mod way;
