//! Selections: what counts, what is remembered, and when it must not be.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use layercake_cache::Store;
use layercake_executor::explain::listing::{self, Listing};
use layercake_executor::fault::Fault;
use layercake_executor::select::{Error, Memo, Owners, Root, Selected, Verdict, select, select_listed};
use proptest::prelude::*;
use rustix::fs::FileType;

use crate::machine::{Need, has};
use crate::tree::{Kind, Node, Order, Tree, new_folder, touch, trees};

fn all(_: &Path, _: FileType) -> Verdict {
    Verdict::Take
}

fn selected(root: &Path, paths: &[&str]) -> Result<Selected, Error> {
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    select(&Root::open(root).unwrap(), &paths, Owners::Ignored, &all, None)
}

fn file(content: &str) -> Kind {
    Kind::File(content.as_bytes().to_vec())
}

proptest! {
    #![proptest_config(crate::tree::cases(32))]

    #[test]
    fn copies_are_equal_and_any_change_is_not(tree in trees(), index in any::<prop::sample::Index>()) {
        // What is selected from is an ordinary tree, in which marks are devices.
        let (one, two) = (new_folder(), new_folder());
        tree.make(one.path(), Order::Forward);
        let mut later = tree.clone();
        later.0.values_mut().for_each(|node| node.mtime += 1);
        later.make(two.path(), Order::Backward);
        let id = |root: &Path| selected(root, &[""]).unwrap();
        prop_assert_eq!(id(one.path()), id(two.path()));
        // The listing is what the id is the hash of, and nothing in it is lost.
        let (found, listed) =
            select_listed(&Root::open(one.path()).unwrap(), &[PathBuf::new()], Owners::Ignored, &all, None).unwrap();
        prop_assert_eq!(listing::identity(&listed), found.id);
        prop_assert_eq!(Listing::read(&listed).unwrap().0.len() as u64, found.entries);
        let files: Vec<&Vec<u8>> = tree.0.iter().filter(|(_, node)| matches!(node.kind, Kind::File(_))).map(|(path, _)| path).collect();
        if !files.is_empty() {
            let path = crate::tree::at(two.path(), files[index.index(files.len())]);
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode ^ 0o001)).unwrap();
            prop_assert_ne!(id(one.path()).id, id(two.path()).id);
        }
    }
}

#[test]
fn which_names_are_the_same_file_counts() {
    let trees: Vec<_> =
        (0..3).map(|_| Tree::of(&[("a", file("same")), ("b", file("same")), ("d/c", file("same"))]).folder()).collect();
    let link = |tree: &tempfile::TempDir, from: &str, to: &str| {
        fs::remove_file(tree.path().join(to)).unwrap();
        fs::hard_link(tree.path().join(from), tree.path().join(to)).unwrap();
    };
    link(&trees[1], "a", "b");
    link(&trees[2], "b", "d/c");
    let id = |tree: usize, path: &str| selected(trees[tree].path(), &[path]).unwrap().id;
    assert_ne!(id(0, ""), id(1, ""));
    assert_ne!(id(1, ""), id(2, ""));
    // A name whose other names are elsewhere is a file like any other.
    assert_eq!(id(0, "a"), id(1, "a"));
    assert_eq!(id(0, "d"), id(2, "d"));
}

#[test]
fn only_what_is_selected_counts() {
    let tree = Tree::of(&[("src/a", file("a")), ("src/deep/b", file("b")), ("other", file("x"))]);
    let folder = tree.folder();
    let before = selected(folder.path(), &["src"]).unwrap();
    assert_eq!((before.entries, before.bytes), (4, 2));
    fs::write(folder.path().join("other"), "changed").unwrap();
    assert_eq!(selected(folder.path(), &["src"]).unwrap(), before);
    fs::write(folder.path().join("src/deep/b"), "changed").unwrap();
    assert_ne!(selected(folder.path(), &["src"]).unwrap().id, before.id);
}

#[test]
fn owners_count_if_asked_for() {
    if !has(Need::Owners) {
        return;
    }
    let mut tree = Tree::of(&[("a", file("a"))]);
    let one = tree.folder();
    tree.0.get_mut(&b"a"[..]).unwrap().owner = (12, 34);
    let two = tree.folder();
    let id =
        |folder: &Path, owners| select(&Root::open(folder).unwrap(), &["a".into()], owners, &all, None).unwrap().id;
    assert_eq!(id(one.path(), Owners::Ignored), id(two.path(), Owners::Ignored));
    assert_ne!(id(one.path(), Owners::Counted), id(two.path(), Owners::Counted));
}

#[test]
fn links_on_the_way_are_followed_inside_the_root_and_others_are_taken() {
    let folder = Tree::of(&[("real/a", file("a")), ("link", Kind::Symlink(b"/real".to_vec()))]).folder();
    let outside = Tree::of(&[("secret", file("s"))]).folder();
    symlink(outside.path(), folder.path().join("escape")).unwrap();
    assert_eq!(selected(folder.path(), &["link/a"]).unwrap().bytes, 1);
    // The link itself, not what it leads to.
    assert_eq!(selected(folder.path(), &["link"]).unwrap().bytes, 0);
    for path in ["escape/secret", "../secret", "nothing", "real/a/x", "no/such"] {
        let error = selected(folder.path(), &[path]).unwrap_err();
        assert!(matches!(&error, Error::Missing { path: missing } if missing == Path::new(path)), "{path}: {error}");
        assert_eq!(error.fault(), Fault::Input);
    }
}

#[test]
fn the_filter_leaves_out_and_enters() {
    let tree = Tree::of(&[("a/keep", file("k")), ("a/drop", file("d")), ("b/drop", file("d")), ("c/x", file("x"))]);
    let folder = tree.folder();
    let asked = AtomicU64::new(0);
    let filter = |path: &Path, _: FileType| {
        asked.fetch_add(1, Ordering::Relaxed);
        match path.to_str().unwrap() {
            "" | "a/keep" => Verdict::Take,
            "a" | "b" => Verdict::Enter,
            "c" => Verdict::Skip,
            path => {
                assert_ne!(path, "c/x", "what lies in something skipped is not asked about");
                Verdict::Skip
            }
        }
    };
    let found = select(&Root::open(folder.path()).unwrap(), &["".into()], Owners::Ignored, &filter, None).unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 7);
    let expected = Tree::of(&[("a/keep", file("k"))]).folder();
    assert_eq!(found, selected(expected.path(), &[""]).unwrap(), "`a` is taken for what is in it, and `b` is not");
}

/// A store, and a folder whose one file was touched long ago.
struct Case {
    store: Store,
    folder: tempfile::TempDir,
    _root: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(&root.path().join("store")).unwrap();
        Self { store, folder: Tree::of(&[("file", file("one"))]).folder(), _root: root }
    }

    fn select(&self) -> Selected {
        let memo = Memo::load(&self.store, self.folder.path()).unwrap();
        let root = Root::open(self.folder.path()).unwrap();
        let found = select(&root, &["file".into()], Owners::Ignored, &all, Some(&memo)).unwrap();
        memo.save().unwrap();
        assert_eq!(found, selected(self.folder.path(), &["file"]).unwrap(), "the memo knows what is there");
        found
    }

    /// The store's memo files.
    fn records(&self) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
        let mut found = Vec::new();
        for folder in fs::read_dir(self.store.root().join("records")).into_iter().flatten() {
            for entry in fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = entry.unwrap().path();
                found.push((path.clone(), fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()));
            }
        }
        found
    }
}

#[test]
fn a_file_at_rest_is_remembered_and_then_nothing_is_written() {
    let case = Case::new();
    std::thread::sleep(std::time::Duration::from_millis(3200));
    case.select();
    let records = case.records();
    assert_eq!(records.len(), 1);
    assert!(records[0].1.len() > 80, "there is an entry");
    case.select();
    assert_eq!(case.records(), records);
    // A change that keeps size and modification time is seen by the change time.
    let path = case.folder.path().join("file");
    fs::write(&path, "two").unwrap();
    touch(&path, 1_000_000_000);
    case.select();
}

#[test]
fn a_file_just_touched_is_not_remembered() {
    let case = Case::new();
    case.select();
    assert!(
        case.records().iter().all(|(_, bytes, _)| bytes.len() <= 16),
        "an entry would be wrong after a quick change"
    );
}

#[test]
fn a_damaged_memo_is_no_memo() {
    let case = Case::new();
    std::thread::sleep(std::time::Duration::from_millis(3200));
    let before = case.select();
    let (path, mut bytes, _) = case.records().remove(0);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(path, bytes).unwrap();
    assert_eq!(case.select(), before);
}

#[test]
fn attributes_count_with_and_without_a_memo() {
    if !has(Need::Attributes) {
        return;
    }
    let mut tree = Tree::of(&[("a", file("a"))]);
    let plain = selected(tree.folder().path(), &["a"]).unwrap();
    tree.0.get_mut(&b"a"[..]).unwrap().xattrs.insert("user.x", b"y".to_vec());
    assert_ne!(selected(tree.folder().path(), &["a"]).unwrap().id, plain.id);
}

#[test]
fn devices_and_sockets() {
    let folder = new_folder();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    let empty = new_folder();
    assert_eq!(selected(folder.path(), &[""]).unwrap(), selected(empty.path(), &[""]).unwrap());
    let mut tree = Tree::default();
    tree.put(b"fifo", Node::new(Kind::Fifo));
    assert_ne!(selected(tree.folder().path(), &[""]).unwrap().id, selected(empty.path(), &[""]).unwrap().id);
}
