//! What the walk over an upper folder finds.

use blake3::Hash;
use rustix::fs::{Dev, FileType, Stat};

use crate::tree::attributes::Attributes;
use crate::tree::inode::Inode;
use crate::tree::mark::Opacity;

/// A folder itself.
#[derive(Debug)]
pub(super) struct Folder {
    /// From the upper folder.
    pub(super) path: Vec<u8>,
    pub(super) attributes: Attributes,
    pub(super) opacity: Opacity,
    pub(super) origin: Origin,
    /// As it was found.
    pub(super) stat: Stat,
    pub(super) cleaning: Cleaning,
}

/// Whether something in a folder was removed that is no part of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cleaning {
    NotNeeded,
    Done,
}

/// Anything but a folder.
#[derive(Debug)]
pub(super) enum Leaf {
    Whiteout,
    Node(Node),
}

/// Why a folder is in the upper folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It was made, or its attributes were changed.
    Changed,
    /// The overlay copied it because something in it changed; it is as it was below.
    Carried,
}

/// A file, link, fifo or device.
#[derive(Debug)]
pub(super) struct Node {
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
