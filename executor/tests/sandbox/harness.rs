//! Runs tests one after the other, since the process that runs them is the one that has the namespaces.

use std::os::unix::process::CommandExt;
use std::panic;
use std::process::Command;

/// A test, by name.
pub(crate) type Test = (&'static str, fn());

/// A list of tests with their names.
macro_rules! tests {
    ($($name:ident),* $(,)?) => {
        pub(crate) const TESTS: &[$crate::harness::Test] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}
pub(crate) use tests;

/// Runs those whose names contain the first argument; whether all passed.
pub(crate) fn run(tests: &[Test]) -> bool {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let mut failed = Vec::new();
    for (name, test) in tests.iter().filter(|(name, _)| name.contains(&filter)) {
        match panic::catch_unwind(test) {
            Ok(()) => println!("test {name} ... ok"),
            Err(_) => {
                println!("test {name} ... FAILED");
                failed.push(name);
            }
        }
    }
    println!("{} failed: {failed:?}", failed.len());
    failed.is_empty()
}

/// Says that a test cannot be run here; a failure where everything is required.
pub(crate) fn skip(what: &str) {
    let required = std::env::var_os("LAYERCAKE_REQUIRE").is_some_and(|value| value == "all");
    assert!(!required, "this machine lacks {what}");
    println!("skipped: this machine lacks {what}");
}

/// Runs the whole program again as the first ordinary user that has subordinate ids; whether all passed.
pub(crate) fn repeat_as_user() -> bool {
    let text = std::fs::read_to_string("/etc/subuid").unwrap_or_default();
    let ids = |name: &str| {
        let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?.to_owned();
        let mut fields = line.split(':').skip(2).map(|field| field.parse().ok());
        Some((fields.next()??, fields.next()??))
    };
    let Some((uid, gid)) = text.lines().find_map(|line| ids(line.split(':').next()?)) else {
        skip("an ordinary user with subordinate ids");
        return true;
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(std::env::args().skip(1)).uid(uid).gid(gid).current_dir("/");
    command.env("TMPDIR", "/tmp").status().unwrap().success()
}
