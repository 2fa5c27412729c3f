//! [`Room`]: a stream that ends in an error before what is unpacked from it fills the disk.
//!
//! A few kilobytes can unpack to more than any disk has. How much is too much cannot be told from the archive: there are
//! honest ones of every size and every ratio. So what is looked at is the disk.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfs, statvfs};

/// Bytes between two looks at the disk. What is smaller in all is never refused.
const PAUSE: u64 = 64 << 20;

/// The part of a disk that stays free, in bytes and in files…
const PART: u64 = 20;
/// … but no more bytes than this.
const MOST: u64 = 2 << 30;

/// A stream whose bytes go to a disk.
pub(super) struct Room<R> {
    input: R,
    folder: PathBuf,
    since: u64,
    total: u64,
}

impl<R: Read> Room<R> {
    /// What comes from `input` is written to `folder`.
    pub(super) fn new(input: R, folder: &Path) -> Self {
        Self { input, folder: folder.to_owned(), since: 0, total: 0 }
    }
}

impl<R: Read> Read for Room<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        self.since += length as u64;
        if self.since >= PAUSE {
            self.total += std::mem::take(&mut self.since);
            if is_short(&statvfs(&self.folder)?) {
                let text = format!(
                    "it unpacks to more than {} MiB, and the disk of `{}` has not enough room for more",
                    self.total >> 20,
                    self.folder.display()
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
        }
        Ok(length)
    }
}

/// Whether little is free on a file system. Some have no fixed number of files, and say 0.
fn is_short(disk: &StatVfs) -> bool {
    let part = |all: u64| all / PART;
    let bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
    bytes < part(disk.f_blocks.saturating_mul(disk.f_frsize)).min(MOST)
        || disk.f_files > 0 && disk.f_favail < part(disk.f_files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(blocks: u64, free: u64, files: u64, free_files: u64) -> StatVfs {
        StatVfs {
            f_bsize: 4096,
            f_frsize: 4096,
            f_blocks: blocks,
            f_bfree: free,
            f_bavail: free,
            f_files: files,
            f_ffree: free_files,
            f_favail: free_files,
            f_fsid: 0,
            f_flag: rustix::fs::StatVfsMountFlags::empty(),
            f_namemax: 255,
        }
    }

    #[test]
    fn a_part_of_the_disk_stays_free() {
        assert!(!is_short(&disk(1000, 50, 0, 0)));
        assert!(is_short(&disk(1000, 49, 0, 0)));
        assert!(is_short(&disk(1000, 500, 100, 4)));
        assert!(!is_short(&disk(1000, 500, 100, 5)));
        // Of a terabyte, two gigabytes.
        assert!(!is_short(&disk(1 << 28, 1 << 19, 0, 0)));
        assert!(is_short(&disk(1 << 28, (1 << 19) - 1, 0, 0)));
    }
}
