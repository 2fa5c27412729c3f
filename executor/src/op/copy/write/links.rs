//! [`Links`]: the files of several names that were copied, so that their further names become links.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::tree::inode::Inode;

/// Under which name each file was copied first.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// By what the file is in the source.
    first: HashMap<Inode, PathBuf>,
    /// The same, the other way.
    inodes: HashMap<PathBuf, Inode>,
}

impl Links {
    /// Where a file was copied to, if it still is there.
    pub(super) fn first_name(&self, inode: Inode) -> Option<&Path> {
        self.first.get(&inode).map(PathBuf::as_path)
    }

    /// Notes that a file is copied to `target`.
    pub(super) fn add(&mut self, inode: Inode, target: &Path) {
        self.first.insert(inode, target.to_owned());
        self.inodes.insert(target.to_owned(), inode);
    }

    /// Notes that what was at `target` has been replaced: a pattern may match the same name in several folders.
    pub(super) fn forget(&mut self, target: &Path) {
        if let Some(inode) = self.inodes.remove(target) {
            self.first.remove(&inode);
        }
    }
}
