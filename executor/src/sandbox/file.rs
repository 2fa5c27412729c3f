//! Files made up for the command, in a file system that is never swapped out.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::failure::{Doing, Failure};
use super::spec::Access;
use crate::mount::{self, Depth};

/// Who may do what with a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Permissions {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u32,
    pub(super) access: Access,
}

impl Permissions {
    /// Those of the files in `/etc`.
    pub(super) const PUBLIC: Self = Self { uid: 0, gid: 0, mode: 0o644, access: Access::ReadWrite };
}

/// The file system that holds them, attached nowhere.
pub(super) struct Shelf {
    folder: OwnedFd,
    count: usize,
}

impl Shelf {
    pub(super) fn new() -> Result<Self, Failure> {
        let attributes =
            MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        let folder = mount::new(c"ramfs", &[], attributes).doing("mount a file system in memory")?;
        Ok(Self { folder, count: 0 })
    }

    /// Closes it: the mounts of its files keep them.
    pub(super) fn close(self) {
        mount::park(&self.folder);
    }

    /// A mount that is a file with this content.
    pub(super) fn file(&mut self, content: &[u8], permissions: Permissions) -> Result<OwnedFd, Failure> {
        self.count += 1;
        let name = self.count.to_string();
        self.write(&name, content, permissions).doing("write a file in memory")?;
        let mount =
            mount::clone(self.folder.as_fd(), Path::new(&name), Depth::Single).doing("mount a file in memory")?;
        if permissions.access == Access::ReadOnly {
            mount::set_attributes(mount.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, Depth::Single)
                .doing("make a file in memory read-only")?;
        }
        Ok(mount)
    }

    fn write(&self, name: &str, content: &[u8], permissions: Permissions) -> Result<(), Errno> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, name, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(file);
        file.write_all(content).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let (uid, gid) = (Uid::from_raw(permissions.uid), Gid::from_raw(permissions.gid));
        rustix::fs::fchown(&file, Some(uid), Some(gid))?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(permissions.mode))
    }
}
