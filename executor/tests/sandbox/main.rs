//! The sandbox, for real: as whoever runs the tests, and if that is root, once more as an ordinary user. What the machine
//! lacks is named and passed over, unless `LAYERCAKE_REQUIRE=all`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test program: a failed unwrap is a failed test"
)]

mod container;
mod cost;
mod harness;
mod isolation;
mod lifetime;
mod little;
mod mounts;
mod outcome;
mod overlay;
mod powers;
mod probe;
mod spare;
mod user;

use std::process::ExitCode;

use layercake_executor::{namespace, sandbox};

fn main() -> ExitCode {
    sandbox::hook();
    lifetime::hook();
    container::hook();
    let is_root = rustix::process::getuid().is_root();
    let entered = namespace::enter().unwrap_or_else(|error| panic!("{error} ({:?})", error.help()));
    println!("as {entered:?}");
    let suites = [
        outcome::TESTS,
        spare::TESTS,
        isolation::TESTS,
        powers::TESTS,
        user::TESTS,
        mounts::TESTS,
        overlay::TESTS,
        lifetime::TESTS,
        container::TESTS,
        probe::TESTS,
        cost::TESTS,
    ];
    let passed = harness::run(&suites.concat());
    if passed && (!is_root || harness::repeat_as_user()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
