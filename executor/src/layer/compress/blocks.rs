//! Compression on all cores: blocks of a fixed length, each compressed by itself to something complete, one after the other.
//!
//! Where a block begins depends on the bytes alone, so the result is the same for any number of threads. Both gzip (RFC 1952,
//! 2.2: members) and Zstandard (RFC 8878, 3: frames) say that such parts in a row mean what they hold in a row.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use rayon::Yield;

/// Compresses one block.
pub(super) type Codec = fn(&[u8], i32) -> io::Result<Vec<u8>>;

/// Blocks more than there are threads that all writers together have under way: enough that no core waits, and few enough that
/// memory stays small, however many layers are made at once.
const MORE: usize = 4;

/// Blocks that have been read and not been written yet, in the whole process.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);

pub(super) struct Blocks<W: Write> {
    out: W,
    codec: Codec,
    level: i32,
    /// Bytes of a block.
    length: usize,
    /// What has not filled a block yet.
    block: Vec<u8>,
    /// Blocks being compressed, the oldest first.
    pending: VecDeque<Pending>,
    /// Whether there has been a block.
    begun: bool,
}

/// A block being compressed; counted as long as it lives.
struct Pending(Receiver<io::Result<Vec<u8>>>);

impl Drop for Pending {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<W: Write> Blocks<W> {
    pub(super) fn new(out: W, codec: Codec, level: i32, length: usize) -> Self {
        Self { out, codec, level, length, block: Vec::new(), pending: VecDeque::new(), begun: false }
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        // What is empty is one empty block.
        if !self.block.is_empty() || !self.begun {
            self.start_block();
        }
        while !self.pending.is_empty() {
            self.write_oldest()?;
        }
        Ok(self.out)
    }

    fn start_block(&mut self) {
        self.begun = true;
        let block = std::mem::take(&mut self.block);
        let (codec, level) = (self.codec, self.level);
        let (sender, receiver) = channel();
        UNDER_WAY.fetch_add(1, Ordering::Relaxed);
        self.pending.push_back(Pending(receiver));
        rayon::spawn(move || {
            // Nobody waits for it any more if the writer was dropped.
            let _ = sender.send(codec(&block, level));
        });
    }

    fn write_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.pending.pop_front() else { return Ok(()) };
        self.out.write_all(&wait(&oldest.0)?)
    }
}

impl<W: Write> Write for Blocks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(self.length - self.block.len());
        if self.block.capacity() == 0 {
            self.block.reserve_exact(self.length);
        }
        self.block.extend_from_slice(&bytes[..length]);
        if self.block.len() == self.length {
            self.start_block();
            // Each writer may have one under way, so that none waits for another.
            while self.pending.len() > 1 && UNDER_WAY.load(Ordering::Relaxed) > rayon::current_num_threads() + MORE {
                self.write_oldest()?;
            }
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for a block. On one of rayon's own threads, of which there may be only one, by compressing blocks meanwhile.
fn wait(block: &Receiver<io::Result<Vec<u8>>>) -> io::Result<Vec<u8>> {
    let gone = || io::Error::other("a thread of the compressor ended early");
    loop {
        match block.try_recv() {
            Ok(result) => return result,
            Err(TryRecvError::Disconnected) => return Err(gone()),
            Err(TryRecvError::Empty) => (),
        }
        match rayon::yield_local() {
            Some(Yield::Executed) => (),
            // Another thread is at it.
            Some(Yield::Idle) => match block.recv_timeout(Duration::from_millis(1)) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
                Err(RecvTimeoutError::Timeout) => (),
            },
            None => return block.recv().map_err(|_| gone())?,
        }
    }
}
