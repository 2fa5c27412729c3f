//! Writing a draft: folders level by level, leaves in parallel, attributes of folders last.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

use rayon::prelude::*;
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, chmodat, chownat, fchmod,
    fchown, fstat, futimens, linkat, lstat, mkdirat, mknodat, openat, readlinkat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::attributes::{self, Names};
use super::content;
use super::error::WriteError;
use super::order::{Order, Task, Unchanged};
use super::tree::{Draft, Entry, Folder, FolderId, Kind, Leaf, LeafId, Modified, SourceFolder};
use super::written::Written;
use crate::change::ChangeSet;
use crate::fault::At;
use crate::root::{Root, split};
use crate::tree::attributes::{Attributes, PERMISSIONS};
use crate::tree::list;
use crate::tree::xattr::Source;

/// Where a draft is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Onto {
    /// An empty folder that will lie on the tree.
    Upper,
    /// The tree itself.
    Tree,
}

impl Draft<'_> {
    /// Writes it into `upper`, an empty folder [prepared](crate::change::prepare) to lie on the draft's layers, and gives the
    /// change set that it then is: what [`capture`](crate::change::capture) would find. `None`: that must be looked for, since
    /// folders have extended attributes, which may be inherited or refused.
    ///
    /// # Errors
    /// If a source cannot be read, or the folder not be written.
    pub fn write_upper(&self, upper: &Path) -> Result<Option<ChangeSet>, WriteError> {
        let root = openat(CWD, upper, list::FOLDER, Mode::empty()).at("open", upper)?;
        let sink = Sink::new(self, root, Onto::Upper);
        sink.write()?;
        let has_attributes = |folder: &Folder<'_>| !folder.attributes.xattrs.is_empty();
        Ok(if self.folders.iter().any(has_attributes) {
            None
        } else {
            Some(self.change_set(&sink.order, &sink.written))
        })
    }

    /// Writes it into the tree of the draft's only layer.
    ///
    /// # Errors
    /// As [`Draft::write_upper`].
    pub fn write_onto(&self, tree: &Root) -> Result<(), WriteError> {
        let root = openat(tree, ".", list::FOLDER, Mode::empty()).at("open", Path::new("."))?;
        Sink::new(self, root, Onto::Tree).write()
    }
}

struct Sink<'d, 'a> {
    draft: &'d Draft<'a>,
    root: OwnedFd,
    onto: Onto,
    order: Order,
    /// By the numbers of the leaves.
    written: Vec<OnceLock<Written>>,
}

/// Where a leaf is written.
struct Target<'t> {
    folder: BorrowedFd<'t>,
    folder_path: &'t [u8],
    name: &'t CStr,
}

/// The source's folder of most leaves of a folder, open.
struct Open<'t, 'a> {
    from: &'t SourceFolder<'a>,
    folder: OwnedFd,
}

impl<'d, 'a> Sink<'d, 'a> {
    fn new(draft: &'d Draft<'a>, root: OwnedFd, onto: Onto) -> Self {
        let unchanged = if onto == Onto::Upper { Unchanged::Goes } else { Unchanged::Stays };
        Self { draft, root, onto, order: Order::of(draft, unchanged), written: Written::none_yet(draft) }
    }

    fn write(&self) -> Result<(), WriteError> {
        for level in &self.order.levels {
            level.par_iter().try_for_each(|task| self.fill(task))?;
        }
        for names in self.order.names.values() {
            let (first, further) = names.split_first().expect("it has several");
            for name in further {
                self.further_name(first, name).map_err(|error| WriteError::system(path_of(name), error))?;
            }
        }
        for level in self.order.levels.iter().rev() {
            level.par_iter().try_for_each(|task| self.finish(task))?;
        }
        Ok(())
    }

    /// Makes what is in a folder; the folders in it are still empty.
    fn fill(&self, task: &Task) -> Result<(), WriteError> {
        let folder = &self.draft.folders[task.id.0];
        let path = path_of(&task.path);
        let fd = list::open_below(&self.root, &task.path).map_err(|error| WriteError::system(path, error))?;
        let mut leaves: Vec<(&CString, LeafId)> = Vec::new();
        for (name, entry) in &folder.entries {
            match *entry {
                Entry::Leaf(leaf) => leaves.push((name, leaf)),
                Entry::Folder(id) if self.order.has(id) => {
                    self.make(&fd, name, id).map_err(|error| WriteError::system(&path.join(os_str(name)), error))?;
                }
                Entry::Folder(_) => (),
            }
        }
        let Some((_, first)) = leaves.first() else { return Ok(()) };
        let from = &*self.draft.leaves[first.0].from;
        let open = Open { from, folder: from.open()? };
        leaves.par_iter().with_min_len(self.share(&leaves)).try_for_each(|(name, leaf)| {
            self.leaf(*leaf, &open, &Target { folder: fd.as_fd(), folder_path: &task.path, name })
        })
    }

    /// How many leaves one thread takes at least: a small file takes about as long as giving it to another thread.
    fn share(&self, leaves: &[(&CString, LeafId)]) -> usize {
        const MOST: usize = 16;
        const WORTH: u64 = 1 << 20;
        let size = |leaf: LeafId| match self.draft.leaves[leaf.0].kind {
            Kind::File { size, .. } => size,
            Kind::Symlink | Kind::Special(..) => 0,
        };
        let bytes: u64 = leaves.iter().map(|(_, leaf)| size(*leaf)).sum();
        let share = (leaves.len() as u64).saturating_mul(WORTH) / bytes.max(1);
        usize::try_from(share).unwrap_or(MOST).clamp(1, MOST)
    }

    fn make(&self, parent: &OwnedFd, name: &CStr, id: FolderId) -> rustix::io::Result<()> {
        let folder = &self.draft.folders[id.0];
        if self.onto == Onto::Tree && folder.below.is_some() {
            return Ok(());
        }
        mkdirat(parent, name, Mode::from_raw_mode(folder.attributes.mode & 0o777 | 0o700))?;
        // What is made in it inherits access lists, of one that is there already.
        if let Some((_, below)) = folder.below.as_ref().filter(|(_, below)| !below.xattrs.is_empty()) {
            let made = list::open_folder(parent, name)?;
            attributes::set(made.as_fd(), &below.xattrs, Names::Stored)?;
        }
        Ok(())
    }

    fn leaf(&self, id: LeafId, open: &Open<'_, 'a>, target: &Target<'_>) -> Result<(), WriteError> {
        if let Some(names) = self.order.names.get(&id.0)
            && names[0] != target.path()
        {
            // It becomes a link to the first name.
            return Ok(());
        }
        let leaf = &self.draft.leaves[id.0];
        let reopened;
        let from = if std::ptr::eq(open.from, &*leaf.from) {
            &open.folder
        } else {
            reopened = leaf.from.open()?;
            &reopened
        };
        self.remove(target.folder, target.name).map_err(|error| target.refused(error))?;
        let written = match leaf.kind {
            Kind::File { size, room } => self.file(leaf, from, target, size, room)?,
            Kind::Symlink => {
                let link = readlinkat(from, &leaf.name, Vec::new());
                let link = link.map_err(|error| WriteError::unreadable(&leaf.path(), error))?;
                symlink(leaf, &link, target).map_err(|error| target.refused(error))?;
                Written::Symlink(link.into_bytes())
            }
            Kind::Special(kind, device) => {
                special(leaf, kind, device, target).map_err(|error| target.refused(error))?;
                Written::Special
            }
        };
        // Each leaf is written once: under its first name.
        let _ = self.written[id.0].set(written);
        Ok(())
    }

    /// Removes what a leaf replaces. There is nothing in a new folder.
    fn remove(&self, folder: impl AsFd, name: &CStr) -> rustix::io::Result<()> {
        match self.onto {
            Onto::Upper => Ok(()),
            Onto::Tree => match unlinkat(folder, name, AtFlags::empty()) {
                Err(Errno::NOENT) => Ok(()),
                result => result,
            },
        }
    }

    fn file(
        &self,
        leaf: &Leaf<'_>,
        from: &OwnedFd,
        target: &Target<'_>,
        size: u64,
        room: u64,
    ) -> Result<Written, WriteError> {
        let source = list::open_file(from, &leaf.name);
        let source = File::from(source.map_err(|error| WriteError::unreadable(&leaf.path(), error))?);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let made = openat(target.folder, target.name, flags, Mode::from_raw_mode(leaf.mode & 0o777));
        let made = File::from(made.map_err(|error| target.refused(error))?);
        let (hash, size) = match self.onto {
            Onto::Upper => {
                let (hash, size) =
                    content::copy_hashed(&source, &made, size, room).map_err(|error| target.refused(error))?;
                (Some(hash), size)
            }
            Onto::Tree => {
                content::copy(&source, &made, size, room).map_err(|error| target.refused(error))?;
                (None, size)
            }
        };
        if leaf.from.since.is_some() {
            let stat = fstat(&source).map_err(|error| WriteError::unreadable(&leaf.path(), error))?;
            if leaf.from.is_touched(&stat) {
                self.draft.touch(&leaf.path());
            }
        }
        let attributes = self.finish_file(leaf, &source, &made).map_err(|error| target.refused(error))?;
        Ok(Written::File { hash, size, attributes })
    }

    fn finish_file(&self, leaf: &Leaf<'_>, source: &File, made: &File) -> rustix::io::Result<Option<Box<Attributes>>> {
        own(made.as_fd(), &fstat(made)?, leaf.uid, leaf.gid, leaf.mode)?;
        // After the owner: changing it drops file capabilities.
        let has_attributes = attributes::copy(source.as_fd(), made.as_fd(), self.names())?;
        futimens(made, &leaf.times)?;
        Ok(if has_attributes {
            Some(Box::new(Attributes::read(&fstat(made)?, Source::Open(made.as_fd()))?))
        } else {
            None
        })
    }

    fn further_name(&self, first: &[u8], name: &[u8]) -> rustix::io::Result<()> {
        let open = |path: &Path| list::open_below(&self.root, path.as_os_str().as_bytes());
        let ((old, old_name), (new, new_name)) = (parts(first), parts(name));
        let (old, new) = (open(old)?, open(new)?);
        if self.onto == Onto::Tree {
            match unlinkat(&new, new_name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => (),
                Err(error) => return Err(error),
            }
        }
        linkat(old, old_name, new, new_name, AtFlags::empty())
    }

    /// Gives a folder its attributes, after its contents, since writing them changes its times.
    fn finish(&self, task: &Task) -> Result<(), WriteError> {
        let folder = &self.draft.folders[task.id.0];
        let is_done = match (self.onto, &folder.modified) {
            (_, Modified::At(_)) | (Onto::Upper, Modified::Before) => false,
            // A new folder has the attributes of none.
            (Onto::Upper, Modified::Now) => false,
            (Onto::Tree, Modified::Before | Modified::Now) => folder.is_as_below(),
        };
        // The root is prepared, or there.
        if task.path.is_empty() || is_done {
            return Ok(());
        }
        self.finish_folder(task, folder).map_err(|error| WriteError::system(path_of(&task.path), error))
    }

    fn finish_folder(&self, task: &Task, folder: &Folder<'_>) -> rustix::io::Result<()> {
        let fd = list::open_below(&self.root, &task.path)?;
        let Attributes { mode, uid, gid, xattrs } = &folder.attributes;
        own(fd.as_fd(), &fstat(&fd)?, *uid, *gid, *mode)?;
        attributes::set(fd.as_fd(), xattrs, self.names())?;
        match &folder.modified {
            Modified::At(times) => futimens(fd, times),
            Modified::Before if self.onto == Onto::Upper => {
                let Some(place) = folder.below.as_ref().and_then(|(below, _)| below.place()) else { return Ok(()) };
                let stat = lstat(place)?;
                let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
                let last_modification = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ };
                futimens(fd, &Timestamps { last_access, last_modification })
            }
            Modified::Before | Modified::Now => Ok(()),
        }
    }

    fn names(&self) -> Names {
        match self.onto {
            Onto::Upper => Names::Stored,
            Onto::Tree => Names::Seen,
        }
    }
}

impl Target<'_> {
    fn path(&self) -> Vec<u8> {
        if self.folder_path.is_empty() {
            return self.name.to_bytes().to_vec();
        }
        [self.folder_path, b"/", self.name.to_bytes()].concat()
    }

    fn refused(&self, error: impl Into<std::io::Error>) -> WriteError {
        WriteError::system(path_of(&self.path()), error)
    }
}

impl SourceFolder<'_> {
    pub(super) fn open(&self) -> Result<OwnedFd, WriteError> {
        self.root.open_folder(&self.path).map_err(|error| WriteError::unreadable(&self.path, error))
    }
}

/// Sets owner and mode where they are others than `stat` says.
fn own(file: BorrowedFd<'_>, stat: &Stat, uid: u32, gid: u32, mode: u32) -> rustix::io::Result<()> {
    let is_owned = (stat.st_uid, stat.st_gid) == (uid, gid);
    if !is_owned {
        fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    // A new owner takes setuid and setgid away.
    if stat.st_mode & PERMISSIONS != mode || (!is_owned && mode & 0o6000 != 0) {
        fchmod(file, Mode::from_raw_mode(mode))?;
    }
    Ok(())
}

fn symlink(leaf: &Leaf<'_>, link: &CStr, target: &Target<'_>) -> rustix::io::Result<()> {
    symlinkat(link, target.folder, target.name)?;
    chown(leaf, target)?;
    utimensat(target.folder, target.name, &leaf.times, AtFlags::SYMLINK_NOFOLLOW)
}

fn special(leaf: &Leaf<'_>, kind: FileType, device: u64, target: &Target<'_>) -> rustix::io::Result<()> {
    // In an upper folder it would be a whiteout; an overlay refuses to make one too.
    if kind == FileType::CharacterDevice && device == 0 {
        return Err(Errno::PERM);
    }
    mknodat(target.folder, target.name, kind, Mode::from_raw_mode(0o600), device)?;
    chown(leaf, target)?;
    chmodat(target.folder, target.name, Mode::from_raw_mode(leaf.mode), AtFlags::empty())?;
    utimensat(target.folder, target.name, &leaf.times, AtFlags::SYMLINK_NOFOLLOW)
}

fn chown(leaf: &Leaf<'_>, target: &Target<'_>) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(leaf.uid), Gid::from_raw(leaf.gid));
    chownat(target.folder, target.name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
}

/// The folder and the name of a path that is not the root's.
fn parts(path: &[u8]) -> (&Path, &OsStr) {
    split(path_of(path)).expect("a leaf has a name")
}

fn path_of(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}

fn os_str(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}
