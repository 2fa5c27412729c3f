//! Waiting for connections to a socket of ours, until somebody says that it is enough.

use std::io::{self, PipeReader};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

/// Hands each connection that `accept` takes from `listener` to `connected`, until the other end of `stopped` is closed.
///
/// The listener must not block: who gives up between the poll and the accept would leave us waiting.
pub(crate) fn until_stopped<L: AsFd, C>(
    listener: &L,
    stopped: &PipeReader,
    accept: impl Fn(&L) -> io::Result<C>,
    connected: impl Fn(C),
) {
    loop {
        let mut both = [PollFd::new(listener, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match rustix::event::poll(&mut both, None) {
            Ok(_) if both[1].revents().is_empty() => {}
            Err(Errno::INTR) => continue,
            Ok(_) | Err(_) => return,
        }
        accept(listener).into_iter().for_each(&connected);
    }
}
