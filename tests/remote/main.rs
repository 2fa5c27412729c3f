//! What is fetched over HTTP, and contexts that are tars: from a server of the test's own, on a loopback port.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod add;
mod archive;
mod contexts;
mod errors;
mod hostile;
mod reuse;
mod site;
mod transfer;
