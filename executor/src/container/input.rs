//! Carries what is typed to the container's terminal, and what it shows back.

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

/// As much as is carried at a time, in bytes.
const PIECE: usize = 16 << 10;

/// Carries the standard input to `terminal`, in a thread, until `stopped` closes. At the end of the input the terminal is
/// told what Ctrl-D tells it.
pub(super) fn carry_in(terminal: OwnedFd, stopped: PipeReader) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("terminal input".to_owned()).spawn(move || {
        let mut terminal = File::from(terminal);
        let mut piece = vec![0; PIECE];
        loop {
            let stdin = rustix::stdio::stdin();
            let mut both = [PollFd::from_borrowed_fd(stdin, PollFlags::IN), PollFd::new(&stopped, PollFlags::IN)];
            match rustix::event::poll(&mut both, None) {
                Ok(_) if both[1].revents().is_empty() => {}
                Err(Errno::INTR) => continue,
                Ok(_) | Err(_) => return,
            }
            match rustix::io::read(stdin, &mut piece) {
                Ok(0) => {
                    let _ = terminal.write_all(&[4]);
                    return;
                }
                Ok(length) if terminal.write_all(piece.get(..length).unwrap_or_default()).is_ok() => {}
                Err(Errno::INTR | Errno::AGAIN) => {}
                Ok(_) | Err(_) => return,
            }
        }
    })
}

/// Carries what `terminal` shows to the standard output, in a thread, until nothing has it open any more.
pub(super) fn carry_out(terminal: OwnedFd) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("terminal output".to_owned()).spawn(move || {
        let mut terminal = File::from(terminal);
        let mut piece = vec![0; PIECE];
        let mut stdout = io::stdout();
        // The end shows as an I/O error: the other side is closed.
        while let Ok(length @ 1..) = terminal.read(&mut piece) {
            let piece = piece.get(..length).unwrap_or_default();
            if stdout.write_all(piece).and_then(|()| stdout.flush()).is_err() {
                return;
            }
        }
    })
}
