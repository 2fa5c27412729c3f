//! The parent's side: starts the supervisor, and hears from it.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use rustix::io::Errno;
use rustix::process::Signal;

use super::failure::Error;
use super::message::{self, Order, Report};
use super::outcome::Outcome;
use super::spec::{Network, Spec};
use super::supervisor::NAME;
use crate::fault::reason;

/// What a command's standard streams are, where it has no terminal.
#[derive(Debug)]
pub struct Standard {
    /// The input; `None`: it is empty.
    pub stdin: Option<OwnedFd>,
    /// The output.
    pub stdout: Stdio,
    /// The output of errors.
    pub stderr: Stdio,
}

impl Standard {
    /// No input, and the caller's own outputs.
    #[must_use]
    pub fn inherited() -> Self {
        Self { stdin: None, stdout: Stdio::inherit(), stderr: Stdio::inherit() }
    }
}

/// A command that runs. Dropping it ends the command.
#[derive(Debug)]
pub struct Running {
    supervisor: Supervisor,
    command: OwnedFd,
    terminal: Option<OwnedFd>,
}

/// Ends a command from wherever it is needed, another thread included.
#[derive(Debug)]
pub struct Killer {
    command: OwnedFd,
}

/// Starts a command, and returns when it runs: everything around it is there, and its program has begun.
///
/// # Errors
/// Why it could not be run.
pub fn start(spec: &Spec, standard: Standard) -> Result<Running, Error> {
    start_connected(spec, standard, |_| Ok(()))
}

/// The same; with [`Network::Private`], `connect` is given the command's network namespace before the command begins.
///
/// # Errors
/// Why it could not be run; what `connect` says becomes [`Error::Connection`].
pub fn start_connected(
    spec: &Spec,
    standard: Standard,
    connect: impl FnOnce(BorrowedFd<'_>) -> Result<(), String>,
) -> Result<Running, Error> {
    let (socket, theirs) = message::pair().map_err(control("make a socket to"))?;
    let process = Command::new("/proc/self/exe")
        .arg0(NAME)
        .env_clear()
        .stdin(theirs)
        .stdout(standard.stdout)
        .stderr(standard.stderr)
        .spawn()
        .map_err(|source| Error::Control { operation: "start", source })?;
    let mut supervisor = Supervisor { process, socket: Some(socket) };
    if let Some(group) = &spec.cgroup {
        // It waits for an order, so nothing of it can have been missed.
        fs::write(group.join("cgroup.procs"), supervisor.process.id().to_string())
            .map_err(|source| Error::Control { operation: "limit", source })?;
    }
    let (command, terminal) = supervisor.converse(spec, standard.stdin.as_ref(), connect)?;
    Ok(Running { supervisor, command, terminal })
}

/// A supervisor. It does not outlive this, whatever goes wrong.
#[derive(Debug)]
struct Supervisor {
    process: Child,
    socket: Option<OwnedFd>,
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // It kills the command, and ends, when the socket does.
        drop(self.socket.take());
        let _ = self.process.wait();
    }
}

impl Supervisor {
    fn converse(
        &mut self,
        spec: &Spec,
        stdin: Option<&OwnedFd>,
        connect: impl FnOnce(BorrowedFd<'_>) -> Result<(), String>,
    ) -> Result<(OwnedFd, Option<OwnedFd>), Error> {
        let spec_file = message::write_file(spec).map_err(|source| Error::Control { operation: "describe", source })?;
        let files: Vec<_> = [Some(&spec_file), stdin].into_iter().flatten().map(AsFd::as_fd).collect();
        let order = Order::Run { parent: rustix::process::getpid().as_raw_nonzero().get() };
        let socket = self.socket()?;
        message::send(socket, &order, &files).map_err(control("speak to"))?;
        let (mut command, mut terminal, mut connect) = (None, None, Some(connect));
        loop {
            let Some((report, files)) = message::receive(socket).map_err(control("hear from"))? else {
                break;
            };
            let mut files = files.into_iter();
            match report {
                Report::Forked => {
                    command = files.next();
                    if let (Network::Private, Some(namespace), Some(connect)) =
                        (spec.network, files.next(), connect.take())
                    {
                        connect(namespace.as_fd()).map_err(|message| Error::Connection { message })?;
                        message::send(socket, &Order::Go, &[]).map_err(control("speak to"))?;
                    }
                }
                Report::Terminal => terminal = files.next(),
                Report::Started => {
                    let command = command.ok_or(Errno::BADMSG).map_err(control("hear from"))?;
                    return Ok((command, terminal));
                }
                Report::Failed(failure) => return Err(failure.into()),
                Report::Ended(_) => return Err(control("hear from")(Errno::BADMSG)),
            }
        }
        Err(self.vanished())
    }

    fn socket(&self) -> Result<BorrowedFd<'_>, Error> {
        self.socket.as_ref().map(AsFd::as_fd).ok_or(Errno::BADF).map_err(control("speak to"))
    }

    fn vanished(&mut self) -> Error {
        let status = self.process.wait().map_or_else(|error| reason(&error), |status| status.to_string());
        Error::Vanished { status }
    }
}

impl Running {
    /// Waits for the command's end. When this returns nothing of it is left, and its tree is no longer mounted.
    ///
    /// # Errors
    /// If the supervisor ended without telling.
    pub fn wait(mut self) -> Result<Outcome, Error> {
        loop {
            match message::receive(self.supervisor.socket()?).map_err(control("hear from"))? {
                Some((Report::Ended(outcome), _)) => return Ok(outcome),
                Some((Report::Failed(failure), _)) => return Err(failure.into()),
                Some(_) => {}
                None => return Err(self.supervisor.vanished()),
            }
        }
    }

    /// The side of the command's terminal that is ours, where [`Spec::terminal`] asked for one.
    #[must_use]
    pub fn terminal(&self) -> Option<BorrowedFd<'_>> {
        self.terminal.as_ref().map(AsFd::as_fd)
    }

    /// Sends the command a signal. As process 1 it gets only those that it handles, besides `SIGKILL` and `SIGSTOP`.
    ///
    /// # Errors
    /// What the system says; `ESRCH` if the command has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(rustix::process::pidfd_send_signal(&self.command, signal)?)
    }

    /// What ends the command from another thread.
    ///
    /// # Errors
    /// If there are too many open files.
    pub fn killer(&self) -> io::Result<Killer> {
        Ok(Killer { command: self.command.try_clone()? })
    }
}

impl Killer {
    /// Ends the command and everything that it started. One that has ended already stays so.
    pub fn kill(&self) {
        let _ = rustix::process::pidfd_send_signal(&self.command, Signal::KILL);
    }

    /// Sends the command a signal.
    ///
    /// # Errors
    /// What the system says; `ESRCH` if the command has ended.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        Ok(rustix::process::pidfd_send_signal(&self.command, signal)?)
    }
}

fn control(operation: &'static str) -> impl Fn(Errno) -> Error {
    move |error| Error::Control { operation, source: error.into() }
}
