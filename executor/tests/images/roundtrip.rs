//! What is saved is loaded again as it was.

use std::io::Cursor;

use layercake_cache::Store;
use layercake_executor::image::error::Error;
use layercake_executor::image::layout::write_folder;
use layercake_executor::image::load::{Loaded, load, load_path};
use layercake_executor::image::local::Images;
use layercake_executor::image::save::{Format, Saving, save};
use proptest::prelude::*;

use crate::fixture::{gzip, image, name, platform, store, two_platforms};

pub(crate) fn saved(store: &Store, savings: &[Saving], format: Format) -> Vec<u8> {
    let mut bytes = Vec::new();
    save(store, savings, format, &platform("linux/amd64"), &mut bytes).unwrap();
    bytes
}

fn reload(bytes: &[u8]) -> Vec<Loaded> {
    load(&store(), Box::new(Cursor::new(bytes.to_vec())), "archive").unwrap()
}

fn loaded(savings: &[Saving]) -> Vec<Loaded> {
    savings
        .iter()
        .map(|saving| Loaded {
            descriptor: saving.descriptor.clone(),
            names: saving.names.clone(),
            refused: Vec::new(),
        })
        .collect()
}

fn savings(store: &Store) -> Vec<Saving> {
    let amd64 = platform("linux/amd64");
    vec![
        Saving { descriptor: image(store, "a", &amd64), names: vec![name("a:1"), name("localhost:5000/a:2")] },
        Saving { descriptor: two_platforms(store, "b"), names: vec![name("ghcr.io/b/b")] },
        Saving { descriptor: image(store, "c", &amd64), names: vec![] },
    ]
}

#[test]
fn an_archive_brings_back_every_image_with_every_name_and_digest() {
    let from = store();
    let savings = savings(&from);
    let bytes = saved(&from, &savings, Format::Oci);
    assert_eq!(bytes, saved(&from, &savings, Format::Oci), "an archive is deterministic");
    let to = store();
    assert_eq!(load(&to, Box::new(Cursor::new(bytes)), "archive").unwrap(), loaded(&savings));
    let images = Images::new(&to);
    assert_eq!(images.list().unwrap().len(), 4);
    let arm64 = images.resolve(&name("ghcr.io/b/b"), &platform("linux/arm64")).unwrap().unwrap();
    assert_eq!(arm64.missing_layers(&to).count(), 0);
    assert_eq!(arm64.config.platform(), platform("linux/arm64"));
}

#[test]
fn compressed_archives_are_told_by_their_content() {
    let from = store();
    let savings = savings(&from);
    let bytes = saved(&from, &savings, Format::Oci);
    assert_eq!(reload(&gzip(&bytes)), loaded(&savings));
    assert_eq!(reload(&zstd::encode_all(&*bytes, 1).unwrap()), loaded(&savings));
}

#[test]
fn a_folder_keeps_what_other_images_it_holds() {
    let from = store();
    let folder = tempfile::tempdir().unwrap();
    let amd64 = platform("linux/amd64");
    let savings = savings(&from);
    for saving in &savings {
        write_folder(&from, std::slice::from_ref(saving), folder.path(), &amd64).unwrap();
    }
    assert_eq!(load_path(&store(), folder.path()).unwrap(), loaded(&savings));
    // A name that is written again moves.
    let newer = Saving { descriptor: image(&from, "newer", &amd64), names: vec![name("a:1")] };
    write_folder(&from, std::slice::from_ref(&newer), folder.path(), &amd64).unwrap();
    let again = load_path(&store(), folder.path()).unwrap();
    assert_eq!(again[0].names, [name("localhost:5000/a:2")]);
    assert_eq!(again.last().unwrap(), &loaded(&[newer])[0]);
}

#[test]
fn of_an_index_the_images_that_are_here_are_saved() {
    let from = store();
    let descriptor = two_platforms(&from, "a");
    let arm64 = image(&from, "a", &platform("linux/arm64"));
    std::fs::remove_file(from.blob_path(&arm64.digest)).unwrap();
    let bytes = saved(&from, &[Saving { descriptor: descriptor.clone(), names: vec![name("x")] }], Format::Oci);
    let to = store();
    assert_eq!(load(&to, Box::new(Cursor::new(bytes)), "archive").unwrap()[0].descriptor, descriptor);
    assert!(Images::new(&to).resolve(&name("x"), &platform("linux/amd64")).unwrap().is_some());
    assert!(Images::new(&to).resolve(&name("x"), &platform("linux/arm64")).unwrap().is_none());
}

#[test]
fn an_incomplete_image_is_not_saved() {
    let from = store();
    let descriptor = image(&from, "a", &platform("linux/amd64"));
    let found = Images::new(&from).documents(None, &descriptor, &platform("linux/amd64")).unwrap().unwrap();
    std::fs::remove_file(from.blob_path(&found.manifest.layers[0].digest)).unwrap();
    let saving = Saving { descriptor, names: vec![name("x")] };
    let mut out = Vec::new();
    let error = save(&from, &[saving], Format::Oci, &platform("linux/amd64"), &mut out).unwrap_err();
    assert!(matches!(&error, Error::Incomplete { what: "layer", .. }), "{error}");
    assert!(error.to_string().contains("`x:latest`"), "{error}");
    assert!(out.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Cut off anywhere, an archive is refused or was whole; nothing of it gets a name.
    #[test]
    fn a_cut_archive_never_loads_in_part(cut in 0.0..1.0f64, compressed: bool) {
        let from = store();
        let savings = savings(&from);
        let bytes = saved(&from, &savings, Format::Oci);
        let bytes = if compressed { gzip(&bytes) } else { bytes };
        let length = (bytes.len() as f64 * cut) as usize;
        let to = store();
        match load(&to, Box::new(Cursor::new(bytes[..length].to_vec())), "archive") {
            Ok(found) => prop_assert_eq!(found, loaded(&savings)),
            Err(_) => prop_assert!(Images::new(&to).list().unwrap().is_empty()),
        }
    }

    /// A changed byte is noticed, or does not matter.
    #[test]
    fn a_damaged_archive_never_loads_as_something_else(place in 0.0..1.0f64, bit in 0..8u8) {
        let from = store();
        let savings = savings(&from);
        let mut bytes = saved(&from, &savings, Format::Oci);
        let place = (bytes.len() as f64 * place) as usize;
        bytes[place] ^= 1 << bit;
        let to = store();
        if let Ok(found) = load(&to, Box::new(Cursor::new(bytes)), "archive") {
            // The lists themselves have no digest: a name may have changed, an image may not.
            for found in found {
                prop_assert!(savings.iter().any(|saved| saved.descriptor.digest == found.descriptor.digest));
            }
        }
    }
}
