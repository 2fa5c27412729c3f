//! What comes out of a build, and what others make of it.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod annotations;
mod columns;
mod diff;
mod files;
mod formats;
mod judges;
mod load;
mod plain;
mod pushed;
mod reproducible;
mod varied;
