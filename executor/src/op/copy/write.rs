//! Writing what was selected into a tree: files, folders, links, with their modes, owners, attributes and times.
//!
//! The rules are BuildKit's: a folder's contents are copied, not the folder, so the folder that was named gives its
//! attributes to nothing; one below it gives them to what is made and to what is there. A file replaces a file, and
//! neither a folder a file nor a file a folder.

mod content;
mod leaf;
mod links;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, chmodat, chownat, mkdirat, openat, statat,
};
use rustix::io::Errno;

use super::attributes;
use super::mode::ModeChange;
use super::source::{Selected, Source};
use crate::fault::reason;
use crate::root::{LastLink, Root, kind, split};
use crate::select::Verdict;
use crate::tree::list;
use leaf::Leaf;
use links::Links;

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

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A folder of the source meets something else in the tree.
    #[error("cannot copy to non-directory: `/{}` exists and is no folder", .0.display())]
    FolderOverFile(PathBuf),
    /// A file of the source meets a folder in the tree.
    #[error("cannot replace to directory: `/{}` is a folder and would become a file", .0.display())]
    FileOverFolder(PathBuf),
    /// The system refused.
    #[error("cannot write `/{}`: {}", path.display(), reason(source))]
    System {
        /// Where in the tree.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The source could not be read.
    #[error("cannot read `{}`: {}", path.display(), reason(source))]
    Source {
        /// Where in the source.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes sources into a tree. Hard links among all that one writer copies are kept.
pub struct Writer<'a> {
    tree: &'a Root,
    owner: Owner,
    mode: Option<&'a ModeChange>,
    /// No file is changed later than this: seconds since 1970.
    latest: Option<i64>,
    links: Links,
}

/// A folder on the way down from the source that was named.
struct Level {
    from: OwnedFd,
    /// Below the source's root.
    path: PathBuf,
    /// Below the tree's root.
    target: PathBuf,
    /// Open once it is known that the folder is needed.
    to: Option<OwnedFd>,
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

impl<'a> Writer<'a> {
    /// A writer into `tree`.
    #[must_use]
    pub fn new(tree: &'a Root, owner: Owner, mode: Option<&'a ModeChange>) -> Self {
        Self { tree, owner, mode, latest: None, links: Links::default() }
    }

    /// The same, but nothing that it writes is changed later than this, in seconds since 1970.
    #[must_use]
    pub fn no_later_than(self, latest: Option<i64>) -> Self {
        Self { latest, ..self }
    }

    /// Copies one selected path to `destination`, an absolute path; a slash at its end demands a folder.
    ///
    /// # Errors
    /// If the source cannot be read, the tree cannot be written, or a file would meet a folder.
    pub fn copy(&mut self, source: &Source<'_>, selected: &Selected, destination: &str) -> Result<(), WriteError> {
        let wants_folder = destination.ends_with('/') || destination.ends_with("/.");
        let ensured = match destination.rsplit_once('/') {
            Some((folder, _)) if !wants_folder => folder,
            _ => destination,
        };
        let ensured = self.resolve(Path::new(ensured))?;
        self.make_folders(&ensured)?;

        let mut target = self.resolve(Path::new(destination))?;
        let found = self.stat(&target)?;
        let is_folder = kind(&selected.stat) == FileType::Directory;
        if !is_folder && found.is_some_and(|stat| kind(&stat) == FileType::Directory) {
            target.push(&selected.name);
        }
        let needed = if is_folder && found.is_none() { Some(target.as_path()) } else { target.parent() };
        if let Some(needed) = needed {
            self.make_folders(needed)?;
        }
        if is_folder {
            let from = source
                .root
                .open_folder(&selected.path)
                .map_err(|error| WriteError::Source { path: selected.path.clone(), source: error })?;
            let level = Level {
                from,
                path: selected.path.clone(),
                target,
                to: None,
                stat: selected.stat,
                depth: Depth::Named,
                verdict: Verdict::Take,
                created: false,
            };
            return self.folder(source, &mut vec![level], Verdict::Take);
        }
        let (parent, name) = split(&target).unwrap_or((Path::new(""), OsStr::new("")));
        let to = self.tree.open_folder(parent).map_err(|error| system(parent, error))?;
        let (from_parent, from_name) = split(&selected.path).unwrap_or((Path::new(""), OsStr::new(".")));
        let from = source
            .root
            .open_folder(from_parent)
            .map_err(|error| WriteError::Source { path: selected.path.clone(), source: error })?;
        let (from, path, stat) = (from.as_fd(), selected.path.as_path(), &selected.stat);
        self.leaf(&Leaf { from, from_name, path, stat, to: to.as_fd(), name, target: &target })
    }

    /// The folder at `destination`, made where it does not exist: its path below the tree's root, free of links.
    ///
    /// # Errors
    /// If something else is in its place.
    pub fn folder_at(&self, destination: &str) -> Result<PathBuf, WriteError> {
        let folder = self.resolve(Path::new(destination))?;
        self.make_folders(&folder)?;
        Ok(folder)
    }

    /// The tree that is written to.
    #[must_use]
    pub fn tree(&self) -> &'a Root {
        self.tree
    }

    /// Makes the folders of a resolved path that do not exist.
    ///
    /// # Errors
    /// If something on the way is no folder.
    pub fn make_folders(&self, resolved: &Path) -> Result<(), WriteError> {
        match self.stat(resolved)? {
            Some(stat) if kind(&stat) == FileType::Directory => return Ok(()),
            Some(_) => return Err(WriteError::FolderOverFile(resolved.to_owned())),
            None => (),
        }
        let Some((parent, name)) = split(resolved) else { return Ok(()) };
        self.make_folders(parent)?;
        let failed = |error: Errno| system(resolved, error);
        let folder = self.tree.open_folder(parent).map_err(|error| system(parent, error))?;
        mkdirat(&folder, name, Mode::from_raw_mode(0o755)).map_err(failed)?;
        let (uid, gid) = match self.owner {
            Owner::Kept => (0, 0),
            Owner::Set { uid, gid } => (uid, gid),
        };
        chown(folder.as_fd(), name, uid, gid).map_err(failed)?;
        let mode = match self.mode {
            Some(ModeChange::Absolute(mode)) => *mode,
            _ => 0o755,
        };
        // A folder in a folder of setgid has it too.
        let inherited = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?.st_mode & 0o2000;
        chmodat(&folder, name, Mode::from_raw_mode(mode | inherited), AtFlags::empty()).map_err(failed)
    }

    /// Copies the contents of the last level's folder, and the folder itself once something in it is shown.
    fn folder(&mut self, source: &Source<'_>, levels: &mut Vec<Level>, verdict: Verdict) -> Result<(), WriteError> {
        let unreadable = |path: &Path, error: io::Error| WriteError::Source { path: path.to_owned(), source: error };
        let last = levels.len() - 1;
        if verdict == Verdict::Take {
            self.open_levels(levels)?;
        }
        let names = list::names(&levels[last].from).map_err(|error| unreadable(&levels[last].path, error.into()))?;
        for name in names {
            let name = OsStr::from_bytes(name.to_bytes());
            let path = levels[last].path.join(name);
            let stat = statat(&levels[last].from, name, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| unreadable(&path, error.into()))?;
            let verdict = source.verdict(&path, &stat);
            let is_folder = kind(&stat) == FileType::Directory;
            match verdict {
                Verdict::Skip => continue,
                Verdict::Enter if !is_folder => continue,
                Verdict::Enter | Verdict::Take => (),
            }
            let target = levels[last].target.join(name);
            if is_folder {
                let from = openat(&levels[last].from, name, FOLDER, Mode::empty())
                    .map_err(|error| unreadable(&path, error.into()))?;
                let depth = Depth::Below;
                levels.push(Level { from, path, target, to: None, stat, depth, verdict, created: false });
                self.folder(source, levels, verdict)?;
                levels.pop();
            } else {
                self.open_levels(levels)?;
                let level = &levels[last];
                let to = level.to.as_ref().expect("it has just been opened");
                let from = level.from.as_fd();
                self.leaf(&Leaf {
                    from,
                    from_name: name,
                    path: &path,
                    stat: &stat,
                    to: to.as_fd(),
                    name,
                    target: &target,
                })?;
            }
        }
        self.finish_folder(&levels[last])
    }

    /// Makes and opens the folders of all levels that are not open yet, outermost first.
    fn open_levels(&self, levels: &mut [Level]) -> Result<(), WriteError> {
        for index in 0..levels.len() {
            if levels[index].to.is_some() {
                continue;
            }
            let (parents, rest) = levels.split_at_mut(index);
            let level = &mut rest[0];
            let failed = |error: Errno| system(&level.target, error);
            let to = match (parents.last().and_then(|parent| parent.to.as_ref()), level.target.file_name()) {
                (Some(parent), Some(name)) => {
                    match mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
                        Ok(()) => level.created = true,
                        Err(Errno::EXIST) => (),
                        Err(error) => return Err(failed(error)),
                    }
                    openat(parent, name, FOLDER.union(OFlags::NOFOLLOW), Mode::empty()).map_err(
                        |error| match error {
                            Errno::NOTDIR | Errno::LOOP => WriteError::FolderOverFile(level.target.clone()),
                            error => failed(error),
                        },
                    )?
                }
                // The folder that was named: it has been resolved, and made where it did not exist.
                _ => match self.tree.open_folder(&level.target) {
                    Ok(folder) => folder,
                    Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                        return Err(WriteError::FolderOverFile(level.target.clone()));
                    }
                    Err(error) => return Err(system(&level.target, error)),
                },
            };
            level.to = Some(to);
        }
        Ok(())
    }

    /// Gives a folder its attributes, after its contents, since writing them changes its times.
    fn finish_folder(&self, level: &Level) -> Result<(), WriteError> {
        let Some(to) = &level.to else { return Ok(()) };
        // The folder that was named is made like any parent, or was there; either way it keeps its own attributes.
        if level.depth == Depth::Named {
            return Ok(());
        }
        let failed = |error: Errno| system(&level.target, error);
        // One that was there and is only passed through takes no more than the mode.
        if level.verdict == Verdict::Enter && !level.created {
            return rustix::fs::fchmod(to, Mode::from_raw_mode(level.stat.st_mode & 0o7777)).map_err(failed);
        }
        let (uid, gid) = self.owner_of(&level.stat);
        rustix::fs::fchown(to, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).map_err(failed)?;
        rustix::fs::fchmod(to, Mode::from_raw_mode(self.mode_of(&level.stat))).map_err(failed)?;
        attributes::copy(level.from.as_fd(), to.as_fd()).map_err(failed)?;
        rustix::fs::futimens(to, &self.times(&level.stat)).map_err(failed)
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
        let mode = stat.st_mode & 0o7777;
        self.mode.map_or(mode, |change| change.apply(mode, kind(stat) == FileType::Directory))
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, WriteError> {
        self.tree.resolve(path, LastLink::Follow).map_err(|error| system(path, error))
    }

    fn stat(&self, resolved: &Path) -> Result<Option<Stat>, WriteError> {
        self.tree.stat(resolved).map_err(|error| system(resolved, error))
    }
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn chown(folder: BorrowedFd<'_>, name: &OsStr, uid: u32, gid: u32) -> rustix::io::Result<()> {
    chownat(folder, name, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::SYMLINK_NOFOLLOW)
}

fn system(path: &Path, error: impl Into<io::Error>) -> WriteError {
    WriteError::System { path: path.strip_prefix("/").unwrap_or(path).to_owned(), source: error.into() }
}

/// A name that `Selected` may take.
pub(super) fn base_name(path: &Path) -> OsString {
    path.file_name().map_or_else(OsString::new, OsStr::to_owned)
}
