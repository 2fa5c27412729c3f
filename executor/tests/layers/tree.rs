//! Trees as values: made on disk, read back, and generated.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat, utimensat,
};

use crate::machine::{Need, capability, met};

/// A tree in overlay form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree(pub(crate) BTreeMap<Vec<u8>, Node>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) xattrs: BTreeMap<&'static str, Vec<u8>>,
    pub(crate) mtime: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File(Vec<u8>),
    Folder,
    Opaque,
    Symlink(Vec<u8>),
    Fifo,
    Device(u32, u32),
    Whiteout,
    /// A further name of the file at this path, which comes earlier.
    Link(Vec<u8>),
}

/// The order in which things are made on disk, which must not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Forward,
    Backward,
}

impl Node {
    pub(crate) fn new(kind: Kind) -> Self {
        let mode = if matches!(kind, Kind::Folder | Kind::Opaque) { 0o755 } else { 0o644 };
        Self { kind, mode, owner: (0, 0), xattrs: BTreeMap::new(), mtime: 1_000_000_000 }
    }

    fn is_folder(&self) -> bool {
        matches!(self.kind, Kind::Folder | Kind::Opaque)
    }
}

impl Tree {
    /// With plain nodes at these paths; a path that ends in a slash is a folder.
    pub(crate) fn of(entries: &[(&str, Kind)]) -> Self {
        let mut tree = Self::default();
        for (path, kind) in entries {
            tree.put(path.as_bytes(), Node::new(kind.clone()));
        }
        tree
    }

    /// Adds a node, and the folders that it lies in.
    pub(crate) fn put(&mut self, path: &[u8], node: Node) {
        for (index, byte) in path.iter().enumerate() {
            if *byte == b'/' {
                self.0.entry(path[..index].to_vec()).or_insert_with(|| Node::new(Kind::Folder));
            }
        }
        self.0.insert(path.to_vec(), node);
    }

    /// Makes everything in an empty folder.
    pub(crate) fn make(&self, root: &Path, order: Order) {
        let mut nodes: Vec<_> = self.0.iter().collect();
        if order == Order::Backward {
            nodes.reverse();
        }
        for (path, node) in nodes.iter().filter(|(_, node)| !matches!(node.kind, Kind::Link(_))) {
            make(&at(root, path), node);
        }
        for (path, node) in &nodes {
            if let Kind::Link(first) = &node.kind {
                fs::hard_link(at(root, first), at(root, path)).unwrap();
            }
        }
        // Folders last: making something in one changes its time, and a mode may forbid it.
        for (path, node) in self.0.iter().rev().filter(|(_, node)| node.is_folder()) {
            let path = at(root, path);
            fs::set_permissions(&path, fs::Permissions::from_mode(node.mode)).unwrap();
            touch(&path, node.mtime);
        }
    }

    /// Makes everything in a new folder.
    pub(crate) fn folder(&self) -> tempfile::TempDir {
        let folder = new_folder();
        self.make(folder.path(), Order::Forward);
        folder
    }
}

/// A folder as the root of a tree is.
pub(crate) fn new_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

pub(crate) fn at(root: &Path, path: &[u8]) -> PathBuf {
    root.join(OsStr::from_bytes(path))
}

fn make(path: &Path, node: &Node) {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).unwrap();
    }
    match &node.kind {
        Kind::File(content) => fs::write(path, content).unwrap(),
        Kind::Folder => fs::create_dir_all(path).unwrap(),
        Kind::Opaque => {
            fs::create_dir_all(path).unwrap();
            lsetxattr(path, "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
        }
        Kind::Symlink(target) => symlink(OsStr::from_bytes(target), path).unwrap(),
        Kind::Fifo => mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap(),
        Kind::Device(major, minor) => {
            mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), makedev(*major, *minor)).unwrap();
        }
        Kind::Whiteout => {
            mknodat(CWD, path, FileType::CharacterDevice, Mode::empty(), 0).unwrap();
            return;
        }
        Kind::Link(_) => unreachable!("links are made when their files are there"),
    }
    // A folder with the setgid bit gives its group to what is made in it, so the default owner is set too.
    if met(Need::Owners) {
        std::os::unix::fs::lchown(path, Some(node.owner.0), Some(node.owner.1)).unwrap();
    }
    if !matches!(node.kind, Kind::Symlink(_)) {
        fs::set_permissions(path, fs::Permissions::from_mode(node.mode)).unwrap();
    }
    for (name, value) in &node.xattrs {
        lsetxattr(path, *name, value, XattrFlags::empty()).unwrap();
    }
    touch(path, node.mtime);
}

pub(crate) fn touch(path: &Path, mtime: i64) {
    let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Names that something has gone wrong with, somewhere.
fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::sample::select(vec!["a", "b", "c", "d"]).prop_map(|name| name.as_bytes().to_vec()),
        1 => proptest::sample::select(vec![
            &b" "[..], b"-rf", b".hidden", b"...", b"a=b", b"new\nline", b"\xff\xfe", "\u{fc}ber".as_bytes(), b"%41", b"\\x41",
            b"a-b", b"a b", b".whx",
        ])
        .prop_map(<[u8]>::to_vec),
        1 => (b'p'..b's', 90usize..=255).prop_map(|(letter, length)| vec![letter; length]),
    ]
}

fn owner() -> BoxedStrategy<(u32, u32)> {
    if met(Need::Owners) {
        prop_oneof![3 => Just((0, 0)), 1 => (0u32..65_536, 0u32..65_536)].boxed()
    } else {
        Just((0, 0)).boxed()
    }
}

fn xattrs() -> BoxedStrategy<BTreeMap<&'static str, Vec<u8>>> {
    if !met(Need::Attributes) {
        return Just(BTreeMap::new()).boxed();
    }
    let names = vec!["user.a", "user.b b", "user.overlay.overlay.nested"];
    prop_oneof![4 => Just(BTreeMap::new()), 1 => btree_map(proptest::sample::select(names), vec(any::<u8>(), 0..40), 1..3)].boxed()
}

fn node() -> impl Strategy<Value = Node> {
    let content = prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 1..2000),
        (any::<u8>(), proptest::sample::select(vec![511usize, 512, 513, 70_000]))
            .prop_map(|(byte, length)| vec![byte; length]),
    ];
    let kind = prop_oneof![
        6 => content.prop_map(Kind::File),
        2 => Just(Kind::Folder),
        1 => Just(Kind::Opaque),
        2 => vec(prop_oneof![Just(b'/'), Just(b'.'), Just(b'\xff'), 1u8..=255], 1..300).prop_map(Kind::Symlink),
        1 => Just(Kind::Fifo),
        1 => Just(Kind::Whiteout),
    ];
    let mode =
        prop_oneof![Just(0o644), Just(0o755), Just(0o4755), Just(0o1777), Just(0o2750), Just(0o000), 0u32..0o10000];
    (kind, mode, owner(), xattrs(), any::<bool>(), 0i64..4_000_000_000).prop_map(
        |(kind, mode, owner, mut xattrs, capable, mtime)| {
            if !matches!(kind, Kind::File(_) | Kind::Folder | Kind::Opaque) {
                xattrs.clear();
            }
            if capable && matches!(kind, Kind::File(_)) && met(Need::Capabilities) {
                xattrs.insert("security.capability", capability());
            }
            Node { kind, mode, owner, xattrs, mtime }
        },
    )
}

/// Trees of every kind of entry, but for devices.
pub(crate) fn trees() -> impl Strategy<Value = Tree> {
    let entries = vec((vec(name(), 1..5), node()), 0..20);
    let links = vec((any::<proptest::sample::Index>(), vec(name(), 1..3)), 0..5);
    (entries, links).prop_map(|(entries, links)| {
        let mut tree = Tree::default();
        for (path, node) in entries {
            let path = path.join(&b'/');
            if fits(&tree, &path) {
                tree.put(&path, node);
            }
        }
        for (index, path) in links {
            let files: Vec<Vec<u8>> = tree
                .0
                .iter()
                .filter(|(_, node)| matches!(node.kind, Kind::File(_)))
                .map(|(path, _)| path.clone())
                .collect();
            let path = path.join(&b'/');
            if !files.is_empty() && fits(&tree, &path) {
                let first = index.get(&files).clone();
                let node = Node { kind: Kind::Link(first.clone()), ..tree.0[&first].clone() };
                tree.put(&path, node);
            }
        }
        tree
    })
}

/// Whether a new path lies in folders only.
fn fits(tree: &Tree, path: &[u8]) -> bool {
    let parents = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(index, _)| &path[..index]);
    !tree.0.contains_key(path) && parents.into_iter().all(|parent| tree.0.get(parent).is_none_or(Node::is_folder))
}

/// A tree to lie below, in which every mark of this one has something to hide.
pub(crate) fn something_below(tree: &Tree) -> Tree {
    let mut below = Tree::default();
    for (path, node) in &tree.0 {
        let inside = |name: &[u8]| [path, &b"/"[..], name].concat();
        match node.kind {
            Kind::Whiteout => below.put(path, Node::new(Kind::File(b"deleted".to_vec()))),
            Kind::Opaque => below.put(&inside(b"hidden"), Node::new(Kind::File(b"hidden".to_vec()))),
            _ => (),
        }
    }
    below
}

/// Few cases, since each makes files, and no file for those that failed.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(cases);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
