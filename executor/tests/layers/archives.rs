//! Archives of all formats that GNU tar writes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use layercake_executor::change::capture;
use layercake_executor::layer::tar;
use layercake_executor::layer::unpack::{Options, unpack};

use crate::machine::{Need, has};
use crate::tree::{Kind, Tree, new_folder};

fn gnu_tar(arguments: &[&str], folder: &Path) -> Vec<u8> {
    let output = Command::new("tar").args(arguments).args(["-cf", "-", "-C"]).arg(folder).arg(".").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn unpacked(archive: &[u8]) -> tempfile::TempDir {
    let root = new_folder();
    let options = Options::of_layer(&|| Ok(Vec::new()));
    unpack(archive, root.path(), options).unwrap();
    root
}

#[test]
fn every_format_of_gnu_tar_is_read() {
    if !has(Need::Program("tar")) {
        return;
    }
    let short = Tree::of(&[
        ("a/file", Kind::File(b"content".to_vec())),
        ("a/link", Kind::Symlink(b"../x".to_vec())),
        ("a/twin", Kind::Link(b"a/file".to_vec())),
        ("empty", Kind::Folder),
    ]);
    let mut long = short.clone();
    let name = |letter: char, length: usize| letter.to_string().repeat(length);
    long.put(
        format!("{}/{}", name('p', 120), name('q', 200)).as_bytes(),
        crate::tree::Node::new(Kind::File(b"long".to_vec())),
    );
    long.put(name('t', 150).as_bytes(), crate::tree::Node::new(Kind::Symlink(name('u', 300).into_bytes())));
    for (format, tree) in [("v7", &short), ("ustar", &short), ("oldgnu", &long), ("gnu", &long), ("posix", &long)] {
        let folder = tree.folder();
        let root = unpacked(&gnu_tar(&["--format", format], folder.path()));
        assert_eq!(capture(root.path(), &[]).unwrap(), capture(folder.path(), &[]).unwrap(), "{format}");
        let time = |root: &Path| fs::metadata(root.join("a/file")).unwrap().mtime();
        assert_eq!(time(root.path()), time(folder.path()), "{format}");
    }
}

#[test]
fn every_sparse_format_of_gnu_tar_is_read() {
    if !has(Need::Program("tar")) {
        return;
    }
    let folder = new_folder();
    let file = fs::File::create(folder.path().join("sparse")).unwrap();
    // More parts than an old header has room for, and holes at both ends.
    for index in 0..40u64 {
        std::os::unix::fs::FileExt::write_at(&file, format!("part {index}").as_bytes(), (2 * index + 1) << 16).unwrap();
    }
    file.set_len(100 << 16).unwrap();
    for arguments in [
        &["--format=gnu"][..],
        &["--format=oldgnu"],
        &["--format=posix", "--sparse-version=0.0"],
        &["--format=posix", "--sparse-version=0.1"],
        &["--format=posix", "--sparse-version=1.0"],
    ] {
        let archive = gnu_tar(&[arguments, &["--sparse"]].concat(), folder.path());
        assert!(archive.len() < 1 << 20, "{arguments:?}: it has holes");
        let root = unpacked(&archive);
        assert_eq!(capture(root.path(), &[]).unwrap(), capture(folder.path(), &[]).unwrap(), "{arguments:?}");
        assert!(
            fs::metadata(root.path().join("sparse")).unwrap().blocks() * 512 < 2 << 20,
            "{arguments:?}: still has them"
        );
    }
}

#[test]
fn what_a_layer_cannot_express_is_named() {
    for path in [".wh.x", "a/.wh..wh..opq"] {
        let folder = Tree::of(&[(path, Kind::File(vec![]))]).folder();
        let error = tar::write(folder.path(), None, Vec::new()).unwrap_err();
        assert!(error.to_string().contains(&format!("`{path}`")) && error.to_string().contains("deletions"), "{error}");
    }
}

#[test]
fn times_are_clamped_to_the_epoch() {
    let mut tree = Tree::of(&[("old", Kind::File(vec![])), ("new", Kind::File(vec![]))]);
    tree.0.get_mut(&b"old"[..]).unwrap().mtime = 100;
    let folder = tree.folder();
    let root = unpacked(&tar::write(folder.path(), Some(1000), Vec::new()).unwrap());
    let time = |name: &str| fs::metadata(root.path().join(name)).unwrap().mtime();
    assert_eq!((time("old"), time("new")), (100, 1000));
}

#[test]
fn gzip_of_several_members_and_zstd_of_several_frames() {
    let folder = Tree::of(&[("a", Kind::File(vec![b'x'; 3000]))]).folder();
    let plain = tar::write(folder.path(), None, Vec::new()).unwrap();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let (start, end) = plain.split_at(700);
    // A skippable frame, as seekable formats put them at either end.
    let skipped = [&0x184d_2a55_u32.to_le_bytes()[..], &3u32.to_le_bytes(), b"abc"].concat();
    for archive in [[gzip(start), gzip(end)].concat(), [skipped.clone(), zstd(start), zstd(end), skipped].concat()] {
        let root = new_folder();
        let options = Options::of_layer(&|| Ok(Vec::new()));
        let outcome = unpack(archive.as_slice(), root.path(), options).unwrap();
        assert_eq!(outcome.diff_id, layercake_cache::Digest::of(&plain));
        assert_eq!(fs::read(root.path().join("a")).unwrap(), vec![b'x'; 3000]);
    }
}

/// Changes the size of a file while the archive of its folder is written.
struct Meddler {
    file: fs::File,
    size: u64,
}

impl std::io::Write for Meddler {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.set_len(self.size)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_that_changes_size_while_it_is_read_is_an_error() {
    for size in [0, 999, 1001, 1_000_000] {
        let folder = Tree::of(&[("a", Kind::File(vec![b'x'; 1000]))]).folder();
        let file = fs::File::options().write(true).open(folder.path().join("a")).unwrap();
        let error = tar::write(folder.path(), None, Meddler { file, size }).err().unwrap();
        assert!(error.to_string().contains("changed while it was read"), "{size}: {error}");
        assert_eq!(error.fault(), layercake_executor::fault::Fault::Environment);
    }
}
