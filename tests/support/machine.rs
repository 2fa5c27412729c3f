//! What the machine allows whoever runs the tests: to be root, or to be root of a user namespace.

use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Whether the tests are run by root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What the machine lacks for a build; `None` if nothing.
pub(crate) fn missing_for_builds() -> Option<&'static str> {
    static MISSING: OnceLock<Option<&str>> = OnceLock::new();
    *MISSING.get_or_init(|| {
        let works = |command: &mut Command| {
            let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            quiet.status().is_ok_and(|status| status.success())
        };
        match () {
            () if super::base::rootfs().is_none() => Some("a static /bin/busybox (package busybox-static)"),
            () if works(&mut in_mount_namespace("true")) => None,
            () if is_root() => Some("the permission to make mount namespaces"),
            () => Some("user namespaces with subordinate ids (package uidmap, and an entry in /etc/subuid)"),
        }
    })
}

/// A program that runs as root: as the tests do, or in a user namespace that has the user's subordinate ids.
pub(crate) fn as_root(program: impl AsRef<OsStr>) -> Command {
    if is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--map-auto", "--"]).arg(program);
    command
}

/// The same, with mounts that nobody else sees.
pub(crate) fn in_mount_namespace(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user", "--map-auto"]);
    }
    command.args(["--mount", "--"]).arg(program);
    command
}
