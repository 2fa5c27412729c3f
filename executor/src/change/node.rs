//! [`Node`]: one entry of an upper folder as the walk found it.

use std::ffi::CString;

use blake3::Hash;
use rustix::fs::{Dev, FileType, Stat};

use crate::tree::attributes::Attributes;
use crate::tree::mark::Opacity;

/// Device and inode number.
pub(super) type Inode = (u64, u64);

/// One entry of an upper folder, with what lies in it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: CString,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Whiteout,
    Folder(Folder),
    Leaf(Leaf),
}

#[derive(Debug)]
pub(super) struct Folder {
    pub(super) attributes: Attributes,
    pub(super) opacity: Opacity,
    pub(super) origin: Origin,
    /// In the order of their names.
    pub(super) children: Vec<Node>,
}

/// Why a folder is in the upper folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was made, or its attributes were changed.
    Changed,
    /// The overlay copied it because something in it changed; it is as it was below.
    Carried,
}

#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) attributes: Attributes,
    /// Set if it has several names, of which some may be elsewhere.
    pub(super) inode: Option<Inode>,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    File {
        /// `None` where another name of the same file was hashed.
        hash: Option<Hash>,
        size: u64,
    },
    Symlink(Vec<u8>),
    Special(FileType, Dev),
}

/// Says which file this is a name of, if it has several.
pub(super) fn shared_inode(stat: &Stat) -> Option<Inode> {
    (stat.st_nlink > 1).then_some((stat.st_dev, stat.st_ino))
}
