//! [`Attributes`]: what a file or folder has besides its name and content, times excluded.

use rustix::fs::Stat;
use rustix::io::Result;

use super::xattr::{Source, Xattrs};

/// The bits of a mode that are permissions: the type is not among them.
pub const PERMISSIONS: u32 = 0o7777;

/// Mode, owner and extended attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Permissions with setuid, setgid and sticky bits; without the type.
    pub mode: u32,
    /// Owner's user id.
    pub uid: u32,
    /// Owner's group id.
    pub gid: u32,
    /// Extended attributes; none on anything but files and folders.
    pub xattrs: Xattrs,
}

impl Attributes {
    /// What the root of a tree has where nothing says otherwise, and a folder that an archive did not list.
    #[must_use]
    pub fn folder_default() -> Self {
        Self { mode: 0o755, uid: 0, gid: 0, xattrs: Xattrs::default() }
    }

    /// Of something that has no extended attributes.
    #[must_use]
    pub fn plain(stat: &Stat) -> Self {
        Self { mode: stat.st_mode & PERMISSIONS, uid: stat.st_uid, gid: stat.st_gid, xattrs: Xattrs::default() }
    }

    /// Of a file or folder.
    ///
    /// # Errors
    /// If the extended attributes cannot be read.
    pub fn read(stat: &Stat, source: Source<'_>) -> Result<Self> {
        Ok(Self { xattrs: Xattrs::read(source)?, ..Self::plain(stat) })
    }
}
