//! A tree as an outline: where layers are not here, a cache may still have said what stands where in them.
//!
//! That is all that a step looks at which only adds to a tree, and it is a small part of the bytes.

use std::path::PathBuf;

use layercake_cache::{ContentId, Digest, Store};

use super::error::Error;
use super::event::Event;
use super::folders::stacked;
use super::site::Site;
use super::tree::{self, Change, Tree};
use crate::layer::blob::LayerBlob;
use crate::layer::unpack::{self, Below, Layer};
use crate::layer::{Contents, pack};

/// The folders of a tree, topmost first, as caches outline it; `None` if all of its layers are here, or if of one nothing is
/// known.
///
/// # Errors
/// If an outline cannot be had, or is damaged.
pub fn told(tree: &Tree, site: &Site<'_>) -> Result<Option<Vec<PathBuf>>, Error> {
    if site.caches.is_empty() {
        return Ok(None);
    }
    let mut sources = Vec::new();
    for Known { id, folder } in known(tree, site.store) {
        match (folder, site.caches.outline(&id)) {
            (Some(folder), _) => sources.push(Source::Folder(folder)),
            (None, Some(blob)) => sources.push(Source::Outline(*blob)),
            (None, None) => return Ok(None),
        }
    }
    if sources.iter().all(|source| matches!(source, Source::Folder(_))) {
        return Ok(None);
    }
    // An outline is a layer like any other, and is unpacked as one.
    let (mut folders, mut names) = (Vec::new(), Vec::new());
    for source in sources {
        let (folder, name) = match source {
            Source::Folder(id) => (pack::path(site.store, &id)?, Digest::of(id.as_bytes())),
            Source::Outline(blob) => {
                match site.caches.fetch(site.store, &blob.digest, site.listener) {
                    // Then the tree has to come.
                    Err(error) if error.is_the_caches() => {
                        let text = format!("the outline of a layer cannot be had: {error}");
                        (site.listener)(Event::Note { text: &text });
                        return Ok(None);
                    }
                    result => drop(result?),
                }
                let layer = Layer { diff_id: blob.diff_id, blob: blob.digest, contents: Contents::All };
                let topmost_first = || Ok(folders.iter().rev().cloned().collect());
                let below = Below { diff_ids: &names, folders: &topmost_first };
                (unpack::ensure(site.store, &layer, below)?.path, blob.diff_id)
            }
        };
        folders.push(folder);
        names.push(name);
    }
    Ok(Some(stacked(&folders)))
}

/// Where what stands in a layer is taken from.
enum Source {
    /// The layer's folder.
    Folder(ContentId),
    /// Its outline.
    Outline(LayerBlob),
}

/// A layer of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// What its outline is known by: the same on every machine.
    pub id: ContentId,
    /// Its folder, or one that is its outline, if that or its pack is here.
    pub folder: Option<ContentId>,
}

/// The layers of a tree, lowest first.
pub fn known(tree: &Tree, store: &Store) -> Vec<Known> {
    let mut below: Vec<Digest> = Vec::new();
    let layers = tree.layers().iter().map(|layer| match layer {
        tree::Layer::Image(layer) => {
            let unpacked = Layer { diff_id: layer.diff_id, blob: layer.blob.digest, contents: Contents::Outline };
            let nobody = || Ok(Vec::new());
            let found = unpack::find(store, &unpacked, Below { diff_ids: &below, folders: &nobody });
            let known = Known { id: unpack::id(&unpacked, &below), folder: found.map(|found| found.id) };
            below.push(layer.diff_id);
            known
        }
        tree::Layer::Change(Change { folder, .. }) => {
            Known { id: *folder, folder: pack::is_here(store, folder).then_some(*folder) }
        }
    });
    layers.collect()
}
