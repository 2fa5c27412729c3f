//! [`Nursery`]: files are made in a folder elsewhere on the disk and moved to their place, if making them there is slow.
//!
//! That is so on ext4 without a journal where many files have just been deleted, which `layercake_cache`'s `apart` tells more of.
//! A folder that is tried before it is filled shows only how its group of inodes begins; this goes on.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use layercake_cache::Scratch;
use rustix::fs::{CWD, Mode, OFlags, fgetxattr, openat, renameat};

use super::node::Place;
use crate::fault::At;
use crate::layer::error::Error;

/// What makes one file slow. It takes a tenth of that.
const SLOW: Duration = Duration::from_micros(60);
/// Slow files, one after the other, that make a place slow.
const STREAK: u32 = 8;
/// Places that are tried. Where all are slow, it is not for their place.
const MOST: u32 = 8;

/// The access list that files take of their folder.
const DEFAULT_ACCESS: &str = "system.posix_acl_default";

/// Where files are made.
pub(super) struct Nursery<'a> {
    scratch: Option<&'a Scratch>,
    folder: Option<OwnedFd>,
    streak: u32,
    tried: u32,
}

impl<'a> Nursery<'a> {
    /// Files may be made in folders of `scratch`, which is on the same file system; `None`: at their place alone.
    pub(super) fn new(scratch: Option<&'a Scratch>) -> Self {
        Self { scratch, folder: None, streak: 0, tried: 0 }
    }

    /// Makes an empty file, where nothing is yet.
    pub(super) fn make_file(&mut self, place: &Place<'_>) -> Result<OwnedFd, Error> {
        let start = Instant::now();
        let file = match &self.folder {
            // A file takes the default access list of the folder that it is made in.
            Some(folder) if fgetxattr(place.folder, DEFAULT_ACCESS, &mut [0_u8; 0]).is_err() => {
                let born = Place { folder: folder.as_fd(), ..*place };
                let file = born.make_file()?;
                renameat(born.folder, born.name, place.folder, place.name).at("create", place.path)?;
                file
            }
            _ => place.make_file()?,
        };
        self.streak = if start.elapsed() < SLOW { 0 } else { self.streak + 1 };
        if self.streak == STREAK {
            self.streak = 0;
            self.elsewhere()?;
        }
        Ok(file)
    }

    /// Goes on with another folder, or with none.
    fn elsewhere(&mut self) -> Result<(), Error> {
        self.folder = None;
        if let Some(scratch) = self.scratch.filter(|_| self.tried < MOST) {
            self.tried += 1;
            let path = scratch.folder_apart()?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            self.folder = Some(openat(CWD, &path, flags, Mode::empty()).at("open", &path)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::ffi::CString;
    use std::fs::{self, File};

    use layercake_cache::Store;

    use super::*;

    #[test]
    fn files_come_to_their_place_wherever_they_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let scratch = store.scratch().unwrap();
        let layer = scratch.folder_apart().unwrap();
        let opened = File::open(&layer).unwrap();
        let mut nursery = Nursery::new(Some(&scratch));
        for name in ["a", "b", "c"] {
            let (c_name, path) = (CString::new(name).unwrap(), layer.join(name));
            nursery.make_file(&Place { folder: opened.as_fd(), name: &c_name, path: &path }).unwrap();
            nursery.elsewhere().unwrap();
            assert!(nursery.folder.is_some());
        }
        let mut names: Vec<_> = fs::read_dir(&layer).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a", "b", "c"]);
        // Nothing is left where they were made.
        let left =
            fs::read_dir(scratch.path()).unwrap().map(|entry| fs::read_dir(entry.unwrap().path()).unwrap().count());
        assert_eq!(left.sum::<usize>(), 3);
    }

    #[test]
    fn where_every_place_is_slow_files_are_made_at_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let scratch = store.scratch().unwrap();
        let mut nursery = Nursery::new(Some(&scratch));
        for _ in 0..=MOST {
            nursery.elsewhere().unwrap();
        }
        assert!(nursery.folder.is_none());
    }
}
