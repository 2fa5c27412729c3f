//! Archives as others read them: GNU tar and Python.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use layercake_executor::change::capture;
use layercake_executor::layer::tar;
use proptest::prelude::*;

use crate::machine::{Need, has, met};
use crate::tree::{Kind, Node, Tree, new_folder, trees};

fn output(command: &mut Command) -> String {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn archive(folder: &Path) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    tar::write(folder, None, file.as_file()).unwrap();
    file
}

/// Without the marks, which other tools take for files.
fn without_marks(mut tree: Tree) -> Tree {
    tree.0.retain(|_, node| node.kind != Kind::Whiteout);
    for node in tree.0.values_mut() {
        if node.kind == Kind::Opaque {
            node.kind = Kind::Folder;
        }
        // GNU tar keeps what is named `user.overlay.*` in the archive under that name; we escape it.
        node.xattrs.remove("user.overlay.overlay.nested");
    }
    tree
}

proptest! {
    #![proptest_config(crate::tree::cases(24))]

    #[test]
    fn gnu_tar_unpacks_the_same_tree(tree in trees().prop_map(without_marks)) {
        if !has(Need::Program("tar")) {
            return Ok(());
        }
        let folder = tree.folder();
        let archive = archive(folder.path());
        let unpacked = new_folder();
        output(
            Command::new("tar").args(["--xattrs", "--xattrs-include=*", "--numeric-owner", "--same-owner", "--warning=no-timestamp", "-xpf"]).arg(archive.path())
                .arg("-C").arg(unpacked.path()),
        );
        prop_assert_eq!(capture(unpacked.path(), &[]).unwrap(), capture(folder.path(), &[]).unwrap());
        let times = |root: &Path| -> Vec<i64> {
            tree.0.keys().map(|path| fs::symlink_metadata(crate::tree::at(root, path)).unwrap().mtime()).collect()
        };
        prop_assert_eq!(times(unpacked.path()), times(folder.path()));
    }

    #[test]
    fn python_reads_the_same_entries(tree in trees()) {
        if !has(Need::Program("python3")) {
            return Ok(());
        }
        let script = "import sys, tarfile
for entry in tarfile.open(sys.argv[1], errors='surrogateescape'):
    assert entry.uname == '' and entry.gname == ''
    name = entry.name.encode('utf-8', 'surrogateescape').hex()
    print(name, entry.type.decode(), oct(entry.mode), entry.uid, entry.gid, entry.size, entry.mtime)";
        let folder = tree.folder();
        let archive = archive(folder.path());
        let listing = output(Command::new("python3").args(["-c", script]).arg(archive.path()));
        let mut expected = String::new();
        let mut firsts: Vec<Vec<u8>> = Vec::new();
        for line in order(&tree) {
            expected += &describe(&tree, &line, &mut firsts);
        }
        prop_assert_eq!(listing, expected);
    }
}

/// The paths of a tree in the order of an archive: component by component.
fn order(tree: &Tree) -> Vec<Vec<u8>> {
    let mut paths: Vec<Vec<u8>> = tree.0.keys().cloned().collect();
    paths.sort_by(|a, b| a.split(|byte| *byte == b'/').cmp(b.split(|byte| *byte == b'/')));
    paths
}

fn describe(tree: &Tree, path: &[u8], firsts: &mut Vec<Vec<u8>>) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let node = &tree.0[path];
    // A file of several names, whatever the first of them is called.
    let identity = if let Kind::Link(first) = &node.kind { first.clone() } else { path.to_vec() };
    let Node { mode, owner: (uid, gid), mtime, .. } = &tree.0[&identity];
    let linked = tree.0.values().any(|other| other.kind == Kind::Link(identity.clone()));
    let name = hex(path);
    if linked && firsts.contains(&identity) {
        return format!("{name} 1 0o{mode:o} {uid} {gid} 0 {mtime}\n");
    }
    firsts.push(identity.clone());
    let line = |kind, mode: u32, size| format!("{name} {kind} 0o{mode:o} {uid} {gid} {size} {mtime}\n");
    let mark = |folder: &[u8], name: &[u8]| {
        let name = if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() };
        format!("{} 0 0o0 0 0 0 0\n", hex(&name))
    };
    match &tree.0[&identity].kind {
        Kind::File(content) => line(0, *mode, content.len()),
        Kind::Folder => line(5, *mode, 0),
        Kind::Opaque => line(5, *mode, 0) + &mark(path, b".wh..wh..opq"),
        Kind::Symlink(_) => line(2, 0o777, 0),
        Kind::Fifo => line(6, *mode, 0),
        Kind::Device(..) => line(3, *mode, 0),
        Kind::Whiteout => {
            let slash = path.iter().rposition(|byte| *byte == b'/');
            let (folder, name) = slash.map_or((&b""[..], path), |slash| (&path[..slash], &path[slash + 1..]));
            mark(folder, &[b".wh.", name].concat())
        }
        Kind::Link(_) => unreachable!("a link is to a file"),
    }
}

#[test]
fn gnu_tar_takes_great_numbers() {
    if !has(Need::Program("tar")) {
        return;
    }
    let mut tree = Tree::of(&[("old", Kind::File(vec![])), ("new", Kind::File(vec![]))]);
    tree.0.get_mut(&b"old"[..]).unwrap().mtime = -12_345;
    tree.0.get_mut(&b"new"[..]).unwrap().mtime = 8_589_934_592;
    if met(Need::Owners) && !crate::namespace::inside() {
        tree.0.get_mut(&b"new"[..]).unwrap().owner = (4_000_000_000, 3_000_000_000);
    }
    let folder = tree.folder();
    let archive = archive(folder.path());
    let unpacked = new_folder();
    output(
        Command::new("tar")
            .args(["--numeric-owner", "--warning=no-timestamp", "-xpf"])
            .arg(archive.path())
            .arg("-C")
            .arg(unpacked.path()),
    );
    for name in ["old", "new"] {
        let status = |root: &Path| {
            let status = fs::metadata(root.join(name)).unwrap();
            (status.mtime(), status.uid(), status.gid())
        };
        assert_eq!(status(unpacked.path()), status(folder.path()), "{name}");
    }
}

#[test]
fn a_root_that_nobody_expects_is_written() {
    let folder = Tree::of(&[("x", Kind::File(vec![]))]).folder();
    let plain = fs::read(archive(folder.path()).path()).unwrap();
    assert!(plain.starts_with(b"x\0"));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let unusual = fs::read(archive(folder.path()).path()).unwrap();
    assert!(unusual.starts_with(b"./\0"));
}
