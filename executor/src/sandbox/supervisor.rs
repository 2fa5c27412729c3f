//! The process between the program and its commands: forks each into namespaces of its own, watches over both sides, and tells
//! the parent how it went. It has a single thread, serves any number of commands at once, and knows nothing of one but its
//! specification.

use std::fs::File;
use std::io::PipeWriter;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use rustix::thread::UnshareFlags;

use super::failure::{Doing, Failure};
use super::huge_pages;
use super::init::{self, Surroundings};
use super::message::{self, Order, Report};
use super::process::{self, Side};
use super::spec::{Network, Spec};

/// What the executable is called when it is started as the supervisor.
pub(super) const NAME: &str = "layercake-sandbox";

/// Takes over the process if it was started as a supervisor, and does not return then. `main` calls this before all else.
pub fn hook() {
    let is_supervisor = std::env::args_os().next().is_some_and(|name| name.as_bytes() == NAME.as_bytes());
    if is_supervisor {
        supervise();
    }
}

/// A command that runs.
struct Command {
    process: Pid,
    /// Readable when the command has ended.
    handle: OwnedFd,
    /// To whoever waits for it; `None` when nobody does any more.
    socket: Option<OwnedFd>,
}

fn supervise() -> ! {
    // The socket is the standard input, where it needs no number to be known.
    let Ok(socket) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) else { process::exit(1) };
    // Out of the terminal's reach: what is typed there is for the parent to pass on.
    let _ = rustix::process::setsid();
    huge_pages::give_up();
    let mut commands = Vec::new();
    let status = match serve(&socket, &mut commands) {
        Ok(()) => 0,
        Err(_) => 1,
    };
    // The parent is gone. What still runs goes with it.
    commands.iter().for_each(Command::kill);
    for command in &commands {
        let _ = process::wait(command.process);
    }
    process::exit(status)
}

/// Does what the parent orders, until it is gone.
fn serve(socket: &OwnedFd, commands: &mut Vec<Command>) -> Result<(), Errno> {
    loop {
        let mut sources = vec![PollFd::new(socket, PollFlags::IN)];
        // A socket tells of its other end being closed although nothing is asked.
        sources.extend(commands.iter().flat_map(|command| {
            let socket = command.socket.as_ref().map_or(socket, |own| own);
            [PollFd::new(&command.handle, PollFlags::IN), PollFd::new(socket, PollFlags::empty())]
        }));
        match rustix::event::poll(&mut sources, None) {
            Err(Errno::INTR) => continue,
            result => result?,
        };
        let happened: Vec<bool> = sources.iter().map(|source| !source.revents().is_empty()).collect();
        let mut of_commands = happened.get(1..).unwrap_or_default().chunks_exact(2);
        commands.retain_mut(|command| match of_commands.next() {
            Some([true, _]) => {
                command.bury();
                false
            }
            Some([_, true]) => {
                command.kill();
                command.socket = None;
                true
            }
            _ => true,
        });
        if happened.first() == Some(&true) {
            match message::receive(socket.as_fd())? {
                Some((Order::Run, files)) => commands.extend(begin(files)),
                Some((Order::Go, _)) => {}
                None => return Ok(()),
            }
        }
    }
}

impl Command {
    fn kill(&self) {
        let _ = rustix::process::pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// Says how it ended. When it can be waited for, nothing of it is left, its mounts included.
    fn bury(&self) {
        let outcome = process::wait(self.process).doing("wait for the command");
        if let Some(socket) = &self.socket {
            message::report(socket, &outcome.map_or_else(Report::Failed, Report::Ended), &[]);
        }
    }
}

/// Begins a command, or says why not.
fn begin(files: Vec<OwnedFd>) -> Option<Command> {
    let mut files = files.into_iter();
    let (Some(spec), Some(socket), Some(failures), Some(stdout), Some(stderr)) =
        (files.next(), files.next(), files.next(), files.next(), files.next())
    else {
        return None;
    };
    let outputs = Outputs { failures: failures.into(), stdout, stderr };
    match fork(spec, &socket, outputs, files.next()) {
        Ok((process, handle)) => {
            message::report(&socket, &Report::Forked, &[handle.as_fd()]);
            Some(Command { process, handle, socket: Some(socket) })
        }
        Err(failure) => {
            message::report(&socket, &Report::Failed(failure), &[]);
            None
        }
    }
}

/// Where a command may write to.
struct Outputs {
    failures: PipeWriter,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

fn fork(spec: OwnedFd, socket: &OwnedFd, outputs: Outputs, stdin: Option<OwnedFd>) -> Result<(Pid, OwnedFd), Failure> {
    let spec: Spec = message::read_file(spec).doing("read the specification")?;
    let mut namespaces = UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    if spec.network != Network::Host {
        namespaces |= UnshareFlags::NEWNET;
    }
    let mut to_join = None;
    let born = spec.cgroup.as_ref().and_then(|group| File::open(group).ok());
    let born = born.and_then(|group| process::fork(namespaces, Some(group.as_fd())).ok());
    let side = match born {
        Some(side) => side,
        // Kernels before 5.7, and filters of containers, do not let a process be born in another group. Why it may not be in
        // that group at all shows when it tries.
        None => {
            to_join = spec.cgroup.as_deref();
            process::fork(namespaces, None).doing("make the namespaces of the sandbox")?
        }
    };
    match side {
        Side::Parent(process, handle) => Ok((process, handle)),
        Side::Child => {
            let Outputs { failures, stdout, stderr } = outputs;
            let socket = socket.as_fd();
            init::run(&spec, Surroundings { stdin, stdout, stderr, socket, failures, group: to_join })
        }
    }
}
