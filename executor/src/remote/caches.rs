//! [`Caches`]: the caches from elsewhere that a build takes from. Their indexes are read at the start, their layers come when
//! something needs them.
//!
//! What a cache says of a step is believed as long as nothing is made of it. Before something is, the layer comes, its digests are
//! held against it, and what it changes in the tree below is worked out anew: only that is put into the store. So a cache that
//! lies can spoil the build that asks for it, and nothing else.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use layercake_cache::{ContentId, ContentKey, Digest, KeyHasher, Store};
use layercake_compiler::platform::Platform;
use serde_json::Value;

use super::error::Error;
use super::index::{Index, Packed};
use super::place::Place;
use crate::build::event::{Event, Listener};
use crate::build::product::Made;
use crate::build::tree::Change;
use crate::fault::At;
use crate::image::descriptor::Descriptor;
use crate::image::media::MediaType;
use crate::layer::Contents;
use crate::layer::blob::{LayerBlob, Options};
use crate::layer::unpack::{self, Marks, Top};
use crate::registry::client::Client;
use crate::registry::event::ignore;
use crate::{change, layer};

/// The caches that a build takes from, in the order in which they are asked.
#[derive(Default)]
pub struct Caches<'a> {
    caches: Vec<Cache>,
    client: Option<&'a Client>,
    /// Facts that this build has asked for.
    asked: Mutex<BTreeSet<ContentKey>>,
}

/// One of them.
struct Cache {
    place: Place,
    /// The manifest of the image that it is.
    manifest: Digest,
    index: Index,
}

/// What was found at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A cache, with so many steps.
    Cache(usize),
    /// Nothing.
    Nothing,
    /// An image that is no cache, or that of another version.
    NoCache,
}

impl<'a> Caches<'a> {
    /// None yet. `client` asks registries, if they may be asked.
    #[must_use]
    pub fn new(client: Option<&'a Client>) -> Self {
        Self { client, ..Self::default() }
    }

    /// Adds a cache, if there is one at this place.
    ///
    /// # Errors
    /// If the place cannot be asked, or what is there is damaged.
    pub fn add(&mut self, store: &Store, place: Place, platform: &Platform) -> Result<Found, Error> {
        let Some(image) = place.documents(store, self.client, platform, &ignore)? else { return Ok(Found::Nothing) };
        let Some(index) = Index::of(&image.config) else { return Ok(Found::NoCache) };
        let found = Found::Cache(index.steps.len());
        self.caches.push(Cache { place, manifest: image.manifest_digest, index });
        Ok(found)
    }

    /// What came of the step of this key elsewhere, if its layer is there too.
    #[must_use]
    pub fn step(&self, key: &ContentKey) -> Option<Made> {
        let made = |cache: &Cache| {
            cache.index.step(key).copied().filter(|made| cache.index.layers.contains_key(&made.change.folder))
        };
        self.caches.iter().find_map(made)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.caches.is_empty()
    }

    /// What was found in a tree elsewhere, under this key.
    #[must_use]
    pub fn fact(&self, key: &ContentKey) -> Option<&Value> {
        self.caches.iter().find_map(|cache| cache.index.facts.get(&key.to_string()))
    }

    /// Notes that the build has asked for this fact, so that a cache of it has it.
    pub fn note(&self, key: &ContentKey) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(*key);
    }

    /// The facts that the build has asked for.
    #[must_use]
    pub fn asked(&self) -> Vec<ContentKey> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Whether the cache at this place is this very one: then it need not be put there again.
    #[must_use]
    pub fn has(&self, place: &Place, manifest: &Digest) -> bool {
        self.caches.iter().any(|cache| cache.place == *place && cache.manifest == *manifest)
    }

    /// The blob of a folder that is packed in this way, if a cache has it. That of a registry stays there, and is known to be
    /// there; that of a layout comes, because the layout may be gone tomorrow.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn blob(
        &self,
        store: &Store,
        folder: &ContentId,
        options: Options,
        listener: Listener<'_>,
    ) -> Result<Option<LayerBlob>, Error> {
        let Some((cache, packed)) = self.layer(folder).filter(|(_, packed)| packed.options() == options) else {
            return Ok(None);
        };
        if let Place::Layout(_) = cache.place {
            self.take(store, cache, &packed.blob, listener)?;
        }
        Ok(Some(packed.blob))
    }

    /// A folder as a cache has it.
    #[must_use]
    pub fn packed(&self, folder: &ContentId) -> Option<Packed> {
        self.layer(folder).map(|(_, packed)| *packed)
    }

    /// The outline of a layer, by its folder.
    #[must_use]
    pub fn outline(&self, folder: &ContentId) -> Option<&LayerBlob> {
        self.caches.iter().find_map(|cache| cache.index.outlines.get(folder))
    }

    /// Brings a blob into the store; whether a cache has it.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn fetch(&self, store: &Store, digest: &Digest, listener: Listener<'_>) -> Result<bool, Error> {
        for cache in &self.caches {
            let blobs = cache.index.layers.values().map(|packed| &packed.blob).chain(cache.index.outlines.values());
            if let Some(blob) = blobs.into_iter().find(|blob| blob.digest == *digest) {
                self.take(store, cache, blob, listener)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes the folder of a change set, which is not in the store, from the layer of a cache. `below` are the folders that the
    /// layer lies on, topmost first.
    ///
    /// # Errors
    /// If no cache has it, it cannot be had, or it is not what the cache says.
    pub fn bring(
        &self,
        store: &Store,
        change: &Change,
        below: &[PathBuf],
        listener: Listener<'_>,
    ) -> Result<(), Error> {
        let (cache, Packed { blob, .. }) = self.layer(&change.folder).ok_or(Error::Gone)?;
        let _claim =
            store.claim(&KeyHasher::new("layercake folder of a cache 1").field(change.folder.as_bytes()).finish())?;
        if store.has_folder(&change.folder) {
            return Ok(());
        }
        self.take(store, cache, blob, listener)?;
        let content = store.open_blob(&blob.digest)?.ok_or(layer::Error::Missing { digest: blob.digest })?;
        let scratch = store.scratch()?;
        let folder = scratch.path().join("upper");
        std::fs::create_dir(&folder).at("create the folder", &folder)?;
        change::prepare(&folder, below)?;
        let beneath = || Ok(below.to_vec());
        let options = unpack::Options {
            marks: Marks::Deletions,
            top: Top::Taken,
            owner: None,
            contents: Contents::All,
            below: &beneath,
        };
        let outcome = unpack::unpack(content, &folder, options)?;
        let found = change::capture(&folder, below)?;
        let is_true = (outcome.diff_id, found.id, found.folder) == (blob.diff_id, change.id, change.folder);
        if !is_true {
            return Err(Error::Lie { cache: cache.place.to_string(), layer: blob.digest });
        }
        store.put_folder(&found.folder, &folder)?;
        Ok(())
    }

    fn take(&self, store: &Store, cache: &Cache, blob: &LayerBlob, listener: Listener<'_>) -> Result<(), Error> {
        if store.has_blob(&blob.digest) {
            return Ok(());
        }
        listener(Event::Transfer { action: "pull", what: &blob.digest.to_string(), size: Some(blob.size) });
        let descriptor = Descriptor::new(MediaType::from(blob.media_type().to_owned()), blob.digest, blob.size);
        cache.place.fetch(store, self.client, &descriptor, &ignore)
    }

    fn layer(&self, folder: &ContentId) -> Option<(&Cache, &Packed)> {
        self.caches.iter().find_map(|cache| cache.index.layers.get(folder).map(|packed| (cache, packed)))
    }
}
