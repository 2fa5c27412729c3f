//! Makes one file, folder, link or device: owner, mode, attributes and time in the order in which they last.

use std::ffi::CStr;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, Dev, FileType, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid, chmodat, chownat, fchmod, fchown,
    ftruncate, futimens, mkdirat, mknodat, openat, symlinkat, utimensat,
};
use rustix::io::{Errno, pwrite};

use super::Skipped;
use crate::fault::{At, PathError};
use crate::layer::archive::{Archive, Part, Time};
use crate::layer::error::Error;
use crate::tree::attributes::Attributes;
use crate::tree::list;
use crate::tree::xattr;

/// Where something is made: an open folder, a name in it, and both as a path for messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) folder: BorrowedFd<'a>,
    pub(super) name: &'a CStr,
    pub(super) path: &'a Path,
}

/// Whether a device could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Yes,
    /// The kernel does not let this user.
    NotAllowed,
}

impl Place<'_> {
    /// Makes a folder, which nobody else may enter until it has its attributes.
    pub(super) fn make_folder(&self) -> Result<OwnedFd, PathError> {
        mkdirat(self.folder, self.name, Mode::RWXU).at("create the folder", self.path)?;
        list::open_folder(self.folder, self.name).at("open", self.path)
    }

    pub(super) fn make_file(&self) -> Result<OwnedFd, PathError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(self.folder, self.name, flags, Mode::RUSR | Mode::WUSR).at("create", self.path)
    }

    pub(super) fn make_link(&self, target: &CStr, attributes: &Attributes, time: Time) -> Result<(), Error> {
        symlinkat(target, self.folder, self.name).at("create the link", self.path)?;
        self.own(attributes)?;
        self.touch(time)
    }

    pub(super) fn make_special(
        &self,
        kind: FileType,
        device: Dev,
        attributes: &Attributes,
        time: Time,
    ) -> Result<Made, Error> {
        match mknodat(self.folder, self.name, kind, Mode::RUSR | Mode::WUSR, device) {
            Err(Errno::PERM) if kind != FileType::Fifo => return Ok(Made::NotAllowed),
            result => result.at("create the device or fifo", self.path)?,
        }
        self.own(attributes)?;
        chmodat(self.folder, self.name, Mode::from_raw_mode(attributes.mode), AtFlags::empty())
            .at("set the mode of", self.path)?;
        self.touch(time)?;
        Ok(Made::Yes)
    }

    fn own(&self, attributes: &Attributes) -> Result<(), Error> {
        let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
        let result = chownat(self.folder, self.name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW);
        owned(result, attributes, self.path)
    }

    fn touch(&self, time: Time) -> Result<(), Error> {
        utimensat(self.folder, self.name, &timestamps(time), AtFlags::SYMLINK_NOFOLLOW)
            .at("set the time of", self.path)?;
        Ok(())
    }
}

/// Gives an open file or folder its attributes. Changing the owner takes away setuid bits and file capabilities, so those
/// come later.
pub(super) fn finish(fd: &OwnedFd, attributes: &Attributes, path: &Path, skipped: &mut Skipped) -> Result<(), Error> {
    let (uid, gid) = (Uid::from_raw(attributes.uid), Gid::from_raw(attributes.gid));
    owned(fchown(fd, Some(uid), Some(gid)), attributes, path)?;
    fchmod(fd, Mode::from_raw_mode(attributes.mode)).at("set the mode of", path)?;
    for (name, value) in attributes.xattrs.iter() {
        match xattr::set(fd, name, value) {
            Err(Errno::PERM | Errno::NOTSUP | Errno::INVAL) => skipped.xattrs += 1,
            result => result.at("set an attribute of", path)?,
        }
    }
    Ok(())
}

/// Sets the modification time of an open file or folder.
pub(super) fn touch(fd: impl AsFd, time: Time, path: &Path) -> Result<(), PathError> {
    futimens(fd, &timestamps(time)).at("set the time of", path)
}

/// Writes the current entry's content to a file.
pub(super) fn fill<R: Read>(
    archive: &mut Archive<R>,
    file: &OwnedFd,
    size: u64,
    parts: &[Part],
    path: &Path,
    buffer: &mut [u8],
) -> Result<(), Error> {
    for part in parts {
        let mut done = 0;
        while done < part.length {
            let most = usize::try_from(part.length - done).unwrap_or(usize::MAX).min(buffer.len());
            let length = archive.read(&mut buffer[..most])?;
            let mut written = 0;
            while written < length {
                let offset = part.offset + done + written as u64;
                written += pwrite(file, &buffer[written..length], offset).at("write", path)?;
            }
            done += length as u64;
        }
    }
    // A hole at the end; GNU tar marks it by an empty part.
    let written = parts.iter().rfind(|part| part.length > 0).map_or(0, |part| part.offset + part.length);
    if written != size {
        ftruncate(file, size).at("set the size of", path)?;
    }
    Ok(())
}

fn owned(result: rustix::io::Result<()>, attributes: &Attributes, path: &Path) -> Result<(), Error> {
    match result {
        // The namespace maps the id to nothing.
        Err(Errno::INVAL) => Err(Error::Owner { path: path.to_owned(), uid: attributes.uid, gid: attributes.gid }),
        result => Ok(result.at("set the owner of", path)?),
    }
}

fn timestamps(time: Time) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() },
    }
}
