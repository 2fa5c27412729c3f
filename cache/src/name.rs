//! Names: values that change, on shelves. The only part of a store that is not forever.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::error::{At, Error};
use crate::id::to_hex;
use crate::publish;
use crate::store::Store;

impl Store {
    /// The value of `name` on `shelf`; `None` if it has none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn named(&self, shelf: &str, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let path = self.name_path(shelf, name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at("read", path),
        }
    }

    /// When `name` on `shelf` got its value; `None` if it has none.
    #[must_use]
    pub fn named_at(&self, shelf: &str, name: &str) -> Option<SystemTime> {
        fs::metadata(self.name_path(shelf, name)).and_then(|found| found.modified()).ok()
    }

    /// Gives `name` on `shelf` a value, in place of an earlier one. The same value is not written again: it is as if it were
    /// new, but replacing a file waits for the disk.
    ///
    /// # Errors
    /// If it cannot be written; the earlier value then stays.
    pub fn put_named(&self, shelf: &str, name: &str, value: &[u8]) -> Result<(), Error> {
        let path = self.name_path(shelf, name);
        let renew = || File::open(&path)?.set_modified(SystemTime::now());
        if fs::read(&path).is_ok_and(|known| known == value) && renew().is_ok() {
            return Ok(());
        }
        publish::bytes(value, &self.temporary()?, &path)
    }

    /// Forgets `name`; says whether it was there.
    ///
    /// # Errors
    /// If it is there and cannot be removed.
    pub fn forget_named(&self, shelf: &str, name: &str) -> Result<bool, Error> {
        let path = self.name_path(shelf, name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).at("remove", path),
        }
    }

    /// All values on `shelf`, in no particular order. A value that needs its name holds it.
    ///
    /// # Errors
    /// If the shelf cannot be read.
    pub fn shelf(&self, shelf: &str) -> Result<Vec<Vec<u8>>, Error> {
        let folder = self.root().join("names").join(shelf);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error).at("list", folder),
        };
        let mut values = Vec::new();
        for entry in entries {
            let path = entry.at("list", &folder)?.path();
            match fs::read(&path) {
                Ok(value) => values.push(value),
                // Forgotten meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => (),
                Err(error) => return Err(error).at("read", path),
            }
        }
        Ok(values)
    }

    /// Names are free text, so a file's name is the hash of one.
    pub(crate) fn name_path(&self, shelf: &str, name: &str) -> PathBuf {
        self.root().join("names").join(shelf).join(to_hex(blake3::hash(name.as_bytes()).as_bytes()))
    }
}
