//! Files of settings, and variables, that are not right.

use crate::assert_fails;
use crate::support::Home;
use crate::support::home::run;
use crate::support::transcript::assert_transcript;

fn home() -> Home {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY file /\n").write("ctx/file", "");
    home
}

#[test]
fn the_projects_file_is_damaged() {
    let home = home();
    for (text, name) in [
        ("[build\njobs = 3\n", "settings-that-are-no-toml"),
        ("[build]\njosb = 3\n", "settings-with-an-unknown-key"),
        ("[build]\njobs = 0\n", "settings-of-no-jobs"),
        ("[build]\njobs = \"many\"\n", "settings-of-the-wrong-kind"),
        ("[host]\nfiles = [\"/etc/shadow\"]\n", "settings-of-a-project-with-host"),
    ] {
        home.write("ctx/layercake.toml", text);
        assert_fails(&home, ["build", "ctx"], 2, name);
    }
}

#[test]
fn a_section_of_a_registry_makes_no_sense() {
    let home = home();
    for (text, name) in [
        ("mirrors = \"mirror.example\"\n", "registry-with-a-mirror-that-is-no-list"),
        ("mirrors = [\"https://mirror.example\"]\n", "registry-with-a-mirror-by-protocol"),
        ("insecrue = true\n", "registry-with-an-unknown-key"),
        ("http = true\ninsecure = false\n", "registry-of-two-minds"),
        ("client-certificate = \"me.pem\"\nclient-key = \"me.key\"\n", "registry-of-a-project-with-a-key"),
    ] {
        home.write("ctx/layercake.toml", format!("[registry.\"docker.io\"]\n{text}"));
        assert_fails(&home, ["build", "ctx"], 2, name);
    }
}

#[test]
fn the_users_file_is_damaged() {
    let home = home();
    home.write("../config/layercake/config.toml", "[host]\nfiles = [\"relative\"]\n");
    assert_fails(&home, ["build", "ctx"], 2, "settings-of-a-user-with-a-relative-path");
    home.write("../config/layercake/config.toml", [0xff, 0xfe]);
    assert_fails(&home, ["images"], 3, "settings-that-are-no-text");
}

#[test]
fn a_variable_means_nothing() {
    let home = home();
    let ran = run(home.command(["build", "ctx"]).env("SOURCE_DATE_EPOCH", "yesterday")).exits(2);
    assert_transcript("errors", "no-source-date-epoch", &home, &ran);
}
