//! Local images and the archives they travel in, held to what other programs read and write.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/fixture.rs"]
mod fixture;
#[path = "../support/tools.rs"]
mod tools;

mod docker;
mod hostile;
mod import;
mod judges;
mod local;
mod roundtrip;
