//! The BLAKE3 of a file's content, large files on all cores.

use std::cell::Cell;
use std::os::fd::AsFd;

use blake3::{Hash, Hasher};
use rustix::io::{Errno, Result, read};

/// Bytes read at once. From here on hashing on several cores pays.
pub(crate) const CHUNK: usize = 1 << 20;

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Hashes an open file from where it stands to its end, and counts its bytes. `expected` is its size as far as known.
///
/// # Errors
/// If it cannot be read.
pub fn hash(file: impl AsFd, expected: u64) -> Result<(Hash, u64)> {
    with_buffer(expected, |buffer| hash_with(file.as_fd(), buffer))
}

/// Lends this thread's buffer for the content of a file of `expected` bytes, as far as known: up to [`CHUNK`] of them, and what
/// is left in it from others.
pub(crate) fn with_buffer<T>(expected: u64, work: impl FnOnce(&mut [u8]) -> T) -> T {
    // While a large file is hashed, this thread may be given another file: so the buffer is taken, not borrowed.
    let mut buffer = BUFFER.take();
    // One byte more than expected, so that the end of a small file is seen without a second buffer.
    let wanted = usize::try_from(expected).unwrap_or(CHUNK).saturating_add(1).clamp(1 << 12, CHUNK);
    if buffer.len() < wanted {
        buffer.resize(wanted, 0);
    }
    let result = work(&mut buffer);
    BUFFER.set(buffer);
    result
}

fn hash_with(file: impl AsFd, buffer: &mut [u8]) -> Result<(Hash, u64)> {
    let mut hasher = Hasher::new();
    let mut length = 0;
    loop {
        let filled = fill(&file, buffer, usize::MAX)?;
        if filled == CHUNK {
            hasher.update_rayon(&buffer[..filled]);
        } else {
            hasher.update(&buffer[..filled]);
        }
        length += filled as u64;
        if filled < buffer.len() {
            return Ok((hasher.finalize(), length));
        }
    }
}

/// Reads until the buffer is full or the file ends: after `expected` bytes, as far as known.
pub(crate) fn fill(file: impl AsFd, buffer: &mut [u8], expected: usize) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match read(&file, &mut buffer[filled..]) {
            Ok(0) => break,
            Ok(length) => {
                filled += length;
                // Less than was asked for, where it was to end.
                if filled == expected {
                    break;
                }
            }
            Err(Errno::INTR) => (),
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use std::fs::File;

    use super::*;

    #[test]
    fn agrees_with_the_hash_of_the_bytes_whatever_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for length in [0, 1, 4095, 4096, 4097, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            for expected in [0, length as u64, u64::MAX] {
                let found = hash(File::open(&path).unwrap(), expected).unwrap();
                assert_eq!(found, (blake3::hash(&bytes), length as u64));
            }
        }
    }
}
