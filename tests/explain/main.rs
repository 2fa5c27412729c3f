//! `explain`, from the outside: every kind of change is injected into a build, and has to be named, and nothing else.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod case;
mod edits;
mod files;
mod linked;
mod messages;
mod pinned;
mod secrets;
mod shown;
mod surroundings;
