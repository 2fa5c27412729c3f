//! Extended attributes, copied from file to file.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::tree::xattr::{self, Source, Xattrs};

/// Copies the attributes that are part of a tree. Those that this file system or this user may not set are left out, as
/// BuildKit does: an image must not fail to build for want of an attribute that the machine cannot store.
///
/// # Errors
/// If the source's attributes cannot be read, or the disk is full.
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> rustix::io::Result<()> {
    for (name, value) in Xattrs::read(Source::Open(from))?.iter() {
        match xattr::set(to, name, value) {
            Ok(()) | Err(Errno::NOTSUP | Errno::PERM | Errno::ACCESS | Errno::INVAL) => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
