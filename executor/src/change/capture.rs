//! [`capture`]: an upper folder becomes a change set with ids of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use layercake_cache::ContentId;

use super::error::Error;
use super::node::{Content, Folder, Leaf, Node, Origin};
use super::walk::Upper;
use crate::tree::identity::{Entry, Identity};
use crate::tree::inode::Inode;
use crate::tree::walk::Item;

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
    let upper = Upper::open(upper)?;
    let (walk, stays) = upper.walk(below)?;
    let mut summary = Summary {
        upper: &upper,
        first: HashMap::new(),
        id: Identity::new("layercake 1 change set"),
        folder: Identity::new("layercake 1 layer folder"),
        entries: 0,
        bytes: 0,
    };
    walk.each(0, &stays, &mut Vec::new(), |path, item| match item {
        Item::Folder(folder) => summary.folder(path, folder),
        Item::Leaf(Leaf::Whiteout) => summary.changed(path, Entry::Whiteout),
        Item::Leaf(Leaf::Node(node)) => summary.node(path, node),
    });
    Ok(ChangeSet {
        id: summary.id.finish(),
        folder: summary.folder.finish(),
        entries: summary.entries,
        bytes: summary.bytes,
    })
}

/// Takes in what the walk found, in the order of the paths.
struct Summary<'a> {
    upper: &'a Upper<'a>,
    /// The first name of each file that has several.
    first: HashMap<Inode, Vec<u8>>,
    id: Identity,
    folder: Identity,
    entries: u64,
    bytes: u64,
}

impl Summary<'_> {
    fn folder(&mut self, path: &[u8], folder: &Folder) {
        let entry = Entry::Folder(&folder.attributes, folder.opacity);
        match folder.origin {
            Origin::Changed => self.changed(path, entry),
            Origin::Carried => self.folder.entry(path, entry),
        }
    }

    fn node(&mut self, path: &[u8], node: &Node) {
        if let Some(inode) = node.inode {
            if let Some(first) = self.first.get(&inode) {
                let first = first.clone();
                return self.changed(path, Entry::HardLink(&first));
            }
            self.first.insert(inode, path.to_vec());
        }
        match &node.content {
            Content::File { hash, size } => {
                let hash = hash.or_else(|| node.inode.and_then(|inode| self.upper.hash_of(inode)));
                let hash = hash.expect("a file is hashed under one of its names, and the walk is over");
                self.bytes += size;
                self.changed(path, Entry::File(&node.attributes, &hash));
            }
            Content::Symlink(target) => self.changed(path, Entry::Symlink(&node.attributes, target)),
            Content::Special(kind, device) => self.changed(path, Entry::Special(&node.attributes, *kind, *device)),
        }
    }

    fn changed(&mut self, path: &[u8], entry: Entry<'_>) {
        self.id.entry(path, entry);
        self.folder.entry(path, entry);
        self.entries += 1;
    }
}
