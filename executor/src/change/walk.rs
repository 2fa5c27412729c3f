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
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, fstat, futimens, openat, readlinkat,
    statat, unlinkat,
};
use rustix::io::Errno;

use super::error::Error;
use super::node::{Cleaning, Content, Folder, Leaf, Node, Origin};
use crate::fault::{At, PathError};
use crate::tree::attributes::Attributes;
use crate::tree::inode::{Inode, shared_inode};
use crate::tree::lookup;
use crate::tree::mark::{self, Opacity};
use crate::tree::walk::{self, Entry, Walk};
use crate::tree::xattr::{self, Class, Source};
use crate::tree::{content, list};

/// The overlay's attributes that say that part of the content lies elsewhere.
const ELSEWHERE: [&[u8]; 3] = [b"user.overlay.redirect", b"user.overlay.metacopy", b"user.overlay.whiteout"];

/// A folder to be visited.
pub(super) struct Task<'a> {
    path: Vec<u8>,
    stat: Stat,
    /// The folder that it is merged with, or replaces.
    below: Option<lookup::Folder<'a>>,
}

/// What the threads of one walk share.
#[derive(Debug)]
pub(super) struct Upper<'a> {
    root: OwnedFd,
    path: &'a Path,
    /// The files of several names, each hashed under the first of them that was come to.
    linked: Mutex<HashMap<Inode, Option<Hash>>>,
}

impl<'a> Upper<'a> {
    pub(super) fn open(path: &'a Path) -> Result<Self, PathError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = openat(CWD, path, flags, Mode::empty()).at("open", path)?;
        Ok(Self { root, path, linked: Mutex::default() })
    }

    /// The hash of a file of several names.
    pub(super) fn hash_of(&self, inode: Inode) -> Option<Hash> {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).get(&inode).copied().flatten()
    }

    /// Walks over everything; `below` are the layers below, topmost first. Says for each folder whether it stays.
    pub(super) fn walk(&self, below: &[PathBuf]) -> Result<(Walk<Folder, Leaf>, Vec<bool>), Error> {
        let stat = fstat(&self.root).at("look at", self.path)?;
        let root = Task { path: Vec::new(), stat, below: Some(lookup::Folder::root(below)) };
        let walk = Walk::new(vec![root], |task| self.folder(task))?;
        let mut stays = walk.staying(|folder| folder.origin == Origin::Carried);
        // The root is there whatever is in it.
        stays[0] = true;
        // What is in a folder comes after it, and is removed before it.
        for index in (0..walk.len()).rev() {
            let folder = &walk.folder(index).own;
            if !stays[index] {
                unlinkat(&self.root, folder.path.as_slice(), AtFlags::REMOVEDIR)
                    .map_err(self.at("remove the unchanged folder", &folder.path))?;
            } else if folder.cleaning == Cleaning::Done || stays[walk.inner(index)].contains(&false) {
                self.restore_time(folder)?;
            }
        }
        Ok((walk, stays))
    }

    /// What was removed was never part of the change, so the folder's time is what it was.
    fn restore_time(&self, folder: &Folder) -> Result<(), PathError> {
        let keep = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let modified = Timespec { tv_sec: folder.stat.st_mtime, tv_nsec: folder.stat.st_mtime_nsec as _ };
        let fd = list::open_below(&self.root, &folder.path).map_err(self.at("open", &folder.path))?;
        futimens(fd, &Timestamps { last_access: keep, last_modification: modified })
            .map_err(self.at("set the time of", &folder.path))
    }

    /// Looks into one folder.
    fn folder<'b>(&self, task: Task<'b>) -> Result<(walk::Folder<Folder, Leaf>, Vec<Task<'b>>), Error> {
        let Task { path, stat, below } = task;
        let fd = list::open_below(&self.root, &path).map_err(self.at("open", &path))?;
        let mut opacity = own_attributes(&fd, &self.place(&path))?;
        if opacity == Opacity::Opaque && below.is_none() {
            xattr::remove(&fd, xattr::OPAQUE).map_err(self.at("remove the opaque mark of", &path))?;
            opacity = Opacity::Merged;
        }
        let below = below.filter(|_| opacity == Opacity::Merged);
        let attributes = Attributes::read(&stat, Source::Open(fd.as_fd()));
        let attributes = attributes.map_err(self.at("read the attributes of", &path))?;
        let origin = match &below {
            Some(below) if below.attributes()? == attributes => Origin::Carried,
            _ => Origin::Changed,
        };
        let names = list::names(&fd).map_err(self.at("list", &path))?;
        let listed = names.len();
        let found = names
            .into_par_iter()
            .filter_map(|name| self.child(&fd, &path, name, below.as_ref()).transpose())
            .collect::<Result<Vec<_>, _>>()?;
        let cleaning = if found.len() == listed { Cleaning::NotNeeded } else { Cleaning::Done };
        let mut entries = Vec::with_capacity(found.len());
        let mut inner = Vec::new();
        for (name, entry) in found {
            entries.push((
                name,
                match entry {
                    Found::Leaf(leaf) => Entry::Leaf(leaf),
                    Found::Folder(task) => {
                        inner.push(task);
                        Entry::Folder
                    }
                },
            ));
        }
        Ok((walk::Folder { own: Folder { path, attributes, opacity, origin, stat, cleaning }, entries }, inner))
    }

    /// One entry of a folder; `None` if it is not part of the change, and then it is removed.
    fn child<'b>(
        &self,
        folder: &OwnedFd,
        folder_path: &[u8],
        name: CString,
        below: Option<&lookup::Folder<'b>>,
    ) -> Result<Option<(CString, Found<'b>)>, Error> {
        let path = || self.place(&join(folder_path, name.to_bytes()));
        let stat = statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW).map_err(at("look at", &path))?;
        let leaf = match FileType::from_raw_mode(stat.st_mode) {
            FileType::CharacterDevice if mark::is_whiteout(&stat) => {
                if !hides_something(below, &name)? {
                    unlinkat(folder, &name, AtFlags::empty()).map_err(at("remove the whiteout", &path))?;
                    return Ok(None);
                }
                Leaf::Whiteout
            }
            FileType::Socket => {
                unlinkat(folder, &name, AtFlags::empty()).map_err(at("remove the socket", &path))?;
                if !hides_something(below, &name)? {
                    return Ok(None);
                }
                // It had replaced something, which must not come back.
                mark::put_whiteout(folder, &name).map_err(at("make the whiteout", &path))?;
                Leaf::Whiteout
            }
            FileType::Directory => {
                let below = match below.map(|below| below.child(os_str(&name))).transpose()? {
                    Some(lookup::Found::Folder(same)) => Some(same),
                    _ => None,
                };
                let path = join(folder_path, name.to_bytes());
                return Ok(Some((name, Found::Folder(Task { path, stat, below }))));
            }
            FileType::RegularFile => Leaf::Node(self.file(folder, &name, &stat, &path)?),
            FileType::Symlink => {
                let target = readlinkat(folder, &name, Vec::new()).map_err(at("read the link", &path))?;
                Leaf::Node(node(&stat, Content::Symlink(target.into_bytes())))
            }
            kind => Leaf::Node(node(&stat, Content::Special(kind, stat.st_rdev))),
        };
        Ok(Some((name, Found::Leaf(leaf))))
    }

    fn place(&self, path: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(path))
    }

    fn at(&self, operation: &'static str, path: &[u8]) -> impl FnOnce(Errno) -> PathError {
        move |error| PathError::new(operation, self.place(path), error)
    }

    fn file(&self, folder: &OwnedFd, name: &CStr, stat: &Stat, path: &dyn Fn() -> PathBuf) -> Result<Node, Error> {
        let inode = shared_inode(stat);
        let fd = list::open_file(folder, name).map_err(at("open", path))?;
        if has_own_attributes(&fd).map_err(at("read the attributes of", path))? {
            own_attributes(&fd, &path())?;
        }
        let attributes =
            Attributes::read(stat, Source::Open(fd.as_fd())).map_err(at("read the attributes of", path))?;
        let size = stat.st_size.unsigned_abs();
        if inode.is_some_and(|inode| !self.comes_first(inode)) {
            return Ok(Node { attributes, inode, content: Content::File { hash: None, size } });
        }
        let (hash, size) = content::hash(&fd, size).map_err(at("read", path))?;
        if let Some(inode) = inode {
            self.linked.lock().unwrap_or_else(PoisonError::into_inner).insert(inode, Some(hash));
        }
        Ok(Node { attributes, inode, content: Content::File { hash: Some(hash), size } })
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

/// What was found under a name.
enum Found<'a> {
    Folder(Task<'a>),
    Leaf(Leaf),
}

fn node(stat: &Stat, content: Content) -> Node {
    Node { attributes: Attributes::plain(stat), inode: shared_inode(stat), content }
}

fn hides_something(below: Option<&lookup::Folder<'_>>, name: &CStr) -> Result<bool, PathError> {
    let Some(below) = below else { return Ok(false) };
    Ok(!matches!(below.child(os_str(name))?, lookup::Found::Absent))
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

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

fn os_str(name: &CStr) -> &OsStr {
    OsStr::from_bytes(name.to_bytes())
}

/// Names the path of a failed operation only once it has failed: there are many files.
fn at(operation: &'static str, path: &dyn Fn() -> PathBuf) -> impl Fn(Errno) -> PathError {
    move |error| PathError::new(operation, path(), error)
}
