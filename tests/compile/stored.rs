//! Plans that are kept beside a Dockerfile, and compared with.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::Home;
use crate::support::transcript::assert_transcript;

/// A home with a context whose plan is stored in `ctx/plan`.
fn home() -> Home {
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\nWORKDIR /a\nCOPY one /a/\nENV A=1\n");
    let plan = home.layercake(["compile", "--platform=linux/amd64", "ctx"]).ok().stdout;
    home.write("ctx/plan", plan);
    home
}

fn verify(home: &Home) -> crate::support::ran::Ran {
    home.layercake(["compile", "--platform=linux/amd64", "--verify=ctx/plan", "ctx"])
}

fn bless(home: &Home) -> crate::support::ran::Ran {
    home.layercake(["compile", "--platform=linux/amd64", "--verify=ctx/plan", "--bless", "ctx"])
}

#[test]
fn what_compile_printed_is_the_plan() {
    let home = home();
    let ran = verify(&home).ok();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    // As another system checks it out.
    home.write("ctx/plan", home.read("ctx/plan").replace('\n', "\r\n"));
    verify(&home).ok();
}

#[test]
fn a_plan_that_has_changed_is_shown_and_can_be_blessed() {
    let home = home();
    home.write("ctx/Dockerfile", "FROM scratch\nWORKDIR /a\nCOPY two /a/\nENV A=1\n");
    assert_transcript("compile", "verify-changed", &home, &verify(&home).exits(2));
    let before = home.read("ctx/plan");
    fs::set_permissions(home.path("work/ctx/plan"), fs::Permissions::from_mode(0o640)).unwrap();
    assert_transcript("compile", "verify-bless", &home, &bless(&home).ok());
    assert_ne!(home.read("ctx/plan"), before);
    assert_eq!(fs::metadata(home.path("work/ctx/plan")).unwrap().permissions().mode() & 0o777, 0o640);
    verify(&home).ok();
    // What is so already is not written.
    assert_eq!(bless(&home).ok().stderr, "");
    let files = fs::read_dir(home.path("work/ctx")).unwrap().count();
    assert_eq!(files, 2, "nothing unfinished is left");
}

#[test]
fn a_link_goes_on_leading_to_the_plan() {
    let home = home();
    fs::rename(home.path("work/ctx/plan"), home.path("work/kept")).unwrap();
    symlink("../kept", home.path("work/ctx/plan")).unwrap();
    home.write("ctx/Dockerfile", "FROM scratch\nWORKDIR /b\n");
    bless(&home).ok();
    assert!(fs::symlink_metadata(home.path("work/ctx/plan")).unwrap().is_symlink());
    assert!(home.read("kept").contains("/b"));
}

#[test]
fn what_is_no_plan_of_ours_is_told_apart() {
    let home = home();
    let plan = home.read("ctx/plan");
    home.write("ctx/plan", plan.replacen("plan 2:", "plan 99:", 1));
    assert_transcript("compile", "verify-other-version", &home, &verify(&home).exits(2));
    home.write("ctx/plan", "FROM scratch\n");
    assert_transcript("compile", "verify-no-plan", &home, &verify(&home).exits(2));
    bless(&home).exits(2);
    assert_eq!(home.read("ctx/plan"), "FROM scratch\n", "what is no plan is not overwritten");
    home.write("ctx/plan", [0xff, 0xfe]);
    assert!(verify(&home).exits(2).stderr.contains("it is no text"));
    fs::remove_file(home.path("work/ctx/plan")).unwrap();
    assert_transcript("compile", "verify-missing", &home, &verify(&home).exits(2));
    bless(&home).ok();
    assert_eq!(home.read("ctx/plan"), plan);
    let elsewhere = home.layercake(["compile", "--verify=none/plan", "--bless", "ctx"]).exits(3);
    assert!(elsewhere.stderr.contains("cannot write the plan `none/plan`"), "{}", elsewhere.stderr);
    assert!(home.layercake(["compile", "--verify=ctx", "ctx"]).exits(2).stderr.contains("it is a folder"));
}
