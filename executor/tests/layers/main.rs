//! Folders on disk become change sets, archives and blobs, and archives become folders.
//!
//! What a machine lacks is named and skipped; `LAYERCAKE_REQUIRE=all` makes a skip a failure. Nothing here needs root of
//! the machine: `namespace` runs everything once more as root of a user namespace.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod archives;
mod blobs;
mod captures;
mod compression;
mod judges;
mod machine;
mod namespace;
mod round_trip;
mod selections;
mod stacks;
mod tree;
mod unpacking;
