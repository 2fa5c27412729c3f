//! [`Store`]: where everything lies, and how a store is opened.
//!
//! ```text
//! format                  the format's version, first
//! settled                 what is on the disk for certain
//! records/ab/ab12…        ContentKey -> bytes
//! blobs/sha256/ab12…      Digest -> file
//! folders/ab12…           ContentId -> folder
//! names/SHELF/…           name -> bytes: what changes
//! shared/ab12…/0          folders that change: what users want kept and can do without
//! partial/sha256/ab12…    what has come of a blob that is still to be fetched
//! claims/ab12…            locks of those who are making a record
//! tmp/…                   what is not finished; of no use once its maker is gone
//! ```

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{At, Error};
use crate::part::touch;
use crate::partial;
use crate::scratch::{self, Scratch};
use crate::settle::{self, Judge};

/// What the file `format` holds.
const FORMAT: &str = "layercake store 1\n";

/// A store: plain files below one folder. Any number of processes may have it open. What they do needs no lock; but they hold one
/// together for as long as the store is open, and only who has it alone takes anything away ([`Store::alone`]).
///
/// Clones are cheap and share the folder for unfinished work.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    /// Locked by everybody who has the store open, so that whoever makes room knows.
    lock: Arc<File>,
    scratch: Arc<scratch::Session>,
    uses: Uses,
}

/// Whether reading a part counts as using it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Uses {
    Counted,
    Uncounted,
}

impl Store {
    /// Opens the store at `root`, making it if there is none, and drops what builds that died have left unfinished.
    ///
    /// # Errors
    /// If the folder cannot be made, holds something else, or holds a store of another format.
    pub fn open(root: &Path) -> Result<Self, Error> {
        fs::create_dir_all(root).at("create the folder", root)?;
        let root = fs::canonicalize(root).at("find", root)?;
        check_format(&root)?;
        let format = root.join("format");
        let lock = Arc::new(File::open(&format).at("open", &format)?);
        flock(&lock, FlockOperation::LockShared).at("lock", &format)?;
        partial::drop_forgotten(&root);
        let scratch = Arc::new(scratch::Session::begin(&root.join("tmp"))?);
        Ok(Self { root, lock, scratch, uses: Uses::Counted })
    }

    /// The same; but if the machine has been started since the store was used last, what may not have reached the disk is
    /// checked, and dropped if it is not whole. Of folders `judge` says that.
    ///
    /// # Errors
    /// As [`Store::open`], and if something in doubt cannot be read or dropped.
    pub fn open_settled(root: &Path, judge: &Judge) -> Result<Self, Error> {
        let store = Self::open(root)?;
        settle::check(&store, &store.lock, judge)?;
        Ok(store)
    }

    /// The same store for somebody who only looks around: nothing counts as used by it.
    #[must_use]
    pub fn onlooking(self) -> Self {
        Self { uses: Uses::Uncounted, ..self }
    }

    /// Notes that a file of the store is used now.
    pub(crate) fn note_use(&self, file: &File) {
        if self.uses == Uses::Counted {
            touch(file);
        }
    }

    /// The folder that everything lies in.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A new, empty folder for unfinished work, on the store's file system; gone when dropped.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn scratch(&self) -> Result<Scratch, Error> {
        self.scratch.folder()
    }

    pub(crate) fn try_lock_alone(&self) -> Result<bool, Error> {
        match flock(&self.lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            // The lock that was held is lost when a stronger one is not to be had.
            Err(Errno::WOULDBLOCK) => {
                self.share();
                Ok(false)
            }
            Err(error) => Err(error).at("lock", &self.root),
        }
    }

    /// Goes back to using the store with others.
    pub(crate) fn share(&self) {
        // Only who makes room can be in the way, and is done soon; it cannot fail otherwise.
        let _ = flock(&self.lock, FlockOperation::LockShared);
    }

    /// A path for a file that is about to be published.
    pub(crate) fn temporary(&self) -> Result<PathBuf, Error> {
        self.scratch.path()
    }
}

fn check_format(root: &Path) -> Result<(), Error> {
    let path = root.join("format");
    match fs::read_to_string(&path) {
        Ok(found) if found == FORMAT => Ok(()),
        // It was made when the power failed.
        Ok(found) if found.is_empty() => begin(root, &path),
        Ok(found) => {
            Err(Error::Format { path: root.to_owned(), found: found.trim().to_owned(), expected: FORMAT.trim() })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => begin(root, &path),
        Err(error) => Err(error).at("read", path),
    }
}

/// Makes a store in an empty folder. Two processes may do so at once: what they write is the same.
fn begin(root: &Path, format: &Path) -> Result<(), Error> {
    let foreign = |name: &std::ffi::OsStr| {
        let name = name.to_string_lossy();
        name != "tmp" && !name.starts_with("format") && !name.starts_with(settle::SETTLED)
    };
    for entry in fs::read_dir(root).at("list", root)? {
        if foreign(&entry.at("list", root)?.file_name()) && !format.exists() {
            return Err(Error::NotAStore { path: root.to_owned() });
        }
    }
    if !format.exists() {
        settle::note_new(root)?;
    }
    let temporary = root.join(format!("format.{}-{}", std::process::id(), scratch::unique()));
    crate::publish::bytes(FORMAT.as_bytes(), &temporary, format)
}
