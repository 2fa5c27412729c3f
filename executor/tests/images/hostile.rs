//! Archives that lie are refused, with the reason, and give no names.

use std::io::Cursor;

use layercake_cache::Digest;
use layercake_executor::fault::Fault;
use layercake_executor::image::error::{ArchiveProblem, Error};
use layercake_executor::image::load::load;
use layercake_executor::image::local::Images;
use layercake_executor::image::save::{Format, Saving};
use serde_json::{Value, json};

use crate::fixture::{image, name, platform, store, tar, two_platforms};
use crate::roundtrip::saved;

/// The files of a good archive of one image.
fn good() -> Vec<(String, Vec<u8>)> {
    let from = store();
    let descriptor = image(&from, "a", &platform("linux/amd64"));
    files(&saved(&from, &[Saving { descriptor, names: vec![name("x")] }], Format::Oci))
}

fn files(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        files.push((entry.path().unwrap().to_string_lossy().into_owned(), content));
    }
    files.retain(|(path, _)| !path.ends_with('/'));
    files
}

fn pack(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    tar(&files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect::<Vec<_>>())
}

fn refused(archive: Vec<u8>) -> ArchiveProblem {
    let store = store();
    let error = load(&store, Box::new(Cursor::new(archive)), "evil.tar").unwrap_err();
    assert!(Images::new(&store).list().unwrap().is_empty());
    assert!(error.to_string().contains("`evil.tar`"), "{error}");
    assert_eq!(error.fault(), Fault::Input, "{error}");
    match error {
        Error::Archive { problem, .. } => problem,
        error => panic!("{error}"),
    }
}

/// A header with a name that the tar crate would not write.
fn raw(name: &str, kind: tar::EntryType, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

fn before(entry: Vec<u8>) -> Vec<u8> {
    [entry, pack(&good())].concat()
}

#[test]
fn the_good_archive_is_good() {
    let store = store();
    assert_eq!(load(&store, Box::new(Cursor::new(pack(&good()))), "good.tar").unwrap()[0].names, [name("x")]);
}

#[test]
fn paths_and_links_that_lead_out() {
    use tar::EntryType::{Link, Regular, Symlink};
    for (path, kind, link) in [
        ("../../etc/cron.d/x.json", Regular, ""),
        ("/etc/cron.d/x.json", Regular, ""),
        ("a/layer.tar", Symlink, "/etc/shadow"),
        ("a/layer.tar", Symlink, "../../etc/shadow"),
        ("a/layer.tar", Link, "../etc/shadow"),
        ("blobs/sha256/0000", Symlink, "/etc/shadow"),
    ] {
        let problem = refused(before(raw(path, kind, link, b"")));
        assert!(matches!(&problem, ArchiveProblem::Escape(named) if named == path), "{path}: {problem}");
    }
    let device = refused(before(raw("a/layer.tar", tar::EntryType::Char, "", b"")));
    assert!(matches!(device, ArchiveProblem::EntryType(_)), "{device}");
}

#[test]
fn links_that_lead_nowhere_or_in_circles() {
    let manifest = br#"[{"Config": "a.json", "RepoTags": ["x:1"], "Layers": []}]"#;
    for links in [&[("a.json", "b.json"), ("b.json", "a.json")][..], &[("a.json", "c.json")]] {
        let mut archive: Vec<u8> =
            links.iter().flat_map(|(path, target)| raw(path, tar::EntryType::Symlink, target, b"")).collect();
        archive.extend(tar(&[("manifest.json", manifest)]));
        let problem = refused(archive);
        assert!(matches!(problem, ArchiveProblem::Link(_)), "{problem}");
    }
}

#[test]
fn entries_that_come_twice() {
    for place in 0..good().len() {
        let mut files = good();
        files.push(files[place].clone());
        let problem = refused(pack(&files));
        assert!(matches!(&problem, ArchiveProblem::Duplicate(path) if *path == files[place].0), "{problem}");
    }
}

#[test]
fn blobs_that_are_missing_or_are_not_what_their_names_say() {
    let blobs = good().iter().filter(|(path, _)| path.starts_with("blobs/")).count();
    assert_eq!(blobs, 4, "a manifest, a configuration and two layers");
    for place in (0..good().len()).filter(|place| good()[*place].0.starts_with("blobs/")) {
        let mut files = good();
        let (path, _) = files.remove(place);
        let problem = refused(pack(&files));
        assert!(
            matches!(&problem, ArchiveProblem::Missing { digest, .. } if path.ends_with(&digest.hex())),
            "{problem}"
        );
        let mut files = good();
        files[place].1.push(b'x');
        let problem = refused(pack(&files));
        assert!(matches!(&problem, ArchiveProblem::Digest { path: named, .. } if *named == path), "{problem}");
    }
}

#[test]
fn sizes_that_lie() {
    let mut files = good();
    let list = files.iter_mut().find(|(path, _)| path == "index.json").unwrap();
    let mut index: Value = serde_json::from_slice(&list.1).unwrap();
    index["manifests"][0]["size"] = json!(3);
    list.1 = serde_json::to_vec(&index).unwrap();
    let problem = refused(pack(&files));
    assert!(matches!(problem, ArchiveProblem::Size { expected: 3, .. }), "{problem}");
}

#[test]
fn an_index_with_no_image_in_it() {
    let from = store();
    let descriptor = two_platforms(&from, "a");
    let mut files = files(&saved(&from, &[Saving { descriptor, names: vec![name("x")] }], Format::Oci));
    files.retain(|(path, content)| !path.starts_with("blobs/") || content.starts_with(br#"{"schemaVersion":2"#));
    let problem = refused(pack(&files));
    assert!(matches!(problem, ArchiveProblem::Missing { .. }), "{problem}");
}

#[test]
fn indexes_that_list_each_other_again_and_again_are_read_once() {
    let mut files = good();
    let list = files.iter_mut().find(|(path, _)| path == "index.json").unwrap();
    let mut index: Value = serde_json::from_slice(&list.1).unwrap();
    let mut entry = index["manifests"][0].clone();
    let mut added = Vec::new();
    for _ in 0..3 {
        let entries = vec![&entry; 2000];
        let media_type = "application/vnd.oci.image.index.v1+json";
        let document = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries });
        let bytes = serde_json::to_vec(&document).unwrap();
        let digest = Digest::of(&bytes);
        entry = json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() });
        added.push((format!("blobs/sha256/{}", digest.hex()), bytes));
    }
    index["manifests"] = json!([entry]);
    list.1 = serde_json::to_vec(&index).unwrap();
    files.extend(added);
    // Read again for each entry, it would take eight billion readings.
    let (from, to) = (store(), store());
    let loaded = load(&from, Box::new(Cursor::new(pack(&files))), "x.tar").unwrap();
    let descriptor = loaded[0].descriptor.clone();
    let again = saved(&from, &[Saving { descriptor, names: vec![name("x")] }], Format::Oci);
    assert_eq!(load(&to, Box::new(Cursor::new(again)), "y.tar").unwrap().len(), 1);
}

#[test]
fn other_things_than_archives_of_images() {
    assert!(matches!(refused(b"#!/bin/sh\n".to_vec()), ArchiveProblem::NotATar(_)));
    assert!(matches!(refused(vec![b'x'; 4096]), ArchiveProblem::NotATar(_)));
    let problem = refused(tar(&[("etc/passwd", b"root"), ("bin/sh", b"")]));
    assert!(problem.to_string().contains("`layercake import`"), "{problem}");
    let problem = refused(tar(&[("index.json", b"{}")]));
    assert!(matches!(problem, ArchiveProblem::Json { file: "index.json", .. }), "{problem}");
    let problem = refused(tar(&[("index.json", br#"{"schemaVersion":2,"manifests":[]}"#)]));
    assert!(matches!(problem, ArchiveProblem::Empty), "{problem}");
    let future = tar(&[
        ("oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#),
        ("index.json", br#"{"schemaVersion":2,"manifests":[]}"#),
    ]);
    assert!(matches!(refused(future), ArchiveProblem::Version(version) if version == "2.0.0"));
}

#[test]
fn lists_without_end_are_not_read_into_memory() {
    let long = vec![b' '; (8 << 20) + 1];
    let problem = refused(tar(&[("index.json", &long)]));
    assert!(matches!(problem, ArchiveProblem::TooLong(_)), "{problem}");
    assert_eq!(problem.to_string(), "`index.json` is longer than 8 MiB");
}

#[test]
fn a_blob_that_is_stored_already_is_checked_all_the_same() {
    let from = store();
    let descriptor = image(&from, "a", &platform("linux/amd64"));
    let mut files = files(&saved(&from, &[Saving { descriptor, names: vec![name("x")] }], Format::Oci));
    let place = files.iter().position(|(path, _)| path.starts_with("blobs/")).unwrap();
    files[place].1 = b"something else".to_vec();
    let error = load(&from, Box::new(Cursor::new(pack(&files))), "evil.tar").unwrap_err();
    let expected = Digest::of(b"something else");
    match error {
        Error::Archive { problem: ArchiveProblem::Digest { found, .. }, .. } => assert_eq!(found, expected),
        error => panic!("{error}"),
    }
}
