//! [`Writer`]: puts what was selected into a draft of the tree, by the rules of BuildKit.
//!
//! Folders are merged, what is no folder is replaced, and links on the way to the destination are followed inside the tree; but
//! neither replaces a folder a file nor a file a folder.

use std::collections::HashMap;
use std::ffi::{CString, OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps, openat, statat};
use rustix::io::Errno;

use super::mode::ModeChange;
use super::source::{Filter, Selected};
use crate::draft::{Draft, FolderId, Kind, Leaf, LeafId, Place, SourceFolder, WriteError};
use crate::root::{Root, kind, split};
use crate::select::Verdict;
use crate::tree::attributes::{Attributes, PERMISSIONS};
use crate::tree::inode::{Inode, shared_inode};
use crate::tree::list;
use crate::tree::xattr::{self, Xattrs};

/// Who owns what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Whoever owns the source.
    Kept,
    /// This user and this group.
    Set {
        /// The numeric user id.
        uid: u32,
        /// The numeric group id.
        gid: u32,
    },
}

/// Puts sources into a draft. Hard links among all that one writer copies are kept.
pub struct Writer<'d, 'a> {
    draft: &'d mut Draft<'a>,
    owner: Owner,
    mode: Option<&'d ModeChange>,
    /// No file is changed later than this: seconds since 1970.
    latest: Option<i64>,
    /// The files of several names that were copied, by what they are in the source.
    links: HashMap<Inode, LeafId>,
}

/// A folder on the way down from the source that was named.
struct Level<'a> {
    from: OwnedFd,
    source: Arc<SourceFolder<'a>>,
    /// Below the tree's root.
    target: PathBuf,
    /// Set once it is known that the folder is needed.
    to: Option<FolderId>,
    stat: Stat,
    depth: Depth,
    verdict: Verdict,
    created: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Named,
    Below,
}

impl<'d, 'a> Writer<'d, 'a> {
    /// A writer into `draft`.
    #[must_use]
    pub fn new(draft: &'d mut Draft<'a>, owner: Owner, mode: Option<&'d ModeChange>) -> Self {
        Self { draft, owner, mode, latest: None, links: HashMap::new() }
    }

    /// The same, but nothing that it writes is changed later than this, in seconds since 1970.
    #[must_use]
    pub fn no_later_than(self, latest: Option<i64>) -> Self {
        Self { latest, ..self }
    }

    /// Copies one selected path of `root`, as far as `filter` shows it, to `destination`, an absolute path; a slash at its end
    /// demands a folder.
    ///
    /// # Errors
    /// If the source or the tree cannot be read, or a file would meet a folder.
    pub fn copy(
        &mut self,
        root: &'a Root,
        filter: &Filter<'_>,
        selected: &Selected,
        destination: &str,
    ) -> Result<(), WriteError> {
        let wants_folder = destination.ends_with('/') || destination.ends_with("/.");
        let ensured = match destination.rsplit_once('/') {
            Some((folder, _)) if !wants_folder => folder,
            _ => destination,
        };
        let ensured = self.draft.resolve(Path::new(ensured))?;
        self.make_folders(&ensured)?;

        let mut target = self.draft.resolve(Path::new(destination))?;
        let found = self.draft.place(&target)?;
        let is_folder = kind(&selected.stat) == FileType::Directory;
        if !is_folder && found == Place::Folder {
            target.push(&selected.name);
        }
        let needed = if is_folder && found == Place::Nothing { Some(target.as_path()) } else { target.parent() };
        if let Some(needed) = needed {
            self.make_folders(needed)?;
        }
        if is_folder {
            let level = Level {
                from: root
                    .open_folder(&selected.path)
                    .map_err(|error| WriteError::unreadable(&selected.path, error))?,
                source: Arc::new(SourceFolder { root, path: selected.path.clone() }),
                target,
                to: None,
                stat: selected.stat,
                depth: Depth::Named,
                verdict: Verdict::Take,
                created: false,
            };
            return self.folder(filter, &mut vec![level], Verdict::Take);
        }
        let (parent, name) = split(&target).unwrap_or((Path::new(""), OsStr::new("")));
        let to = self.draft.folder(parent)?;
        let name = c_name(name).map_err(|error| WriteError::system(&target, error))?;
        let (from, from_name) = split(&selected.path).unwrap_or((Path::new(""), OsStr::new(".")));
        let from_name = c_name(from_name).map_err(|error| WriteError::unreadable(&selected.path, error))?;
        let from = Arc::new(SourceFolder { root, path: from.to_owned() });
        self.leaf(&from, from_name, &selected.stat, to, name, &target)
    }

    /// The folder at `destination`, made where it does not exist: its path below the tree's root, free of links.
    ///
    /// # Errors
    /// If something else is in its place.
    pub fn folder_at(&mut self, destination: &str) -> Result<PathBuf, WriteError> {
        let folder = self.draft.resolve(Path::new(destination))?;
        self.make_folders(&folder)?;
        Ok(folder)
    }

    /// Makes the folders of a resolved path that do not exist.
    fn make_folders(&mut self, resolved: &Path) -> Result<(), WriteError> {
        match self.draft.place(resolved)? {
            Place::Folder => return Ok(()),
            Place::Link | Place::Other => return Err(WriteError::FolderOverFile(resolved.to_owned())),
            Place::Nothing => (),
        }
        let Some((parent, name)) = split(resolved) else { return Ok(()) };
        self.make_folders(parent)?;
        let parent = self.draft.folder(parent)?;
        let (uid, gid) = match self.owner {
            Owner::Kept => (0, 0),
            Owner::Set { uid, gid } => (uid, gid),
        };
        let mode = match self.mode {
            Some(ModeChange::Absolute(mode)) => *mode,
            _ => 0o755,
        };
        // A folder in a folder of setgid has it too.
        let inherited = self.draft.attributes(parent).mode & 0o2000;
        let name = c_name(name).map_err(|error| WriteError::system(resolved, error))?;
        self.draft.make(parent, &name, Attributes { mode: mode | inherited, uid, gid, xattrs: Xattrs::default() });
        Ok(())
    }

    /// Copies the contents of the last level's folder, and the folder itself once something in it is shown.
    fn folder(&mut self, filter: &Filter<'_>, levels: &mut Vec<Level<'a>>, verdict: Verdict) -> Result<(), WriteError> {
        let last = levels.len() - 1;
        if verdict == Verdict::Take {
            self.open_levels(levels)?;
        }
        let names = list::names(&levels[last].from)
            .map_err(|error| WriteError::unreadable(&levels[last].source.path, error))?;
        for name in names {
            let path = levels[last].source.path.join(OsStr::from_bytes(name.to_bytes()));
            let stat = statat(&levels[last].from, &name, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| WriteError::unreadable(&path, error))?;
            let verdict = filter(&path, kind(&stat));
            let is_folder = kind(&stat) == FileType::Directory;
            match verdict {
                Verdict::Skip => continue,
                Verdict::Enter if !is_folder => continue,
                Verdict::Enter | Verdict::Take => (),
            }
            let target = levels[last].target.join(OsStr::from_bytes(name.to_bytes()));
            if is_folder {
                let from = openat(&levels[last].from, &name, FOLDER, Mode::empty())
                    .map_err(|error| WriteError::unreadable(&path, error))?;
                let folder = Arc::new(SourceFolder { root: levels[last].source.root, path });
                let depth = Depth::Below;
                levels.push(Level { from, source: folder, target, to: None, stat, depth, verdict, created: false });
                self.folder(filter, levels, verdict)?;
                levels.pop();
            } else {
                self.open_levels(levels)?;
                let level = &levels[last];
                let to = level.to.expect("it has just been found");
                self.leaf(&level.source, name.clone(), &stat, to, name, &target)?;
            }
        }
        self.finish_folder(&levels[last])
    }

    /// Finds or makes the folders of all levels that are not known yet, outermost first.
    fn open_levels(&mut self, levels: &mut [Level<'a>]) -> Result<(), WriteError> {
        for index in 0..levels.len() {
            if levels[index].to.is_some() {
                continue;
            }
            let (parents, rest) = levels.split_at_mut(index);
            let level = &mut rest[0];
            let to = match (parents.last().and_then(|parent| parent.to), level.target.file_name()) {
                (Some(parent), Some(name)) => {
                    let name = c_name(name).map_err(|error| WriteError::system(&level.target, error))?;
                    match self.draft.enter(parent, &name, &level.target)? {
                        Some(folder) => folder,
                        None => {
                            level.created = true;
                            self.draft.make(parent, &name, Attributes::plain(&level.stat))
                        }
                    }
                }
                // The folder that was named: it has been resolved, and made where it did not exist.
                _ => self.draft.folder(&level.target)?,
            };
            level.to = Some(to);
        }
        Ok(())
    }

    /// Gives a folder its attributes, after its contents, since writing them changes its times.
    fn finish_folder(&mut self, level: &Level<'a>) -> Result<(), WriteError> {
        let Some(to) = level.to else { return Ok(()) };
        // The folder that was named is made like any parent, or was there; either way it keeps its own attributes.
        if level.depth == Depth::Named {
            return Ok(());
        }
        let before = self.draft.attributes(to).clone();
        // One that was there and is only passed through takes no more than the mode.
        if level.verdict == Verdict::Enter && !level.created {
            self.draft.set(to, Attributes { mode: level.stat.st_mode & PERMISSIONS, ..before }, None);
            return Ok(());
        }
        let (uid, gid) = self.owner_of(&level.stat);
        let found = Xattrs::read(xattr::Source::Open(level.from.as_fd()));
        let found = found.map_err(|error| WriteError::unreadable(&level.source.path, error))?;
        let xattrs = before.xattrs.overlaid(&found.stored());
        let attributes = Attributes { mode: self.mode_of(&level.stat), uid, gid, xattrs };
        self.draft.set(to, attributes, Some(self.times(&level.stat)));
        Ok(())
    }

    /// Copies something that is no folder, over a file that is in its place.
    fn leaf(
        &mut self,
        from: &Arc<SourceFolder<'a>>,
        from_name: CString,
        stat: &Stat,
        to: FolderId,
        name: CString,
        target: &Path,
    ) -> Result<(), WriteError> {
        let kind = match kind(stat) {
            // A socket means nothing without the process that listens on it. It is not copied, and it replaces nothing.
            FileType::Socket => return Ok(()),
            FileType::RegularFile => {
                Kind::File { size: stat.st_size.unsigned_abs(), room: stat.st_blocks.unsigned_abs() * BLOCK }
            }
            FileType::Symlink => Kind::Symlink,
            kind => Kind::Special(kind, stat.st_rdev),
        };
        self.draft.check_no_folder(to, &name, target)?;
        let shared = shared_inode(stat).filter(|_| matches!(kind, Kind::File { .. }));
        let leaf = match shared.and_then(|inode| self.links.get(&inode)) {
            Some(leaf) => *leaf,
            None => {
                let (uid, gid) = self.owner_of(stat);
                let (mode, times) = (self.mode_of(stat), self.times(stat));
                let leaf = Leaf { from: Arc::clone(from), name: from_name, kind, mode, uid, gid, times };
                let leaf = self.draft.leaf(leaf);
                shared.map(|inode| self.links.insert(inode, leaf));
                leaf
            }
        };
        self.draft.put(to, name, leaf);
        Ok(())
    }

    fn owner_of(&self, stat: &Stat) -> (u32, u32) {
        match self.owner {
            Owner::Kept => (stat.st_uid, stat.st_gid),
            Owner::Set { uid, gid } => (uid, gid),
        }
    }

    fn times(&self, stat: &Stat) -> Timestamps {
        let time = |seconds: i64, nanoseconds: u64| match self.latest {
            Some(latest) if seconds >= latest => Timespec { tv_sec: latest, tv_nsec: 0 },
            _ => Timespec { tv_sec: seconds, tv_nsec: i64::try_from(nanoseconds).unwrap_or_default() },
        };
        Timestamps {
            last_access: time(stat.st_atime, stat.st_atime_nsec),
            last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
        }
    }

    fn mode_of(&self, stat: &Stat) -> u32 {
        let mode = stat.st_mode & PERMISSIONS;
        self.mode.map_or(mode, |change| change.apply(mode, kind(stat) == FileType::Directory))
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// Bytes in the unit of `st_blocks`, whatever the file system's own block is (stat(3type)).
const BLOCK: u64 = 512;

fn c_name(name: &OsStr) -> rustix::io::Result<CString> {
    CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)
}

/// A name that `Selected` may take.
pub(super) fn base_name(path: &Path) -> OsString {
    path.file_name().map_or_else(OsString::new, OsStr::to_owned)
}
