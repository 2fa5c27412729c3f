//! The mount points that a tree lacks, as a layer of their own in memory, so that the tree's upper folder never sees them:
//! nothing has to be taken out of it again, whatever the command did and however it ended.
//!
//! The layer lies over the lowers. A folder of it that the tree has as well merges with that, and shows the attributes of
//! the topmost: it gets those of the tree's own.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::failure::{Doing, Failure};
use super::lookup;
use super::place::Node;
use crate::mount;

/// A mount point that is to be there.
pub(super) struct Wanted<'a> {
    pub(super) target: &'a Path,
    pub(super) node: Node,
}

/// Makes the layer of what `view` (the tree as it is) lacks of `wanted`, or of nothing if it lacks nothing. What lies below
/// another target is not looked for: it is made there, when that is mounted.
pub(super) fn build(view: BorrowedFd<'_>, wanted: &[Wanted<'_>]) -> Result<Option<OwnedFd>, Failure> {
    let mut targets: Vec<PathBuf> = Vec::new();
    let mut missing = Vec::new();
    for Wanted { target, node } in wanted {
        let place = lookup::resolve(view, target).map_err(|error| Failure::tree("look up", *target, error))?;
        if targets.iter().any(|other| place.path.starts_with(other)) {
            continue;
        }
        match place.kind {
            None => missing.push((place.path.clone(), *node)),
            Some(kind) => node.check(target, kind)?,
        }
        targets.push(place.path);
    }
    if missing.is_empty() {
        return Ok(None);
    }
    make(view, &missing).doing("make mount points for the tree").map(Some)
}

fn make(view: BorrowedFd<'_>, missing: &[(PathBuf, Node)]) -> Result<OwnedFd, Errno> {
    let layer = mount::new(c"tmpfs", &[("mode", "755"), ("size", "1m")], MountAttrFlags::empty())?;
    let mut copied = BTreeSet::from([PathBuf::new()]);
    for (path, node) in missing {
        for parent in parents(path) {
            if lookup::kind(view, parent)? == Some(FileType::Directory) {
                copied.insert(parent.to_owned());
            }
            make_folder(layer.as_fd(), parent)?;
        }
        match node {
            Node::Folder => make_folder(layer.as_fd(), path)?,
            Node::File => make_file(layer.as_fd(), path)?,
        }
    }
    // The innermost first: a change in a folder also changes its time.
    for path in copied.iter().rev() {
        copy_attributes(view, layer.as_fd(), path)?;
    }
    Ok(layer)
}

/// The folders above a relative path, the outermost first, without the root.
fn parents(path: &Path) -> Vec<&Path> {
    let mut parents: Vec<_> = path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()).collect();
    parents.reverse();
    parents
}

/// Makes a folder with the permissions that everyone expects, unless it is there.
pub(super) fn make_folder(root: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
    match rustix::fs::mkdirat(root, path, Mode::from_raw_mode(0o755)) {
        Err(Errno::EXIST) => Ok(()),
        result => result,
    }
}

/// Makes an empty file, unless it is there.
pub(super) fn make_file(root: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(root, path, flags, Mode::from_raw_mode(0o644)).map(drop)
}

fn copy_attributes(view: BorrowedFd<'_>, layer: BorrowedFd<'_>, path: &Path) -> Result<(), Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let from = rustix::fs::openat(view, path, flags, Mode::empty())?;
    let to = rustix::fs::openat(layer, path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&from)?;
    rustix::fs::fchown(&to, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    rustix::fs::fchmod(&to, Mode::from_raw_mode(stat.st_mode))?;
    copy_extended_attributes(&from, &to)?;
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps {
        last_access: time(stat.st_atime as _, stat.st_atime_nsec as _),
        last_modification: time(stat.st_mtime as _, stat.st_mtime_nsec as _),
    };
    rustix::fs::utimensat(layer, path, &times, AtFlags::SYMLINK_NOFOLLOW)
}

/// Access lists and the like. A file system in memory takes `user.` attributes since Linux 6.6 only; before, the command
/// does not see those of the few folders that are copied.
fn copy_extended_attributes(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let mut names = vec![0; 4096];
    let length = match rustix::fs::flistxattr(from, &mut names) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => 0,
        Err(error) => return Err(error),
    };
    let names = names.get(..length).unwrap_or_default();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if name.starts_with(b"user.overlay.") || name.starts_with(b"trusted.") || name == b"security.selinux" {
            continue;
        }
        let mut value = vec![0; 65_536];
        let length = rustix::fs::fgetxattr(from, name, &mut value)?;
        let value = value.get(..length).unwrap_or_default();
        match rustix::fs::fsetxattr(to, name, value, XattrFlags::empty()) {
            Ok(()) | Err(Errno::NOTSUP | Errno::PERM) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
