//! The two marks of the overlay form: whiteouts and opaque folders.
//!
//! Source: Linux `Documentation/filesystems/overlayfs.rst`, "whiteouts and opaque directories".

use std::ffi::CStr;
use std::os::fd::AsFd;

use rustix::fs::{FileType, Mode, Stat, makedev, mknodat};
use rustix::io::Result;

use super::xattr::{self, OPAQUE, Source};

/// What a folder does with the content of the same folder below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opacity {
    /// Shows it.
    Merged,
    /// Hides it.
    Opaque,
}

/// Whether this is a whiteout: a character device 0:0. The kernel lets every user make one (Linux 5.8).
#[must_use]
pub fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Makes a whiteout.
///
/// # Errors
/// If there is something of this name, or the kernel refuses.
pub fn put_whiteout(folder: impl AsFd, name: &CStr) -> Result<()> {
    mknodat(folder, name, FileType::CharacterDevice, Mode::empty(), makedev(0, 0))
}

/// What a folder does with the same folder below.
///
/// # Errors
/// If its attributes cannot be read.
pub fn opacity(folder: Source<'_>) -> Result<Opacity> {
    Ok(match xattr::value(folder, OPAQUE)?.as_deref() {
        Some(b"y") => Opacity::Opaque,
        _ => Opacity::Merged,
    })
}

/// Makes an open folder opaque.
///
/// # Errors
/// If the kernel refuses.
pub fn make_opaque(folder: impl AsFd) -> Result<()> {
    xattr::set(folder, OPAQUE, b"y")
}
