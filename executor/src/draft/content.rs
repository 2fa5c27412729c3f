//! Copying the content of a file, with its holes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use blake3::{Hash, Hasher};
use rustix::fs::{SeekFrom as Place, seek};
use rustix::io::Errno;

use crate::tree::content::{self, CHUNK};

/// Copies everything. What is a hole in the source takes no room in the copy either. `size` and `room` are the source's, as
/// far as known: its bytes, and those that it takes on its disk.
///
/// # Errors
/// If one cannot be read or the other not be written.
pub(super) fn copy(from: &File, to: &File, size: u64, room: u64) -> io::Result<()> {
    let (mut reader, mut writer) = (from, to);
    if room >= size {
        return io::copy(&mut reader, &mut writer).map(drop);
    }
    let mut end = 0;
    loop {
        let start = match seek(from, Place::Data(end)) {
            // There is nothing but a hole from here on.
            Err(Errno::NXIO) => break,
            result => result?,
        };
        end = seek(from, Place::Hole(start))?;
        reader.seek(SeekFrom::Start(start))?;
        writer.seek(SeekFrom::Start(start))?;
        io::copy(&mut reader.take(end - start), &mut writer)?;
    }
    to.set_len(size.max(to.metadata()?.len()))
}

/// The same; gives the hash and the number of the bytes that were written.
///
/// # Errors
/// As [`copy`].
pub(super) fn copy_hashed(from: &File, to: &File, size: u64, room: u64) -> io::Result<(Hash, u64)> {
    if room < size {
        copy(from, to, size, room)?;
        let mut written = to;
        written.rewind()?;
        return Ok(content::hash(to, size)?);
    }
    content::with_buffer(size, |buffer| copy_dense(from, to, size, buffer))
}

fn copy_dense(mut from: &File, mut to: &File, size: u64, buffer: &mut [u8]) -> io::Result<(Hash, u64)> {
    let mut hasher = Hasher::new();
    let mut length = 0;
    loop {
        let mut filled = 0;
        let is_end = loop {
            match from.read(&mut buffer[filled..]) {
                Ok(0) => break true,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            if filled == buffer.len() {
                break false;
            }
            // Less than was asked for, where it was to end.
            if length + filled as u64 == size {
                break true;
            }
        };
        let bytes = &buffer[..filled];
        if filled == CHUNK {
            let hash = || {
                hasher.update_rayon(bytes);
            };
            rayon::join(|| to.write_all(bytes), hash).0?;
        } else {
            hasher.update(bytes);
            to.write_all(bytes)?;
        }
        length += filled as u64;
        if is_end {
            return Ok((hasher.finalize(), length));
        }
    }
}
