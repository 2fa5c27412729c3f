//! [`Line`]: the bytes of an archive on their way to whoever writes them, on a thread of its own.

use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::fault::PathError;

/// What may wait to be written: batches of entries, or pieces of large files.
const WAITING: usize = 2;

/// Where the bytes go, in the order of the archive.
pub(super) struct Line {
    sender: SyncSender<Vec<Vec<u8>>>,
    /// What was written, to be used again: new memory has to be cleared by the kernel first, and what one thread takes and another
    /// gives back is slow to come back.
    spent: Mutex<Receiver<Vec<u8>>>,
}

/// Nobody takes any more: writing has failed.
pub(super) struct Closed;

impl Line {
    pub(super) fn send(&self, bytes: Vec<Vec<u8>>) -> Result<(), Closed> {
        self.sender.send(bytes).map_err(|_| Closed)
    }

    /// Memory to read into, with what is left in it from others.
    pub(super) fn buffer(&self) -> Vec<u8> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).try_recv().unwrap_or_default()
    }
}

/// Writes to `out` what `produce` sends. `place` is where that is, for messages.
///
/// # Errors
/// If it cannot be written, whatever `produce` then said.
pub(super) fn written<W: Write + Send, T>(
    out: W,
    place: &Path,
    produce: impl FnOnce(Line) -> T,
) -> Result<T, PathError> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let (back, spent) = channel();
        let writer = scope.spawn(move || write_all(out, &receiver, &back));
        let produced = produce(Line { sender, spent: Mutex::new(spent) });
        let written = writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.map_err(|error| PathError::new("write", place, error)).map(|()| produced)
    })
}

fn write_all(mut out: impl Write, receiver: &Receiver<Vec<Vec<u8>>>, back: &Sender<Vec<u8>>) -> io::Result<()> {
    for bytes in receiver.iter().flatten() {
        out.write_all(&bytes)?;
        // The last come back to nobody.
        let _ = back.send(bytes);
    }
    out.flush()
}
