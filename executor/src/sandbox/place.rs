//! Attaches mounts to places in the tree.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::failure::Failure;
use super::{lookup, skeleton};
use crate::mount;

/// What a mount looks like from above, and so what its target has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A folder.
    Folder,
    /// Anything else.
    File,
}

impl Node {
    /// What something that is open looks like.
    pub(super) fn of(file: impl AsFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(file)?;
        Ok(Self::from(FileType::from_raw_mode(stat.st_mode)))
    }

    /// Whether this can be mounted over what is at `target`.
    pub(super) fn check(self, target: &Path, kind: FileType) -> Result<(), Failure> {
        let there = Self::from(kind);
        if self == there {
            return Ok(());
        }
        let target = target.display().to_string();
        Err(Failure::TargetKind { target, source_kind: self.word().to_owned(), target_kind: there.word().to_owned() })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::File => "file",
        }
    }
}

impl From<FileType> for Node {
    fn from(kind: FileType) -> Self {
        if kind == FileType::Directory { Self::Folder } else { Self::File }
    }
}

/// What becomes of a mount whose target is missing in another mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The target is made there.
    Make,
    /// It is left out.
    Skip,
}

/// Attaches `mount` at `target`, which the tree has, unless it lies in what was mounted before.
pub(super) fn attach(root: BorrowedFd<'_>, target: &Path, mount: &OwnedFd, missing: Missing) -> Result<(), Failure> {
    let refused = |operation| move |error| Failure::tree(operation, target, error);
    let node = Node::of(mount).map_err(refused("mount over"))?;
    let place = match mount::open_inside(root, target, OFlags::PATH, Mode::empty()) {
        Ok(place) => place,
        Err(Errno::NOENT) if missing == Missing::Skip => return Ok(()),
        Err(Errno::NOENT) => make(root, target, node).map_err(refused("make the mount point"))?,
        Err(error) => return Err(refused("look up")(error)),
    };
    let stat = rustix::fs::fstat(&place).map_err(refused("look up"))?;
    node.check(target, FileType::from_raw_mode(stat.st_mode))?;
    mount::attach(mount, place.as_fd()).map_err(refused("mount over"))
}

/// Makes a mount point, with the folders above it.
fn make(root: BorrowedFd<'_>, target: &Path, node: Node) -> Result<OwnedFd, Errno> {
    let place = lookup::resolve(root, target)?;
    let mut parents: Vec<_> = place.path.ancestors().skip(1).collect();
    parents.reverse();
    for parent in parents.into_iter().filter(|parent| !parent.as_os_str().is_empty()) {
        if lookup::kind(root, parent)?.is_none() {
            skeleton::make_folder(root, parent)?;
        }
    }
    match node {
        Node::Folder => skeleton::make_folder(root, &place.path)?,
        Node::File => skeleton::make_file(root, &place.path)?,
    }
    mount::open_inside(root, &place.path, OFlags::PATH, Mode::empty())
}
