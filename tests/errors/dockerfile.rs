//! Dockerfiles that are not there, or are wrong.

use crate::support::Home;
use crate::{assert_build_fails, assert_fails};

#[test]
fn there_is_no_dockerfile() {
    let home = Home::empty();
    home.write("ctx/file", "");
    assert_fails(&home, ["build", "ctx"], 2, "no-dockerfile");
    assert_fails(&home, ["build", "-f", "ctx/Dockerfile.prod", "ctx"], 2, "no-dockerfile-named");
    home.write("ctx/Containerfile", "FROM scratch\n");
    assert_fails(&home, ["build", "ctx"], 2, "no-dockerfile-but-a-near-name");
    assert_fails(&home, ["build", "missing"], 2, "no-context");
    home.write("folder/Dockerfile/x", "");
    assert_fails(&home, ["build", "folder"], 2, "dockerfile-is-a-folder");
}

#[test]
fn the_habit_of_naming_the_dockerfile() {
    let home = Home::empty();
    home.write("Dockerfile", "FROM scratch\n").write("notes.txt", "");
    assert_fails(&home, ["build", "Dockerfile", "-t", "x"], 2, "dockerfile-as-context");
    assert_fails(&home, ["build", "notes.txt"], 2, "file-as-context");
}

#[test]
fn it_says_nothing() {
    let home = Home::empty();
    assert_build_fails(&home, "", 2, "empty-dockerfile");
    assert_build_fails(&home, "# only a comment\n", 2, "only-comments");
    assert_build_fails(&home, "RUN true\n", 2, "no-from");
}

#[test]
fn instructions_are_unknown_or_incomplete() {
    let home = Home::empty();
    assert_build_fails(&home, "FROM scratch\nCOPPY a /\n", 2, "unknown-instruction");
    assert_build_fails(
        &home,
        "FROM scratch\nFRIM scratch\nCOPY a\nEXPOSE http\nRUN --mount=type=chache true\nENV\n",
        2,
        "several-errors",
    );
    assert_build_fails(&home, "FROM scratch\nRUN <<EOF\necho\n", 2, "heredoc-without-end");
    assert_build_fails(&home, "FROM scratch\nCOPY --chmod=7z a /\n", 2, "bad-chmod");
    assert_build_fails(&home, "FROM scratch\nCOPY --form=x a /\n", 2, "unknown-flag");
}

#[test]
fn names_lead_nowhere() {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch AS builder\nFROM scratch\nCOPY --from=bilder /a /\n");
    // It may be an image, but nobody is to be asked from here.
    assert_fails(&home, ["build", "--offline", "ctx"], 3, "misspelled-stage");
    assert_build_fails(&home, "FROM $NOTHING\n", 2, "base-of-an-empty-argument");
    assert_build_fails(&home, "FROM UPPER\n", 2, "base-that-is-no-name");
    assert_build_fails(
        &home,
        "FROM scratch AS a\nCOPY --from=b /x /\nFROM scratch AS b\nCOPY --from=a /x /\n",
        2,
        "circle",
    );
    home.write("ctx/Dockerfile", "FROM scratch AS x\nCOPY --from=a /f /\nCOPY --from=c /f /\n");
    let contexts = |first, second| ["build", "--build-context", first, "--build-context", second, "ctx"];
    assert_fails(&home, contexts("a=target:B", "b=target:a"), 2, "contexts-in-a-circle");
    assert_fails(&home, contexts("a=target:a", "c=target:a"), 2, "context-of-itself");
    assert_fails(&home, contexts("a=target:x", "c=target:a"), 2, "context-of-its-own-stage");
    home.write("ctx/Dockerfile", "FROM scratch AS builder\nFROM scratch AS tests\n");
    assert_fails(&home, ["build", "--target", "test", "ctx"], 2, "unknown-target");
}

#[test]
fn standard_input_is_empty() {
    let home = Home::empty();
    assert_fails(&home, ["build", "-"], 2, "nothing-on-standard-input");
}
