//! A spare process 1: in a frame that stands, waiting for a command. It is made while another command runs.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::failure::Failure;
use super::frame::{Frame, FrameSpec};
use super::init::{self, Surroundings};
use super::message::{self, Order};
use super::process::{self, Process, Side};

/// A process 1 that waits for a command.
pub(super) struct Spare {
    frame: FrameSpec,
    process: Process,
    /// The orders for it.
    socket: OwnedFd,
}

impl Spare {
    pub(super) fn make(frame: FrameSpec) -> Result<Self, Failure> {
        let (socket, theirs) = message::pair().map_err(|error| Failure::system("make a socket", error))?;
        match frame.fork()? {
            (Side::Parent(process), _) => Ok(Self { process, socket, frame }),
            (Side::Child, group) => wait(&theirs, &frame, group),
        }
    }

    /// Whether a command that wants this frame can have it.
    pub(super) fn fits(&self, frame: &FrameSpec) -> bool {
        self.frame == *frame
    }

    /// Readable when it has ended, which it does not by itself.
    pub(super) fn process(&self) -> &Process {
        &self.process
    }

    /// Has it become the command that `files` are of, as [`Order::Run`] has them. `None`: it is no more.
    pub(super) fn take_over(self, files: &[OwnedFd]) -> Option<Process> {
        let Self { frame, process, socket } = self;
        let files: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
        match message::send(socket.as_fd(), &Order::Run(frame), &files) {
            Ok(()) => Some(process),
            Err(_) => {
                process.end();
                None
            }
        }
    }

    /// Ends it.
    pub(super) fn end(self) {
        self.process.end();
    }
}

/// Makes the frame, and becomes the command when it comes. Why the frame cannot be made is for the command to say.
fn wait(orders: &OwnedFd, frame: &FrameSpec, group: Option<&Path>) -> ! {
    // What the supervisor has of other commands is not to be held open here.
    let Ok(()) = rustix::stdio::dup2_stdin(orders) else { process::exit(1) };
    // SAFETY: nothing that this process goes on with has a descriptor but the standard ones.
    unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
    let frame = Frame::make(frame, group);
    let Ok(Some((Order::Run(_), files))) = message::receive(rustix::stdio::stdin()) else { process::exit(0) };
    match Surroundings::of(files) {
        Some((spec, surroundings)) => init::run(spec, surroundings, frame),
        None => process::exit(1),
    }
}
