//! The container's way out: `pasta` of the passt project, which moves packets between a device in the container's network
//! and ordinary sockets in ours, without privileges.

use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::fault::reason;

/// Why there is no `pasta`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPasta {
    /// It is not installed.
    Missing,
    /// It does not work here; mostly for want of `/dev/net/tun`.
    Failing {
        /// What it said.
        message: String,
    },
}

/// A `pasta` that serves a container, until this is dropped.
pub(crate) struct Outbound {
    process: Child,
}

impl Drop for Outbound {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts it, and returns when the container's device is there; otherwise says why not.
pub(crate) fn start(namespace: &OwnedFd) -> Result<Outbound, NoPasta> {
    let failing = |error: io::Error| NoPasta::Failing { message: reason(&error) };
    let mut command = Command::new("pasta");
    command
        .args(["--config-net", "--quiet", "--stderr", "--foreground"])
        // The machine's own services stay out of reach, and ports are passed on by us.
        .args(["--no-map-gw", "-t", "none", "-u", "none", "-T", "none", "-U", "none"])
        // It gives up the privilege to look into other processes, but may look at what it has open itself.
        .args(["--netns-only", "--no-netns-quit", "--netns", "/proc/self/fd/0"])
        // What it would otherwise become is `nobody`, who may not enter the namespace.
        .args(["--runas", "0:0"])
        // It writes its number when everything is set up.
        .args(["--pid", "/dev/stdout"])
        // What is typed at the terminal is not for it.
        .process_group(0)
        .stdin(namespace.try_clone().map_err(failing)?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // SAFETY: makes a single system call, which is allowed between fork and exec.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    let process = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NoPasta::Missing,
        _ => failing(error),
    })?;
    let mut outbound = Outbound { process };
    if is_ready(&mut outbound.process) { Ok(outbound) } else { Err(complaint(&mut outbound.process)) }
}

fn is_ready(process: &mut Child) -> bool {
    let mut line = String::new();
    process.stdout.take().is_some_and(|stdout| BufReader::new(stdout).read_line(&mut line).is_ok() && !line.is_empty())
}

/// The last line that it says, which is the one that matters; the others complain of a missing system log.
fn complaint(process: &mut Child) -> NoPasta {
    let mut text = String::new();
    if let Some(stderr) = &mut process.stderr {
        let _ = stderr.read_to_string(&mut text);
    }
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it ends without a word");
    NoPasta::Failing { message: last.trim().to_owned() }
}
