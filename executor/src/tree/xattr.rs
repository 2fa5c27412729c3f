//! Extended attributes: which of them are part of a tree, and how they are read and written.
//!
//! | attribute | part of a tree | why |
//! |---|---|---|
//! | `user.*` | yes | programs keep state there |
//! | `user.overlay.*` | no | the overlay's own notes about where a file came from |
//! | `user.overlay.overlay.*` | yes | what a program set as `user.overlay.*`: the overlay adds the second prefix |
//! | `security.capability` | yes | `setcap`; without it programs fail |
//! | `system.posix_acl_access`, `system.posix_acl_default` | yes | they grant access, as the mode does |
//! | `security.selinux`, `.apparmor`, `.ima`, `.evm`, … | no | labels and signatures of the building machine's policy |
//! | `trusted.*` | no | a user namespace does not see them, so builds as root and as a user would differ |
//!
//! Only those of files and folders are looked at: links cannot have any of these, and on devices and fifos only
//! access lists are possible, which nobody sets.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr, lgetxattr, llistxattr};
use rustix::io::{Errno, Result};

/// The attribute of a folder that hides the same folder's content below.
pub const OPAQUE: &CStr = c"user.overlay.opaque";
/// The prefix of the overlay's own attributes, mounted with `userxattr`.
const OVERLAY: &[u8] = b"user.overlay.";
/// The prefix that the overlay gives to attributes that were set through it and begin with [`OVERLAY`] (Linux 6.7).
const ESCAPED: &[u8] = b"user.overlay.overlay.";
const CAPABILITY: &[u8] = b"security.capability";
const ACCESS_LISTS: [&[u8]; 2] = [b"system.posix_acl_access", b"system.posix_acl_default"];

/// The attributes that are part of a tree, sorted by name. Names are as stored, not as seen through an overlay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Xattrs(Vec<(CString, Vec<u8>)>);

/// Whose an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Part of the tree.
    Content,
    /// The overlay's.
    Overlay,
    /// The machine's: neither read nor written.
    Machine,
}

/// Where attributes are read from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// An open file or folder.
    Open(BorrowedFd<'a>),
    /// The file or folder at a path; a link is not followed.
    Path(&'a Path),
}

impl Class {
    /// The class of the attribute of this name.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        if name.starts_with(OVERLAY) && !name.starts_with(ESCAPED) {
            Self::Overlay
        } else if name.starts_with(b"user.") || name == CAPABILITY || ACCESS_LISTS.contains(&name) {
            Self::Content
        } else {
            Self::Machine
        }
    }
}

impl Xattrs {
    /// Those of a file or folder; none where the file system knows no attributes.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(source: Source<'_>) -> Result<Self> {
        let mut attributes = Vec::new();
        for name in names(source)? {
            if Class::of(name.to_bytes()) == Class::Content
                && let Some(value) = value(source, &name)?
            {
                let value = if name.to_bytes() == CAPABILITY { without_root(value) } else { value };
                attributes.push((name, value));
            }
        }
        attributes.sort();
        Ok(Self(attributes))
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&CStr, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_c_str(), value.as_slice()))
    }

    /// The same under the names that they have where an overlay stores them. These are as a program sees them.
    #[must_use]
    pub fn stored(&self) -> Self {
        let stored = |name: &CStr| CString::new(from_archive(name.to_bytes())).expect("there is no zero in a name");
        self.iter().map(|(name, value)| (stored(name), value.to_vec())).collect()
    }

    /// These, and of `over` those that have other names or values.
    #[must_use]
    pub fn overlaid(&self, over: &Self) -> Self {
        let mut all: BTreeMap<_, _> = self.0.iter().cloned().collect();
        all.extend(over.0.iter().cloned());
        all.into_iter().collect()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(CString, Vec<u8>)> for Xattrs {
    fn from_iter<I: IntoIterator<Item = (CString, Vec<u8>)>>(attributes: I) -> Self {
        let mut attributes: Vec<_> = attributes.into_iter().collect();
        attributes.sort();
        Self(attributes)
    }
}

/// The names of all attributes of a file or folder, of every class.
///
/// # Errors
/// If they cannot be read. A file system without attributes is no error.
pub fn names(source: Source<'_>) -> Result<Vec<CString>> {
    let mut buffer = Vec::with_capacity(512);
    loop {
        let read = match source {
            Source::Open(file) => flistxattr(file, spare_capacity(&mut buffer)),
            Source::Path(path) => llistxattr(path, spare_capacity(&mut buffer)),
        };
        match read {
            Ok(_) => break,
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            // The kernel has no list longer than 64 KiB.
            Err(Errno::RANGE) if buffer.capacity() < 1 << 16 => buffer.reserve(1 << 16),
            Err(error) => return Err(error),
        }
    }
    Ok(buffer
        .split_inclusive(|byte| *byte == 0)
        .filter_map(|name| CString::from_vec_with_nul(name.to_vec()).ok())
        .collect())
}

/// The value of an attribute; `None` if there is none of this name.
///
/// # Errors
/// If it cannot be read.
pub fn value(source: Source<'_>, name: &CStr) -> Result<Option<Vec<u8>>> {
    let mut buffer = Vec::with_capacity(256);
    loop {
        let read = match source {
            Source::Open(file) => fgetxattr(file, name, spare_capacity(&mut buffer)),
            Source::Path(path) => lgetxattr(path, name, spare_capacity(&mut buffer)),
        };
        match read {
            Ok(_) => return Ok(Some(buffer)),
            Err(Errno::NODATA | Errno::NOTSUP) => return Ok(None),
            Err(Errno::RANGE) if buffer.capacity() < 1 << 16 => buffer.reserve(1 << 16),
            Err(error) => return Err(error),
        }
    }
}

/// Gives an open file or folder an attribute.
///
/// # Errors
/// If the kernel refuses.
pub fn set(file: impl AsFd, name: &CStr, value: &[u8]) -> Result<()> {
    fsetxattr(file, name, value, XattrFlags::empty())
}

/// Takes an attribute from an open file or folder, if it has it.
///
/// # Errors
/// If the kernel refuses.
pub fn remove(file: impl AsFd, name: &CStr) -> Result<()> {
    match fremovexattr(file, name) {
        // Another thread has come to the same file by another of its names.
        Err(Errno::NODATA) => Ok(()),
        result => result,
    }
}

/// The name under which an attribute goes into an archive: as a program sees it through the overlay.
#[must_use]
pub fn to_archive(stored: &[u8]) -> Vec<u8> {
    match stored.strip_prefix(ESCAPED) {
        Some(rest) => [OVERLAY, rest].concat(),
        None => stored.to_vec(),
    }
}

/// The name under which an attribute of an archive is stored in a folder in overlay form. Without this an archive could
/// write the overlay's own attributes, and show files of the machine in the tree.
#[must_use]
pub fn from_archive(archived: &[u8]) -> Vec<u8> {
    match archived.strip_prefix(OVERLAY) {
        Some(rest) => [ESCAPED, rest].concat(),
        None => archived.to_vec(),
    }
}

/// A file capability without the user id that the kernel adds to one set in a user namespace: outside of the namespace
/// the id means nothing. Version 3 of the structure is version 2 and the id (`linux/capability.h`).
fn without_root(mut value: Vec<u8>) -> Vec<u8> {
    const VERSION_2_LENGTH: usize = 20;
    if value.len() > VERSION_2_LENGTH && value[3] == 3 {
        value[3] = 2;
        value.truncate(VERSION_2_LENGTH);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlays_own_are_not_content() {
        assert_eq!(Class::of(b"user.overlay.origin"), Class::Overlay);
        assert_eq!(Class::of(b"user.overlay.overlay.origin"), Class::Content);
        assert_eq!(Class::of(b"user.overlaid"), Class::Content);
        assert_eq!(Class::of(b"security.selinux"), Class::Machine);
        assert_eq!(Class::of(b"trusted.overlay.opaque"), Class::Machine);
    }

    #[test]
    fn archive_names_escape_and_come_back() {
        for name in [&b"user.overlay.opaque"[..], b"user.overlay.overlay.x", b"user.a", b"security.capability"] {
            assert_eq!(Class::of(&from_archive(name)), Class::Content);
            assert_eq!(to_archive(&from_archive(name)), name);
        }
    }

    #[test]
    fn a_namespaced_capability_loses_its_root() {
        let version_3 = [&[1, 0, 0, 3][..], &[9; 16], &1000u32.to_le_bytes()].concat();
        assert_eq!(without_root(version_3), [&[1, 0, 0, 2][..], &[9; 16]].concat());
    }
}
