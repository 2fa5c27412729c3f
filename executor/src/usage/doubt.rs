//! Opening a store whose machine may have lost power: which of its folders are whole is told by what was made of them.

use std::collections::HashSet;
use std::path::Path;

use layercake_cache::{ContentId, Error, PartKind, Store};

use super::damage::{is_given_again, packed};

/// Opens a store. Where it was not synced before the machine was started anew, what is not known to be whole is dropped: it is
/// made, or unpacked, again.
///
/// # Errors
/// If the store cannot be opened, or something in doubt cannot be dropped.
pub fn open(root: &Path) -> Result<Store, Error> {
    Store::open_settled(root, &whole)
}

/// Those of some folders that still give the archives that layers were made of. A step's folder of which no layer was ever made
/// is not among them, nor is one that was unpacked from somebody else's layer. One that cannot be read is: outside of a user
/// namespace that says nothing.
fn whole(store: &Store, folders: &[ContentId]) -> Vec<ContentId> {
    let mut doubtful: HashSet<ContentId> = folders.iter().copied().collect();
    let (parts, _) = store.parts();
    let records = parts.iter().filter(|part| part.kind == PartKind::Record);
    let mut whole = Vec::new();
    for packed in records.filter_map(packed) {
        let is_asked = packed.folders.iter().any(|folder| doubtful.contains(folder));
        if !is_asked || !packed.folders.iter().all(|folder| store.has_folder(folder)) {
            continue;
        }
        if is_given_again(store, &packed).unwrap_or(true) {
            whole.extend(packed.folders.iter().filter(|folder| doubtful.remove(*folder)));
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs;

    use super::*;
    use crate::change;
    use crate::layer::plain;

    /// A folder with one file, as a step leaves it.
    fn folder(store: &Store, content: &str) -> ContentId {
        let scratch = store.scratch().unwrap();
        let upper = scratch.path().join("upper");
        fs::create_dir(&upper).unwrap();
        fs::write(upper.join("file"), content).unwrap();
        let found = change::capture(&upper, &[]).unwrap();
        store.put_folder(&found.folder, &upper).unwrap();
        found.folder
    }

    #[test]
    fn after_a_power_failure_the_folders_of_images_are_kept_if_they_are_whole() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("store");
        let store = Store::open(&root).unwrap();
        let [kept, damaged, unpacked] = ["kept", "damaged", "never packed"].map(|content| folder(&store, content));
        for folder in [kept, damaged] {
            plain::describe(&store, &[folder], None).unwrap();
        }
        fs::write(store.folder_path(&damaged).join("file"), "").unwrap();
        drop(store);
        fs::write(root.join("settled"), "another-boot 0\n").unwrap();
        let store = open(&root).unwrap();
        assert_eq!([kept, damaged, unpacked].map(|folder| store.has_folder(&folder)), [true, false, false]);
    }
}
