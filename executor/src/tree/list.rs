//! The names in a folder, sorted, and how a folder is opened.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Dir, Mode, OFlags, openat};
use rustix::io::Result;

/// Opens a folder for listing; a link is not followed.
///
/// # Errors
/// If there is no folder of this name, or it cannot be opened.
pub fn open_folder(parent: impl AsFd, name: &CStr) -> Result<OwnedFd> {
    openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Opens a file for reading; a link is not followed.
///
/// # Errors
/// If there is no file of this name, or it cannot be opened.
pub fn open_file(parent: impl AsFd, name: &CStr) -> Result<OwnedFd> {
    // Without NONBLOCK a fifo that has taken the file's place would block for ever.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// The names in an open folder, in the order of their bytes.
///
/// # Errors
/// If it cannot be listed.
pub fn names(folder: impl AsFd) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
