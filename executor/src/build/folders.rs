//! The folders of a tree's layers: fetched and unpacked where they are not here yet.

use std::collections::HashSet;
use std::path::PathBuf;

use layercake_cache::{Digest, Store};

use super::error::Error;
use super::event::{Event, Listener};
use super::tree::{ImageLayer, Layer, Tree};
use crate::image::descriptor::Descriptor;
use crate::layer::unpack;
use crate::registry;

/// Brings a layer of an image into the store.
pub type Fetch<'a> = &'a (dyn Fn(&Descriptor) -> Result<(), registry::error::Error> + Sync);

/// Layers that are fetched and unpacked at the same time.
const UNPACKING: usize = 4;

/// The folders of a tree's layers, topmost first, as an overlay wants them.
///
/// # Errors
/// If a layer cannot be had or unpacked.
pub fn folders(tree: &Tree, store: &Store, fetch: Fetch<'_>, listener: Listener<'_>) -> Result<Vec<PathBuf>, Error> {
    let image: Vec<unpack::Layer> =
        tree.image_layers().map(|layer| unpack::Layer { diff_id: layer.diff_id, blob: layer.blob.digest }).collect();
    let changes = tree.layers().iter().filter_map(|layer| match layer {
        Layer::Change(change) => Some(store.folder_path(&change.folder)),
        Layer::Image(_) => None,
    });
    let fetch_one = |digest: &Digest| {
        let layer = tree.image_layers().find(|layer| layer.blob.digest == *digest);
        fetch_layer(layer.expect("only layers of this tree are fetched"), fetch, listener)
    };
    let unpacked = unpack::ensure_all(store, &image, UNPACKING, fetch_one)?;
    let mut seen = HashSet::new();
    let topmost_first = unpacked.into_iter().map(|layer| layer.path).chain(changes).rev();
    // A folder that lies on itself would be refused. The upper one shows everything that the lower one does.
    Ok(topmost_first.filter(|path| seen.insert(path.clone())).collect())
}

/// Brings one layer into the store.
pub(super) fn fetch_layer(layer: &ImageLayer, fetch: Fetch<'_>, listener: Listener<'_>) -> Result<(), Error> {
    let what = layer.blob.digest.to_string();
    listener(Event::Transfer { action: "pull", what: &what, size: Some(layer.blob.size) });
    Ok(fetch(&layer.blob)?)
}
