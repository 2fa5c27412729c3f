//! [`Order`]: what of a draft is written, and in which order.

use std::collections::HashMap;
use std::collections::btree_map;
use std::ffi::CString;

use super::tree::{Draft, Entry, FolderId, LeafId};

/// Something of a draft.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Folder(FolderId),
    Leaf(LeafId),
}

/// A folder and where it is: a path from the root, whose own is empty.
pub(super) struct Task {
    pub(super) id: FolderId,
    pub(super) path: Vec<u8>,
}

/// What of a draft is written.
pub(super) struct Order {
    /// The folders by their depth, the root alone first.
    pub(super) levels: Vec<Vec<Task>>,
    /// The paths of each file of several names, in their order.
    pub(super) names: HashMap<usize, Vec<Vec<u8>>>,
    /// For each folder whether it is written.
    stays: Vec<bool>,
}

/// What becomes of a folder in which nothing changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unchanged {
    /// It is no part of the change.
    Goes,
    /// It is there.
    Stays,
}

impl Order {
    pub(super) fn of(draft: &Draft<'_>, unchanged: Unchanged) -> Self {
        let mut order = Self { levels: Vec::new(), names: HashMap::new(), stays: staying(draft, unchanged) };
        let mut count = vec![0_u32; draft.leaves.len()];
        for entry in draft.folders.iter().flat_map(|folder| folder.entries.values()) {
            if let Entry::Leaf(leaf) = entry {
                count[leaf.0] += 1;
            }
        }
        let (mut levels, mut names) = (Vec::new(), HashMap::<_, Vec<_>>::new());
        order.each(draft, |path, item| match item {
            Item::Folder(id) => {
                let depth = if path.is_empty() { 0 } else { 1 + path.iter().filter(|byte| **byte == b'/').count() };
                levels.resize_with(levels.len().max(depth + 1), Vec::new);
                levels[depth].push(Task { id, path: path.to_vec() });
            }
            Item::Leaf(leaf) if count[leaf.0] > 1 => names.entry(leaf.0).or_default().push(path.to_vec()),
            Item::Leaf(_) => (),
        });
        (order.levels, order.names) = (levels, names);
        order
    }

    /// Whether a folder is written.
    pub(super) fn has(&self, folder: FolderId) -> bool {
        self.stays[folder.0]
    }

    /// Goes through everything in the order of the paths, component by component, with one path in memory at a time.
    pub(super) fn each(&self, draft: &Draft<'_>, mut see: impl FnMut(&[u8], Item)) {
        let mut path = Vec::new();
        see(&path, Item::Folder(FolderId(0)));
        let mut way: Vec<(btree_map::Iter<'_, CString, Entry>, usize)> = vec![(draft.folders[0].entries.iter(), 0)];
        while let Some((entries, length)) = way.last_mut() {
            path.truncate(*length);
            let Some((name, entry)) = entries.next() else {
                way.pop();
                continue;
            };
            if *length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            match *entry {
                Entry::Leaf(leaf) => see(&path, Item::Leaf(leaf)),
                Entry::Folder(id) if self.stays[id.0] => {
                    see(&path, Item::Folder(id));
                    way.push((draft.folders[id.0].entries.iter(), path.len()));
                }
                Entry::Folder(_) => (),
            }
        }
    }
}

fn staying(draft: &Draft<'_>, unchanged: Unchanged) -> Vec<bool> {
    let mut stays = vec![true; draft.folders.len()];
    // What is in a folder comes after it. The root is there whatever is in it.
    for (index, folder) in draft.folders.iter().enumerate().skip(1).rev() {
        let has_something = || {
            folder.entries.values().any(|entry| match entry {
                Entry::Leaf(_) => true,
                Entry::Folder(id) => stays[id.0],
            })
        };
        stays[index] = unchanged == Unchanged::Stays || !folder.is_as_below() || has_something();
    }
    stays
}
