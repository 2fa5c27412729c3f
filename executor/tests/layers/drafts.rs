//! Drafts: what is known of a change set while it is written is what is found when it is looked for, and what is written beside
//! the tree is what is written through an overlay of it.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use layercake_executor::change::{ChangeSet, capture, prepare};
use layercake_executor::draft::{Archived, Draft, WriteError};
use layercake_executor::layer::{tar, unpack};
use layercake_executor::op::copy::mode::ModeChange;
use layercake_executor::op::copy::source::Source;
use layercake_executor::op::copy::write::{Owner, Writer};
use layercake_executor::overlay::{Overlay, Upper};
use layercake_executor::root::Root;
use layercake_executor::select::Verdict;
use proptest::prelude::*;
use rustix::fs::{AtFlags, CWD, FileType, Timespec, Timestamps, XattrFlags, lsetxattr, utimensat};

use crate::machine::{Need, met};
use crate::tree::{Kind, Node, Order, Tree, cases, new_folder, trees};

/// How something is copied.
#[derive(Clone, Debug)]
struct Copied {
    /// Each of these trees' files, one after the other.
    sources: Vec<Tree>,
    /// Whether each name in a source is copied on its own, as by a wildcard.
    by_name: bool,
    destination: &'static str,
    owner: Owner,
    mode: Option<&'static str>,
}

impl Copied {
    /// Whether there is anything in the sources that no archive is written of: attributes, devices, fifos, names that mean deletions.
    fn needs_a_folder(&self) -> bool {
        let is_plain = |(path, node): (&Vec<u8>, &Node)| {
            let is_plain = !matches!(node.kind, Kind::Fifo | Kind::Device(..));
            is_plain && node.xattrs.is_empty() && !path.windows(4).any(|part| part == b".wh.")
        };
        !self.sources.iter().flat_map(|tree| &tree.0).all(is_plain)
    }
}

/// Puts everything into a draft on `layers`.
fn draft<'a>(copied: &Copied, sources: &'a [Root], layers: &'a [PathBuf]) -> Result<Draft<'a>, WriteError> {
    let everything = |_: &Path, _: FileType| Verdict::Take;
    let mode = copied.mode.map(|mode| ModeChange::parse(mode).unwrap());
    let mut draft = Draft::on(layers)?;
    for root in sources {
        let mut writer = Writer::new(&mut draft, copied.owner, mode.as_ref());
        let pattern = if copied.by_name { "*" } else { "." };
        for selected in (Source { root, filter: &everything }).select(pattern).unwrap_or_default() {
            writer.copy(root, &everything, &selected, copied.destination)?;
        }
    }
    Ok(draft)
}

/// What was written: what is known of it, and what is found.
struct Made {
    known: Option<ChangeSet>,
    found: ChangeSet,
    tar: Vec<u8>,
}

/// In the past, so that when something was written makes no difference.
const EPOCH: i64 = 1_700_000_000;

fn finished(upper: &Path, below: &[PathBuf], known: Option<ChangeSet>) -> Made {
    let bytes = || tar::write(upper, Some(EPOCH), Vec::new()).map_err(|error| error.to_string());
    let before = bytes();
    let found = capture(upper, below).unwrap();
    let after = bytes();
    if known.is_some() {
        assert!(before == after, "a folder in its normal form stays what it is");
    }
    Made { known, found, tar: after.unwrap_or_else(String::into_bytes) }
}

/// Written beside the tree, and as an archive.
fn apart(copied: &Copied, sources: &[Root], below: &[PathBuf]) -> Result<Made, WriteError> {
    let upper = new_folder();
    prepare(upper.path(), below).unwrap();
    let draft = draft(copied, sources, below)?;
    let known = draft.write_upper(upper.path())?;
    let made = finished(upper.path(), below, known);
    let mut archive = Vec::new();
    match draft.write_archive(&mut archive, Path::new("archive")).unwrap() {
        Some(archived) => check_archive(&archive, &archived, upper.path(), &made),
        None => assert!(copied.needs_a_folder() || known.is_none(), "it could have been an archive"),
    }
    Ok(made)
}

/// An archive is what the folder gives, and gives the folder.
fn check_archive(archive: &[u8], archived: &Archived, folder: &Path, made: &Made) {
    assert_eq!(archived.change_set, made.found);
    let unpacked = new_folder();
    let below = || Ok(Vec::new());
    let options = unpack::Options { nanoseconds: &archived.nanoseconds, ..unpack::Options::of_layer(&below) };
    unpack::unpack(archive, unpacked.path(), options).unwrap();
    assert_eq!(capture(unpacked.path(), &[]).unwrap().folder, made.found.folder);
    assert!(tar::write(unpacked.path(), None, Vec::new()).unwrap() == archive, "it gives another archive");
    let clamped = tar::write(unpacked.path(), Some(EPOCH), Vec::new()).unwrap();
    assert_eq!(entries(&clamped), entries(&made.tar));
    assert!(clamped == made.tar, "the archives differ");
    let times = |root: &Path| -> Vec<_> {
        let mut found = Vec::new();
        list(root, &mut found);
        let time = |path: &PathBuf| std::fs::symlink_metadata(path).unwrap();
        let time =
            |path: &PathBuf| (path.strip_prefix(root).unwrap().to_owned(), time(path).mtime(), time(path).mtime_nsec());
        // What was written now was written at other times.
        found.iter().map(time).filter(|(_, seconds, _)| *seconds < EPOCH).collect()
    };
    assert_eq!(times(unpacked.path()), times(folder));
}

/// Everything in a folder.
fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.symlink_metadata().unwrap().is_dir() {
            list(&path, found);
        }
        found.push(path);
    }
}

/// Written through an overlay; `None` if this user may mount none.
fn through(copied: &Copied, sources: &[Root], below: &[PathBuf]) -> Option<Result<Made, WriteError>> {
    let folder = new_folder();
    let (upper, work) = (folder.path().join("upper"), folder.path().join("work"));
    std::fs::create_dir(&upper).unwrap();
    std::fs::create_dir(&work).unwrap();
    prepare(&upper, below).unwrap();
    let overlay = Overlay { lowers: below.to_vec(), upper: Some(Upper { upper: upper.clone(), work }) };
    let mounted = overlay.mount().ok()?;
    let layers = [mounted.path()];
    let written = draft(copied, sources, &layers).and_then(|draft| draft.write_onto(&Root::of(&mounted).unwrap()));
    drop(mounted);
    Some(written.map(|()| finished(&upper, below, None)))
}

/// What an archive says of its entries, but for their contents.
fn entries(tar: &[u8]) -> Vec<String> {
    let mut archive = ::tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map_while(Result::ok);
    entries.map(|entry| format!("{:?} {:?}", String::from_utf8_lossy(&entry.path_bytes()), entry.header())).collect()
}

/// Both ways, which must agree.
fn check(copied: &Copied, below: &Tree) -> Option<Made> {
    let below = below.folder();
    let layers = [below.path().to_owned()];
    let folders: Vec<_> = copied.sources.iter().map(Tree::folder).collect();
    let sources: Vec<_> = folders.iter().map(|folder| Root::open(folder.path()).unwrap()).collect();
    let apart = apart(copied, &sources, &layers);
    let through = through(copied, &sources, &layers);
    assert!(through.is_some() || !met(Need::Overlay) || crate::namespace::inside(), "nothing can be mounted");
    match (apart, through) {
        (Ok(apart), Some(Ok(through))) => {
            assert_eq!(apart.found, through.found);
            assert_eq!(entries(&apart.tar), entries(&through.tar));
            assert!(apart.tar == through.tar, "the archives differ");
            assert!(apart.known.is_none_or(|known| known == apart.found), "{:?} {:?}", apart.known, apart.found);
            Some(apart)
        }
        (Ok(apart), None) => {
            assert!(apart.known.is_none_or(|known| known == apart.found), "{:?} {:?}", apart.known, apart.found);
            Some(apart)
        }
        (Err(apart), through) => {
            if let Some(through) = through {
                assert_eq!(Some(apart.to_string()), through.err().map(|error| error.to_string()));
            }
            None
        }
        (Ok(_), Some(Err(error))) => panic!("only through an overlay: {error}"),
    }
}

/// The same without what belongs to layers, and not to trees.
fn plain(tree: Tree) -> Tree {
    let plain = |(path, mut node): (Vec<u8>, Node)| {
        match node.kind {
            Kind::Opaque => node.kind = Kind::Folder,
            Kind::Whiteout => node.kind = Kind::Fifo,
            _ => (),
        }
        (path, node)
    };
    Tree(tree.0.into_iter().map(plain).collect::<BTreeMap<_, _>>())
}

/// Without extended attributes of folders, so that the change set is always known.
fn without_attributes(mut tree: Tree) -> Tree {
    for node in tree.0.values_mut().filter(|node| node.kind == Kind::Folder) {
        node.xattrs.clear();
    }
    tree
}

fn copies() -> impl Strategy<Value = (Copied, Tree)> {
    let owner = prop_oneof![
        2 => Just(Owner::Set { uid: 0, gid: 0 }),
        1 => Just(if met(Need::Owners) { Owner::Set { uid: 12, gid: 34 } } else { Owner::Set { uid: 0, gid: 0 } }),
        1 => Just(Owner::Kept),
    ];
    let destination = proptest::sample::select(vec!["/", "/a", "/a/", "/a/b", "/new/c/", "/d/./../b/."]);
    let mode = proptest::sample::select(vec![None, None, Some("2750"), Some("go+rwX,u-s")]);
    let sources = proptest::collection::vec(trees().prop_map(plain), 1..3);
    (sources, any::<bool>(), destination, owner, mode, trees().prop_map(plain), any::<bool>()).prop_map(
        |(sources, by_name, destination, owner, mode, below, attributes)| {
            let clean = |tree: Tree| if attributes { tree } else { without_attributes(tree) };
            let sources = sources.into_iter().map(clean).collect();
            (Copied { sources, by_name, destination, owner, mode }, clean(below))
        },
    )
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn what_is_known_is_what_is_found_and_what_an_overlay_gives((copied, below) in copies()) {
        check(&copied, &below);
        // On itself everything meets something.
        let onto_itself = Copied { sources: vec![below.clone()], destination: "/", ..copied };
        check(&onto_itself, &below);
    }
}

fn copied(sources: Vec<Tree>) -> Copied {
    Copied { sources, by_name: false, destination: "/", owner: Owner::Set { uid: 0, gid: 0 }, mode: None }
}

#[test]
fn a_folder_that_is_as_it_was_is_no_change() {
    let tree = Tree::of(&[("a/b", Kind::Folder), ("c", Kind::Folder)]);
    let made = check(&copied(vec![tree.clone()]), &tree).unwrap();
    assert!(made.known.unwrap().is_empty());
}

#[test]
fn the_change_set_is_known_where_folders_have_no_attributes() {
    let source = Tree::of(&[("a/b", Kind::File(b"x".to_vec())), ("d/e", Kind::Symlink(b"f".to_vec()))]);
    let mut below = Tree::of(&[("a", Kind::Folder)]);
    assert!(check(&copied(vec![source.clone()]), &below).unwrap().known.is_some());
    if met(Need::Attributes) {
        below.0.get_mut(&b"a"[..]).unwrap().xattrs.insert("user.a", b"x".to_vec());
        assert!(check(&copied(vec![source]), &below).unwrap().known.is_none());
    }
}

#[test]
fn access_lists_are_inherited() {
    // Everybody's rights, a user's and a group's, and a mask: `linux/posix_acl_xattr.h`.
    let mut list = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in
        [(1_u16, 7_u16, u32::MAX), (2, 7, 1234), (4, 5, u32::MAX), (0x10, 7, u32::MAX), (0x20, 5, u32::MAX)]
    {
        list.extend([tag.to_le_bytes(), permissions.to_le_bytes()].concat());
        list.extend(id.to_le_bytes());
    }
    let below = new_folder();
    let tree = Tree::of(&[("a", Kind::Folder)]);
    tree.make(below.path(), Order::Forward);
    let place = below.path().join("a");
    if lsetxattr(&place, "system.posix_acl_default", &list, XattrFlags::empty()).is_err() {
        return;
    }
    let source = Tree::of(&[("a/b/c", Kind::File(b"x".to_vec())), ("a/d", Kind::File(b"y".to_vec()))]);
    let folder = source.folder();
    let (sources, layers) = ([Root::open(folder.path()).unwrap()], [below.path().to_owned()]);
    let copied = copied(vec![source]);
    let apart = apart(&copied, &sources, &layers).unwrap();
    assert_eq!(apart.known, None);
    if let Some(through) = through(&copied, &sources, &layers) {
        let through = through.unwrap();
        assert_eq!(apart.found, through.found);
        assert!(apart.tar == through.tar);
    }
}

#[test]
fn large_files_are_hashed_as_they_are() {
    let long = |length: usize| Kind::File((0..length).map(|index| (index % 251) as u8).collect());
    let sizes = [0, 1, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20];
    let mut source = Tree::default();
    for size in sizes {
        source.put(format!("{size}").as_bytes(), Node::new(long(size)));
    }
    let made = check(&copied(vec![source]), &Tree::default()).unwrap();
    assert_eq!(made.known.unwrap().bytes, sizes.iter().map(|size| *size as u64).sum::<u64>());
}

#[test]
fn archives_keep_what_times_have_beyond_seconds() {
    let source =
        Tree::of(&[("a/b", Kind::File(b"x".to_vec())), ("a/c", Kind::Symlink(b"b".to_vec())), ("d", Kind::Folder)]);
    let folder = source.folder();
    for (path, nanoseconds) in [("a/b", 1), ("a/c", 999_999_999), ("a", 123), ("d", 500_000_000)] {
        let time = Timespec { tv_sec: 1_600_000_000, tv_nsec: nanoseconds };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, folder.path().join(path), &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    }
    let lower = new_folder();
    let (sources, below) = ([Root::open(folder.path()).unwrap()], [lower.path().to_owned()]);
    let copied = copied(vec![source]);
    // They are compared there.
    apart(&copied, &sources, &below).unwrap();
    let mut archive = Vec::new();
    let archived = draft(&copied, &sources, &below).unwrap().write_archive(&mut archive, Path::new("archive"));
    assert_eq!(archived.unwrap().unwrap().nanoseconds, [123, 1, 999_999_999, 500_000_000]);
}

#[test]
fn what_an_archive_cannot_hold_well_is_a_folder() {
    let sparse = new_folder();
    std::fs::File::create(sparse.path().join("sparse")).unwrap().set_len(1 << 30).unwrap();
    let lower = new_folder();
    let below = [lower.path().to_owned()];
    let all = |root: &Root| {
        let roots = std::slice::from_ref(root);
        draft(&copied(vec![Tree::default()]), roots, &below)
            .unwrap()
            .write_archive(std::io::sink(), Path::new("archive"))
    };
    assert_eq!(all(&Root::open(sparse.path()).unwrap()).unwrap(), None);
    let mark = Tree::of(&[("a/.wh.b", Kind::File(b"x".to_vec()))]).folder();
    assert_eq!(all(&Root::open(mark.path()).unwrap()).unwrap(), None);
}

#[test]
fn a_full_disk_is_told_with_its_place() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let folder = Tree::of(&[("large", Kind::File(vec![1; 20 << 20]))]).folder();
    let lower = new_folder();
    let (sources, below) = ([Root::open(folder.path()).unwrap()], [lower.path().to_owned()]);
    let draft = draft(&copied(vec![Tree::default()]), &sources, &below).unwrap();
    let error = draft.write_archive(Full, Path::new("store/tmp/blob")).unwrap_err().to_string();
    assert!(error.starts_with("cannot write `store/tmp/blob`: "), "{error}");
}

#[test]
fn a_root_that_is_not_as_roots_are_is_an_entry() {
    let source = Tree::of(&[("a/b", Kind::File(b"x".to_vec()))]);
    let (folder, lower) = (source.folder(), new_folder());
    std::fs::set_permissions(lower.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let (sources, below) = ([Root::open(folder.path()).unwrap()], [lower.path().to_owned()]);
    // What is written now and what is written then are the same there.
    let made = apart(&copied(vec![source]), &sources, &below).unwrap();
    assert!(entries(&made.tar)[0].starts_with("\"./\""), "{:?}", entries(&made.tar));
}
