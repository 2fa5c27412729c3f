//! [`Summary`]: the ids of a change set, made from its entries.

use layercake_cache::ContentId;

use crate::tree::identity::{Entry, Identity};

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

/// Takes in the entries of a change set, in the order of their paths, component by component.
#[derive(Debug)]
pub(crate) struct Summary {
    id: Identity,
    folder: Identity,
    entries: u64,
    bytes: u64,
}

impl Default for Summary {
    fn default() -> Self {
        let (id, folder) = (Identity::new("layercake 1 change set"), Identity::new("layercake 1 layer folder"));
        Self { id, folder, entries: 0, bytes: 0 }
    }
}

impl Summary {
    /// Something that changed.
    pub(crate) fn changed(&mut self, path: &[u8], entry: Entry<'_>) {
        self.id.entry(path, entry);
        self.folder.entry(path, entry);
        self.entries += 1;
    }

    /// A folder that was only carried along.
    pub(crate) fn carried(&mut self, path: &[u8], entry: Entry<'_>) {
        self.folder.entry(path, entry);
    }

    /// The size of a file.
    pub(crate) fn bytes(&mut self, size: u64) {
        self.bytes += size;
    }

    /// The change set.
    pub(crate) fn finish(&self) -> ChangeSet {
        let Self { id, folder, entries, bytes } = self;
        ChangeSet { id: id.finish(), folder: folder.finish(), entries: *entries, bytes: *bytes }
    }
}
