//! Builds for several platforms, and programs of other processors.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod commands;
mod emulation;
mod judges;
mod outputs;
mod store;
mod together;
mod wrong;
