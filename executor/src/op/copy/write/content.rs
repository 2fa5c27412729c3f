//! Copying the content of a file, with its holes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use rustix::fs::{SeekFrom as Place, Stat, seek};
use rustix::io::Errno;

/// Bytes in the unit of `st_blocks`, whatever the file system's own block is (stat(3type)).
const BLOCK: u64 = 512;

/// Copies everything. What is a hole in the source takes no room in the copy either.
///
/// # Errors
/// If one cannot be read or the other not be written.
pub(super) fn copy(from: &File, to: &File, stat: &Stat) -> io::Result<()> {
    let (mut reader, mut writer) = (from, to);
    let size = stat.st_size.unsigned_abs();
    if stat.st_blocks.unsigned_abs().saturating_mul(BLOCK) >= size {
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
