//! Everything once more as root of a user namespace, where builds without root run.

use crate::machine::in_namespace;

/// Set in the environment of the run in the namespace.
const INSIDE: &str = "LAYERCAKE_TEST_NAMESPACE";

/// Whether this is the run in the namespace.
pub(crate) fn inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

#[test]
fn all_tests_pass_as_root_of_a_user_namespace() {
    if inside() {
        return;
    }
    let tests = std::env::current_exe().unwrap();
    let arguments = ["--quiet", "--test-threads", "2"];
    let Some(output) = in_namespace(&tests, &arguments, &[(INSIDE, "yes"), ("PROPTEST_CASES", "8")]) else {
        assert!(std::env::var("LAYERCAKE_REQUIRE").as_deref() != Ok("all"), "there is no user namespace with many ids");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("test result: ok"), "{text}");
}
