//! Whole images: layers fetched and unpacked side by side, each once.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use layercake_cache::{Digest, Store};
use layercake_executor::change::capture;
use layercake_executor::layer::Contents;
use layercake_executor::layer::compress::Compression;
use layercake_executor::layer::unpack::{Layer, Unpacked, ensure_all};
use layercake_executor::layer::{Error, tar};

use crate::tree::{Kind, Tree};

fn file(content: &str) -> Kind {
    Kind::File(content.as_bytes().to_vec())
}

/// A layer of a tree, and its blob.
fn layer(tree: &Tree) -> (Layer, Vec<u8>) {
    let folder = tree.folder();
    let plain = tar::write(folder.path(), None, Vec::new()).unwrap();
    let blob =
        tar::write(folder.path(), None, Compression::GZIP.compressor(Vec::new()).unwrap()).unwrap().finish().unwrap();
    (Layer { diff_id: Digest::of(&plain), blob: Digest::of(&blob), contents: Contents::All }, blob)
}

struct Image {
    _root: tempfile::TempDir,
    store: Store,
    layers: Vec<Layer>,
    blobs: Vec<Vec<u8>>,
    fetched: AtomicUsize,
}

impl Image {
    fn new(trees: &[Tree]) -> Self {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(&root.path().join("store")).unwrap();
        let (layers, blobs) = trees.iter().map(layer).unzip();
        Self { _root: root, store, layers, blobs, fetched: AtomicUsize::new(0) }
    }

    fn fetch(&self, digest: &Digest) -> Result<(), Error> {
        self.fetched.fetch_add(1, Ordering::Relaxed);
        let blob = self.blobs.iter().find(|blob| Digest::of(blob) == *digest).unwrap();
        self.store.put_blob(blob)?;
        Ok(())
    }

    fn unpack(&self, jobs: usize) -> Vec<Unpacked> {
        ensure_all(&self.store, &self.layers, jobs, |digest| self.fetch(digest)).unwrap()
    }
}

fn paths(unpacked: &[Unpacked]) -> Vec<PathBuf> {
    unpacked.iter().map(|layer| layer.path.clone()).collect()
}

#[test]
fn any_number_of_jobs_gives_the_same_folders() {
    let mut trees = vec![Tree::of(&[("lib", Kind::Symlink(b"usr/lib".to_vec())), ("usr/lib/a", file("a"))])];
    for index in 0..12 {
        let (gone, new) = (format!("dir/{index}"), format!("dir/{}", index + 1));
        trees.push(Tree::of(&[(gone.as_str(), Kind::Whiteout), (new.as_str(), file("x"))]));
    }
    let ids = |jobs| {
        let image = Image::new(&trees);
        let unpacked = image.unpack(jobs);
        let contents: Vec<_> = (0..unpacked.len())
            .map(|index| {
                let below: Vec<PathBuf> = paths(&unpacked[..index]).into_iter().rev().collect();
                capture(&unpacked[index].path, &below).unwrap()
            })
            .collect();
        (unpacked.iter().map(|layer| layer.id).collect::<Vec<_>>(), contents)
    };
    let one = ids(1);
    assert_eq!(one.1[0].entries, 4);
    // The whiteout of `dir/0` hides nothing; the others hide what the layer below has.
    assert_eq!((one.1[1].entries, one.1[2].entries), (2, 2));
    assert_eq!(ids(4), one);
    assert_eq!(ids(64), one);
}

#[test]
fn what_is_there_is_neither_fetched_nor_unpacked() {
    let image = Image::new(&[Tree::of(&[("a", file("a"))]), Tree::of(&[("a", Kind::Whiteout)])]);
    let first = image.unpack(2);
    assert_eq!(image.fetched.load(Ordering::Relaxed), 2);
    for layer in &image.layers {
        fs::remove_file(image.store.blob_path(&layer.blob)).unwrap();
    }
    assert_eq!(image.unpack(2), first);
    assert_eq!(image.fetched.load(Ordering::Relaxed), 2);
}

#[test]
fn the_same_layer_may_come_twice_and_on_other_layers() {
    let delete = Tree::of(&[("a", Kind::Whiteout)]);
    let image = Image::new(&[
        Tree::of(&[("a", file("a"))]),
        delete.clone(),
        Tree::of(&[("a", file("b"))]),
        delete,
        Tree::of(&[("b", file(""))]),
    ]);
    let unpacked = image.unpack(8);
    assert_ne!(unpacked[1].path, unpacked[3].path);
    for index in [1, 3] {
        assert!(fs::symlink_metadata(unpacked[index].path.join("a")).is_ok(), "it hides something there");
    }
    // On nothing, the same layer hides nothing.
    let alone = ensure_all(&image.store, &image.layers[1..2], 1, |_| Err(Error::Below)).unwrap();
    assert!(fs::symlink_metadata(alone[0].path.join("a")).is_err());
}

#[test]
fn the_first_cause_is_reported_and_nobody_waits_for_ever() {
    let mut trees = vec![Tree::of(&[("a", file("a"))])];
    trees.extend((0..6).map(|index| Tree::of(&[("a", Kind::Whiteout), (format!("{index}").as_str(), file(""))])));
    let mut image = Image::new(&trees);
    image.layers[0].diff_id = Digest::of(b"something else");
    let error = ensure_all(&image.store, &image.layers, 8, |digest| image.fetch(digest)).unwrap_err();
    assert!(matches!(&error, Error::DiffId { expected, .. } if *expected == Digest::of(b"something else")), "{error}");
    let folders: Vec<_> = fs::read_dir(image.store.root().join("folders")).into_iter().flatten().collect();
    assert!(folders.is_empty(), "nothing wrong is published");
    // A fetch that fails.
    let error = Mutex::new(None);
    let result = ensure_all(&image.store, &image.layers[1..], 8, |digest| {
        error.lock().unwrap().get_or_insert(*digest);
        Err(Error::Missing { digest: *digest })
    });
    assert!(result.is_ok() || matches!(result, Err(Error::Missing { .. })));
}

/// A large enough archive that its beginning is unpacked before its end has come.
fn large() -> Image {
    let content: Vec<u8> =
        (0..1_500_000_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    Image::new(&[Tree::of(&[("a", Kind::File(content.clone())), ("b", Kind::File(content))])])
}

#[test]
fn a_layer_is_read_along_while_it_comes_in_pieces() {
    let image = large();
    let unpacked = ensure_all(&image.store, &image.layers, 1, |digest| -> Result<(), Error> {
        let mut partial = image.store.partial_blob(digest).unwrap();
        for piece in image.blobs[0].chunks(20_000) {
            partial.write_all(piece).unwrap();
            thread::sleep(Duration::from_millis(3));
        }
        Ok(partial.finish(image.blobs[0].len() as u64)?)
    });
    assert_eq!(fs::metadata(unpacked.unwrap()[0].path.join("b")).unwrap().len(), 1_500_000);
}

#[test]
fn what_began_anew_is_unpacked_from_what_came_in_the_end() {
    let image = large();
    let unpacked = ensure_all(&image.store, &image.layers, 1, |digest| -> Result<(), Error> {
        let mut partial = image.store.partial_blob(digest).unwrap();
        let half = image.blobs[0].len() / 2;
        let mut spoilt = image.blobs[0][..half].to_vec();
        spoilt[half / 2..].fill(0x55);
        partial.write_all(&spoilt).unwrap();
        // Long enough for the reader to be deceived.
        thread::sleep(Duration::from_millis(50));
        partial.restart()?;
        partial.write_all(&image.blobs[0]).unwrap();
        Ok(partial.finish(image.blobs[0].len() as u64)?)
    });
    let unpacked = unpacked.unwrap();
    assert_eq!(fs::metadata(unpacked[0].path.join("b")).unwrap().len(), 1_500_000);
    assert_eq!(fs::read_dir(image.store.root().join("folders")).unwrap().count(), 1);
}

#[test]
fn a_transfer_that_fails_is_what_is_told_and_nothing_is_published() {
    let image = large();
    let result = ensure_all(&image.store, &image.layers, 1, |digest| -> Result<(), Error> {
        let mut partial = image.store.partial_blob(digest).unwrap();
        partial.write_all(&image.blobs[0][..image.blobs[0].len() / 2]).unwrap();
        Err(Error::Missing { digest: Digest::of(b"the transfer") })
    });
    assert!(matches!(result, Err(Error::Missing { digest }) if digest == Digest::of(b"the transfer")));
    assert!(!image.store.root().join("folders").exists());
}
