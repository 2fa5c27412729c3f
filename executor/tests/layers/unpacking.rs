//! Archives that someone else wrote, in good faith or not.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use layercake_executor::change::capture;
use layercake_executor::fault::Fault;
use layercake_executor::layer::Contents;
use layercake_executor::layer::Error;
use layercake_executor::layer::unpack::{Dependence, Marks, Options, Outcome, Top, unpack};
use proptest::prelude::*;
use rustix::fs::{lgetxattr, llistxattr};
use tar::{Builder, EntryType, Header};

use crate::machine::{Need, has};
use crate::tree::{Kind, Tree, new_folder, trees};

/// One entry of an archive that is written as it stands.
#[derive(Clone, Copy)]
struct Written<'a> {
    path: &'a str,
    kind: EntryType,
    link: &'a str,
    content: &'a str,
    mode: u32,
    uid: u64,
    xattr: Option<(&'a str, &'a [u8])>,
}

const FILE: Written<'_> =
    Written { path: "", kind: EntryType::Regular, link: "", content: "", mode: 0o644, uid: 0, xattr: None };

fn file<'a>(path: &'a str, content: &'a str) -> Written<'a> {
    Written { path, content, ..FILE }
}

fn folder(path: &str) -> Written<'_> {
    Written { path, kind: EntryType::Directory, mode: 0o755, ..FILE }
}

fn symlink<'a>(path: &'a str, link: &'a str) -> Written<'a> {
    Written { path, kind: EntryType::Symlink, link, ..FILE }
}

fn hard_link<'a>(path: &'a str, link: &'a str) -> Written<'a> {
    Written { path, kind: EntryType::Link, link, ..FILE }
}

/// Without the checks of a library that means well.
fn archive(entries: &[Written<'_>]) -> Vec<u8> {
    let mut out = Builder::new(Vec::new());
    for entry in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_uid(entry.uid);
        header.set_gid(0);
        header.set_size(entry.content.len() as u64);
        let fields = header.as_old_mut();
        fields.name[..entry.path.len()].copy_from_slice(entry.path.as_bytes());
        fields.linkname[..entry.link.len()].copy_from_slice(entry.link.as_bytes());
        header.set_cksum();
        if let Some((name, value)) = entry.xattr {
            out.append_pax_extensions([(format!("SCHILY.xattr.{name}").as_str(), value)]).unwrap();
        }
        out.append(&header, entry.content.as_bytes()).unwrap();
    }
    out.into_inner().unwrap()
}

fn into(root: &Path, archive: &[u8], below: &[PathBuf]) -> Result<Outcome, Error> {
    unpack(archive, root, Options::of_layer(&|| Ok(below.to_vec())))
}

/// What becomes of these entries on layers, topmost first.
fn unpacked(entries: &[Written<'_>], below: &[PathBuf]) -> tempfile::TempDir {
    let root = new_folder();
    into(root.path(), &archive(entries), below).unwrap();
    root
}

fn refused(entries: &[Written<'_>]) -> Error {
    let error = into(new_folder().path(), &archive(entries), &[]).unwrap_err();
    assert_eq!(error.fault(), Fault::Input, "{error}");
    error
}

fn read(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).unwrap()
}

fn is_whiteout(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|status| status.mode() & 0o170_000 == 0o020_000 && status.rdev() == 0)
}

fn is_opaque(path: &Path) -> bool {
    lgetxattr(path, "user.overlay.opaque", &mut [0u8; 8]).is_ok()
}

fn content(text: &str) -> Kind {
    Kind::File(text.as_bytes().to_vec())
}

#[test]
fn nothing_leaves_the_root() {
    let outside = new_folder();
    let target = outside.path().to_str().unwrap();
    let root = unpacked(
        &[
            symlink("absolute", target),
            file("absolute/a", "inside"),
            symlink("up", "../../../../../.."),
            file("up/b", "inside"),
            folder("d"),
            symlink("d", target),
            file("d/c", "inside"),
            file("/abs", "inside"),
            file("x/../y", "inside"),
        ],
        &[],
    );
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    let inside = root.path().join(&target[1..]);
    assert_eq!(read(&inside, "a"), "inside");
    assert_eq!(read(&inside, "c"), "inside");
    for path in ["b", "abs", "y"] {
        assert_eq!(read(root.path(), path), "inside");
    }
}

#[test]
fn names_that_lead_out_are_refused() {
    let secret = new_folder();
    fs::write(secret.path().join("secret"), "s").unwrap();
    let target = secret.path().to_str().unwrap();
    let error = refused(&[file("../x", "")]);
    assert!(error.to_string().contains("`../x`") && error.to_string().contains("`..`"), "{error}");
    refused(&[file("a/../../x", "")]);
    for entries in [
        &[hard_link("x", "../../../etc/passwd")][..],
        &[hard_link("x", &format!("{target}/secret"))],
        &[symlink("l", target), hard_link("x", "l/secret")],
    ] {
        assert!(matches!(refused(entries), Error::LinkTarget { .. }));
    }
    for name in [".wh..", ".wh...", "a/.wh."] {
        refused(&[folder("a"), file(name, "")]);
    }
    refused(&[symlink("a", "b"), symlink("b", "a"), file("a/x", "")]);
    refused(&[file("a", ""), file("a/x", "")]);
    refused(&[file("./", "content")]);
    refused(&[folder("a"), hard_link("x", "a")]);
}

#[test]
fn links_of_layers_below_are_followed() {
    let below = Tree::of(&[("usr/lib/old", content("old")), ("lib", Kind::Symlink(b"usr/lib".to_vec()))]).folder();
    fs::set_permissions(below.path().join("usr/lib"), fs::Permissions::from_mode(0o711)).unwrap();
    let below = [below.path().to_owned()];
    let root = unpacked(&[file("lib/new", "new")], &below);
    assert_eq!(read(root.path(), "usr/lib/new"), "new");
    assert_eq!(fs::metadata(root.path().join("usr/lib")).unwrap().mode() & 0o7777, 0o711, "as it is below");
    assert!(fs::symlink_metadata(root.path().join("lib")).is_err());
    // What is carried along is no change.
    assert_eq!(capture(root.path(), &below).unwrap().entries, 1);
    // Listed, the folder takes the link's place; deleted, the link is not there.
    let root = unpacked(&[folder("lib"), file("lib/new", "new")], &below);
    assert_eq!(read(root.path(), "lib/new"), "new");
    let root = unpacked(&[file(".wh.lib", ""), file("lib/new", "new")], &below);
    assert!(fs::symlink_metadata(root.path().join("lib")).unwrap().is_dir());
    assert_eq!(read(root.path(), "lib/new"), "new");
}

#[test]
fn a_hard_link_may_name_a_file_below() {
    let mut tree = Tree::of(&[("etc/a", content("a"))]);
    tree.0.get_mut(&b"etc/a"[..]).unwrap().mode = 0o4711;
    let below = tree.folder();
    let root = unpacked(&[hard_link("b", "etc/a")], &[below.path().to_owned()]);
    assert_eq!(read(root.path(), "b"), "a");
    let status = |path: &str| fs::metadata(root.path().join(path)).unwrap();
    assert_eq!(status("b").ino(), status("etc/a").ino());
    assert_eq!((status("b").mode() & 0o7777, status("b").mtime()), (0o4711, 1_000_000_000));
}

#[test]
fn marks_concern_what_is_below_wherever_they_stand() {
    let below =
        Tree::of(&[("d/old", content("")), ("e/old", content("")), ("f", content("")), ("g/x", content(""))]).folder();
    let below = [below.path().to_owned()];
    let early = [file(".wh.d", ""), file("e/.wh..wh..opq", ""), file(".wh.f", ""), file(".wh.g", "")];
    let late = [folder("d"), file("d/new", "n"), folder("e"), file("e/new", "n"), file("f", "n")];
    let one = unpacked(&[&early[..], &late].concat(), &below);
    let two = unpacked(&[&late[..], &early].concat(), &below);
    assert_eq!(capture(one.path(), &below).unwrap(), capture(two.path(), &below).unwrap());
    for root in [one.path(), two.path()] {
        assert!(is_opaque(&root.join("d")) && is_opaque(&root.join("e")) && is_whiteout(&root.join("g")));
        assert_eq!(read(root, "f"), "n");
    }
}

#[test]
fn marks_that_hide_nothing_are_left_out() {
    let entries =
        [folder("d"), file("d/x", ""), file("d/.wh.gone", ""), file("d/.wh..wh..opq", ""), file(".wh.gone", "")];
    let root = unpacked(&entries, &[]);
    assert!(!is_opaque(&root.path().join("d")) && !root.path().join("d/gone").exists());
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}

#[test]
fn an_opaque_root_deletes_each_name() {
    let below = Tree::of(&[("a", content("")), ("b/x", content("")), ("c/x", content(""))]).folder();
    let root = unpacked(&[file(".wh..wh..opq", ""), folder("b"), file("b/new", "")], &[below.path().to_owned()]);
    assert!(is_whiteout(&root.path().join("a")) && is_whiteout(&root.path().join("c")));
    assert!(is_opaque(&root.path().join("b")) && !is_opaque(root.path()));
}

#[test]
fn what_aufs_left_is_left_out() {
    let root = unpacked(&[folder(".wh..wh.plnk"), file(".wh..wh.aufs", "")], &[]);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn the_last_of_equal_names_wins() {
    let root = unpacked(
        &[
            file("a", "1"),
            file("a", "2"),
            folder("b"),
            file("b/x", ""),
            file("b", "file"),
            file("c", ""),
            folder("c"),
            file("c/x", "x"),
            Written { mode: 0o700, ..folder("c") },
        ],
        &[],
    );
    assert_eq!(
        (read(root.path(), "a"), read(root.path(), "b"), read(root.path(), "c/x")),
        ("2".into(), "file".into(), "x".into())
    );
    assert_eq!(fs::metadata(root.path().join("c")).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn in_other_archives_no_name_is_a_mark_and_the_owner_may_be_given() {
    let root = new_folder();
    fs::write(root.path().join("gone"), "stays").unwrap();
    fs::create_dir(root.path().join("real")).unwrap();
    std::os::unix::fs::symlink("/real", root.path().join("link")).unwrap();
    let entries = [file(".wh.gone", "x"), file("link/new", "x")];
    let owner = has(Need::Owners).then_some((12, 34));
    let options = Options {
        marks: Marks::Names,
        top: Top::Left,
        owner,
        contents: Contents::All,
        below: &|| Ok(Vec::new()),
        scratch: None,
        nanoseconds: &[],
    };
    unpack(archive(&entries).as_slice(), root.path(), options).unwrap();
    assert_eq!((read(root.path(), "gone"), read(root.path(), ".wh.gone")), ("stays".into(), "x".into()));
    assert_eq!(read(root.path(), "real/new"), "x");
    if let Some((uid, gid)) = owner {
        let status = fs::metadata(root.path().join("real/new")).unwrap();
        assert_eq!((status.uid(), status.gid()), (uid, gid));
    }
}

#[test]
fn layers_below_are_looked_at_only_if_they_matter() {
    let never = || -> Result<Vec<PathBuf>, Error> { unreachable!("nothing depends on what is below") };
    let entries = [folder("a"), file("a/x", ""), hard_link("a/y", "a/x"), symlink("l", "a"), file("l/z", "")];
    let root = new_folder();
    let options = Options::of_layer(&never);
    let outcome = unpack(archive(&entries).as_slice(), root.path(), options).unwrap();
    assert_eq!(outcome.dependence, Dependence::None);
    for entry in [file("unlisted/x", ""), file(".wh.x", ""), file("a/.wh..wh..opq", "")] {
        let outcome = into(new_folder().path(), &archive(&[folder("a"), entry]), &[]).unwrap();
        assert_eq!(outcome.dependence, Dependence::Below, "{}", entry.path);
    }
}

#[test]
fn an_archive_cannot_speak_to_the_overlay() {
    if !has(Need::Attributes) {
        return;
    }
    let below = Tree::of(&[("d/x", content(""))]).folder();
    let entry = Written { xattr: Some(("user.overlay.opaque", b"y")), ..folder("d") };
    let root = unpacked(&[entry], &[below.path().to_owned()]);
    assert!(!is_opaque(&root.path().join("d")));
    assert!(lgetxattr(root.path().join("d"), "user.overlay.overlay.opaque", &mut [0u8; 8]).is_ok());
    let device = Written { kind: EntryType::Char, ..FILE };
    let mut bytes = archive(&[Written { path: "d", ..device }]);
    // Major and minor 0.
    bytes[329..345].copy_from_slice(b"0000000\x000000000\0");
    let mut header = Header::from_byte_slice(&bytes[..512]).clone();
    header.set_cksum();
    bytes[..512].copy_from_slice(header.as_bytes());
    let root = new_folder();
    let outcome = into(root.path(), &bytes, &[below.path().to_owned()]).unwrap();
    assert_eq!(outcome.skipped.devices, 1);
    assert!(!is_whiteout(&root.path().join("d")));
    // Labels of another machine's policy are not taken over.
    let root = unpacked(&[Written { xattr: Some(("security.selinux", b"label\0")), ..file("f", "") }], &[]);
    let length = llistxattr(root.path().join("f"), &mut [0u8; 256]).unwrap();
    assert_eq!(length, 0);
}

#[test]
fn a_folder_that_was_carried_along_takes_the_attributes_of_its_entry() {
    if !has(Need::Attributes) {
        return;
    }
    let mut below = Tree::of(&[("d/x", content(""))]);
    below.0.get_mut(&b"d"[..]).unwrap().xattrs.insert("user.old", b"1".to_vec());
    let below = below.folder();
    let entries = [file("d/new", ""), Written { xattr: Some(("user.new", b"2")), mode: 0o700, ..folder("d") }];
    let root = unpacked(&entries, &[below.path().to_owned()]);
    let path = root.path().join("d");
    assert!(
        lgetxattr(&path, "user.old", &mut [0u8; 8]).is_err() && lgetxattr(&path, "user.new", &mut [0u8; 8]).is_ok()
    );
    assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn an_owner_without_an_id_is_named() {
    if !crate::namespace::inside() {
        return;
    }
    let error = into(new_folder().path(), &archive(&[Written { uid: 200_000, ..file("f", "") }]), &[]).unwrap_err();
    assert!(matches!(error, Error::Owner { uid: 200_000, .. }), "{error}");
    assert_eq!(error.fault(), Fault::Environment);
}

#[test]
fn broken_archives_are_refused_and_say_where() {
    let whole = archive(&[file("a", "content")]);
    for (bytes, words) in [
        (&whole[..700], "it ends in the middle of a file"),
        (&whole[..300], "it ends in the middle of a block"),
        (&[1; 1024][..], "no archive"),
        (&[&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0][..], &[0xff; 100]].concat(), "cannot read the archive"),
        (&[&[0x28, 0xb5, 0x2f, 0xfd][..], &[0xff; 100]].concat(), "cannot read the archive"),
    ] {
        let error = into(new_folder().path(), bytes, &[]).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.fault(), Fault::Input, "{error}");
    }
    // Without the blocks at the end, as some tools write them.
    assert!(into(new_folder().path(), &whole[..1024], &[]).is_ok());
    assert!(into(new_folder().path(), b"", &[]).is_ok());
}

/// A long name of 4 GiB, announced in a header of 512 bytes.
#[test]
fn an_announcement_is_not_believed() {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(1 << 32);
    header.set_cksum();
    let error = into(new_folder().path(), &[header.as_bytes().as_slice(), &[0; 4096]].concat(), &[]).unwrap_err();
    assert!(error.to_string().contains("1 MiB"), "{error}");
}

proptest! {
    #![proptest_config(crate::tree::cases(64))]

    #[test]
    fn no_damage_makes_it_panic_or_leave_the_root(
        tree in trees(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let source = tree.folder();
        let mut bytes = layercake_executor::layer::tar::write(source.path(), None, Vec::new()).unwrap();
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
            // With a checksum that is right again, the damage gets further.
            let block = at / 512 * 512;
            let mut header = Header::from_byte_slice(&bytes[block..block + 512]).clone();
            if header.as_ustar().is_some() {
                header.set_cksum();
                bytes[block..block + 512].copy_from_slice(header.as_bytes());
            }
        }
        let around = new_folder();
        let root = around.path().join("root");
        fs::create_dir(&root).unwrap();
        let _ = into(&root, &bytes, &[]);
        prop_assert_eq!(fs::read_dir(around.path()).unwrap().count(), 1);
    }
}

#[test]
fn below_an_opaque_or_deleted_folder_nothing_is_inherited() {
    let mut below = Tree::of(&[("d/sub/old", content("")), ("e/sub/old", content(""))]);
    for path in ["d/sub", "e/sub"] {
        below.0.get_mut(path.as_bytes()).unwrap().mode = 0o711;
    }
    let below = [below.folder()];
    let layers = [below[0].path().to_owned()];
    let entries = [
        file("d/.wh..wh..opq", ""),
        file("d/sub/x", ""),
        file("d/sub/.wh.old", ""),
        file(".wh.e", ""),
        file("e/sub/x", ""),
        file("e/sub/.wh.old", ""),
    ];
    let root = unpacked(&entries, &layers);
    for path in ["d/sub", "e/sub"] {
        let path = root.path().join(path);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o755);
        assert_eq!(fs::read_dir(path).unwrap().count(), 1, "the whiteout has nothing to hide");
    }
    assert!(is_opaque(&root.path().join("d")) && is_opaque(&root.path().join("e")));
}
