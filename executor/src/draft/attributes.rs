//! Extended attributes, given to what is written.

use std::ffi::CString;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;

use crate::tree::xattr::{self, Source, Xattrs};

/// How the attributes that begin as the overlay's own do are named in what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// As an overlay stores them.
    Stored,
    /// As a program sees them.
    Seen,
}

/// Copies the attributes that are part of a tree, and says whether there are any.
///
/// # Errors
/// If the source's attributes cannot be read, or the disk is full.
pub(super) fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, names: Names) -> rustix::io::Result<bool> {
    let found = Xattrs::read(Source::Open(from))?;
    if found.is_empty() {
        return Ok(false);
    }
    set(to, &found.stored(), names)?;
    Ok(true)
}

/// Sets attributes whose names are as they are stored. Those that this file system or this user may not set are left out, as
/// BuildKit does: an image must not fail to build for want of an attribute that the machine cannot store.
///
/// # Errors
/// If the disk is full.
pub(super) fn set(to: BorrowedFd<'_>, attributes: &Xattrs, names: Names) -> rustix::io::Result<()> {
    for (name, value) in attributes.iter() {
        let seen;
        let name = match names {
            Names::Stored => name,
            Names::Seen => {
                seen = CString::new(xattr::to_archive(name.to_bytes())).expect("there is no zero in a name");
                &seen
            }
        };
        match xattr::set(to, name, value) {
            Ok(()) | Err(Errno::NOTSUP | Errno::PERM | Errno::ACCESS | Errno::INVAL) => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
