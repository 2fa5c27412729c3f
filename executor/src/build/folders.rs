//! The folders of a tree's layers: fetched and unpacked where they are not here yet.

use std::collections::HashSet;
use std::path::PathBuf;

use layercake_cache::{ContentId, Digest, Store};

use super::error::Error;
use super::event::{Event, Listener};
use super::tree::{Change, ImageLayer, Layer, Tree};
use crate::image::descriptor::Descriptor;
use crate::layer::{Contents, pack, unpack};
use crate::remote::caches::Caches;
use crate::{registry, remote};

/// Brings a layer of an image into the store.
pub type Fetch<'a> = &'a (dyn Fn(&Descriptor) -> Result<(), registry::error::Error> + Sync);

/// Layers that are fetched and unpacked at the same time.
pub(super) const AT_ONCE: usize = 4;

/// The folders of a tree's layers, topmost first, as an overlay wants them. Of the layers of the tree's image they hold `contents`,
/// or more.
///
/// # Errors
/// If a layer cannot be had or unpacked; [`remote::error::Error::Gone`] if nobody has what a step made.
pub fn folders(
    tree: &Tree,
    contents: Contents,
    store: &Store,
    caches: &Caches<'_>,
    fetch: Fetch<'_>,
    listener: Listener<'_>,
) -> Result<Vec<PathBuf>, Error> {
    let missing = missing(tree, store);
    let lacking: Vec<_> = missing.iter().copied().filter(|folder| is_nowhere(folder, store, caches)).collect();
    refuse(&lacking, caches)?;
    let layer = |layer: &ImageLayer| unpack::Layer { diff_id: layer.diff_id, blob: layer.blob.digest, contents };
    let image: Vec<unpack::Layer> = tree.image_layers().map(layer).collect();
    let fetch_one = |digest: &Digest| {
        let layer = tree.image_layers().find(|layer| layer.blob.digest == *digest);
        Ok::<(), Error>(fetch_layer(layer.expect("only layers of this tree are fetched"), fetch, listener)?)
    };
    let unpacked = unpack::ensure_all(store, &image, AT_ONCE, fetch_one)?;
    let mut lowest_first: Vec<PathBuf> = unpacked.into_iter().map(|layer| layer.path).collect();
    for layer in tree.layers() {
        if let Layer::Change(change) = layer {
            lowest_first.push(if missing.contains(&change.folder) {
                bring(change, &stacked(&lowest_first), store, caches, listener)?
            } else {
                store.folder_path(&change.folder)
            });
        }
    }
    Ok(stacked(&lowest_first))
}

/// The folder of a change set, made of its pack or of the layer of a cache if it is not here. `below` are those that it lies on,
/// topmost first.
///
/// # Errors
/// As [`folders`].
pub(super) fn bring(
    change: &Change,
    below: &[PathBuf],
    store: &Store,
    caches: &Caches<'_>,
    listener: Listener<'_>,
) -> Result<PathBuf, Error> {
    if let Some(path) = pack::folder(store, &change.folder)? {
        return Ok(path);
    }
    if !caches.has_layer(&change.folder) {
        // Its pack was damaged.
        caches.give_up(&[change.folder]);
    }
    caches.bring(store, change, below, listener)?;
    Ok(store.folder_path(&change.folder))
}

/// Fails if there are folders that nobody has, and notes them: all at once, so that their steps are done again in one go.
pub(super) fn refuse(lacking: &[ContentId], caches: &Caches<'_>) -> Result<(), Error> {
    if lacking.is_empty() {
        return Ok(());
    }
    caches.give_up(lacking);
    Err(remote::error::Error::Gone.into())
}

/// The folders of a tree that nobody has.
pub(super) fn lacking(tree: &Tree, store: &Store, caches: &Caches<'_>) -> Vec<ContentId> {
    missing(tree, store).into_iter().filter(|folder| is_nowhere(folder, store, caches)).collect()
}

/// Whether a folder that is not here can be made neither of a pack nor of the layer of a cache.
fn is_nowhere(folder: &ContentId, store: &Store, caches: &Caches<'_>) -> bool {
    pack::find(store, folder).is_none() && !caches.has_layer(folder)
}

/// The folders of steps that are not here.
fn missing(tree: &Tree, store: &Store) -> HashSet<ContentId> {
    let folders = tree.layers().iter().filter_map(|layer| match layer {
        Layer::Change(change) => Some(change.folder),
        Layer::Image(_) => None,
    });
    folders.filter(|folder| !store.has_folder(folder)).collect()
}

/// Folders as an overlay wants them. One that lies on itself would be refused: the upper one shows everything that the lower
/// one does.
pub(super) fn stacked(lowest_first: &[PathBuf]) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    lowest_first.iter().rev().filter(|path| seen.insert(*path)).cloned().collect()
}

/// Brings one layer into the store.
pub(super) fn fetch_layer(
    layer: &ImageLayer,
    fetch: Fetch<'_>,
    listener: Listener<'_>,
) -> Result<(), registry::error::Error> {
    let what = layer.blob.digest.to_string();
    listener(Event::Transfer { action: "pull", what: &what, size: Some(layer.blob.size) });
    fetch(&layer.blob)
}
