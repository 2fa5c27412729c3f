//! Folders on disk become change sets, archives and blobs, and archives become folders.
//!
//! What a machine lacks is named and skipped; `LAYERCAKE_REQUIRE=all` makes a skip a failure. Builds run as root, or as
//! root of a user namespace: started by root, everything runs both ways; started by another user, in a namespace.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod archives;
mod blobs;
mod captures;
mod compression;
mod drafts;
mod judges;
mod machine;
mod namespace;
mod round_trip;
mod selections;
mod stacks;
mod tree;
mod unpacking;
