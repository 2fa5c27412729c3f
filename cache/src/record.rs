//! Records: small values by [`ContentKey`], each with a checksum, so that a damaged one is a miss and never a wrong hit.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::PathBuf;

use crate::error::{At, Error};
use crate::key::ContentKey;
use crate::publish;
use crate::store::Store;

/// Bytes of BLAKE3 in front of a record's value.
const CHECKSUM: usize = 16;

impl Store {
    /// The value stored under `key`; `None` if there is none, or if it is damaged.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub fn record(&self, key: &ContentKey) -> Result<Option<Vec<u8>>, Error> {
        let path = self.record_path(key);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).at("read", path),
        };
        self.note_use(&file);
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).at("read", path)?;
        Ok(Self::record_value(&bytes).is_some().then(|| {
            bytes.drain(..CHECKSUM);
            bytes
        }))
    }

    /// The value in the bytes of a record's file; `None` if it is damaged.
    #[must_use]
    pub fn record_value(bytes: &[u8]) -> Option<&[u8]> {
        let (sum, value) = bytes.split_at_checked(CHECKSUM)?;
        (*sum == checksum(value)).then_some(value)
    }

    /// Whether there is a value under `key`, damaged or not.
    #[must_use]
    pub fn has_record(&self, key: &ContentKey) -> bool {
        self.record_path(key).is_file()
    }

    /// Stores a value under `key`, in place of an earlier one.
    ///
    /// # Errors
    /// If it cannot be written; an earlier value is then still there.
    pub fn put_record(&self, key: &ContentKey, value: &[u8]) -> Result<(), Error> {
        let bytes = [&checksum(value)[..], value].concat();
        publish::bytes(&bytes, &self.temporary()?, &self.record_path(key))
    }

    /// Removes what is stored under `key`, if anything is.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn forget_record(&self, key: &ContentKey) -> Result<(), Error> {
        let path = self.record_path(key);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result.at("remove", path),
        }
    }

    fn record_path(&self, key: &ContentKey) -> PathBuf {
        let hex = key.to_string();
        self.root().join("records").join(&hex[..2]).join(hex)
    }
}

fn checksum(value: &[u8]) -> [u8; CHECKSUM] {
    let mut sum = [0; CHECKSUM];
    sum.copy_from_slice(&blake3::hash(value).as_bytes()[..CHECKSUM]);
    sum
}
