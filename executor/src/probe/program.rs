//! Other programs.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::thread::UnshareFlags;

use super::fact::{Fact, State, Subject};
use crate::container::{NoPasta, outbound};
use crate::fault::reason;
use crate::mount;

pub(super) fn pasta() -> Fact {
    let lacking = |state, detail: String, help: Option<&str>| {
        let consequence = "a container with a network of its own has no way out: it needs `--network host`";
        Fact::lacking(Subject::Pasta, state, detail, consequence, help.map(str::to_owned))
    };
    let namespace = match network_namespace() {
        Ok(namespace) => namespace,
        Err(error) => return lacking(State::Missing, format!("no network namespace: {}", reason(&error)), None),
    };
    match outbound::start(&namespace) {
        Ok(_) => Fact::ok(Subject::Pasta, "connects private networks"),
        Err(NoPasta::Missing) => {
            lacking(State::Missing, "not installed".to_owned(), Some("install the package `passt`"))
        }
        Err(NoPasta::Failing { message }) => {
            let help = "make `/dev/net/tun` writable for this user: `sudo chmod 666 /dev/net/tun`";
            lacking(
                State::Limited,
                message,
                rustix::fs::access("/dev/net/tun", rustix::fs::Access::WRITE_OK).err().map(|_| help),
            )
        }
    }
}

/// A network namespace with nothing in it, made by a thread that ends in it.
fn network_namespace() -> io::Result<OwnedFd> {
    let make = || {
        // SAFETY: the flags do not include `FILES`.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }?;
        Ok(mount::open(Path::new("/proc/thread-self/ns/net"))?)
    };
    thread::scope(|scope| scope.spawn(make).join()).unwrap_or_else(|_| Err(io::Error::other("the thread ended early")))
}

pub(super) fn git() -> Fact {
    let lacking = |detail: String| {
        let consequence = "contexts and `ADD` sources that are git repositories do not work";
        Fact::lacking(Subject::Git, State::Missing, detail, consequence, Some("install the package `git`".to_owned()))
    };
    match Command::new("git").arg("--version").output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            Fact::ok(Subject::Git, text.trim().trim_start_matches("git version ").to_owned())
        }
        Ok(output) => lacking(format!("`git --version` ends with {}", output.status)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => lacking("not installed".to_owned()),
        Err(error) => lacking(reason(&error)),
    }
}
