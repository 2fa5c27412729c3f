//! Change sets: what counts, what does not, and what becomes of the folder.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use layercake_executor::change::{ChangeSet, Error, capture, prepare};
use layercake_executor::fault::Fault;
use layercake_executor::layer::tar;
use layercake_executor::layer::unpack::{Options, unpack};
use layercake_executor::select::{Owners, Root, Verdict, select};
use proptest::prelude::*;
use rustix::fs::{XattrFlags, lgetxattr, llistxattr, lsetxattr};

use crate::machine::{Need, has, met};
use crate::tree::{Kind, Node, Tree, at, new_folder, something_below, touch, trees};

fn file(content: &str) -> Kind {
    Kind::File(content.as_bytes().to_vec())
}

/// The change set of `upper` on `below`, and the folder as it then is.
fn captured(upper: &Tree, below: &[&Tree]) -> (ChangeSet, tempfile::TempDir) {
    let below: Vec<_> = below.iter().map(|tree| tree.folder()).collect();
    let layers: Vec<_> = below.iter().map(|folder| folder.path().to_owned()).collect();
    let upper = upper.folder();
    (capture(upper.path(), &layers).unwrap(), upper)
}

fn id(upper: &Tree, below: &[&Tree]) -> ChangeSet {
    captured(upper, below).0
}

/// What is in a folder, paths from it.
fn paths(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            found.push(entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn nothing_is_a_change_set_too() {
    let base = Tree::of(&[("etc/passwd", file("root"))]);
    let (none, _) = captured(&Tree::default(), &[&base]);
    assert!(none.is_empty());
    let carried = Tree::of(&[("etc", Kind::Folder)]);
    let (changes, folder) = captured(&carried, &[&base]);
    assert_eq!(changes, none, "a folder as it was below is no change");
    assert_eq!(paths(folder.path()), Vec::<String>::new());
}

#[test]
fn carried_along_parents_are_in_the_folder_and_not_in_the_id() {
    let upper = Tree::of(&[("a/b/new", file("x"))]);
    let same = Tree::of(&[("a/b/old", file("y"))]);
    let (on_same, folder) = captured(&upper, &[&same]);
    assert_eq!(on_same.entries, 1);
    assert_eq!(paths(folder.path()), ["a", "a/b", "a/b/new"]);
    // On a tree whose folder has another mode, which the upper folder then has carried along.
    let mut other = same.clone();
    other.0.get_mut(&b"a/b"[..]).unwrap().mode = 0o700;
    let mut carried = upper.clone();
    carried.0.get_mut(&b"a/b"[..]).unwrap().mode = 0o700;
    let on_other = id(&carried, &[&other]);
    assert_eq!(on_other.id, on_same.id);
    assert_ne!(on_other.folder, on_same.folder);
    // If it was changed to that mode, it counts.
    assert_ne!(id(&carried, &[&same]).id, on_same.id);
    assert_eq!(id(&carried, &[&same]).entries, 2);
}

#[test]
fn a_folder_counts_by_its_attributes_below_in_the_topmost_layer() {
    let mut top = Tree::of(&[("a", Kind::Folder)]);
    top.0.get_mut(&b"a"[..]).unwrap().mode = 0o711;
    let bottom = Tree::of(&[("a/x", file(""))]);
    assert!(id(&top, &[&top, &bottom]).is_empty());
    assert!(!id(&top, &[&bottom, &top]).is_empty());
}

#[test]
fn marks_that_hide_nothing_go() {
    let upper = Tree::of(&[
        ("gone", Kind::Whiteout),
        ("new", Kind::Opaque),
        ("new/gone", Kind::Whiteout),
        ("new/x", file("x")),
    ]);
    let plain = Tree::of(&[("new/x", file("x"))]);
    let (changes, folder) = captured(&upper, &[&Tree::default()]);
    assert_eq!(changes, id(&plain, &[&Tree::default()]));
    assert_eq!(paths(folder.path()), ["new", "new/x"]);
    assert!(lgetxattr(folder.path().join("new"), "user.overlay.opaque", &mut [0; 8]).is_err());
}

#[test]
fn marks_that_hide_something_stay() {
    let base = Tree::of(&[("gone", file("")), ("new/old", file("")), ("replaced", file(""))]);
    let upper =
        Tree::of(&[("gone", Kind::Whiteout), ("new", Kind::Opaque), ("new/x", file("x")), ("replaced", Kind::Opaque)]);
    let (changes, folder) = captured(&upper, &[&base]);
    assert_eq!(changes.entries, 4);
    assert_eq!(paths(folder.path()), ["gone", "new", "new/x", "replaced"]);
    assert!(lgetxattr(folder.path().join("new"), "user.overlay.opaque", &mut [0; 8]).is_ok());
    // A folder in place of a file hides it without a mark.
    assert!(lgetxattr(folder.path().join("replaced"), "user.overlay.opaque", &mut [0; 8]).is_err());
    let merged = Tree::of(&[("gone", Kind::Whiteout), ("new/x", file("x")), ("replaced", Kind::Folder)]);
    assert_ne!(id(&merged, &[&base]).id, changes.id, "an opaque folder is not a merged one");
}

#[test]
fn what_a_layer_between_has_deleted_is_not_there() {
    let bottom = Tree::of(&[("a/x", file("")), ("b/x", file("")), ("c", file(""))]);
    let middle = Tree::of(&[("a", Kind::Whiteout), ("b", Kind::Opaque), ("c", Kind::Whiteout)]);
    let upper = Tree::of(&[("a", Kind::Whiteout), ("b/x", Kind::Whiteout), ("c", Kind::Whiteout)]);
    assert!(id(&upper, &[&middle, &bottom]).is_empty());
    assert_eq!(id(&upper, &[&bottom]).entries, 3);
}

#[test]
fn sockets_go_and_what_they_had_replaced_does_not_come_back() {
    let base = Tree::of(&[("run/old", file("")), ("run/keep", file(""))]);
    let base = base.folder();
    let upper = Tree::of(&[("run", Kind::Folder)]).folder();
    let run = upper.path().join("run");
    let _one = UnixListener::bind(run.join("new")).unwrap();
    let _two = UnixListener::bind(run.join("old")).unwrap();
    touch(&run, 1234);
    let changes = capture(upper.path(), &[base.path().to_owned()]).unwrap();
    assert_eq!(changes.entries, 1);
    assert_eq!(paths(upper.path()), ["run", "run/old"]);
    assert_eq!(fs::symlink_metadata(run.join("old")).unwrap().rdev(), 0);
    assert_eq!(fs::metadata(&run).unwrap().mtime(), 1234, "what we remove leaves no trace in times");
}

#[test]
fn the_overlays_attributes_go_and_programs_stay() {
    if !has(Need::Attributes) {
        return;
    }
    let upper = Tree::of(&[("d/f", file("x"))]).folder();
    let plain = capture(upper.path(), &[]).unwrap();
    let (folder, file) = (upper.path().join("d"), upper.path().join("d/f"));
    let set = |path: &Path, name: &str| lsetxattr(path, name, b"y", XattrFlags::empty()).unwrap();
    for name in ["user.overlay.origin", "user.overlay.impure", "user.overlay.uuid", "user.overlay.nlink"] {
        set(&folder, name);
        set(&file, name);
    }
    assert_eq!(capture(upper.path(), &[]).unwrap(), plain);
    assert_eq!(llistxattr(&file, &mut [0u8; 256]).unwrap(), 0);
    assert_eq!(llistxattr(&folder, &mut [0u8; 256]).unwrap(), 0);
    // What a program set as `user.overlay.origin` inside of the overlay.
    set(&file, "user.overlay.overlay.origin");
    assert_ne!(capture(upper.path(), &[]).unwrap().id, plain.id);
}

#[test]
fn content_that_lies_elsewhere_is_refused() {
    if !has(Need::Attributes) {
        return;
    }
    for attribute in ["user.overlay.redirect", "user.overlay.metacopy"] {
        let upper = Tree::of(&[("d/f", file("x"))]).folder();
        lsetxattr(upper.path().join("d/f"), attribute, b"/x", XattrFlags::empty()).unwrap();
        let error = capture(upper.path(), &[]).unwrap_err();
        assert!(matches!(&error, Error::Overlay { attribute: found, .. } if found == attribute), "{error}");
        assert_eq!(error.fault(), Fault::Bug);
        assert!(error.to_string().contains("d/f"), "{error}");
    }
}

#[test]
fn whiteouts_that_share_an_inode_are_no_hard_links() {
    let base = Tree::of(&[("a", file("")), ("b", file(""))]);
    let apart = id(&Tree::of(&[("a", Kind::Whiteout), ("b", Kind::Whiteout)]), &[&base]);
    let upper = Tree::of(&[("a", Kind::Whiteout)]).folder();
    fs::hard_link(upper.path().join("a"), upper.path().join("b")).unwrap();
    assert_eq!(capture(upper.path(), &[base.folder().path().to_owned()]).unwrap().entries, 2);
    let base = base.folder();
    assert_eq!(capture(upper.path(), &[base.path().to_owned()]).unwrap(), apart);
}

#[test]
fn the_root_counts_if_it_was_changed() {
    let base = Tree::of(&[("x", file(""))]).folder();
    fs::set_permissions(base.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let below = [base.path().to_owned()];
    let upper = new_folder();
    assert_eq!(capture(upper.path(), &below).unwrap().entries, 1);
    prepare(upper.path(), &below).unwrap();
    assert!(capture(upper.path(), &below).unwrap().is_empty());
}

#[test]
fn device_numbers_count() {
    if !has(Need::Devices) {
        return;
    }
    let device = |minor| id(&Tree::of(&[("d", Kind::Device(1, minor))]), &[]).id;
    assert_ne!(device(3), device(5));
}

/// Changes one thing of a tree, or nothing if the tree has nothing of the kind; says what it was.
fn change_one(tree: &mut Tree, what: usize, index: usize) -> Option<&'static str> {
    let pick = |tree: &Tree, wanted: &dyn Fn(&Node) -> bool| {
        let paths: Vec<_> = tree.0.iter().filter(|(_, node)| wanted(node)).map(|(path, _)| path.clone()).collect();
        paths.get(index.checked_rem(paths.len())?).cloned()
    };
    let is_file = |node: &Node| matches!(node.kind, Kind::File(_));
    // A file of several names has one mode, owner and content, which its first name's node tells.
    let solid = |node: &Node| !matches!(node.kind, Kind::Whiteout | Kind::Link(_));
    match what {
        0 => {
            let path = pick(tree, &is_file)?;
            let Kind::File(content) = &mut tree.0.get_mut(&path)?.kind else { return None };
            content.push(b'!');
            Some("content")
        }
        1 => {
            let path = pick(tree, &|node| solid(node) && !matches!(node.kind, Kind::Symlink(_)))?;
            tree.0.get_mut(&path)?.mode ^= 0o040;
            Some("mode")
        }
        2 => {
            if !met(Need::Owners) {
                return None;
            }
            let path = pick(tree, &solid)?;
            tree.0.get_mut(&path)?.owner.0 ^= 1;
            Some("user")
        }
        3 => {
            if !met(Need::Owners) {
                return None;
            }
            let path = pick(tree, &solid)?;
            tree.0.get_mut(&path)?.owner.1 ^= 1;
            Some("group")
        }
        4 => {
            let path = pick(tree, &|node| matches!(node.kind, Kind::Symlink(_)))?;
            let Kind::Symlink(target) = &mut tree.0.get_mut(&path)?.kind else { return None };
            target.push(b'!');
            Some("target")
        }
        5 => {
            if !met(Need::Attributes) {
                return None;
            }
            let path = pick(tree, &|node| matches!(node.kind, Kind::File(_) | Kind::Folder))?;
            tree.0.get_mut(&path)?.xattrs.insert("user.z", b"z".to_vec());
            Some("attribute")
        }
        6 => {
            let path = pick(tree, &|node| matches!(node.kind, Kind::Link(_)))?;
            let Kind::Link(first) = tree.0.get(&path)?.kind.clone() else { return None };
            let copy = tree.0.get(&first)?.clone();
            tree.0.insert(path, copy);
            Some("hard link made a copy")
        }
        7 => {
            let path = pick(tree, &is_file)?;
            // Of a file of several names, the others follow the one that they are made from.
            if tree.0.values().any(|node| node.kind == Kind::Link(path.clone())) {
                return None;
            }
            let node = tree.0.remove(&path)?;
            let folder = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
            tree.0.insert([&path[..folder], b"renamed"].concat(), node);
            Some("name")
        }
        8 => {
            let path = pick(tree, &is_file)?;
            let node = tree.0.get_mut(&path)?;
            if node.kind != Kind::File(Vec::new()) || !node.xattrs.is_empty() {
                return None;
            }
            node.kind = Kind::Fifo;
            Some("type")
        }
        9 => {
            let path = pick(tree, &|node| node.kind == Kind::Opaque)?;
            // In a folder that hides everything below, a mark hides nothing.
            let hides = |end: usize| tree.0.get(&path[..end]).is_some_and(|node| node.kind == Kind::Opaque);
            if path.iter().enumerate().any(|(end, byte)| *byte == b'/' && hides(end)) {
                return None;
            }
            tree.0.get_mut(&path)?.kind = Kind::Folder;
            Some("opaque mark")
        }
        _ => {
            tree.put(b"added", Node::new(Kind::File(Vec::new())));
            Some("addition")
        }
    }
}

proptest! {
    #![proptest_config(crate::tree::cases(96))]

    #[test]
    fn any_single_change_gives_another_id(tree in trees(), what in 0usize..11, index in any::<usize>()) {
        let mut changed = tree.clone();
        let Some(what) = change_one(&mut changed, what, index) else { return Ok(()) };
        prop_assume!(changed != tree);
        let below = something_below(&tree);
        prop_assert_ne!(id(&tree, &[&below]).id, id(&changed, &[&below]).id, "{}", what);
    }
}

/// Writes through a real overlay, as a step does.
#[test]
fn the_kernels_overlay_gives_what_is_expected() {
    if !has(Need::Overlay) {
        return;
    }
    let script = r#"set -e
mount -t overlay -o userxattr,index=off,xino=off,lowerdir=lower,upperdir=upper,workdir=work overlay merged
cd merged
rm gone
rm -r tree && mkdir tree && echo new > tree/new
rm -r vanished
echo more >> etc/config
chmod 700 only-mode && chmod 755 only-mode
mv a-file moved
ln moved linked
mkdir fresh && touch fresh/x && rm fresh/x
setfattr -n user.note -v hello etc/config 2>/dev/null || true
"#;
    let folder = tempfile::tempdir().unwrap();
    let lower = Tree::of(&[
        ("gone", file("x")),
        ("tree/old", file("x")),
        ("vanished/deep/x", file("x")),
        ("etc/config", file("a\n")),
        ("only-mode/x", file("x")),
        ("a-file", file("moved content")),
    ]);
    for name in ["lower", "upper", "work", "merged"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let below = folder.path().join("lower");
    lower.make(&below, crate::tree::Order::Forward);
    let output = Command::new("unshare").args(["--mount", "sh", "-c", script]).current_dir(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let upper = folder.path().join("upper");
    let changes = capture(&upper, &[below]).unwrap();
    assert_eq!(
        paths(&upper),
        ["a-file", "etc", "etc/config", "fresh", "gone", "linked", "moved", "tree", "tree/new", "vanished"],
        "the folder whose mode came back is not in it"
    );
    // All of them but `etc`, which was carried along.
    assert_eq!(changes.entries, 9);
    assert_eq!(fs::read(upper.join("moved")).unwrap(), b"moved content");
    for path in ["etc", "etc/config", "moved", "tree"] {
        let mut names = [0u8; 512];
        let length = llistxattr(upper.join(path), &mut names).unwrap();
        let names = String::from_utf8_lossy(&names[..length]).into_owned();
        let overlays = names.split('\0').filter(|name| name.starts_with("user.overlay.")).collect::<Vec<_>>();
        assert_eq!(overlays, if path == "tree" { vec!["user.overlay.opaque"] } else { vec![] }, "{path}");
    }
}

#[test]
fn names_are_bytes() {
    let mut tree = Tree::default();
    tree.put(b"\xff/\xfe", Node::new(file("x")));
    let upper = tree.folder();
    assert_eq!(capture(upper.path(), &[]).unwrap().entries, 2);
    assert!(at(upper.path(), b"\xff").as_os_str().as_bytes().ends_with(b"\xff"));
}

/// Nearly as deep as a path may be long.
#[test]
fn deep_trees_take_no_stack() {
    let depth = 1900;
    let mut tree = Tree::default();
    tree.put(&vec!["d"; depth].join("/").into_bytes(), Node::new(file("x")));
    let upper = tree.folder();
    let changes = capture(upper.path(), &[]).unwrap();
    assert_eq!(changes.entries, depth as u64);
    let root = Root::open(upper.path()).unwrap();
    let selected = select(&root, &["d".into()], Owners::Ignored, &|_, _| Verdict::Take, None).unwrap();
    assert_eq!(selected.entries, depth as u64);

    let archive = tar::write(upper.path(), None, Vec::new()).unwrap();
    let unpacked = new_folder();
    let options = Options::of_layer(&|| Ok(Vec::new()));
    unpack(archive.as_slice(), unpacked.path(), options).unwrap();
    assert_eq!(capture(unpacked.path(), &[]).unwrap(), changes);
    // In place of the folder, a file.
    let file = Tree::of(&[("d", file("x"))]).folder();
    unpack(tar::write(file.path(), None, Vec::new()).unwrap().as_slice(), unpacked.path(), options).unwrap();
    assert_eq!(paths(unpacked.path()), ["d"]);
    // The temporary folder's own way to remove it keeps a file open for each level.
    let removed = Command::new("rm").arg("-rf").arg(upper.path().join("d")).status().unwrap();
    assert!(removed.success());
}
