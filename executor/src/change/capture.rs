//! [`capture`]: an upper folder becomes a change set with ids of its own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::node::{Content, Folder, Leaf, Node, Origin};
use super::summary::{ChangeSet, Summary};
use super::walk::Upper;
use crate::tree::identity::Entry;
use crate::tree::inode::Inode;
use crate::tree::walk::Item;

/// Takes the change set from the upper folder of an overlay that is no longer in use. `below` are the layers that it
/// lay on, topmost first. The folder is brought into its normal form in place.
///
/// # Errors
/// If the folder cannot be read or written to, or if the overlay was mounted with options that spread a file over
/// several layers.
pub fn capture(upper: &Path, below: &[PathBuf]) -> Result<ChangeSet, Error> {
    let upper = Upper::open(upper)?;
    let (walk, stays) = upper.walk(below)?;
    let mut found = Found { upper: &upper, first: HashMap::new(), summary: Summary::default() };
    walk.each(0, &stays, &mut Vec::new(), |path, item| match item {
        Item::Folder(folder) => found.folder(path, folder),
        Item::Leaf(Leaf::Whiteout) => found.summary.changed(path, Entry::Whiteout),
        Item::Leaf(Leaf::Node(node)) => found.node(path, node),
    });
    Ok(found.summary.finish())
}

/// Takes in what the walk found, in the order of the paths.
struct Found<'a> {
    upper: &'a Upper<'a>,
    /// The first name of each file that has several.
    first: HashMap<Inode, Vec<u8>>,
    summary: Summary,
}

impl Found<'_> {
    fn folder(&mut self, path: &[u8], folder: &Folder) {
        let entry = Entry::Folder(&folder.attributes, folder.opacity);
        match folder.origin {
            Origin::Changed => self.summary.changed(path, entry),
            Origin::Carried => self.summary.carried(path, entry),
        }
    }

    fn node(&mut self, path: &[u8], node: &Node) {
        if let Some(inode) = node.inode {
            if let Some(first) = self.first.get(&inode) {
                let first = first.clone();
                return self.summary.changed(path, Entry::HardLink(&first));
            }
            self.first.insert(inode, path.to_vec());
        }
        match &node.content {
            Content::File { hash, size } => {
                let hash = hash.or_else(|| node.inode.and_then(|inode| self.upper.hash_of(inode)));
                let hash = hash.expect("a file is hashed under one of its names, and the walk is over");
                self.summary.bytes(*size);
                self.summary.changed(path, Entry::File(&node.attributes, &hash));
            }
            Content::Symlink(target) => self.summary.changed(path, Entry::Symlink(&node.attributes, target)),
            Content::Special(kind, device) => {
                self.summary.changed(path, Entry::Special(&node.attributes, *kind, *device))
            }
        }
    }
}
