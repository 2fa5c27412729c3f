//! Decompresses and hashes an archive on a thread of its own, while another unpacks it.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use layercake_cache::{Digest, Digester};

use super::{Dependence, Outcome, Skipped};
use crate::layer::archive::Archive;
use crate::layer::decompress::Decompressor;
use crate::layer::error::Error;

/// Bytes handed over at once.
const CHUNK: usize = 1 << 18;
/// Chunks that may wait.
const WAITING: usize = 8;

/// A piece of the archive: the first bytes of a buffer, and their number.
type Chunk = io::Result<(Vec<u8>, usize)>;

/// Runs `unpack` on the archive in `input`, to its last byte.
pub(super) fn with_archive(
    input: impl Read + Send,
    unpack: impl FnOnce(&mut Archive<Feed>) -> Result<(Skipped, Dependence), Error>,
) -> Result<Outcome, Error> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let (spent, buffers) = channel();
        let reader = scope.spawn(move || read(input, &sender, &buffers));
        let mut archive = Archive::new(Feed { receiver, spent, chunk: Vec::new(), length: 0, taken: 0 });
        let (skipped, dependence) = unpack(&mut archive)?;
        archive.finish()?;
        let diff_id = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Outcome { skipped, diff_id, dependence })
    })
}

/// Sends all chunks, or the error that ended them, and returns the digest of what was sent. Ends early if nobody wants
/// more. Buffers that come back are used again: new memory has to be cleared by the kernel first.
fn read(input: impl Read, sender: &SyncSender<Chunk>, buffers: &Receiver<Vec<u8>>) -> Digest {
    let mut digester = Digester::default();
    let mut input = match Decompressor::new(input) {
        Ok(input) => input,
        Err(error) => {
            let _ = sender.send(Err(error));
            return digester.finish().0;
        }
    };
    loop {
        let mut buffer = buffers.try_recv().unwrap_or_else(|_| vec![0; CHUNK]);
        let (length, failure) = fill(&mut input, &mut buffer);
        digester.update(&buffer[..length]);
        let is_wanted = length == 0 || sender.send(Ok((buffer, length))).is_ok();
        if let Some(error) = failure {
            let _ = sender.send(Err(error));
        } else if length > 0 && is_wanted {
            continue;
        }
        return digester.finish().0;
    }
}

/// Reads until the buffer is full or the input ends. What came before an error counts.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut length = 0;
    while length < buffer.len() {
        match input.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return (length, Some(error)),
        }
    }
    (length, None)
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct Feed {
    receiver: Receiver<Chunk>,
    /// Takes buffers back.
    spent: Sender<Vec<u8>>,
    chunk: Vec<u8>,
    length: usize,
    taken: usize,
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.length {
            if self.length > 0 {
                // Nobody wants it once everything is read.
                let _ = self.spent.send(std::mem::take(&mut self.chunk));
            }
            (self.length, self.taken) = (0, 0);
            // A sender that is gone has sent everything.
            match self.receiver.recv() {
                Ok(chunk) => (self.chunk, self.length) = chunk?,
                Err(_) => return Ok(0),
            }
        }
        let length = buffer.len().min(self.length - self.taken);
        buffer[..length].copy_from_slice(&self.chunk[self.taken..self.taken + length]);
        self.taken += length;
        Ok(length)
    }
}
