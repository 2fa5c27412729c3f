//! [`Draft`]: folders and what is to stand in them, over a tree that is only looked at.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Dev, FileType, Timestamps};
use rustix::io::Errno;

use super::error::WriteError;
use crate::fault::PathError;
use crate::root::{LastLink, Root, kind, resolve, split};
use crate::tree::attributes::Attributes;
use crate::tree::lookup::{self, Found};

/// What is to be written to a tree.
pub struct Draft<'a> {
    /// The root first; each comes before what is in it.
    pub(super) folders: Vec<Folder<'a>>,
    pub(super) leaves: Vec<Leaf<'a>>,
}

/// A folder of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FolderId(pub(super) usize);

/// Something of a draft that is no folder; under several names it is one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafId(pub(super) usize);

/// A folder: made, or there already and passed through.
pub(super) struct Folder<'a> {
    /// The same folder of the tree below, and its attributes there.
    pub(super) below: Option<(lookup::Folder<'a>, Attributes)>,
    pub(super) attributes: Attributes,
    pub(super) modified: Modified,
    /// In the order of the names.
    pub(super) entries: BTreeMap<CString, Entry>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Folder(FolderId),
    Leaf(LeafId),
}

/// When a folder was changed.
#[derive(Clone)]
pub enum Modified {
    /// As it was below.
    Before,
    /// When it is written.
    Now,
    /// Then.
    At(Timestamps),
}

/// Anything but a folder.
pub struct Leaf<'a> {
    /// The folder that it is taken from.
    pub from: Arc<SourceFolder<'a>>,
    /// Its name there.
    pub name: CString,
    /// What it is.
    pub kind: Kind,
    /// Permissions, with setuid, setgid and sticky bits.
    pub mode: u32,
    /// The owner's user id.
    pub uid: u32,
    /// The owner's group id.
    pub gid: u32,
    /// When it was read and changed.
    pub times: Timestamps,
}

/// What a leaf is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File {
        /// In bytes, as far as known.
        size: u64,
        /// What it takes on its disk, in bytes: less than its size if it has holes.
        room: u64,
    },
    /// A symbolic link.
    Symlink,
    /// A fifo or device.
    Special(FileType, Dev),
}

/// A folder that files are taken from.
pub struct SourceFolder<'a> {
    /// The source.
    pub root: &'a Root,
    /// The folder's path below it, free of links.
    pub path: PathBuf,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing.
    Nothing,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

/// What is found on the way to a path.
enum Step<'a> {
    Nothing,
    /// One of the draft, or of the tree below alone.
    Folder(Result<FolderId, lookup::Folder<'a>>),
    Link(PathBuf),
    Other,
}

impl<'a> Draft<'a> {
    /// A draft that changes nothing yet, on the tree of these layers, topmost first.
    ///
    /// # Errors
    /// If the tree's root cannot be read.
    pub fn on(layers: &'a [PathBuf]) -> Result<Self, PathError> {
        let below = lookup::Folder::root(layers);
        let attributes = below.attributes()?;
        Ok(Self { folders: vec![Folder::passed(below, attributes)], leaves: Vec::new() })
    }

    /// The path that `path` means, free of links and relative to the root, as [`Root::resolve`] has it.
    ///
    /// # Errors
    /// If the path leads through too many links, or the tree cannot be read.
    pub fn resolve(&self, path: &Path) -> Result<PathBuf, WriteError> {
        let link_target = |path: &Path| match self.step(path)? {
            Step::Link(target) => Ok(Some(target)),
            Step::Nothing | Step::Folder(_) | Step::Other => Ok(None),
        };
        resolve(path, LastLink::Follow, link_target).map_err(|error| WriteError::system(path, error))
    }

    /// What is at a path that is free of links.
    ///
    /// # Errors
    /// If the tree cannot be read.
    pub fn place(&self, resolved: &Path) -> Result<Place, WriteError> {
        Ok(match self.step(resolved).map_err(|error| WriteError::system(resolved, error))? {
            Step::Nothing => Place::Nothing,
            Step::Folder(_) => Place::Folder,
            Step::Link(_) => Place::Link,
            Step::Other => Place::Other,
        })
    }

    /// The folder at a path that is free of links.
    ///
    /// # Errors
    /// If there is none.
    pub fn folder(&mut self, resolved: &Path) -> Result<FolderId, WriteError> {
        let Some((parent, name)) = split(resolved) else { return Ok(FolderId(0)) };
        let parent = self.folder(parent)?;
        self.enter(parent, &c_name(name).map_err(|error| WriteError::system(resolved, error))?, resolved)?
            .ok_or_else(|| WriteError::system(resolved, Errno::NOENT))
    }

    /// The folder of this name in another; `None` if there is nothing of this name. `path` is where, for messages.
    ///
    /// # Errors
    /// If there is something else.
    pub fn enter(&mut self, parent: FolderId, name: &CString, path: &Path) -> Result<Option<FolderId>, WriteError> {
        match self.folders[parent.0].entries.get(name) {
            Some(Entry::Folder(id)) => return Ok(Some(*id)),
            Some(Entry::Leaf(_)) => return Err(WriteError::FolderOverFile(path.to_owned())),
            None => (),
        }
        match self.folders[parent.0].child_below(name)? {
            Found::Absent => Ok(None),
            Found::Other(..) => Err(WriteError::FolderOverFile(path.to_owned())),
            Found::Folder(below) => {
                let attributes = below.attributes()?;
                Ok(Some(self.add(parent, name, Folder::passed(below, attributes))))
            }
        }
    }

    /// Makes a folder where nothing is.
    pub fn make(&mut self, parent: FolderId, name: &CString, attributes: Attributes) -> FolderId {
        let entries = BTreeMap::new();
        let made = self.add(parent, name, Folder { below: None, attributes, modified: Modified::Now, entries });
        self.folders[parent.0].modified = Modified::Now;
        made
    }

    fn add(&mut self, parent: FolderId, name: &CString, folder: Folder<'a>) -> FolderId {
        let id = FolderId(self.folders.len());
        self.folders.push(folder);
        self.folders[parent.0].entries.insert(name.clone(), Entry::Folder(id));
        id
    }

    /// A folder's attributes.
    #[must_use]
    pub fn attributes(&self, folder: FolderId) -> &Attributes {
        &self.folders[folder.0].attributes
    }

    /// Gives a folder other attributes, and with a time that of its last change.
    pub fn set(&mut self, folder: FolderId, attributes: Attributes, modified: Option<Timestamps>) {
        let folder = &mut self.folders[folder.0];
        folder.attributes = attributes;
        if let Some(times) = modified {
            folder.modified = Modified::At(times);
        }
    }

    /// Adds something that has no name yet.
    pub fn leaf(&mut self, leaf: Leaf<'a>) -> LeafId {
        self.leaves.push(leaf);
        LeafId(self.leaves.len() - 1)
    }

    /// Whether no folder stands under this name. `path` is where, for messages.
    ///
    /// # Errors
    /// If one does.
    pub fn check_no_folder(&self, parent: FolderId, name: &CString, path: &Path) -> Result<(), WriteError> {
        let parent = &self.folders[parent.0];
        let is_folder = match parent.entries.get(name) {
            Some(entry) => matches!(entry, Entry::Folder(_)),
            None => matches!(parent.child_below(name)?, Found::Folder(_)),
        };
        if is_folder { Err(WriteError::FileOverFolder(path.to_owned())) } else { Ok(()) }
    }

    /// Gives a leaf a name, in place of what is there, which is no folder.
    pub fn put(&mut self, parent: FolderId, name: CString, leaf: LeafId) {
        let parent = &mut self.folders[parent.0];
        if parent.entries.insert(name, Entry::Leaf(leaf)) != Some(Entry::Leaf(leaf)) {
            parent.modified = Modified::Now;
        }
    }

    /// What is at a path that is free of links.
    fn step(&self, resolved: &Path) -> io::Result<Step<'a>> {
        let mut folder = Ok(FolderId(0));
        let mut found = None;
        for component in resolved.components() {
            let Component::Normal(name) = component else { continue };
            if let Some(found) = found.take() {
                match found {
                    Step::Folder(next) => folder = next,
                    // A file on the way is nothing below it.
                    _ => return Ok(Step::Nothing),
                }
            }
            found = Some(self.child(&folder, name)?);
        }
        Ok(found.unwrap_or(Step::Folder(Ok(FolderId(0)))))
    }

    fn child(&self, folder: &Result<FolderId, lookup::Folder<'a>>, name: &OsStr) -> io::Result<Step<'a>> {
        let below = match folder {
            Ok(id) => {
                let folder = &self.folders[id.0];
                let name = c_name(name)?;
                match folder.entries.get(&name) {
                    Some(Entry::Folder(id)) => return Ok(Step::Folder(Ok(*id))),
                    Some(Entry::Leaf(id)) => return self.leaves[id.0].step(),
                    None => folder.child_below(&name),
                }
            }
            Err(below) => below.child(name),
        };
        Ok(match below.map_err(|error| error.source)? {
            Found::Absent => Step::Nothing,
            Found::Folder(below) => Step::Folder(Err(below)),
            Found::Other(place, stat) if kind(&stat) == FileType::Symlink => Step::Link(fs::read_link(place)?),
            Found::Other(..) => Step::Other,
        })
    }
}

impl<'a> Folder<'a> {
    fn passed(below: lookup::Folder<'a>, attributes: Attributes) -> Self {
        let below = Some((below, attributes.clone()));
        Self { below, attributes, modified: Modified::Before, entries: BTreeMap::new() }
    }

    /// Whether it is as it was below.
    pub(super) fn is_as_below(&self) -> bool {
        self.below.as_ref().is_some_and(|(_, attributes)| *attributes == self.attributes)
    }

    fn child_below(&self, name: &CString) -> Result<Found<'a>, PathError> {
        self.below.as_ref().map_or(Ok(Found::Absent), |(below, _)| below.child(OsStr::from_bytes(name.to_bytes())))
    }
}

impl Leaf<'_> {
    /// Its path in the source.
    pub(super) fn path(&self) -> PathBuf {
        self.from.path.join(OsStr::from_bytes(self.name.to_bytes()))
    }

    fn step<'a>(&self) -> io::Result<Step<'a>> {
        Ok(match self.kind {
            Kind::Symlink => Step::Link(self.from.root.link_target(&self.path())?),
            Kind::File { .. } | Kind::Special(..) => Step::Other,
        })
    }
}

/// A name as the system takes it.
///
/// # Errors
/// If there is a zero in it.
fn c_name(name: &OsStr) -> rustix::io::Result<CString> {
    CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)
}
