//! [`Caches`]: the caches from elsewhere that a build takes from. Their indexes are read at the start, their layers come when
//! something needs them.
//!
//! What a cache says of a step is believed as long as nothing is made of it. Before something is, the layer comes, its digests are
//! held against it, and what it changes in the tree below is worked out anew: only that is put into the store. So a cache that
//! lies can spoil the build that asks for it, and nothing else.
//!
//! Of many steps it is known what they became and no more: their layers were not worth to travel, or have gone since. That is
//! enough to look up what follows. Where the content of one is needed after all, the step is done again, by
//! [`materialize`](crate::build::materialize).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use layercake_cache::{ContentId, ContentKey, Digest, KeyHasher, Store};
use layercake_compiler::platform::Platform;
use serde_json::Value;

use super::chunk;
use super::error::Error;
use super::index::{Index, Packed};
use super::mounts::Mounts;
use super::place::Place;
use super::rate;
use crate::build::event::{Event, Listener};
use crate::build::product::Made;
use crate::build::tree::Change;
use crate::fault::{At, Fault};
use crate::image::descriptor::Descriptor;
use crate::image::media::MediaType;
use crate::layer::blob::{LayerBlob, Options};
use crate::layer::unpack;
use crate::registry::client::Client;
use crate::registry::event::{Direction, ignore};
use crate::{change, layer};

/// The caches that a build takes from, in the order in which they are asked.
#[derive(Default)]
pub struct Caches<'a> {
    caches: Vec<Cache>,
    client: Option<&'a Client>,
    asking: Asking,
    /// Facts that this build has asked for.
    asked: Mutex<BTreeSet<ContentKey>>,
    /// Facts that it has found out on the word of a cache. They are good for this build alone.
    learned: Mutex<HashMap<ContentKey, Value>>,
    /// The folders that nobody has.
    nowhere: Mutex<HashSet<ContentId>>,
}

/// The field of an image's configuration in which BuildKit keeps an inline cache.
pub(crate) const BUILDKITS: &str = "moby.buildkit.cache.v0";

/// What caches are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asking {
    /// Layers too.
    #[default]
    Everything,
    /// What they know.
    Indexes,
}

/// One of them.
struct Cache {
    place: Place,
    /// The manifest of the image that it is.
    manifest: Digest,
    index: Index,
    mounts: Mounts,
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
    /// An image that is a cache of BuildKit's.
    Foreign,
}

impl<'a> Caches<'a> {
    /// None yet. `client` asks registries, if they may be asked.
    #[must_use]
    pub fn new(client: Option<&'a Client>) -> Self {
        Self { client, ..Self::default() }
    }

    /// The same, of which no layer is ever fetched: for a prediction.
    #[must_use]
    pub fn unfetched(self) -> Self {
        Self { asking: Asking::Indexes, ..self }
    }

    /// Adds a cache, if there is one at this place. One that is there already is added once.
    ///
    /// # Errors
    /// If the place cannot be asked, or what is there is damaged.
    pub fn add(&mut self, store: &Store, place: Place, platform: &Platform, mounts: Mounts) -> Result<Found, Error> {
        let Some(image) = place.documents(store, self.client, platform, &ignore)? else { return Ok(Found::Nothing) };
        let Some(index) = Index::of(&image.config) else {
            return Ok(if image.config.other.contains_key(BUILDKITS) { Found::Foreign } else { Found::NoCache });
        };
        let found = Found::Cache(index.steps.len());
        if !self.has(&place, &image.manifest_digest) {
            self.caches.push(Cache { place, manifest: image.manifest_digest, index, mounts });
        }
        Ok(found)
    }

    /// What came of the step of this key elsewhere, unless it has turned out that nobody has that.
    #[must_use]
    pub fn step(&self, key: &ContentKey) -> Option<Made> {
        let made = |cache: &Cache| cache.index.step(key).copied().filter(|made| !self.is_nowhere(&made.change.folder));
        self.caches.iter().find_map(made)
    }

    /// Whether a cache has this folder.
    #[must_use]
    pub fn has_layer(&self, folder: &ContentId) -> bool {
        self.layer(folder).is_some()
    }

    /// Notes that nobody has these folders: what made them counts no longer as known.
    pub fn give_up(&self, folders: &[ContentId]) {
        self.nowhere.lock().unwrap_or_else(PoisonError::into_inner).extend(folders);
    }

    /// How many folders nobody has, as far as that has turned out.
    #[must_use]
    pub fn given_up(&self) -> usize {
        self.nowhere.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn is_nowhere(&self, folder: &ContentId) -> bool {
        self.nowhere.lock().unwrap_or_else(PoisonError::into_inner).contains(folder)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.caches.is_empty()
    }

    /// What was found in a tree elsewhere, under this key.
    #[must_use]
    pub fn fact(&self, key: &ContentKey) -> Option<Value> {
        let theirs = self.caches.iter().find_map(|cache| cache.index.facts.get(&key.to_string()).cloned());
        theirs.or_else(|| self.learned.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    /// Keeps what was found in a tree, for this build alone: what was looked for may be what a cache says.
    pub fn learn(&self, key: &ContentKey, fact: Value) {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner).insert(*key, fact);
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

    /// Whether this folder can be had for an image. That of a layout comes for that, because the layout may be gone tomorrow.
    ///
    /// # Errors
    /// If the store refuses.
    pub fn secure(&self, store: &Store, folder: &ContentId, listener: Listener<'_>) -> Result<bool, Error> {
        match self.layer(folder) {
            None => Ok(false),
            Some((Cache { place: Place::Registry(_), .. }, _)) => Ok(true),
            Some((cache, packed)) => match self.take(store, cache, &packed.blob, listener) {
                Err(error) if error.is_the_caches() => {
                    self.lose(cache, folder, &error, listener);
                    Ok(false)
                }
                result => result.map(|()| true),
            },
        }
    }

    /// Whether a registry's cache has this blob: then a registry may take it from there.
    #[must_use]
    pub fn is_known(&self, digest: &Digest) -> bool {
        let of_registries = self.caches.iter().filter(|cache| matches!(cache.place, Place::Registry(_)));
        of_registries.into_iter().any(|cache| cache.index.blobs().iter().any(|blob| blob.digest == *digest))
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
            if let Some(blob) = cache.index.blobs().into_iter().find(|blob| blob.digest == *digest) {
                self.take(store, cache, blob, listener)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What lies in this mount elsewhere, if it may come from there.
    #[must_use]
    pub fn mount(&self, key: &str) -> Option<&chunk::Packed> {
        self.caches.iter().filter(|cache| cache.mounts == Mounts::Travel).find_map(|cache| cache.index.mounts.get(key))
    }

    /// Brings a blob of a mount into the store.
    ///
    /// # Errors
    /// If no cache has it, or it cannot be had.
    pub fn fetch_part(&self, store: &Store, blob: &LayerBlob, listener: Listener<'_>) -> Result<(), Error> {
        if store.has_blob(&blob.digest) {
            return Ok(());
        }
        let has = |cache: &&Cache| {
            let mut mounts = cache.index.mounts.values();
            mounts.any(|mount| mount.list == *blob || mount.packs.contains(blob))
        };
        let cache = self.caches.iter().find(has).ok_or(Error::Gone)?;
        self.take(store, cache, blob, listener)
    }

    /// Makes the folder of a change set, which is not in the store, from the layer of a cache. `below` are the folders that the
    /// layer lies on, topmost first.
    ///
    /// # Errors
    /// [`Error::Gone`] if no cache has it; or if it is not what the cache says, or the store refuses.
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
        match self.take(store, cache, blob, listener) {
            Err(error) if error.is_the_caches() => {
                self.lose(cache, &change.folder, &error, listener);
                return Err(Error::Gone);
            }
            result => result?,
        }
        let content = store.open_blob(&blob.digest)?.ok_or(layer::Error::Missing { digest: blob.digest })?;
        let scratch = store.scratch()?;
        let folder = scratch.path().join("upper");
        std::fs::create_dir(&folder).at("create the folder", &folder)?;
        change::prepare(&folder, below)?;
        let beneath = || Ok(below.to_vec());
        let options = unpack::Options::of_layer(&beneath);
        let lie = || Error::Lie { cache: cache.place.to_string(), layer: blob.digest };
        let outcome = unpack::unpack(content, &folder, options).map_err(|error| match error.fault() {
            // What is packed so is no layer at all.
            Fault::Input => lie(),
            _ => error.into(),
        })?;
        let found = change::capture(&folder, below)?;
        let is_true = (outcome.diff_id, found.id, found.folder) == (blob.diff_id, change.id, change.folder);
        if !is_true {
            return Err(lie());
        }
        store.put_folder(&found.folder, &folder)?;
        Ok(())
    }

    fn take(&self, store: &Store, cache: &Cache, blob: &LayerBlob, listener: Listener<'_>) -> Result<(), Error> {
        if store.has_blob(&blob.digest) {
            return Ok(());
        }
        if self.asking == Asking::Indexes {
            return Err(Error::Unasked);
        }
        listener(Event::Transfer { action: "pull", what: &blob.digest.to_string(), size: Some(blob.size) });
        let descriptor = Descriptor::new(MediaType::from(blob.media_type().to_owned()), blob.digest, blob.size);
        let start = Instant::now();
        cache.place.fetch(store, self.client, &descriptor, &ignore)?;
        if let Place::Registry(reference) = &cache.place {
            rate::learn(store, reference.host(), Direction::Down, blob.size, start.elapsed())?;
        }
        Ok(())
    }

    /// Goes on without a layer that a cache says it has.
    fn lose(&self, cache: &Cache, folder: &ContentId, error: &Error, listener: Listener<'_>) {
        let text = format!("a layer of the cache `{}` cannot be had, so its step is done again: {error}", cache.place);
        listener(Event::Note { text: &text });
        self.give_up(&[*folder]);
    }

    fn layer(&self, folder: &ContentId) -> Option<(&Cache, &Packed)> {
        if self.is_nowhere(folder) {
            return None;
        }
        self.caches.iter().find_map(|cache| cache.index.layers.get(folder).map(|packed| (cache, packed)))
    }
}
