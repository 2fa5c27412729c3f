//! [`Cutter`]: cuts a stream into chunks.

use std::io::{self, Write};

use super::CHUNK;

/// Cuts what is written to it.
pub(super) struct Cutter<F> {
    buffer: Vec<u8>,
    take: F,
}

impl<F: FnMut(&[u8]) -> io::Result<()>> Cutter<F> {
    /// One that gives its chunks to `take`.
    pub(super) fn new(take: F) -> Self {
        Self { buffer: Vec::new(), take }
    }

    /// Takes chunks as long as at least `least` bytes are there: where a chunk ends is decided by no more than the longest.
    fn cut(&mut self, least: usize) -> io::Result<()> {
        let (min, average, max) = CHUNK;
        let cutter = fastcdc::v2020::FastCDC::new(&self.buffer, min, average, max);
        let mut start = 0;
        while self.buffer.len() - start >= least.max(1) {
            let (_, end) = cutter.cut(start, self.buffer.len() - start);
            (self.take)(&self.buffer[start..end])?;
            start = end;
        }
        self.buffer.drain(..start);
        Ok(())
    }

    /// Takes what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.cut(0)
    }
}

impl<F: FnMut(&[u8]) -> io::Result<()>> Write for Cutter<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= 8 * CHUNK.2 {
            self.cut(CHUNK.2)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
