//! [`Part`]: what a store holds, piece by piece, for those who count and those who make room.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{Timespec, Timestamps, futimens};

use crate::error::{At, Error};
use crate::store::Store;

/// One thing in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is to the store.
    pub kind: PartKind,
    /// What it is called there: of what is named by a hash, its 64 digits.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// When it was last used, as far as its own times tell; to the hour.
    pub used: SystemTime,
}

/// What a part is to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartKind {
    /// A value by its key.
    Record,
    /// A file by its digest.
    Blob,
    /// A folder by its content.
    Folder,
    /// Folders of one name that change.
    Shared,
    /// A value that changes.
    Name,
    /// The lock of somebody who makes a record, or has made it.
    Claim,
    /// What is not finished.
    Unfinished,
    /// What this version does not know.
    Other,
}

/// The only one who uses a store, for as long as this lives.
#[derive(Debug)]
pub struct Alone<'a> {
    store: &'a Store,
    /// What was taken out; it is deleted after the others may go on.
    trash: crate::scratch::Scratch,
    next: std::cell::Cell<u64>,
}

/// Uses that are less than this apart are one.
const RESOLUTION: Duration = Duration::from_secs(3600);

impl Store {
    /// All parts, and what could not be listed. Nobody is kept from changing the store meanwhile.
    #[must_use]
    pub fn parts(&self) -> (Vec<Part>, Vec<Error>) {
        let mut listing = Listing::default();
        let places = [
            ("blobs/sha256", PartKind::Blob),
            ("folders", PartKind::Folder),
            ("shared", PartKind::Shared),
            ("claims", PartKind::Claim),
            ("tmp", PartKind::Unfinished),
            ("partial/sha256", PartKind::Unfinished),
        ];
        for (place, kind) in places {
            listing.entries(&self.root().join(place), kind);
        }
        for (place, kind) in [("records", PartKind::Record), ("names", PartKind::Name)] {
            for folder in listing.names(&self.root().join(place)) {
                listing.entries(&folder, kind);
            }
        }
        let known = [
            "format",
            crate::settle::SETTLED,
            "blobs",
            "folders",
            "shared",
            "claims",
            "tmp",
            "partial",
            "records",
            "names",
        ]
        .map(|name| self.root().join(name));
        for path in listing.names(self.root()) {
            if !known.contains(&path) {
                listing.part(path, PartKind::Other);
            }
        }
        (listing.parts, listing.failed)
    }

    /// The store for nobody else: those who open it meanwhile wait. `None` if somebody is using it now.
    ///
    /// # Errors
    /// If it cannot be locked, or written to.
    pub fn alone(&self) -> Result<Option<Alone<'_>>, Error> {
        if !self.try_lock_alone()? {
            return Ok(None);
        }
        match self.scratch() {
            Ok(trash) => Ok(Some(Alone { store: self, trash, next: std::cell::Cell::new(0) })),
            Err(error) => {
                self.share();
                Err(error)
            }
        }
    }
}

impl Alone<'_> {
    /// Takes a part out of the store. It is gone at once, and deleted later; ended before that, it is deleted by whoever
    /// opens the store next.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub fn discard(&self, part: &Part) -> Result<(), Error> {
        let number = self.next.replace(self.next.get() + 1);
        fs::rename(&part.path, self.trash.path().join(number.to_string())).at("discard", &part.path)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        // Before the trash is deleted, which takes its time.
        self.store.share();
    }
}

impl Part {
    /// The bytes that it takes on the disk. A file of several names in it counts once.
    ///
    /// # Errors
    /// If it cannot be read. What is gone meanwhile takes none.
    pub fn size(&self) -> Result<u64, Error> {
        let mut seen = HashSet::new();
        let mut total = 0;
        let mut paths = vec![self.path.clone()];
        while let Some(path) = paths.pop() {
            let found = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                found => found.at("look at", &path)?,
            };
            if found.nlink() > 1 && !found.is_dir() && !seen.insert((found.dev(), found.ino())) {
                continue;
            }
            total += found.blocks() * 512;
            if found.is_dir() {
                let entries = match fs::read_dir(&path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    entries => entries.at("list", &path)?,
                };
                for entry in entries {
                    paths.push(entry.at("list", &path)?.path());
                }
            }
        }
        Ok(total)
    }

    /// What the user calls it, of a shared folder.
    #[must_use]
    pub fn label(&self) -> Option<String> {
        fs::read_to_string(self.path.join(crate::shared::NAME)).ok().filter(|_| self.kind == PartKind::Shared)
    }
}

#[derive(Default)]
struct Listing {
    parts: Vec<Part>,
    failed: Vec<Error>,
}

impl Listing {
    fn names(&mut self, folder: &Path) -> Vec<PathBuf> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    self.failed.extend(Err::<(), _>(error).at("list", folder).err());
                }
                return Vec::new();
            }
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort_unstable();
        paths
    }

    fn entries(&mut self, folder: &Path, kind: PartKind) {
        for path in self.names(folder) {
            self.part(path, kind);
        }
    }

    fn part(&mut self, path: PathBuf, kind: PartKind) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match used(&path, kind) {
            Ok(Some(used)) => self.parts.push(Part { kind, name, path, used }),
            Ok(None) => (),
            Err(error) => self.failed.push(error),
        }
    }
}

fn used(path: &Path, kind: PartKind) -> Result<Option<SystemTime>, Error> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found.at("look at", path)?,
    };
    let modified = found.modified().at("look at", path)?;
    Ok(Some(match kind {
        // Its own time is that of a layer's root; it was moved here when its inode last changed.
        PartKind::Folder => {
            let seconds = u64::try_from(found.ctime()).unwrap_or_default();
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
        }
        PartKind::Shared => {
            let locks = fs::read_dir(path).into_iter().flatten().flatten();
            let times = locks.filter(|entry| entry.path().extension().is_some_and(|end| end == "lock"));
            let times = times.filter_map(|entry| entry.metadata().and_then(|found| found.modified()).ok());
            times.max().unwrap_or(modified)
        }
        _ => modified,
    }))
}

/// Notes that a file of the store was used. Where it cannot be noted, as in a store that is only read, it is not.
pub(crate) fn touch(file: &File) {
    let is_recent = || -> Option<bool> {
        let modified = file.metadata().ok()?.modified().ok()?;
        Some(SystemTime::now().duration_since(modified).is_ok_and(|age| age < RESOLUTION))
    };
    if is_recent() != Some(true) {
        let now = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
        let _ = futimens(file, &Timestamps { last_access: now, last_modification: now });
    }
}
