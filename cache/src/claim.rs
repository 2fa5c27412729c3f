//! Claims: who makes a record takes its claim first, so that equal work is done once across processes.

use std::fs::{self, File};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

use crate::error::{At, Error};
use crate::key::ContentKey;
use crate::partial::is_at;
use crate::store::Store;

/// The right to make the record of a key; given back when dropped, or when the process ends in any way.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    // The lock goes with the open file.
    _file: File,
}

impl Store {
    /// Waits until nobody else has the claim on `key`, and takes it. Look for the record again afterwards.
    ///
    /// # Errors
    /// If the lock file cannot be made or locked.
    pub fn claim(&self, key: &ContentKey) -> Result<Claim, Error> {
        let folder = self.root().join("claims");
        let path = folder.join(key.to_string());
        loop {
            let file = match File::options().create(true).append(true).open(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    fs::create_dir_all(&folder).at("create the folder", &folder)?;
                    continue;
                }
                result => result.at("open", &path)?,
            };
            flock(&file, FlockOperation::LockExclusive).at("lock", &path)?;
            // The one before us removed the file when it was done; then our lock is on a file without a name.
            if is_at(&file, &path) {
                return Ok(Claim { path, _file: file });
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Removed while still locked, so that nobody can lock the old file and believe it is the current one.
        let _ = fs::remove_file(&self.path);
    }
}
