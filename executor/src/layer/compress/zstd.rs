//! A block as Zstandard: one frame, which says how long its content is.

use std::io;

/// Bytes of a block. High levels find more where there is more to look back at, and whoever asks for them has time.
pub(super) fn block(level: i32) -> usize {
    if level < 10 { 1 << 20 } else { 1 << 23 }
}

pub(super) fn compress(block: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let mut compressed = ::zstd::bulk::compress(block, level)?;
    compressed.shrink_to_fit();
    Ok(compressed)
}
