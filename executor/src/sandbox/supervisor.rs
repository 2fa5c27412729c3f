//! The process between the program and its commands: forks each into namespaces of its own, watches over both sides, and tells
//! the parent how it went. It has a single thread, serves any number of commands at once, and knows nothing of one but its
//! specification.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::failure::Doing;
use super::frame::{Frame, FrameSpec};
use super::huge_pages;
use super::init::{self, Surroundings};
use super::message::{self, Order, Report};
use super::process::{self, Process, Side};
use super::seccomp;
use super::spare::Spare;

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
    process: Process,
    /// To whoever waits for it; `None` when nobody does any more.
    socket: Option<OwnedFd>,
}

/// What the supervisor watches over.
#[derive(Default)]
struct Wards {
    commands: Vec<Command>,
    spare: Option<Spare>,
}

fn supervise() -> ! {
    // The socket is the standard input, where it needs no number to be known.
    let Ok(socket) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) else { process::exit(1) };
    // Out of the terminal's reach: what is typed there is for the parent to pass on.
    let _ = rustix::process::setsid();
    huge_pages::give_up();
    seccomp::prepare();
    let mut wards = Wards::default();
    let status = match wards.serve(&socket) {
        Ok(()) => 0,
        Err(_) => 1,
    };
    // The parent is gone. What still runs goes with it.
    let processes = || wards.commands.iter().map(|command| &command.process);
    let spare = wards.spare.as_ref().map(Spare::process);
    processes().chain(spare).for_each(Process::kill);
    for process in processes().chain(spare) {
        let _ = process.wait();
    }
    process::exit(status)
}

impl Wards {
    /// Does what the parent orders, until it is gone.
    fn serve(&mut self, socket: &OwnedFd) -> Result<(), Errno> {
        loop {
            let mut sources = vec![PollFd::new(socket, PollFlags::IN)];
            // A socket tells of its other end being closed although nothing is asked.
            sources.extend(self.commands.iter().flat_map(|command| {
                let socket = command.socket.as_ref().map_or(socket, |own| own);
                [PollFd::new(&command.process, PollFlags::IN), PollFd::new(socket, PollFlags::empty())]
            }));
            sources.extend(self.spare.iter().map(|spare| PollFd::new(spare.process(), PollFlags::IN)));
            match rustix::event::poll(&mut sources, None) {
                Err(Errno::INTR) => continue,
                result => result?,
            };
            let happened: Vec<bool> = sources.iter().map(|source| !source.revents().is_empty()).collect();
            self.look_after(&happened[1..]);
            if happened[0] {
                match message::receive(socket.as_fd())? {
                    Some((Order::Run(frame), files)) => self.begin(&frame, files),
                    Some((Order::Prepare(frame), _)) => self.prepare(frame),
                    Some((Order::Go, _)) => {}
                    None => return Ok(()),
                }
            }
        }
    }

    /// Buries what has ended, and ends what nobody waits for any more: for each command two answers, and one for the spare.
    fn look_after(&mut self, happened: &[bool]) {
        let (of_commands, of_spare) = happened.split_at(2 * self.commands.len());
        let mut of_commands = of_commands.chunks_exact(2);
        self.commands.retain_mut(|command| match of_commands.next() {
            Some([true, _]) => {
                command.bury();
                false
            }
            Some([_, true]) => {
                command.process.kill();
                command.socket = None;
                true
            }
            _ => true,
        });
        if of_spare == [true]
            && let Some(spare) = self.spare.take()
        {
            spare.end();
        }
    }

    /// Begins a command, or says why not.
    fn begin(&mut self, frame: &FrameSpec, files: Vec<OwnedFd>) {
        let spare = self.spare.take_if(|spare| spare.fits(frame));
        let ready = spare.and_then(|spare| spare.take_over(&files));
        let Some((spec, surroundings)) = Surroundings::of(files) else { return };
        let fork = match ready {
            Some(process) => Ok((Side::Parent(process), None)),
            None => frame.fork(),
        };
        match fork {
            Ok((Side::Parent(process), _)) => {
                message::report(&surroundings.socket, &Report::Forked, &[process.as_fd()]);
                self.commands.push(Command { process, socket: Some(surroundings.socket) });
            }
            Ok((Side::Child, group)) => init::run(spec, surroundings, Frame::make(frame, group)),
            Err(failure) => message::report(&surroundings.socket, &Report::Failed(failure), &[]),
        }
    }

    /// Makes a frame ready for the next command. Where that does not work, the command will say why.
    fn prepare(&mut self, frame: FrameSpec) {
        if self.spare.as_ref().is_some_and(|spare| spare.fits(&frame)) {
            return;
        }
        self.spare.take().into_iter().for_each(Spare::end);
        self.spare = Spare::make(frame).ok();
    }
}

impl Command {
    /// Says how it ended. When it can be waited for, nothing of it is left, its mounts included.
    fn bury(&self) {
        let outcome = self.process.wait().doing("wait for the command");
        if let Some(socket) = &self.socket {
            message::report(socket, &outcome.map_or_else(Report::Failed, Report::Ended), &[]);
        }
    }
}
