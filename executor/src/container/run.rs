//! Runs a container to its end.

use std::os::fd::{AsFd, OwnedFd};

use rustix::termios::Winsize;

use super::error::{Error, system};
use super::outbound::{self, NoPasta, Outbound};
use super::port::Port;
use super::proxy::{self, Proxy};
use super::{input, signal, terminal};
use crate::cgroup;
use crate::fault::reason;
use crate::sandbox::{self, Outcome, Running, Spec, Standard};

/// A container.
#[derive(Clone, Debug)]
pub struct Container {
    /// What it runs, and in what. Its tree's upper is the caller's to throw away; its terminal is set by `streams`.
    pub spec: Spec,
    /// What of our standard streams it has.
    pub streams: Streams,
    /// The ports that lead to it, which it needs a [`sandbox::Network::Private`] for: with the machine's network its ports are
    /// there already, and without one it has none.
    pub ports: Vec<Port>,
}

/// What a container has of our standard streams. Output it has always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// Nothing else.
    Output,
    /// The input as well (`-i`).
    Interactive,
    /// A terminal of its own, which ours is carried to (`-it`).
    Terminal,
}

/// Something that the user should hear of while the container runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It has no way out of its own network.
    NoWayOut {
        /// Why.
        reason: NoPasta,
    },
}

impl Notice {
    /// It, and what to do about it, on one line.
    #[must_use]
    pub fn text(&self) -> String {
        let Self::NoWayOut { reason } = self;
        match reason {
            NoPasta::Missing => "the container has no way out of its network: install the package `passt`, or use \
                                 `--network host`"
                .to_owned(),
            NoPasta::Failing { message } => format!(
                "the container has no way out of its network: `pasta` does not work here ({message}); use `--network host`"
            ),
        }
    }
}

/// Runs a container to its end, with our signals passed on to it. `notice` is called before it begins.
///
/// What ends a process by default does not end this one any more from then on: its caller has the container's status to
/// pass on, and ends by itself.
///
/// # Errors
/// Why it could not be run.
pub fn run(container: &Container, mut notice: impl FnMut(Notice)) -> Result<Outcome, Error> {
    if container.streams == Streams::Terminal && !terminal::is_there() {
        return Err(Error::NoTerminal);
    }
    let mut listening = proxy::listen(&container.ports)?;
    let caught = signal::catch().map_err(system("catch signals"))?;
    let mut spec = container.spec.clone();
    // It opens no devices but those that it was given. Where there is no group for that, its mounts see to it.
    let group = cgroup::Parent::for_devices().and_then(|parent| parent.make().ok());
    if let Some(group) = &group {
        group.take(&mut spec);
    }
    spec.terminal = (container.streams == Streams::Terminal).then(terminal::size);
    let mut ways: (Option<Outbound>, Option<Proxy>) = (None, None);
    let running = sandbox::start_connected(&spec, standard(container.streams)?, |namespace| {
        let namespace = namespace.try_clone_to_owned().map_err(|error| reason(&error))?;
        match outbound::start(&namespace) {
            Ok(outbound) => ways.0 = Some(outbound),
            Err(reason) => notice(Notice::NoWayOut { reason }),
        }
        let proxy = Proxy::start(std::mem::take(&mut listening), &namespace).map_err(|error| reason(&error))?;
        ways.1 = Some(proxy);
        Ok(())
    })?;
    let outcome = attend(running, caught);
    drop(ways);
    outcome
}

/// Follows a container that runs: carries its terminal, and passes signals on.
fn attend(running: Running, caught: signal::Caught) -> Result<Outcome, Error> {
    let killer = running.killer().map_err(system("watch the container"))?;
    let duplicate = || running.terminal().map(|terminal| terminal.try_clone_to_owned()).transpose();
    let [show, keep, resize] = [duplicate(), duplicate(), duplicate()];
    let resize = resize.map_err(system("share the terminal"))?;
    let resized = move || resize.iter().for_each(set_size);
    let _forwarding = caught.forward(killer, resized).map_err(system("pass signals on"))?;
    let (Some(show), Some(keep)) =
        (show.map_err(system("share the terminal"))?, keep.map_err(system("share the terminal"))?)
    else {
        return Ok(running.wait()?);
    };
    let _raw = terminal::make_raw().map_err(system("make the terminal raw"))?;
    // It may have changed since the container was described.
    set_size(&keep);
    let (stopped, stop) = std::io::pipe().map_err(system("make a pipe"))?;
    let typing = input::carry_in(keep, stopped).map_err(system("carry the terminal's input"))?;
    let showing = input::carry_out(show).map_err(system("carry the terminal's output"))?;
    let outcome = running.wait();
    let _ = showing.join();
    drop(stop);
    let _ = typing.join();
    Ok(outcome?)
}

fn set_size(terminal: &OwnedFd) {
    let size = terminal::size();
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    let _ = rustix::termios::tcsetwinsize(terminal, size);
}

fn standard(streams: Streams) -> Result<Standard, Error> {
    let stdin = match streams {
        Streams::Output | Streams::Terminal => None,
        Streams::Interactive => {
            let stdin = rustix::stdio::stdin().as_fd().try_clone_to_owned();
            Some(stdin.map_err(system("share the standard input"))?)
        }
    };
    Ok(Standard { stdin, ..Standard::inherited() })
}
