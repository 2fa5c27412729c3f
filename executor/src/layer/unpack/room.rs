//! [`Room`]: what an archive may still become. One that is small and holds much ends in an error and not in a full disk.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::fstatvfs;

use crate::fault::At;
use crate::layer::error::Error;

/// Bytes for which the file system is not asked again: others write to it too.
const GRANT: u64 = 64 << 20;
/// What an entry costs besides its content, in bytes: its inode and its name, roughly.
const ENTRY: u64 = 512;
/// The part of the file system that stays free, and the most of it in bytes.
const RESERVE: (u64, u64) = (64, 256 << 20);

/// The room that has been granted and not been used yet.
#[derive(Debug, Default)]
pub(super) struct Room {
    granted: u64,
}

impl Room {
    /// Takes the room for the entry at `path`, which says that it has `size` bytes, on the file system of `folder`. Holes
    /// count like everything else: whoever reads the file reads them.
    pub(super) fn take(&mut self, folder: impl AsFd, size: u64, path: &Path) -> Result<(), Error> {
        let wanted = size.saturating_add(ENTRY);
        if wanted > self.granted {
            let found = fstatvfs(folder).at("ask for the room on the disk of", path)?;
            let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
            let reserve = (bytes(found.f_blocks) / RESERVE.0).min(RESERVE.1);
            let left = bytes(found.f_bavail).saturating_sub(reserve);
            // File systems without a table of inodes say that they have none.
            let has_names = found.f_files == 0 || found.f_favail > found.f_files / RESERVE.0;
            if wanted > left || !has_names {
                return Err(Error::NoRoom { path: path.to_owned(), size, left });
            }
            self.granted = wanted.max(GRANT.min(left));
        }
        self.granted -= wanted;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn there_is_room_for_what_fits_and_not_for_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let file = std::fs::File::open(folder.path()).unwrap();
        let mut room = Room::default();
        room.take(&file, 1, Path::new("small")).unwrap();
        assert!(
            matches!(room.take(&file, 1 << 60, Path::new("large")), Err(Error::NoRoom { size, .. }) if size == 1 << 60)
        );
        assert!(matches!(room.take(&file, u64::MAX, Path::new("largest")), Err(Error::NoRoom { .. })));
    }
}
