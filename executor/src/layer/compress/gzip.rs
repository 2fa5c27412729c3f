//! gzip on all cores: blocks of 1 MiB, compressed apart and joined to one member, as `pigz` does.
//!
//! One member rather than one for each block: RFC 1952 allows several, but some readers stop after the first. A block
//! ends in an empty stored block (a "sync flush"), which brings it to a whole byte, so that the next may follow; it may
//! refer back to the last 32 KiB of the block before, which costs nothing and keeps the ratio. The bytes depend on the
//! level and on the version of the deflate library, and on nothing else.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use flate2::{Compress, Crc, FlushCompress};
use rayon::Yield;

/// Bytes of a block.
const BLOCK: usize = 1 << 20;
/// How far deflate refers back, in bytes.
const WINDOW: usize = 1 << 15;
/// Magic number, deflate, no flags, no time, no hint about the level, unknown operating system (RFC 1952, 2.3).
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The last block: stored by a fixed code, empty (RFC 1951, 3.2.3).
const END: [u8; 2] = [3, 0];

pub(super) struct Gzip<W: Write> {
    out: W,
    level: u32,
    /// What has not filled a block yet.
    block: Vec<u8>,
    /// The block before.
    before: Arc<Vec<u8>>,
    /// Blocks being compressed, the oldest first.
    pending: VecDeque<Receiver<io::Result<Block>>>,
    /// Of all that was written out.
    crc: Crc,
}

struct Block {
    compressed: Vec<u8>,
    crc: Crc,
}

impl<W: Write> Gzip<W> {
    pub(super) fn new(mut out: W, level: u32) -> io::Result<Self> {
        out.write_all(&HEADER)?;
        let block = Vec::with_capacity(BLOCK);
        Ok(Self { out, level, block, before: Arc::default(), pending: VecDeque::new(), crc: Crc::new() })
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() {
            self.start_block();
        }
        while !self.pending.is_empty() {
            self.write_oldest()?;
        }
        self.out.write_all(&END)?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        // The length modulo 2^32, which is what the counter holds.
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }

    fn start_block(&mut self) {
        let block = Arc::new(std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK)));
        let before = std::mem::replace(&mut self.before, Arc::clone(&block));
        let level = self.level;
        let (sender, receiver) = channel();
        rayon::spawn(move || {
            let window = &before[before.len().saturating_sub(WINDOW)..];
            // Nobody waits for it any more if the writer was dropped.
            let _ = sender.send(compress(window, &block, level));
        });
        self.pending.push_back(receiver);
    }

    fn write_oldest(&mut self) -> io::Result<()> {
        let Some(oldest) = self.pending.pop_front() else { return Ok(()) };
        let block = wait(&oldest)?;
        self.crc.combine(&block.crc);
        self.out.write_all(&block.compressed)
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..length]);
        if self.block.len() == BLOCK {
            self.start_block();
            // Enough that no core waits, and few enough that memory stays small.
            if self.pending.len() > 2 * rayon::current_num_threads() {
                self.write_oldest()?;
            }
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn compress(window: &[u8], block: &[u8], level: u32) -> io::Result<Block> {
    let mut deflate = Compress::new(flate2::Compression::new(level), false);
    if !window.is_empty() {
        deflate.set_dictionary(window).map_err(io::Error::other)?;
    }
    let mut compressed = Vec::with_capacity(block.len() / 2 + 64);
    loop {
        let taken = usize::try_from(deflate.total_in()).map_err(io::Error::other)?;
        deflate.compress_vec(&block[taken..], &mut compressed, FlushCompress::Sync).map_err(io::Error::other)?;
        // With room left over, everything was taken and flushed.
        if compressed.len() < compressed.capacity() {
            break;
        }
        compressed.reserve(block.len() / 4 + 64);
    }
    let mut crc = Crc::new();
    crc.update(block);
    Ok(Block { compressed, crc })
}

/// Waits for a block. On one of rayon's own threads, of which there may be only one, by compressing blocks meanwhile.
fn wait(block: &Receiver<io::Result<Block>>) -> io::Result<Block> {
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
