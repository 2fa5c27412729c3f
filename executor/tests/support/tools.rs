//! Programs that tests use and that may be missing: a missing one is named and its tests are skipped, unless
//! `LAYERCAKE_REQUIRE=all` makes that a failure.

#![allow(dead_code, reason = "each test program uses some of it")]
#![allow(clippy::print_stderr, reason = "a test says why it was skipped")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::PathBuf;
use std::process::Command;

/// Whether all of `tools` are on the path. If not, the test that asks returns at once.
#[must_use]
pub(crate) fn available(tools: &[&str]) -> bool {
    let missing: Vec<&str> = tools.iter().copied().filter(|tool| find(tool).is_none()).collect();
    if missing.is_empty() {
        return true;
    }
    skip(&missing.join(", "));
    false
}

/// Says that a test cannot be run here for want of something; a failure where everything is required.
pub(crate) fn skip(missing: &str) {
    let all_required = std::env::var("LAYERCAKE_REQUIRE").is_ok_and(|value| value == "all");
    assert!(!all_required, "this machine lacks {missing}");
    eprintln!("skipped: this machine lacks {missing}");
}

fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(tool)).find(|file| file.is_file())
}

/// Runs a program and gives its standard output; fails the test with its standard error if it fails.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
