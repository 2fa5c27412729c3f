//! Docker's own archives: ours, and those of docker's old versions.

use std::io::Cursor;

use layercake_cache::Digest;
use layercake_executor::image::error::{ArchiveProblem, Error};
use layercake_executor::image::load::load;
use layercake_executor::image::local::{Images, LocalImage};
use layercake_executor::image::save::{Format, Saving};
use serde_json::json;

use crate::fixture::{gzip, image, name, platform, store, tar};
use crate::roundtrip::saved;

/// An archive as docker wrote it before version 25: a folder for each layer, and equal layers as links to the first.
fn legacy(link: tar::EntryType) -> (Vec<u8>, Digest) {
    let layer = tar(&[("etc/file", b"content")]);
    let diff_id = Digest::of(&layer);
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {"Env": ["A=b"]},
        "rootfs": {"type": "layers", "diff_ids": [diff_id, diff_id]},
    });
    let config = serde_json::to_vec(&config).unwrap();
    let config_path = format!("{}.json", Digest::of(&config).hex());
    let manifest = json!([{
        "Config": config_path, "RepoTags": ["old:1", "localhost/old:2"], "Layers": ["aaa/layer.tar", "bbb/layer.tar"],
    }]);
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |path: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, content).unwrap();
    };
    add("aaa/VERSION", b"1.0");
    add("aaa/json", b"{}");
    add("aaa/layer.tar", &layer);
    add("bbb/VERSION", b"1.0");
    add(&config_path, &config);
    add("manifest.json", &serde_json::to_vec(&manifest).unwrap());
    add("repositories", b"{}");
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(link);
    header.set_size(0);
    let target = if link == tar::EntryType::Symlink { "../aaa/layer.tar" } else { "aaa/layer.tar" };
    builder.append_link(&mut header, "bbb/layer.tar", target).unwrap();
    (builder.into_inner().unwrap(), diff_id)
}

#[test]
fn an_old_archive_with_links_loads() {
    for link in [tar::EntryType::Symlink, tar::EntryType::Link] {
        let (archive, diff_id) = legacy(link);
        for archive in [gzip(&archive), archive] {
            let store = store();
            let loaded = load(&store, Box::new(Cursor::new(archive)), "archive").unwrap();
            assert_eq!(loaded.len(), 1);
            assert_eq!(loaded[0].names, [name("old:1"), name("localhost/old:2")]);
            let image = Images::new(&store).resolve(&name("old:1"), &platform("linux/amd64")).unwrap().unwrap();
            assert_eq!(image.config.config.env, ["A=b"]);
            assert_eq!(image.manifest.layers.len(), 2);
            assert!(image.manifest.layers.iter().all(|layer| layer.digest == diff_id));
            assert_eq!(image.missing_layers(&store).count(), 0);
        }
    }
}

#[test]
fn our_docker_archive_brings_back_configuration_layers_and_tags() {
    let from = store();
    let amd64 = platform("linux/amd64");
    let savings = [
        Saving { descriptor: image(&from, "a", &amd64), names: vec![name("a"), name("b:2")] },
        Saving { descriptor: image(&from, "c", &amd64), names: vec![] },
    ];
    let to = store();
    let archive = saved(&from, &savings, Format::Docker);
    let loaded = load(&to, Box::new(Cursor::new(archive)), "archive").unwrap();
    let documents = |store: &_, descriptor| -> LocalImage {
        Images::new(store).documents(None, descriptor, &amd64).unwrap().unwrap()
    };
    for (loaded, saving) in loaded.iter().zip(&savings) {
        assert_eq!(loaded.names, saving.names);
        let (new, old) = (documents(&to, &loaded.descriptor), documents(&from, &saving.descriptor));
        assert_eq!(
            (new.manifest.config, new.config, new.manifest.layers),
            (old.manifest.config, old.config, old.manifest.layers)
        );
    }
}

#[test]
fn a_layer_that_is_not_what_the_configuration_says_is_refused() {
    let layer = tar(&[("a", b"b")]);
    let config = serde_json::to_vec(&json!({"rootfs": {"type": "layers", "diff_ids": [Digest::of(b"else")]}})).unwrap();
    let manifest = json!([{"Config": "config.json", "RepoTags": ["x:1"], "Layers": ["layer.tar"]}]);
    let manifest = serde_json::to_vec(&manifest).unwrap();
    for layer in [gzip(&layer), layer.clone()] {
        let archive = tar(&[("config.json", &config), ("layer.tar", &layer), ("manifest.json", &manifest)]);
        let store = store();
        match load(&store, Box::new(Cursor::new(archive)), "archive").unwrap_err() {
            Error::Archive { problem: ArchiveProblem::DiffId { path, .. }, .. } => assert_eq!(path, "layer.tar"),
            error => panic!("{error}"),
        }
        assert!(Images::new(&store).list().unwrap().is_empty());
    }
}
