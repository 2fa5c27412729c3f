//! Making a cache of what a build has become: an image of all layers that are worth to travel.

use std::collections::{BTreeMap, HashSet};

use layercake_cache::{ContentId, ContentKey, Store};
use layercake_compiler::operation::Below;
use layercake_compiler::plan::{Plan, StepId};

use super::caches::Caches;
use super::error::Error;
use super::index::{Index, Packed};
use crate::build::outline::{self, Known};
use crate::build::product::Product;
use crate::image::config::{ImageConfig, RootFs};
use crate::image::descriptor::Descriptor;
use crate::image::manifest::Manifest;
use crate::image::media::{Family, MediaType};
use crate::image::save::json;
use crate::layer::blob::{self, LayerBlob, Options};
use crate::layer::compress::Compression;

/// Which steps travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Those whose layers the image has.
    #[default]
    Min,
    /// All of them.
    Max,
}

/// A build, as a cache is made of it.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// What was to be done.
    pub plan: &'a Plan,
    /// What has come of it.
    pub products: &'a [Product],
    /// The keys of the steps that have one.
    pub keys: &'a BTreeMap<StepId, ContentKey>,
    /// How the layers of its image are packed, if there is one.
    pub image: Option<Options>,
    /// Where it lies.
    pub store: &'a Store,
    /// What it was taken from.
    pub caches: &'a Caches<'a>,
}

impl Source<'_> {
    /// The index of a cache of these steps. Layers that are not in the store stay the blobs that they are elsewhere; others are
    /// packed, if they are not yet.
    ///
    /// # Errors
    /// If one cannot be packed.
    pub fn index(&self, mode: Mode, compression: Compression) -> Result<Index, Error> {
        let visible: HashSet<ContentId> = self.visible().collect();
        let mut index = Index::default();
        for (step, key) in self.keys.iter().filter(|(step, _)| !self.plan.steps[step.index()].operation.is_given()) {
            let Some(made) = self.products[step.index()].made() else { continue };
            let folder = made.change.folder;
            if mode == Mode::Min && !visible.contains(&folder) {
                continue;
            }
            index.steps.insert(key.to_string(), *made);
            // The layers of the image travel as they are in it, so that whoever has the image has them.
            let as_in_image = self.image.filter(|_| visible.contains(&folder));
            let options = as_in_image.unwrap_or(Options { compression, epoch: None });
            if let Some(packed) = self.packed(&folder, options)? {
                index.layers.insert(folder, packed);
            }
        }
        index.outlines = self.outlines()?;
        for key in self.caches.asked() {
            let ours = self.store.record(&key)?.and_then(|record| serde_json::from_slice(&record).ok());
            if let Some(fact) = ours.or_else(|| self.caches.fact(&key).cloned()) {
                index.facts.insert(key.to_string(), fact);
            }
        }
        Ok(index)
    }

    /// The outlines of the layers of which a step looks at no more. So what only adds to a tree can be done elsewhere, without
    /// that tree.
    fn outlines(&self) -> Result<BTreeMap<ContentId, LayerBlob>, Error> {
        let mut outlines = BTreeMap::new();
        for step in self.plan.steps.iter().filter(|step| step.operation.below() == Some(Below::Way)) {
            let Some(tree) = step.inputs.first().and_then(|below| self.products[below.index()].tree()) else {
                continue;
            };
            for Known { id, folder } in outline::known(tree, self.store) {
                if outlines.contains_key(&id) {
                    continue;
                }
                if let Some(folder) = folder {
                    outlines.insert(id, blob::make_outline(self.store, &folder)?);
                } else if let Some(known) = self.caches.outline(&id) {
                    outlines.insert(id, *known);
                }
            }
        }
        Ok(outlines)
    }

    /// The folders of the image's layers.
    fn visible(&self) -> impl Iterator<Item = ContentId> {
        let steps = self.plan.image.history.iter().flat_map(|entry| entry.steps());
        steps.filter_map(|step| self.products[step.index()].made().map(|made| made.change.folder))
    }

    fn packed(&self, folder: &ContentId, options: Options) -> Result<Option<Packed>, Error> {
        if !self.store.has_folder(folder) {
            return Ok(self.caches.packed(folder));
        }
        Ok(Some(Packed { blob: blob::make(self.store, folder, options)?, epoch: options.epoch }))
    }

    /// The image that is a cache with this index; its documents are in the store.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn image(&self, index: &Index) -> Result<Descriptor, Error> {
        let mut blobs: Vec<&LayerBlob> = Vec::new();
        for blob in index.layers.values().map(|packed| &packed.blob).chain(index.outlines.values()) {
            if !blobs.iter().any(|known| known.digest == blob.digest) {
                blobs.push(blob);
            }
        }
        let platform = &self.plan.platform;
        let config = ImageConfig {
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            variant: platform.variant.clone(),
            rootfs: RootFs { diff_ids: blobs.iter().map(|blob| blob.diff_id).collect(), ..RootFs::default() },
            other: std::iter::once(index.field()).collect(),
            ..ImageConfig::default()
        };
        let document = json(&config);
        self.store.put_blob(&document)?;
        let layer =
            |blob: &&LayerBlob| Descriptor::new(MediaType::from(blob.media_type().to_owned()), blob.digest, blob.size);
        let config = Descriptor::of(MediaType::Config(Family::Oci), &document);
        let manifest = Manifest::new(MediaType::Manifest(Family::Oci), config, blobs.iter().map(layer).collect());
        let document = json(&manifest);
        self.store.put_blob(&document)?;
        Ok(Descriptor::of(MediaType::Manifest(Family::Oci), &document))
    }
}
