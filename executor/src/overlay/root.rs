//! A mounted tree, held open.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::MountAttrFlags;

use super::error::Error;
use crate::fault::At;
use crate::mount;

/// A mounted tree: a descriptor of its root folder, to be used with `openat2` and relative paths. It has no path in the
/// file system, and is taken down when the last descriptor of it is closed.
#[derive(Debug)]
pub struct MountedRoot {
    folder: OwnedFd,
}

impl MountedRoot {
    /// Opens `path` below the root as a process whose root directory it is would see it: no link leads out.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(&self, path: &Path, flags: OFlags, mode: Mode) -> std::io::Result<OwnedFd> {
        Ok(mount::open_inside(self.as_fd(), path, flags, mode)?)
    }

    /// A path by which this process, and no other, reaches the root. Absolute links below it lead to the host's root: walk
    /// with [`MountedRoot::open`] where that matters.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        mount::path_of(&self.folder)
    }

    pub(super) fn mounted(folder: OwnedFd) -> Self {
        Self { folder }
    }

    pub(super) fn folder(path: &Path) -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty()).at("open the layer", path)?;
        Ok(Self { folder })
    }

    pub(super) fn empty() -> Result<Self, Error> {
        let folder = mount::new(c"tmpfs", &[("mode", "755")], MountAttrFlags::MOUNT_ATTR_RDONLY)
            .map_err(|error| Error::mount(0, String::new(), error))?;
        Ok(Self { folder })
    }
}

impl AsFd for MountedRoot {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

impl From<MountedRoot> for OwnedFd {
    fn from(root: MountedRoot) -> Self {
        root.folder
    }
}
