//! [`Root`]: an open folder that paths are resolved below; no symbolic link and no `..` leads out of it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, openat, openat2, readlinkat, statat};
use rustix::io::Errno;

use crate::fault::{At, PathError};
use crate::overlay::MountedRoot;

/// How many symbolic links one path may lead through, as in the kernel.
const MOST_LINKS: usize = 40;

/// An open folder that paths are resolved below.
#[derive(Debug)]
pub struct Root {
    folder: OwnedFd,
}

/// What becomes of a symbolic link that a path ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastLink {
    /// It is followed, like those on the way.
    Follow,
    /// The link itself is meant.
    Keep,
}

impl Root {
    /// Opens a folder as a root.
    ///
    /// # Errors
    /// If there is no such folder.
    pub fn open(path: &Path) -> Result<Self, PathError> {
        openat(CWD, path, FOLDER, Mode::empty()).at("open the folder", path).map(Self::new)
    }

    /// A root that is open already.
    #[must_use]
    pub fn new(folder: OwnedFd) -> Self {
        Self { folder }
    }

    /// The root of a mounted tree.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn of(mounted: &MountedRoot) -> Result<Self, PathError> {
        openat(mounted, ".", FOLDER, Mode::empty()).at("open", Path::new("/")).map(Self::new)
    }

    /// The same root once more.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn again(&self) -> Result<Self, PathError> {
        openat(&self.folder, ".", FOLDER, Mode::empty()).at("open", Path::new(".")).map(Self::new)
    }

    /// The path below the root that `path` means, free of links and relative to the root. What does not exist is taken
    /// as it is written; so `..` cannot lead above the root, and a link to nowhere is a path to nowhere.
    ///
    /// # Errors
    /// If the path leads through too many links, or a folder on it cannot be searched.
    pub fn resolve(&self, path: &Path, last: LastLink) -> io::Result<PathBuf> {
        self.resolve_noting(path, last, |_, _| Ok(()))
    }

    /// The same; `note` is told each path that is looked at, all free of links, and what is there.
    ///
    /// # Errors
    /// As [`Root::resolve`], and what `note` fails with.
    pub fn resolve_noting(
        &self,
        path: &Path,
        last: LastLink,
        mut note: impl FnMut(&Path, Option<&Stat>) -> io::Result<()>,
    ) -> io::Result<PathBuf> {
        resolve(path, last, |path| {
            let found = self.stat(path)?;
            note(path, found.as_ref())?;
            let is_link = found.is_some_and(|stat| kind(&stat) == FileType::Symlink);
            is_link.then(|| self.link_target(path)).transpose()
        })
    }

    /// What is at a path that [`Root::resolve`] gave; `None` if nothing is.
    ///
    /// # Errors
    /// If a folder on it cannot be searched, or has become a link.
    pub fn stat(&self, resolved: &Path) -> io::Result<Option<Stat>> {
        let found = match split(resolved) {
            None => rustix::fs::fstat(&self.folder),
            Some((parent, name)) => self
                .open_at(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC)
                .and_then(|parent| statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)),
        };
        match found {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the folder at a resolved path.
    ///
    /// # Errors
    /// If there is none.
    pub fn open_folder(&self, resolved: &Path) -> io::Result<OwnedFd> {
        Ok(self.open_at(resolved, FOLDER)?)
    }

    /// Opens the file at a resolved path for reading.
    ///
    /// # Errors
    /// If there is none, or it may not be read.
    pub fn open_file(&self, resolved: &Path) -> io::Result<File> {
        Ok(File::from(self.open_at(resolved, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW)?))
    }

    /// Reads the whole file that `path` means, links followed; `None` if there is none.
    ///
    /// # Errors
    /// If it may not be read.
    pub fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let resolved = self.resolve(path, LastLink::Follow)?;
        let mut bytes = Vec::new();
        match self.open_file(&resolved) {
            Ok(mut file) => io::Read::read_to_end(&mut file, &mut bytes).map(|_| Some(bytes)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The target of the link at a resolved path.
    ///
    /// # Errors
    /// If it is no link.
    pub fn link_target(&self, resolved: &Path) -> io::Result<PathBuf> {
        let (parent, name) = split(resolved).ok_or(Errno::INVAL)?;
        let target = readlinkat(self.open_folder(parent)?, name, Vec::new())?;
        Ok(PathBuf::from(OsString::from_vec(target.into_bytes())))
    }

    fn open_at(&self, resolved: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = if resolved.as_os_str().is_empty() { Path::new(".") } else { resolved };
        openat2(&self.folder, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

/// The path from a tree's root that `path` means there. `link_target` says where the link leads that is at a path free of links;
/// `None` if there is no link.
///
/// # Errors
/// If the path leads through too many links, and what `link_target` fails with.
pub(crate) fn resolve(
    path: &Path,
    last: LastLink,
    mut link_target: impl FnMut(&Path) -> io::Result<Option<PathBuf>>,
) -> io::Result<PathBuf> {
    let mut rest: Vec<OsString> = components(path);
    let mut resolved = PathBuf::new();
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == ".." {
            resolved.pop();
            continue;
        }
        let next = resolved.join(&name);
        let is_followed = last == LastLink::Follow || !rest.is_empty();
        let Some(target) = is_followed.then(|| link_target(&next)).transpose()?.flatten() else {
            resolved = next;
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        if target.is_absolute() {
            resolved = PathBuf::new();
        }
        rest.extend(components(&target));
    }
    Ok(resolved)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The type of what a `stat` found.
#[must_use]
pub fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// The parent and the name; `None` for the root.
#[must_use]
pub fn split(resolved: &Path) -> Option<(&Path, &OsStr)> {
    Some((resolved.parent()?, resolved.file_name()?))
}

/// The names of a path, last first.
fn components(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/file"), "x").unwrap();
        symlink("/a/b", at("absolute")).unwrap();
        symlink("../../../../a", at("a/up")).unwrap();
        symlink("loop", at("loop")).unwrap();
        symlink("missing/deep", at("dangling")).unwrap();
        let root = Root::open(folder.path()).unwrap();
        (folder, root)
    }

    #[test]
    fn links_stay_below_the_root() {
        let (_folder, root) = tree();
        let resolve = |path: &str| root.resolve(Path::new(path), LastLink::Follow).unwrap();
        assert_eq!(resolve("/absolute/file"), Path::new("a/b/file"));
        assert_eq!(resolve("a/up/b/file"), Path::new("a/b/file"));
        assert_eq!(resolve("../../a/../a/b"), Path::new("a/b"));
        assert_eq!(resolve("dangling/x"), Path::new("missing/deep/x"));
        assert_eq!(resolve("/"), Path::new(""));
    }

    #[test]
    fn the_last_link_can_be_kept() {
        let (_folder, root) = tree();
        assert_eq!(root.resolve(Path::new("absolute"), LastLink::Keep).unwrap(), Path::new("absolute"));
        assert_eq!(root.resolve(Path::new("absolute/"), LastLink::Keep).unwrap(), Path::new("absolute"));
    }

    #[test]
    fn a_loop_is_an_error_and_not_an_endless_one() {
        let (_folder, root) = tree();
        let error = root.resolve(Path::new("loop/x"), LastLink::Follow).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::LOOP));
    }

    #[test]
    fn a_file_on_the_way_is_nothing_below_it() {
        let (_folder, root) = tree();
        assert!(root.stat(Path::new("a/b/file/x")).unwrap().is_none());
        assert_eq!(root.read(Path::new("absolute/file")).unwrap().unwrap(), b"x");
        assert!(root.read(Path::new("nothing")).unwrap().is_none());
    }
}
