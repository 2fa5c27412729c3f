//! The names in a folder, sorted, and how a folder is opened.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, RawDir, ResolveFlags, openat, openat2};
use rustix::io::Result;

/// How a folder is opened whose path may be a link.
pub(crate) const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens a folder for listing; a link is not followed.
///
/// # Errors
/// If there is no folder of this name, or it cannot be opened.
pub fn open_folder(parent: impl AsFd, name: &CStr) -> Result<OwnedFd> {
    openat(parent, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

/// Opens a folder at a path below another; no link is followed. An empty path is the other itself.
///
/// # Errors
/// If there is no folder, or it cannot be opened.
pub fn open_below(root: impl AsFd, path: &[u8]) -> Result<OwnedFd> {
    let path = if path.is_empty() { b"." } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags, Mode::empty(), resolve)
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
    names_of(open_below(folder, b"")?)
}

/// The same of a folder that was opened for this alone: listing moves the place that everybody has in it who shares it.
///
/// # Errors
/// If it cannot be listed.
pub fn names_of(folder: impl AsFd) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); 32 << 10];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
