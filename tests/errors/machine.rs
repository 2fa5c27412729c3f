//! Machines that do not allow what a build needs.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::Home;
use crate::support::home::{program, run};
use crate::support::machine::{self, is_root};
use crate::support::ran::Ran;
use crate::support::tools;
use crate::support::transcript::assert_transcript;

fn home() -> Option<Home> {
    let home = Home::with_base()?;
    home.write("ctx/Dockerfile", "FROM base\nRUN true\n");
    Some(home)
}

/// Runs `layercake build ctx` at the end of a shell script; `None` if the script cannot be run here.
fn build_after(home: &Home, mut shell: Command, script: &str) -> Option<Ran> {
    home.furnish(&mut shell);
    let mut ran = run(shell.args(["-c", &format!("{script} \"$0\" build ctx")]).arg(program()));
    ran.arguments = "build ctx".to_owned();
    if ran.status == Some(77) {
        tools::skip(&format!("what a test needs that forbids namespaces: {}", ran.stderr));
        return None;
    }
    Some(ran)
}

fn in_user_namespace(arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user"]).args(arguments).args(["--", "sh"]);
    command
}

#[test]
fn no_user_namespace_is_left() {
    let Some(home) = home() else { return };
    // The limit of a user namespace counts for those within, and without the capability even its root needs one.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces || exit 77; exec setpriv --bounding-set=-sys_admin";
    let Some(ran) = build_after(&home, in_user_namespace(&[]), script) else { return };
    assert_transcript("errors", "no-user-namespace-left", &home, &ran.exits(3));
}

#[test]
fn user_namespaces_are_forbidden() {
    let Some(home) = home() else { return };
    // Who has another root directory than its mount namespace may make none, as in many a container.
    let script = "mkdir root && mount --rbind / root || exit 77; here=$PWD\n\
         exec chroot root sh -c 'cd \"$1\" && shift && exec \"$@\"' sh \"$here\" setpriv --bounding-set=-sys_admin";
    let Some(ran) = build_after(&home, in_user_namespace(&["--mount"]), script) else { return };
    assert_transcript("errors", "user-namespaces-forbidden", &home, &ran.exits(3));
}

#[test]
fn a_user_has_no_subordinate_ids() {
    if !is_root() {
        // Only root can become such a user.
        return;
    }
    let home = Home::empty();
    home.write("ctx/Dockerfile", "FROM scratch\n");
    for folder in ["", "work", "config", "home"] {
        std::fs::set_permissions(home.path(folder), std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let Some(ran) = build_after(&home, Command::new("sh"), "exec setpriv --reuid=64321 --regid=64321 --clear-groups")
    else {
        return;
    };
    assert_transcript("errors", "no-subordinate-ids", &home, &ran.exits(3));
}

#[test]
fn the_program_that_maps_ids_is_missing() {
    if is_root() {
        // Root needs none.
        return;
    }
    let Some(home) = home() else { return };
    let ran = run(home.command(["build", "ctx"]).env("PATH", "/nowhere")).exits(3);
    assert_transcript("errors", "no-newuidmap", &home, &ran);
    assert!(machine::missing_for_builds().is_none());
}

#[test]
fn what_needs_no_namespace_works_without() {
    let Some(home) = home() else { return };
    let script = "echo 0 > /proc/sys/user/max_user_namespaces || exit 77; shift $#; exec setpriv --bounding-set=-sys_admin sh -c '\
         for command in images \"inspect base\" \"history base\" \"save -o base.tar base\" \"compile ctx\" \"check ctx\"; do $0 $command > out || exit; done'";
    let Some(ran) = build_after(&home, in_user_namespace(&[]), script) else { return };
    ran.ok();
}

/// Messages may go to a terminal while results go to a file.
#[test]
fn results_in_a_file_are_plain() {
    if !tools::available(&["script"]) {
        return;
    }
    let home = Home::empty();
    let commands =
        format!("{program} doctor > doctor; {program} --color=always doctor > painted", program = program().display());
    let mut command = Command::new("script");
    home.furnish(&mut command);
    run(command.args(["--quiet", "--command", &commands, "/dev/null"]));
    assert!(home.read("doctor").contains("overlay"), "{}", home.read("doctor"));
    assert!(!home.read("doctor").contains('\u{1b}'), "{}", home.read("doctor"));
    assert!(home.read("painted").contains('\u{1b}'), "{}", home.read("painted"));
}
