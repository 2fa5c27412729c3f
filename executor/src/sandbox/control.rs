//! The parent's side of a command: has it started, and hears how it goes.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::Signal;

use super::failure::{Error, Failure};
use super::message::{self, Order, Report};
use super::outcome::Outcome;
use super::service;
use super::spec::{Network, Spec};

/// What a command's standard streams are, where it has no terminal.
#[derive(Debug, Default)]
pub struct Standard {
    /// The input; `None`: it is empty.
    pub stdin: Option<OwnedFd>,
    /// The output; `None`: the caller's own.
    pub stdout: Option<OwnedFd>,
    /// The output of errors; `None`: the caller's own.
    pub stderr: Option<OwnedFd>,
}

impl Standard {
    /// No input, and the caller's own outputs.
    #[must_use]
    pub fn inherited() -> Self {
        Self::default()
    }
}

/// A command that runs. Dropping it ends the command.
#[derive(Debug)]
pub struct Running {
    command: Command,
    terminal: Option<OwnedFd>,
}

/// Ends a command from wherever it is needed, another thread included.
#[derive(Debug)]
pub struct Killer {
    command: OwnedFd,
}

/// Has everything made ready that a command like this one needs whatever it does, so that it starts sooner. `spec` says the
/// network, control group, protection and size of memory of a command that is expected. If none like it comes, that was in vain.
///
/// # Errors
/// If there is no supervisor.
pub fn prepare(spec: &Spec) -> Result<(), Error> {
    service::order(&Order::Prepare(spec.into()), &[])
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
    let (mut failure, failures) = io::pipe().map_err(|source| Error::Control { operation: "start", source })?;
    let spec_file = message::write_file(spec).map_err(|source| Error::Control { operation: "describe", source })?;
    let stdout = standard.stdout.as_ref().map_or(rustix::stdio::stdout(), AsFd::as_fd);
    let stderr = standard.stderr.as_ref().map_or(rustix::stdio::stderr(), AsFd::as_fd);
    let mut files = vec![spec_file.as_fd(), theirs.as_fd(), failures.as_fd(), stdout, stderr];
    files.extend(standard.stdin.as_ref().map(AsFd::as_fd));
    service::order(&Order::Run(spec.into()), &files)?;
    // From here on they are the command's alone, so that their ends tell of its end.
    drop((theirs, failures, standard));

    let mut command = Command { handle: None, socket: Some(socket) };
    let (mut terminal, mut connect, mut ended) = (None, Some(connect), None);
    while ended.is_none() {
        let is_connected = spec.network != Network::Private || connect.is_none();
        if command.handle.is_some() && is_connected && spec.terminal.is_some() == terminal.is_some() {
            break;
        }
        let Some((report, files)) = command.hear()? else { return Err(service::vanished()) };
        let mut files = files.into_iter();
        match report {
            Report::Forked => command.handle = files.next(),
            Report::Network => {
                if let (Some(namespace), Some(connect)) = (files.next(), connect.take()) {
                    connect(namespace.as_fd()).map_err(|message| Error::Connection { message })?;
                    message::send(command.socket()?, &Order::Go, &[]).map_err(control("speak to"))?;
                }
            }
            Report::Terminal => terminal = files.next(),
            Report::Failed(failure) => return Err(failure.into()),
            // It has left its reasons in the pipe.
            Report::Ended(outcome) => ended = Some(outcome),
        }
    }
    // The pipe ends when the command has become what it is meant to be.
    let mut text = Vec::new();
    failure.read_to_end(&mut text).map_err(|source| Error::Control { operation: "hear from", source })?;
    if !text.is_empty() {
        let failure: Failure = serde_json::from_slice(&text).map_err(|_| control("hear from")(Errno::BADMSG))?;
        return Err(failure.into());
    }
    if ended.is_some() {
        return Err(control("hear from")(Errno::BADMSG));
    }
    Ok(Running { command, terminal })
}

/// A command, from its start on. It does not outlive this, whatever goes wrong.
#[derive(Debug)]
struct Command {
    handle: Option<OwnedFd>,
    socket: Option<OwnedFd>,
}

impl Drop for Command {
    fn drop(&mut self) {
        // The supervisor kills it when the socket is closed, if it has not ended.
        drop(self.socket.take());
        if let Some(handle) = &self.handle {
            let mut end = [PollFd::new(handle, PollFlags::IN)];
            while rustix::event::poll(&mut end, None) == Err(Errno::INTR) {}
        }
    }
}

impl Command {
    fn hear(&self) -> Result<Option<(Report, Vec<OwnedFd>)>, Error> {
        message::receive(self.socket()?).map_err(control("hear from"))
    }

    fn socket(&self) -> Result<BorrowedFd<'_>, Error> {
        self.socket.as_ref().map(AsFd::as_fd).ok_or(Errno::BADF).map_err(control("speak to"))
    }

    fn handle(&self) -> io::Result<&OwnedFd> {
        self.handle.as_ref().ok_or_else(|| Errno::SRCH.into())
    }
}

impl Running {
    /// Waits for the command's end. When this returns nothing of it is left, and its tree is no longer mounted.
    ///
    /// # Errors
    /// If the supervisor ended without telling.
    pub fn wait(self) -> Result<Outcome, Error> {
        loop {
            match self.command.hear()? {
                Some((Report::Ended(outcome), _)) => return Ok(outcome),
                Some((Report::Failed(failure), _)) => return Err(failure.into()),
                Some(_) => {}
                None => return Err(service::vanished()),
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
        Ok(rustix::process::pidfd_send_signal(self.command.handle()?, signal)?)
    }

    /// What ends the command from another thread.
    ///
    /// # Errors
    /// If there are too many open files.
    pub fn killer(&self) -> io::Result<Killer> {
        Ok(Killer { command: self.command.handle()?.try_clone()? })
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
