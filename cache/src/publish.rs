//! Publishing a file: written beside its place under a name of its own, then renamed. Readers see all of it or nothing.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::{At, Error};

/// Puts `bytes` at `path`, replacing what was there; `temporary` is on the same file system.
pub(crate) fn bytes(bytes: &[u8], temporary: &Path, path: &Path) -> Result<(), Error> {
    let mut file = File::create_new(temporary).at("create", temporary)?;
    let written = file.write_all(bytes).at("write", temporary);
    if let Err(error) = written {
        // What was half written is of no use; that it cannot be removed changes nothing.
        let _ = fs::remove_file(temporary);
        return Err(error);
    }
    rename(temporary, path)
}

/// Renames a finished file or folder to its place, making the place's folder if need be.
pub(crate) fn rename(temporary: &Path, path: &Path) -> Result<(), Error> {
    match fs::rename(temporary, path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).at("create the folder", parent)?;
            }
            fs::rename(temporary, path).at("publish", path)
        }
        result => result.at("publish", path),
    }
}
