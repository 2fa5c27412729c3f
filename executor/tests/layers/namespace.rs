//! Root of a user namespace, as whom builds without root run.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::machine::in_namespace;

/// Set in the environment of a run in a namespace.
const INSIDE: &str = "LAYERCAKE_TEST_NAMESPACE";

/// Whether this is a run in a namespace.
pub(crate) fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// Called before `main`, when a process may still become another: an ordinary user's run goes into a namespace.
#[used]
#[unsafe(link_section = ".init_array")]
static BECOME_ROOT: extern "C" fn() = become_root;

extern "C" fn become_root() {
    if inside() || rustix::process::getuid().is_root() {
        return;
    }
    let enter = |program: &std::ffi::OsStr| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--map-auto"]).arg(program).env(INSIDE, "yes");
        command
    };
    if enter("true".as_ref()).output().is_ok_and(|output| output.status.success())
        && let Ok(tests) = std::env::current_exe()
    {
        // What a namespace may not do is no lack of the machine.
        let mut command = enter(tests.as_os_str());
        let _ = command.args(std::env::args_os().skip(1)).env_remove("LAYERCAKE_REQUIRE").exec();
    }
    #[allow(clippy::print_stderr, reason = "a skip is to be seen")]
    {
        eprintln!("skipped: this user can have no user namespace with subordinate ids");
    }
    std::process::exit(i32::from(std::env::var("LAYERCAKE_REQUIRE").as_deref() == Ok("all")));
}

#[test]
fn all_tests_pass_as_root_of_a_user_namespace() {
    if inside() {
        return;
    }
    let tests = std::env::current_exe().unwrap();
    let arguments = ["--quiet", "--test-threads", "2"];
    let Some(output) = in_namespace(&tests, &arguments, &[(INSIDE, "yes"), ("PROPTEST_CASES", "8")]) else {
        assert!(std::env::var("LAYERCAKE_REQUIRE").as_deref() != Ok("all"), "there is no user namespace");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("test result: ok"), "{text}");
}
