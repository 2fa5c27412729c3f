//! Root file systems as images.

use std::io::{Cursor, Read, Write};
use std::process::{Command, Stdio};

use layercake_cache::Digest;
use layercake_compiler::oci::ContainerConfig;
use layercake_executor::fault::Fault;
use layercake_executor::image::error::{ArchiveProblem, Error};
use layercake_executor::image::import::{Imported, import};
use layercake_executor::image::local::Images;

use crate::fixture::{gzip, name, platform, store, tar};
use crate::tools::available;

fn wanted() -> Imported {
    Imported {
        config: ContainerConfig { cmd: vec!["/bin/sh".to_owned()], ..ContainerConfig::default() },
        platform: platform("linux/arm64"),
        created: Some("2024-05-01T12:00:00Z".to_owned()),
        comment: "imported from -".to_owned(),
    }
}

fn root_file_system() -> Vec<u8> {
    tar(&[("bin/sh", b"#!"), ("etc/passwd", b"root:x:0:0"), ("var/big", &vec![7; 100_000])])
}

fn compressed_by(program: &str, bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap().stdout
}

fn imports(archive: Vec<u8>) {
    let store = store();
    let descriptor = import(&store, Box::new(Cursor::new(archive)), "-", wanted(), &[name("rootfs:1")]).unwrap();
    let image = Images::new(&store).resolve(&name("rootfs:1"), &platform("linux/arm64")).unwrap().unwrap();
    assert_eq!(image.descriptor, descriptor);
    assert_eq!(image.config.config.cmd, ["/bin/sh"]);
    assert_eq!(image.config.platform(), platform("linux/arm64"));
    assert_eq!(image.config.rootfs.diff_ids, [Digest::of(&root_file_system())]);
    assert_eq!(image.config.history[0].comment, "imported from -");
    let layer = store.read_blob(&image.manifest.layers[0].digest).unwrap().unwrap();
    assert_eq!(layer.len() as u64, image.manifest.layers[0].size);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&*layer).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == root_file_system());
}

#[test]
fn a_tar_becomes_an_image_of_one_layer_however_it_is_compressed() {
    imports(root_file_system());
    imports(gzip(&root_file_system()));
    imports(zstd::encode_all(&*root_file_system(), 3).unwrap());
}

#[test]
fn xz_and_bzip2_are_decompressed_by_their_programs() {
    for program in ["xz", "bzip2"] {
        if available(&[program]) {
            imports(compressed_by(program, &root_file_system()));
        }
    }
}

fn refused(archive: Vec<u8>) -> ArchiveProblem {
    let store = store();
    let error = import(&store, Box::new(Cursor::new(archive)), "x.tar", wanted(), &[name("x")]).unwrap_err();
    assert_eq!(error.fault(), Fault::Input, "{error}");
    assert!(Images::new(&store).list().unwrap().is_empty());
    match error {
        Error::Import { problem, .. } => problem,
        error => panic!("{error}"),
    }
}

#[test]
fn what_is_no_tar_is_refused() {
    assert!(matches!(refused(b"<!DOCTYPE html>".to_vec()), ArchiveProblem::NotATar(_)));
    assert!(matches!(refused(vec![b'x'; 5000]), ArchiveProblem::NotATar(_)));
    assert!(matches!(refused(gzip(b"<!DOCTYPE html>")), ArchiveProblem::NotATar(_)));
}

#[test]
fn a_cut_tar_is_refused_wherever_it_is_cut() {
    let whole = root_file_system();
    // In the second entry's content, between two entries, and within the end mark.
    for length in [whole.len() - 50_000, 2048, 1024, whole.len() - 600] {
        let problem = refused(whole[..length].to_vec());
        assert!(matches!(problem, ArchiveProblem::Truncated(_)), "{length}: {problem}");
    }
    let compressed = gzip(&whole);
    let problem = refused(compressed[..compressed.len() - 20].to_vec());
    assert!(matches!(problem, ArchiveProblem::Truncated(_)), "{problem}");
    if available(&["xz"]) {
        let compressed = compressed_by("xz", &whole);
        let problem = refused(compressed[..compressed.len() / 2].to_vec());
        assert!(matches!(problem, ArchiveProblem::Truncated(_)), "{problem}");
    }
}
