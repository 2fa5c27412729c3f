//! What became of the leaves of a draft, and the change set that they make.

use std::sync::OnceLock;

use blake3::Hash;

use super::order::{Item, Order};
use super::tree::{Draft, Kind, LeafId};
use crate::change::{ChangeSet, Summary};
use crate::tree::attributes::Attributes;
use crate::tree::identity::Entry;
use crate::tree::mark::Opacity;

/// What became of a leaf.
pub(super) enum Written {
    File {
        /// `None` if nobody asked.
        hash: Option<Hash>,
        size: u64,
        /// Set if it has extended attributes: the system may refuse some, or change others.
        attributes: Option<Box<Attributes>>,
    },
    Symlink(Vec<u8>),
    Special,
}

impl Written {
    /// Room for that of each leaf, by their numbers.
    pub(super) fn none_yet(draft: &Draft<'_>) -> Vec<OnceLock<Self>> {
        let mut written = Vec::new();
        written.resize_with(draft.leaves.len(), OnceLock::new);
        written
    }
}

impl Draft<'_> {
    /// The change set, once everything that has a name is written.
    pub(super) fn change_set(&self, order: &Order, written: &[OnceLock<Written>]) -> ChangeSet {
        let mut summary = Summary::default();
        order.each(self, |path, item| match item {
            Item::Folder(id) => {
                let folder = &self.folders[id.0];
                let entry = Entry::Folder(&folder.attributes, Opacity::Merged);
                if folder.is_as_below() { summary.carried(path, entry) } else { summary.changed(path, entry) }
            }
            Item::Leaf(id) => {
                if let Some(names) = order.names.get(&id.0)
                    && names[0] != path
                {
                    return summary.changed(path, Entry::HardLink(&names[0]));
                }
                let written = written[id.0].get().expect("everything that has a name is written");
                self.summarize(path, id, written, &mut summary);
            }
        });
        summary.finish()
    }

    fn summarize(&self, path: &[u8], id: LeafId, written: &Written, summary: &mut Summary) {
        let leaf = &self.leaves[id.0];
        let plain = Attributes { mode: leaf.mode, uid: leaf.uid, gid: leaf.gid, xattrs: Default::default() };
        match (written, leaf.kind) {
            (Written::File { hash, size, attributes }, _) => {
                let hash = hash.expect("it is asked for where a change set is wanted");
                summary.bytes(*size);
                summary.changed(path, Entry::File(attributes.as_deref().unwrap_or(&plain), &hash));
            }
            (Written::Symlink(target), _) => summary.changed(path, Entry::Symlink(&plain, target)),
            (Written::Special, Kind::Special(kind, device)) => {
                summary.changed(path, Entry::Special(&plain, kind, device));
            }
            (Written::Special, Kind::File { .. } | Kind::Symlink) => unreachable!("it is written as what it is"),
        }
    }
}
