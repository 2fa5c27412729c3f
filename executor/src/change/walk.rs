//! One walk over an upper folder: brings it into its normal form in place, and hashes the contents of its files.
//!
//! After it, the folder holds nothing but what a layer can express, and each thing in one way only:
//! - no attributes of the overlay's own, except the opaque mark;
//! - an opaque mark or a whiteout only where there is something below for it to hide;
//! - no sockets: nothing can connect to one that outlived its process, and tar knows none;
//! - no folder that is as it was below and in which nothing changed.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use blake3::Hash;
use rayon::prelude::*;
use rustix::fs::{AtFlags, FileType, Stat, Timespec, Timestamps, UTIME_OMIT, futimens, readlinkat, statat, unlinkat};

use super::error::Error;
use super::node::{Content, Folder, Inode, Kind, Leaf, Node, Origin, shared_inode};
use crate::fault::{At, PathError};
use crate::tree::attributes::Attributes;
use crate::tree::lookup::{self, Found};
use crate::tree::mark::{self, Opacity};
use crate::tree::xattr::{self, Class, Source};
use crate::tree::{content, list};

/// The overlay's attributes that say that part of the content lies elsewhere.
const ELSEWHERE: [&[u8]; 3] = [b"user.overlay.redirect", b"user.overlay.metacopy", b"user.overlay.whiteout"];

/// What the threads of one walk share.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The files of several names, each hashed under the first of them that was come to.
    linked: Mutex<HashMap<Inode, Option<Hash>>>,
}

impl Walk {
    /// The hash of a file of several names.
    pub(super) fn hash_of(&self, inode: Inode) -> Option<Hash> {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).get(&inode).copied().flatten()
    }

    /// Walks an open folder of the upper folder. `path` leads to it and `stat` is its status; `below` is the folder
    /// that it is merged with or replaces.
    pub(super) fn folder(
        &self,
        fd: &OwnedFd,
        path: &Path,
        stat: &Stat,
        below: Option<&lookup::Folder<'_>>,
    ) -> Result<Folder, Error> {
        let mut opacity = own_attributes(fd, path)?;
        if opacity == Opacity::Opaque && below.is_none() {
            xattr::remove(fd, xattr::OPAQUE).at("remove the opaque mark of", path)?;
            opacity = Opacity::Merged;
        }
        let below = below.filter(|_| opacity == Opacity::Merged);
        let attributes = Attributes::read(stat, Source::Open(fd.as_fd())).at("read the attributes of", path)?;
        let origin = match below {
            Some(below) if below.attributes()? == attributes => Origin::Carried,
            _ => Origin::Changed,
        };
        let names = list::names(fd).at("list", path)?;
        let before = names.len();
        let children = names
            .into_par_iter()
            .filter_map(|name| self.child(fd, path, name, below).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        if children.len() != before {
            // What was removed was never part of the change, so the folder's time is what it was.
            let keep = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
            let modified = Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ };
            futimens(fd, &Timestamps { last_access: keep, last_modification: modified }).at("set the time of", path)?;
        }
        Ok(Folder { attributes, opacity, origin, children })
    }

    /// One entry of a folder; `None` if it is not part of the change, and then it is removed.
    fn child(
        &self,
        folder: &OwnedFd,
        folder_path: &Path,
        name: CString,
        below: Option<&lookup::Folder<'_>>,
    ) -> Result<Option<Node>, Error> {
        let path = || folder_path.join(OsStr::from_bytes(name.to_bytes()));
        let stat = statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(at("look at", &path))?;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice if mark::is_whiteout(&stat) => {
                if !hides_something(below, &name)? {
                    unlinkat(folder, &name, AtFlags::empty()).map_err(at("remove the whiteout", &path))?;
                    return Ok(None);
                }
                Kind::Whiteout
            }
            FileType::Socket => {
                unlinkat(folder, &name, AtFlags::empty()).map_err(at("remove the socket", &path))?;
                if !hides_something(below, &name)? {
                    return Ok(None);
                }
                // It had replaced something, which must not come back.
                mark::put_whiteout(folder, &name).map_err(at("make the whiteout", &path))?;
                Kind::Whiteout
            }
            FileType::Directory => {
                let path = path();
                let fd = list::open_folder(folder, &name).at("open", &path)?;
                let same = match below.map(|below| below.child(os_str(&name))).transpose()? {
                    Some(Found::Folder(same)) => Some(same),
                    _ => None,
                };
                let inner = self.folder(&fd, &path, &stat, same.as_ref())?;
                if inner.origin == Origin::Carried && inner.children.is_empty() {
                    unlinkat(folder, &name, AtFlags::REMOVEDIR).at("remove the unchanged folder", &path)?;
                    return Ok(None);
                }
                Kind::Folder(inner)
            }
            FileType::RegularFile => Kind::Leaf(self.file(folder, &name, &stat, &path)?),
            FileType::Symlink => {
                let target = readlinkat(folder, &name, Vec::new()).map_err(at("read the link", &path))?;
                Kind::Leaf(leaf(&stat, Content::Symlink(target.into_bytes())))
            }
            kind => Kind::Leaf(leaf(&stat, Content::Special(kind, stat.st_rdev))),
        };
        Ok(Some(Node { name, kind }))
    }

    fn file(&self, folder: &OwnedFd, name: &CStr, stat: &Stat, path: &dyn Fn() -> PathBuf) -> Result<Leaf, Error> {
        let inode = shared_inode(stat);
        let fd = list::open_file(folder, name).map_err(at("open", path))?;
        if has_own_attributes(&fd).map_err(at("read the attributes of", path))? {
            own_attributes(&fd, &path())?;
        }
        let attributes =
            Attributes::read(stat, Source::Open(fd.as_fd())).map_err(at("read the attributes of", path))?;
        let size = stat.st_size.unsigned_abs();
        if inode.is_some_and(|inode| !self.comes_first(inode)) {
            return Ok(Leaf { attributes, inode, content: Content::File { hash: None, size } });
        }
        let (hash, size) = content::hash(&fd, size).map_err(at("read", path))?;
        if let Some(inode) = inode {
            self.linked.lock().unwrap_or_else(PoisonError::into_inner).insert(inode, Some(hash));
        }
        Ok(Leaf { attributes, inode, content: Content::File { hash: Some(hash), size } })
    }

    /// Says whether no thread has come to this file yet, and notes that one has.
    fn comes_first(&self, inode: Inode) -> bool {
        let mut linked = self.linked.lock().unwrap_or_else(PoisonError::into_inner);
        match linked.entry(inode) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(None);
                true
            }
        }
    }
}

fn leaf(stat: &Stat, content: Content) -> Leaf {
    Leaf { attributes: Attributes::plain(stat), inode: shared_inode(stat), content }
}

fn hides_something(below: Option<&lookup::Folder<'_>>, name: &CStr) -> Result<bool, PathError> {
    let Some(below) = below else { return Ok(false) };
    Ok(!matches!(below.child(os_str(name))?, Found::Absent))
}

fn has_own_attributes(fd: &OwnedFd) -> rustix::io::Result<bool> {
    Ok(xattr::names(Source::Open(fd.as_fd()))?.iter().any(|name| Class::of(name.to_bytes()) == Class::Overlay))
}

/// Removes the overlay's own attributes, except the opaque mark, which it returns.
fn own_attributes(fd: &OwnedFd, path: &Path) -> Result<Opacity, Error> {
    let source = Source::Open(fd.as_fd());
    let mut opacity = Opacity::Merged;
    for name in xattr::names(source).at("read the attributes of", path)? {
        if Class::of(name.to_bytes()) != Class::Overlay {
            continue;
        }
        if name.as_c_str() == xattr::OPAQUE {
            opacity = mark::opacity(source).at("read the opaque mark of", path)?;
            if opacity == Opacity::Opaque {
                continue;
            }
        } else if ELSEWHERE.contains(&name.to_bytes()) {
            return Err(Error::Overlay { path: path.to_owned(), attribute: name.to_string_lossy().into_owned() });
        }
        xattr::remove(fd, &name).at("remove an overlay attribute of", path)?;
    }
    Ok(opacity)
}

fn os_str(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}

/// Names the path of a failed operation only once it has failed: there are many files.
fn at(operation: &'static str, path: &dyn Fn() -> PathBuf) -> impl Fn(rustix::io::Errno) -> PathError {
    move |error| PathError::new(operation, path(), error)
}
