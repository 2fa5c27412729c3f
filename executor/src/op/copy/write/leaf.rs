//! Writing what is not a folder: files, links, devices.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid, chmodat, linkat, mknodat, openat, readlinkat, symlinkat, unlinkat,
    utimensat,
};
use rustix::io::Errno;

use super::{WriteError, Writer, attributes, chown, content, kind, system};
use crate::tree::inode::shared_inode;

/// Something to copy that is no folder: where it is, and where it goes.
pub(super) struct Leaf<'a> {
    /// The open folder that it is in.
    pub(super) from: BorrowedFd<'a>,
    /// Its name there.
    pub(super) from_name: &'a OsStr,
    /// Its path below the source's root, for messages.
    pub(super) path: &'a Path,
    /// What it is.
    pub(super) stat: &'a Stat,
    /// The open folder that it goes to.
    pub(super) to: BorrowedFd<'a>,
    /// Its name there.
    pub(super) name: &'a OsStr,
    /// Its path below the tree's root.
    pub(super) target: &'a Path,
}

impl Leaf<'_> {
    fn unreadable(&self, error: impl Into<io::Error>) -> WriteError {
        WriteError::Source { path: self.path.to_owned(), source: error.into() }
    }

    fn refused(&self, error: impl Into<io::Error>) -> WriteError {
        system(self.target, error)
    }
}

impl Writer<'_> {
    /// Copies something that is no folder, over a file that is in its place.
    pub(super) fn leaf(&mut self, leaf: &Leaf<'_>) -> Result<(), WriteError> {
        let Leaf { stat, to, name, .. } = *leaf;
        // A socket means nothing without the process that listens on it. It is not copied, and it replaces nothing.
        if kind(stat) == FileType::Socket {
            return Ok(());
        }
        let shared = shared_inode(stat).filter(|_| kind(stat) == FileType::RegularFile);
        if shared.is_some_and(|inode| self.links.first_name(inode) == Some(leaf.target)) {
            return Ok(());
        }
        match unlinkat(to, name, AtFlags::empty()) {
            Ok(()) => self.links.forget(leaf.target),
            Err(Errno::NOENT) => (),
            Err(Errno::ISDIR | Errno::PERM) => return Err(WriteError::FileOverFolder(leaf.target.to_owned())),
            Err(error) => return Err(leaf.refused(error)),
        }
        if let Some(first) = shared.and_then(|inode| self.links.first_name(inode)) {
            return linkat(self.tree, first, to, name, AtFlags::empty()).map_err(|error| leaf.refused(error));
        }
        match kind(stat) {
            FileType::RegularFile => {
                if let Some(inode) = shared {
                    self.links.add(inode, leaf.target);
                }
                self.file(leaf)
            }
            FileType::Symlink => {
                let link = readlinkat(leaf.from, leaf.from_name, Vec::new()).map_err(|error| leaf.unreadable(error))?;
                self.link(leaf, &link).map_err(|error| leaf.refused(error))
            }
            file_type => self.special(leaf, file_type).map_err(|error| leaf.refused(error)),
        }
    }

    fn file(&self, leaf: &Leaf<'_>) -> Result<(), WriteError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(leaf.from, leaf.from_name, flags, Mode::empty());
        let reader = File::from(opened.map_err(|error| leaf.unreadable(error))?);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let made = openat(leaf.to, leaf.name, flags, Mode::from_raw_mode(0o600));
        let writer = File::from(made.map_err(|error| leaf.refused(error))?);
        content::copy(&reader, &writer, leaf.stat).map_err(|error| leaf.refused(error))?;
        self.finish_file(leaf.stat, &reader, &writer).map_err(|error| leaf.refused(error))
    }

    fn finish_file(&self, stat: &Stat, reader: &File, writer: &File) -> rustix::io::Result<()> {
        let (uid, gid) = self.owner_of(stat);
        rustix::fs::fchown(writer, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        rustix::fs::fchmod(writer, Mode::from_raw_mode(self.mode_of(stat)))?;
        // After the owner: changing it drops file capabilities.
        attributes::copy(reader.as_fd(), writer.as_fd())?;
        rustix::fs::futimens(writer, &self.times(stat))
    }

    fn link(&self, leaf: &Leaf<'_>, link: &std::ffi::CStr) -> rustix::io::Result<()> {
        symlinkat(link, leaf.to, leaf.name)?;
        let (uid, gid) = self.owner_of(leaf.stat);
        chown(leaf.to, leaf.name, uid, gid)?;
        utimensat(leaf.to, leaf.name, &self.times(leaf.stat), AtFlags::SYMLINK_NOFOLLOW)
    }

    fn special(&self, leaf: &Leaf<'_>, file_type: FileType) -> rustix::io::Result<()> {
        mknodat(leaf.to, leaf.name, file_type, Mode::from_raw_mode(0o600), leaf.stat.st_rdev)?;
        let (uid, gid) = self.owner_of(leaf.stat);
        chown(leaf.to, leaf.name, uid, gid)?;
        chmodat(leaf.to, leaf.name, Mode::from_raw_mode(self.mode_of(leaf.stat)), AtFlags::empty())?;
        utimensat(leaf.to, leaf.name, &self.times(leaf.stat), AtFlags::SYMLINK_NOFOLLOW)
    }
}
