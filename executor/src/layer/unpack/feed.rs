//! Decompresses and hashes an archive on a thread of its own, while another unpacks it.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
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

type Chunk = io::Result<Vec<u8>>;

/// Runs `unpack` on the archive in `input`, to its last byte.
pub(super) fn with_archive(
    input: impl Read + Send,
    unpack: impl FnOnce(&mut Archive<Feed>) -> Result<(Skipped, Dependence), Error>,
) -> Result<Outcome, Error> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(WAITING);
        let reader = scope.spawn(move || read(input, &sender));
        let mut archive = Archive::new(Feed { receiver, chunk: Vec::new(), taken: 0 });
        let (skipped, dependence) = unpack(&mut archive)?;
        archive.finish()?;
        let diff_id = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Outcome { skipped, diff_id, dependence })
    })
}

/// Sends all chunks, or the error that ended them, and returns the digest of what was sent. Ends early if nobody wants
/// more.
fn read(input: impl Read, sender: &SyncSender<Chunk>) -> Digest {
    let mut digester = Digester::default();
    let mut input = match Decompressor::new(input) {
        Ok(input) => input,
        Err(error) => {
            let _ = sender.send(Err(error));
            return digester.finish().0;
        }
    };
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        match input.by_ref().take(CHUNK as u64).read_to_end(&mut chunk) {
            Ok(0) => return digester.finish().0,
            Ok(_) => {
                digester.update(&chunk);
                if sender.send(Ok(chunk)).is_err() {
                    return digester.finish().0;
                }
            }
            Err(error) => {
                let _ = sender.send(Err(error));
                return digester.finish().0;
            }
        }
    }
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct Feed {
    receiver: Receiver<Chunk>,
    chunk: Vec<u8>,
    taken: usize,
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.chunk.len() {
            self.taken = 0;
            self.chunk.clear();
            // A sender that is gone has sent everything.
            match self.receiver.recv() {
                Ok(chunk) => self.chunk = chunk?,
                Err(_) => return Ok(0),
            }
        }
        let length = buffer.len().min(self.chunk.len() - self.taken);
        buffer[..length].copy_from_slice(&self.chunk[self.taken..self.taken + length]);
        self.taken += length;
        Ok(length)
    }
}
