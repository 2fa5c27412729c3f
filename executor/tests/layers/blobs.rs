//! Layer blobs in a store: what they are, and that each is made once.

use std::fs;
use std::io::Read;

use layercake_cache::{Digest, Store};
use layercake_executor::change::capture;
use layercake_executor::layer::blob::{LayerBlob, Options, make};
use layercake_executor::layer::compress::Compression;
use layercake_executor::layer::decompress::Decompressor;
use layercake_executor::layer::tar;

use crate::tree::{Kind, Order, Tree};

fn store() -> (tempfile::TempDir, Store) {
    let root = tempfile::tempdir().unwrap();
    let store = Store::open(&root.path().join("store")).unwrap();
    (root, store)
}

/// The folder of a tree in the store.
fn put(store: &Store, tree: &Tree) -> layercake_cache::ContentId {
    let scratch = store.scratch().unwrap();
    let upper = scratch.path().join("upper");
    fs::create_dir(&upper).unwrap();
    tree.make(&upper, Order::Forward);
    let changes = capture(&upper, &[]).unwrap();
    store.put_folder(&changes.folder, &upper).unwrap();
    changes.folder
}

#[test]
fn a_blob_is_what_its_digests_say() {
    let (_root, store) = store();
    let folder = put(&store, &Tree::of(&[("a/b", Kind::File(vec![7; 3 << 20]))]));
    let plain = tar::write(&store.folder_path(&folder), None, Vec::new()).unwrap();
    for compression in [Compression::None, Compression::GZIP, Compression::ZSTD] {
        let blob = make(&store, &folder, Options { compression, epoch: None }).unwrap();
        let bytes = fs::read(store.blob_path(&blob.digest)).unwrap();
        assert_eq!((blob.digest, blob.size), (Digest::of(&bytes), bytes.len() as u64));
        assert_eq!(blob.diff_id, Digest::of(&plain));
        let mut back = Vec::new();
        Decompressor::new(bytes.as_slice()).unwrap().read_to_end(&mut back).unwrap();
        assert!(back == plain);
        assert_eq!(blob.media_type(), compression.media_type());
    }
}

#[test]
fn a_blob_is_made_once_and_again_if_it_is_gone() {
    let (_root, store) = store();
    let folder = put(&store, &Tree::of(&[("a", Kind::File(vec![7; 1000]))]));
    let options = Options { compression: Compression::GZIP, epoch: Some(0) };
    let first = make(&store, &folder, options).unwrap();
    // Without the folder nothing can be made.
    let (there, away) = (store.folder_path(&folder), store.root().join("away"));
    fs::rename(&there, &away).unwrap();
    assert_eq!(make(&store, &folder, options).unwrap(), first);
    assert!(make(&store, &folder, Options { epoch: None, ..options }).is_err(), "other options are another blob");
    fs::remove_file(store.blob_path(&first.digest)).unwrap();
    let error = make(&store, &folder, options).unwrap_err();
    assert!(error.to_string().contains("cannot open"), "{error}");
    fs::rename(&away, &there).unwrap();
    assert_eq!(make(&store, &folder, options).unwrap(), first);
}

#[test]
fn many_at_once_agree() {
    let (_root, store) = store();
    let folder = put(&store, &Tree::of(&[("a", Kind::File(vec![7; 5 << 20])), ("b", Kind::File(vec![8; 100]))]));
    let options = Options { compression: Compression::GZIP, epoch: None };
    let blobs: Vec<LayerBlob> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| make(&store, &folder, options).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(blobs.windows(2).all(|pair| pair[0] == pair[1]));
}
