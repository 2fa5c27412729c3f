//! Making a cache of what a build has become: an image of all layers that are worth to travel.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use layercake_cache::{ContentId, ContentKey, Store};
use layercake_compiler::operation::Below;
use layercake_compiler::plan::{Plan, PlannedHistory, StepId};
use serde_json::Value;

use super::caches::Caches;
use super::error::Error;
use super::index::{Index, Packed};
use super::rate::Rates;
use super::worth::{Skip, Worth};
use crate::assemble::pack;
use crate::build::outline::{self, Known};
use crate::build::product::{Made, Product};
use crate::build::tree::{Layer, Tree};
use crate::image::config::{ImageConfig, RootFs};
use crate::image::descriptor::Descriptor;
use crate::image::manifest::Manifest;
use crate::image::media::{Family, MediaType};
use crate::image::save::json;
use crate::layer::blob::{self, LayerBlob, Options};
use crate::layer::compress::Compression;
use crate::layer::pack;
use crate::registry::sources;

/// The most bytes of all facts that travel: the index is a part of a document of some megabytes at most.
const FACT_LIMIT: usize = 2 << 20;

/// Of which steps the layers travel. Of all of them it does what they became.
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
    /// `SOURCE_DATE_EPOCH`: then all of it was made at that time.
    pub epoch: Option<i64>,
    /// Where it lies.
    pub store: &'a Store,
    /// What it was taken from.
    pub caches: &'a Caches<'a>,
}

/// How layers are chosen and packed.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Of which steps.
    pub mode: Mode,
    /// How those are compressed that the image does not have.
    pub compression: Compression,
    /// Whether those stay that are not worth to travel.
    pub skip: Skip,
    /// How fast bytes come from where they are put.
    pub rates: Rates,
    /// The registry that they are put into. Layers that it has stay no matter what.
    pub host: Option<&'a str>,
}

/// Layers that do not travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many layers there are in all.
    pub of: usize,
    /// How many stay.
    pub layers: usize,
    /// Bytes of those.
    pub bytes: u64,
    /// How long it would take to fetch them.
    pub fetching: Duration,
    /// How long it takes to do without them.
    pub doing: Duration,
}

impl Source<'_> {
    /// The index of a cache of these steps, and what it leaves out. Layers that are not in the store stay the blobs that they are
    /// elsewhere; others are packed, if they are not yet.
    ///
    /// # Errors
    /// If one cannot be packed.
    pub fn index(&self, choice: Choice<'_>) -> Result<(Index, Skipped), Error> {
        let visible: HashSet<ContentId> = self.visible(|_| true).collect();
        let mut index = self.records()?;
        let folders: HashSet<ContentId> = index.steps.values().map(|made| made.change.folder).collect();
        let chosen = folders.into_iter().filter(|folder| choice.mode == Mode::Max || visible.contains(folder));
        // The layers of the image travel as they are in it, so that whoever has the image has them.
        let own = Options { compression: choice.compression, epoch: None };
        let options = |folder: &ContentId| self.image.filter(|_| visible.contains(folder)).unwrap_or(own);
        index.layers = self.layers(chosen.map(|folder| (folder, options(&folder))))?;
        index.outlines = self.outlines()?;
        let skipped = match choice.skip {
            Skip::Auto => self.skip(&mut index, &visible, choice)?,
            Skip::Off => Skipped::default(),
        };
        Ok((index, skipped))
    }

    /// The index of an image that is its own cache: no layers but those that it has.
    ///
    /// # Errors
    /// If one cannot be packed.
    pub fn inline(&self, options: Options) -> Result<Index, Error> {
        let mut index = self.records()?;
        // Those that lie in one layer with others are not there by themselves.
        let own: HashSet<ContentId> = self.visible(|layers| layers == 1).collect();
        index.layers = self.layers(own.into_iter().map(|folder| (folder, options)))?;
        // A blob that is packed in another way is not the image's.
        index.layers.retain(|_, packed| packed.options() == options);
        Ok(index)
    }

    /// What is known of all steps.
    fn records(&self) -> Result<Index, Error> {
        let mut index = Index::default();
        for (step, key) in self.keys.iter().filter(|(step, _)| !self.plan.steps[step.index()].operation.is_given()) {
            let Some(made) = self.products[step.index()].made() else { continue };
            // It is the same whenever it was made.
            index.steps.insert(key.to_string(), Made { at: self.epoch.unwrap_or(made.at), ..*made });
        }
        let mut room = FACT_LIMIT;
        for key in self.caches.asked() {
            let ours: Option<Value> = self.store.record(&key)?.and_then(|record| serde_json::from_slice(&record).ok());
            let fact = ours.or_else(|| self.caches.fact(&key));
            let length = fact.as_ref().map_or(0, |fact| fact.to_string().len());
            if let Some(fact) = fact.filter(|_| length <= room) {
                room -= length;
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

    /// The folders of the image's layers that are made of as many steps as may be.
    fn visible(&self, may: impl Fn(usize) -> bool) -> impl Iterator<Item = ContentId> {
        let entries = self.plan.image.history.iter().filter(move |entry| may(entry.steps().count()));
        let steps = entries.flat_map(PlannedHistory::steps);
        steps.filter_map(|step| self.products[step.index()].made().map(|made| made.change.folder))
    }

    /// Folders as blobs: those of the store packed as is said for each, others as a cache has them.
    fn layers(
        &self,
        folders: impl Iterator<Item = (ContentId, Options)>,
    ) -> Result<BTreeMap<ContentId, Packed>, Error> {
        let mut layers = BTreeMap::new();
        let mut here: HashMap<Options, Vec<Vec<ContentId>>> = HashMap::new();
        for (folder, options) in folders {
            if pack::is_here(self.store, &folder) {
                here.entry(options).or_default().push(vec![folder]);
            } else if let Some(packed) = self.caches.packed(&folder) {
                layers.insert(folder, packed);
            }
        }
        for (options, folders) in here {
            let packed = pack(self.store, &folders, options)?.into_iter();
            layers.extend(packed.map(|(parts, blob)| (parts[0], Packed { blob, epoch: options.epoch })));
        }
        Ok(layers)
    }

    /// Leaves out layers that it takes longer to fetch than to make again. Those of the image stay: a build that finds all of
    /// them need not fetch them at all.
    fn skip(
        &self,
        index: &mut Index,
        visible: &HashSet<ContentId>,
        Choice { rates, host, .. }: Choice<'_>,
    ) -> Result<Skipped, Error> {
        let bytes = |layer: &Layer| match layer {
            Layer::Image(layer) => layer.blob.size,
            Layer::Change(change) => index.layers.get(&change.folder).map_or(0, |packed| packed.blob.size),
        };
        let size = |step: StepId| {
            let layers = self.products[step.index()].tree().into_iter().flat_map(Tree::layers);
            layers.map(bytes).sum()
        };
        let worth = Worth::new(self.store, self.plan, self.keys, size, rates)?;
        let mut makers: HashMap<ContentId, Vec<StepId>> = HashMap::new();
        for step in self.keys.keys() {
            if let Some(made) = self.products[step.index()].made() {
                makers.entry(made.change.folder).or_default().push(*step);
            }
        }
        let mut skipped = Skipped { of: index.layers.len(), ..Skipped::default() };
        let mut there = HashSet::new();
        for packed in index.layers.values() {
            if sources::known(self.store, &packed.blob.digest)?.iter().any(|known| host == Some(known.host.as_str())) {
                there.insert(packed.blob.digest);
            }
        }
        index.layers.retain(|folder, packed| {
            // What is there already costs nothing more.
            if visible.contains(folder) || !pack::is_here(self.store, folder) || there.contains(&packed.blob.digest) {
                return true;
            }
            let makers = makers.get(folder).into_iter().flatten();
            let judged: Option<Vec<_>> = makers.map(|step| worth.loss(*step, packed.blob.size)).collect();
            let Some((fetching, doing)) = judged.and_then(|judged| judged.into_iter().max()) else { return true };
            skipped.layers += 1;
            skipped.bytes += packed.blob.size;
            skipped.fetching += fetching;
            skipped.doing += doing;
            false
        });
        Ok(skipped)
    }

    /// The image that is a cache with this index; its documents are in the store.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn image(&self, index: &Index) -> Result<Descriptor, Error> {
        let blobs = index.blobs();
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
        let config = Descriptor::of(MediaType::Config(Family::Oci), &document);
        let layers = blobs.into_iter().map(described).collect();
        let document = json(&Manifest::new(MediaType::Manifest(Family::Oci), config, layers));
        self.store.put_blob(&document)?;
        Ok(Descriptor::of(MediaType::Manifest(Family::Oci), &document))
    }
}

/// A blob as the manifest of a cache names it.
pub(super) fn described(blob: &LayerBlob) -> Descriptor {
    Descriptor::new(MediaType::from(blob.media_type().to_owned()), blob.digest, blob.size)
}
