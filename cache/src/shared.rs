//! Shared folders: folders by name that change, for what a user wants kept between builds and can do without.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{At, Error};
use crate::id::to_hex;
use crate::publish;
use crate::store::Store;

/// The file that holds the name in clear, for those who list what there is.
pub(crate) const NAME: &str = "name";

/// Who may use a shared folder at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Anyone who says the same.
    Shared,
    /// One at a time: a second user waits.
    Locked,
    /// One at a time: a second user gets another folder of the same name.
    Private,
}

/// A shared folder in use; others may have it when this is dropped.
#[derive(Debug)]
pub struct SharedFolder {
    path: PathBuf,
    _lock: File,
}

impl SharedFolder {
    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Store {
    /// The shared folder of this name, made by `prepare` if there is none: it gets the path of an empty folder.
    ///
    /// # Errors
    /// If it cannot be made or locked, or whatever `prepare` fails with.
    pub fn shared_folder<E: From<Error>>(
        &self,
        name: &str,
        sharing: Sharing,
        prepare: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<SharedFolder, E> {
        let all = self.root().join("shared").join(to_hex(blake3::hash(name.as_bytes()).as_bytes()));
        fs::create_dir_all(&all).at("create the folder", &all)?;
        if !all.join(NAME).exists() {
            publish::bytes(name.as_bytes(), &self.temporary()?, &all.join(NAME))?;
        }
        let (number, lock) = match sharing {
            Sharing::Shared => (0, lock(&all, 0, FlockOperation::LockShared)?),
            Sharing::Locked => (0, lock(&all, 0, FlockOperation::LockExclusive)?),
            Sharing::Private => (0_u32..)
                .find_map(|number| match try_lock(&all, number) {
                    Ok(Some(lock)) => Some(Ok((number, lock))),
                    Ok(None) => None,
                    Err(error) => Some(Err(error)),
                })
                .expect("nobody holds that many folders")?,
        };
        self.note_use(&lock);
        let path = all.join(number.to_string());
        if !path.exists() {
            // Two that share it may come here at once. Each prepares a folder; the second finds the place taken.
            let scratch = self.scratch()?;
            let prepared = scratch.path().join("prepared");
            fs::create_dir(&prepared).at("create the folder", &prepared)?;
            prepare(&prepared)?;
            match fs::rename(&prepared, &path) {
                Err(_) if path.exists() => (),
                result => result.at("publish", &path)?,
            }
        }
        Ok(SharedFolder { path, _lock: lock })
    }

    /// The shared folder of this name, which nobody may use until this is dropped; `None` if there is none, or somebody is using
    /// it. Of several of one name the first.
    ///
    /// # Errors
    /// If it cannot be locked.
    pub fn shared_folder_at_rest(&self, name: &str) -> Result<Option<SharedFolder>, Error> {
        let all = self.root().join("shared").join(to_hex(blake3::hash(name.as_bytes()).as_bytes()));
        let path = all.join("0");
        if !path.exists() {
            return Ok(None);
        }
        Ok(try_lock(&all, 0)?.map(|lock| SharedFolder { path, _lock: lock }))
    }
}

fn lock_file(all: &Path, number: u32) -> Result<(File, PathBuf), Error> {
    let path = all.join(format!("{number}.lock"));
    let file = File::options().create(true).append(true).open(&path).at("open", &path)?;
    Ok((file, path))
}

fn lock(all: &Path, number: u32, operation: FlockOperation) -> Result<File, Error> {
    let (file, path) = lock_file(all, number)?;
    flock(&file, operation).at("lock", path)?;
    Ok(file)
}

fn try_lock(all: &Path, number: u32) -> Result<Option<File>, Error> {
    let (file, path) = lock_file(all, number)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error).at("lock", path),
    }
}
