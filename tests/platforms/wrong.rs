//! What is wrong with a build for several platforms, and which platform it is wrong with.

use crate::support::Home;
use crate::support::platforms::{BOTH, FOREIGN, NATIVE};

#[test]
fn a_failure_names_its_platform() {
    let Some(home) = Home::with_platforms() else { return };
    home.write("ctx/Dockerfile", format!("FROM base\nARG TARGETARCH\nRUN test $TARGETARCH = {}\n", NATIVE.0));
    let ran = home.layercake(["build", "--platform", BOTH, "-t", "x", "ctx"]).exits(1);
    assert!(ran.stderr.contains(&format!("failed for linux/{}\n", FOREIGN.0)), "{}", ran.stderr);
    // No name is given to half of it.
    home.layercake(["inspect", "x"]).exits(2);
    home.write(
        "ctx/Dockerfile",
        "FROM --platform=$BUILDPLATFORM base AS a\nRUN false\nFROM base\nCOPY --from=a /bin/sh /s\n",
    );
    let ran = home.layercake(["build", "--platform", BOTH, "ctx"]).exits(1);
    let both = format!("failed for linux/{}, linux/{}\n", NATIVE.0, FOREIGN.0);
    assert!(ran.stderr.contains(&both), "{}", ran.stderr);
}

#[test]
fn what_is_no_platform_is_refused() {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    for wrong in ["linux/amd64,linucks", "linux/amd64,linux/arm64/v8/x", "linux/am$d64"] {
        let ran = home.layercake(["build", "--platform", wrong, "ctx"]).exits(2);
        assert!(ran.stderr.contains("is not a platform: expected `os/architecture[/variant]`"), "{}", ran.stderr);
        assert!(ran.stderr.contains("linux/amd64,linux/arm64,linux/arm/v7"), "{}", ran.stderr);
    }
}

#[test]
fn a_base_that_is_not_for_one_of_them_is_told_with_its_line() {
    let Some(home) = Home::with_platforms() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN true\n");
    let platforms = format!("{BOTH},linux/s390x");
    let ran = home.layercake(["build", "--offline", "--platform", &platforms, "ctx"]).exits(3);
    assert!(ran.stderr.contains("the store has `base:latest`, but not for linux/s390x"), "{}", ran.stderr);
    assert!(ran.stderr.contains("Dockerfile:1"), "{}", ran.stderr);
}
