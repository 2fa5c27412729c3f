//! Where a path of a tree really leads, links followed as the tree's own root directory would have them, and whether
//! something is there. Nothing runs in the tree yet, so what is found stays true.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

/// As many links as the kernel follows (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// The end of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The path from the root, without links, `.` and `..`; empty for the root itself.
    pub(super) path: PathBuf,
    /// What is there; `None` for nothing.
    pub(super) kind: Option<FileType>,
}

/// Follows `path` from `root`. What is missing on the way counts as folders to be made.
pub(super) fn resolve(root: BorrowedFd<'_>, path: &Path) -> Result<Place, Errno> {
    let mut waiting = names(path);
    let mut done = PathBuf::new();
    let mut kinds = vec![Some(FileType::Directory)];
    let mut links = 0;
    while let Some(name) = waiting.pop_front() {
        if name == ".." {
            if done.pop() {
                kinds.pop();
            }
            continue;
        }
        match kinds.last().copied().flatten() {
            Some(FileType::Directory) => {}
            Some(_) => return Err(Errno::NOTDIR),
            None => {
                done.push(name);
                kinds.push(None);
                continue;
            }
        }
        done.push(name);
        let kind = kind(root, &done)?;
        if kind != Some(FileType::Symlink) {
            kinds.push(kind);
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(Errno::LOOP);
        }
        let link = rustix::fs::readlinkat(root, &done, Vec::new())?;
        let link = PathBuf::from(OsString::from_vec(link.into_bytes()));
        done.pop();
        if link.is_absolute() {
            done.clear();
            kinds.truncate(1);
        }
        for name in names(&link).into_iter().rev() {
            waiting.push_front(name);
        }
    }
    let kind = kinds.pop().flatten();
    Ok(Place { path: done, kind })
}

/// What lies at a path that has no links before its last name; `None` for nothing.
pub(super) fn kind(root: BorrowedFd<'_>, path: &Path) -> Result<Option<FileType>, Errno> {
    match rustix::fs::statat(root, path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    let name = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs;
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_stay_in_the_tree_and_missing_parts_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/file"), "").unwrap();
        symlink("../../../etc/x", root.join("a/up")).unwrap();
        symlink("/a", root.join("absolute")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let open = fs::File::open(root).unwrap();
        let found = |path: &str| {
            let place = resolve(open.as_fd(), Path::new(path));
            place.map(|place| (place.path.to_str().unwrap().to_owned(), place.kind))
        };
        let folder = Some(FileType::Directory);
        assert_eq!(found("/"), Ok((String::new(), folder)));
        assert_eq!(found("/../.."), Ok((String::new(), folder)));
        assert_eq!(found("/absolute/b"), Ok(("a/b".to_owned(), folder)));
        assert_eq!(found("/a/file"), Ok(("a/file".to_owned(), Some(FileType::RegularFile))));
        assert_eq!(found("/a/up"), Ok(("etc/x".to_owned(), None)));
        assert_eq!(found("/none/deep/../x"), Ok(("none/x".to_owned(), None)));
        assert_eq!(found("/none/../a/b/."), Ok(("a/b".to_owned(), folder)));
        assert_eq!(found("/a/file/x"), Err(Errno::NOTDIR));
        assert_eq!(found("/loop"), Err(Errno::LOOP));
    }
}
