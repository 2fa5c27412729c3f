//! Steps that cannot be done.

use crate::support::Home;
use crate::support::home::run;
use crate::{assert_build_fails, assert_fails};

#[test]
fn a_command_fails() {
    let Some(home) = Home::with_base() else { return };
    assert_build_fails(&home, "FROM base\n\nRUN echo before >&2; \\\n    echo why; exit 7\n", 1, "run-fails");
    assert_build_fails(&home, "FROM base\nRUN seq 1 100; false\n", 1, "run-fails-after-many-lines");
    assert_build_fails(
        &home,
        "FROM base AS build\nRUN false\nFROM base\nCOPY --from=build /x /\n",
        1,
        "run-fails-in-a-stage",
    );
}

#[test]
fn a_program_is_unknown() {
    let Some(home) = Home::with_base() else { return };
    assert_build_fails(&home, "FROM base\nRUN apt-gett update\n", 1, "unknown-program-of-a-shell");
    assert_build_fails(&home, "FROM base\nRUN [\"missing\", \"-x\"]\n", 1, "unknown-program");
    assert_build_fails(&home, "FROM base\nRUN [\"/etc/passwd\"]\n", 1, "program-that-is-none");
    assert_build_fails(&home, "FROM base\nSHELL [\"/bin/bash\", \"-c\"]\nRUN true\n", 1, "unknown-shell");
    assert_build_fails(&home, "FROM scratch\nRUN true\n", 1, "shell-in-scratch");
}

#[test]
fn a_user_is_unknown() {
    let Some(home) = Home::with_base() else { return };
    assert_build_fails(&home, "FROM base\nUSER bob\nRUN true\n", 2, "unknown-user");
    assert_build_fails(&home, "FROM base\nUSER ann:nobodies\nRUN true\n", 2, "unknown-group");
    home.write("ctx/a", "");
    assert_build_fails(&home, "FROM base\nCOPY --chown=bob a /\n", 2, "unknown-owner");
    assert_build_fails(&home, "FROM base\nCOPY --chown=ann:nobodies a /\n", 2, "unknown-group-of-owner");
}

#[test]
fn a_file_is_not_there() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/src/main.rs", "").write("ctx/secret.txt", "").write("ctx/.dockerignore", "*.txt\n");
    assert_build_fails(&home, "FROM base\nCOPY src/mian.rs /\n", 2, "copy-nothing");
    assert_build_fails(&home, "FROM base\nCOPY secret.txt /\n", 2, "copy-what-is-ignored");
    assert_build_fails(
        &home,
        "FROM base AS one\nFROM base\nCOPY --from=one /missing /\n",
        2,
        "copy-nothing-of-a-stage",
    );
    assert_build_fails(&home, "FROM base\nCOPY ../outside /\n", 2, "copy-from-outside");
    assert_build_fails(&home, "FROM base\nRUN --mount=type=bind,source=missing,target=/mnt true\n", 2, "bind-nothing");
}

#[test]
fn a_destination_is_in_the_way() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/dir/a", "").write("ctx/b", "");
    assert_build_fails(&home, "FROM base\nCOPY dir /etc/passwd\n", 2, "folder-over-a-file");
    assert_build_fails(&home, "FROM base\nCOPY b /etc/passwd/b\n", 2, "file-below-a-file");
    assert_build_fails(&home, "FROM base\nWORKDIR /etc/passwd\n", 2, "workdir-is-a-file");
}

#[test]
fn a_secret_is_missing() {
    let Some(home) = Home::with_base() else { return };
    assert_build_fails(&home, "FROM base\nRUN --mount=type=secret,id=token,required true\n", 2, "missing-secret");
    home.write("ctx/Dockerfile", "FROM base\nRUN --network=host --security=insecure true\n");
    assert_fails(&home, ["build", "ctx"], 2, "insecure-is-not-allowed");
}

#[test]
fn links_that_lead_in_a_circle() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/a", "");
    for instruction in ["COPY a /b/y", "COPY --from=loop /b/y /y", "WORKDIR /b/sub"] {
        home.write("ctx/Dockerfile", format!("FROM base AS loop\nRUN ln -s /b /b\nFROM loop\n{instruction}\n"));
        let ran = run(&mut home.command(["build", "ctx"])).exits(2);
        assert!(ran.stderr.contains(instruction) && !ran.stderr.contains("`//"), "{}", ran.stderr);
    }
}
