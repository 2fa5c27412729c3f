//! Stores that cannot be used.

use std::fs;

use crate::assert_fails;
use crate::support::Home;
use crate::support::home::{program, run};
use crate::support::machine;
use crate::support::transcript::assert_transcript;

fn home() -> Home {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\nCOPY file /\n").write("ctx/file", "");
    home
}

#[test]
fn it_has_another_format() {
    let home = home();
    home.write("../store/format", "layercake store 99\n");
    assert_fails(&home, ["images"], 3, "store-of-another-format");
}

#[test]
fn it_is_something_else() {
    let home = home();
    home.write("../store/holiday.jpg", "");
    assert_fails(&home, ["images"], 3, "store-that-is-none");
    let other = Home::empty();
    fs::write(other.path("store"), "").unwrap();
    assert_fails(&other, ["images"], 3, "store-that-is-a-file");
}

#[test]
fn it_is_read_only() {
    let Some(home) = Home::with_base() else { return };
    home.write("ctx/Dockerfile", "FROM base\nRUN echo x > /x\n");
    home.build(["-t", "x", "ctx"]);
    let in_read_only_store = |arguments: &str| {
        let script = "mount --bind \"$LAYERCAKE_HOME\" \"$LAYERCAKE_HOME\" && mount -o remount,bind,ro \"$LAYERCAKE_HOME\" || exit 77\n\
             program=$1; shift; exec \"$program\" \"$@\"";
        let mut command = machine::in_mount_namespace("sh");
        home.furnish(&mut command);
        command.args(["-c", script, "sh"]).arg(program()).args(arguments.split(' '));
        let mut ran = run(&mut command);
        ran.arguments = arguments.to_owned();
        ran
    };
    // What is there can be looked at, all the same.
    let images = in_read_only_store("images -q").ok();
    assert_eq!(images.stdout.lines().count(), 2);
    in_read_only_store("inspect x").ok();
    in_read_only_store("save -o x.tar x").ok();
    home.write("ctx/Dockerfile", "FROM base\nRUN echo y > /y\n");
    let ran = in_read_only_store("build ctx").exits(3);
    assert_transcript("errors", "read-only-store", &home, &ran);
}
