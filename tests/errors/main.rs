//! What people see when something is wrong: the whole of it, held to snapshots, and the exit status.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "../support/support.rs"]
mod support;

mod arguments;
mod bases;
mod disk;
mod dockerfile;
mod machine;
mod settings;
mod steps;
mod store;

use support::Home;
use support::home::run;
use support::transcript::assert_transcript;

/// Runs the program, which has to end with this status, and holds what it says to the snapshot of this name.
#[track_caller]
fn assert_fails<const N: usize>(home: &Home, arguments: [&str; N], status: i32, snapshot: &str) {
    let ran = run(&mut home.command(arguments)).exits(status);
    assert!(!ran.stderr.contains("panicked") && !ran.stderr.is_empty(), "{}", ran.stderr);
    assert_transcript("errors", snapshot, home, &ran);
}

/// The same for a build of a context with this Dockerfile.
#[track_caller]
fn assert_build_fails(home: &Home, dockerfile: &str, status: i32, snapshot: &str) {
    home.write("ctx/Dockerfile", dockerfile);
    assert_fails(home, ["build", "ctx"], status, snapshot);
}
