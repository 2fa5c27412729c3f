//! [`capture`]: an upper folder becomes a change set with ids of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use layercake_cache::ContentId;
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};

use super::error::Error;
use super::node::{Content, Folder, Inode, Kind, Leaf, Node, Origin};
use super::walk::Walk;
use crate::fault::At;
use crate::tree::identity::{Entry, Identity};
use crate::tree::lookup;

/// What a step changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeSet {
    /// What changed: paths, types, modes, owners, link targets, extended attributes, device numbers, contents, which
    /// names are the same file, and what was deleted. Not times, and not the folders that were only carried along.
    /// Keys and the ids of trees are made from this.
    pub id: ContentId,
    /// What the folder holds: `id`, and the attributes of the folders that were carried along. The folder is stored
    /// under this: the same change on two trees whose folders have different modes is two folders.
    pub folder: ContentId,
    /// Changed entries.
    pub entries: u64,
    /// Size of the files among them, in bytes; a file of several names counts once.
    pub bytes: u64,
}

impl ChangeSet {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }
}

/// Takes the change set from the upper folder of an overlay that is no longer in use. `below` are the layers that it
/// lay on, topmost first. The folder is brought into its normal form in place.
///
/// # Errors
/// If the folder cannot be read or written to, or if the overlay was mounted with options that spread a file over
/// several layers.
pub fn capture(upper: &Path, below: &[PathBuf]) -> Result<ChangeSet, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = openat(CWD, upper, flags, Mode::empty()).at("open", upper)?;
    let stat = fstat(&fd).at("look at", upper)?;
    let walk = Walk::default();
    let root = walk.folder(&fd, upper, &stat, Some(&lookup::Folder::root(below)))?;
    let mut summary = Summary {
        walk: &walk,
        first: HashMap::new(),
        path: Vec::new(),
        id: Identity::new("layercake 1 change set"),
        folder: Identity::new("layercake 1 layer folder"),
        entries: 0,
        bytes: 0,
    };
    summary.folder(&root);
    Ok(ChangeSet {
        id: summary.id.finish(),
        folder: summary.folder.finish(),
        entries: summary.entries,
        bytes: summary.bytes,
    })
}

/// Goes through the nodes in the order of their paths, component by component.
struct Summary<'a> {
    walk: &'a Walk,
    /// The first name of each file that has several.
    first: HashMap<Inode, Vec<u8>>,
    path: Vec<u8>,
    id: Identity,
    folder: Identity,
    entries: u64,
    bytes: u64,
}

impl Summary<'_> {
    fn folder(&mut self, folder: &Folder) {
        let entry = Entry::Folder(&folder.attributes, folder.opacity);
        match folder.origin {
            Origin::Changed => self.changed(entry),
            Origin::Carried => self.folder.entry(&self.path, entry),
        }
        for child in &folder.children {
            let length = self.path.len();
            if length > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(child.name.to_bytes());
            self.node(child);
            self.path.truncate(length);
        }
    }

    fn node(&mut self, node: &Node) {
        match &node.kind {
            Kind::Whiteout => self.changed(Entry::Whiteout),
            Kind::Folder(folder) => self.folder(folder),
            Kind::Leaf(leaf) => self.leaf(leaf),
        }
    }

    fn leaf(&mut self, leaf: &Leaf) {
        if let Some(inode) = leaf.inode {
            if let Some(first) = self.first.get(&inode) {
                let first = first.clone();
                return self.changed(Entry::HardLink(&first));
            }
            self.first.insert(inode, self.path.clone());
        }
        match &leaf.content {
            Content::File { hash, size } => {
                let hash = hash.or_else(|| leaf.inode.and_then(|inode| self.walk.hash_of(inode)));
                let hash = hash.expect("a file is hashed under one of its names, and the walk is over");
                self.bytes += size;
                self.changed(Entry::File(&leaf.attributes, &hash));
            }
            Content::Symlink(target) => self.changed(Entry::Symlink(&leaf.attributes, target)),
            Content::Special(kind, device) => self.changed(Entry::Special(&leaf.attributes, *kind, *device)),
        }
    }

    fn changed(&mut self, entry: Entry<'_>) {
        self.id.entry(&self.path, entry);
        self.folder.entry(&self.path, entry);
        self.entries += 1;
    }
}
