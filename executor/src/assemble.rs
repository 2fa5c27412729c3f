//! Assembling an image of what a plan has become: layers, configuration, history, manifest.

pub mod index;

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use layercake_cache::{ContentId, Digest, Store};
use layercake_compiler::oci::History;
use layercake_compiler::operation::Operation;
use layercake_compiler::plan::Plan;
use serde_json::{Map, Value};

use crate::build::error::Error;
use crate::build::product::Product;
use crate::build::site::{Bases, Site};
use crate::image::config::{ImageConfig, RootFs};
use crate::image::descriptor::Descriptor;
use crate::image::local::LocalImage;
use crate::image::manifest::Manifest;
use crate::image::media::{Family, MediaType};
use crate::layer::blob::{self, LayerBlob, Options};
use crate::layer::unpack::Layer;
use crate::layer::{self, Contents, pack, plain};
use crate::remote::caches::BUILDKITS;
use crate::remote::index::FIELD;

/// What the comment of every history entry says, as BuildKit's says `buildkit.dockerfile.v0`.
const COMMENT: &str = "layercake";

/// How an image is assembled.
#[derive(Clone, Debug)]
pub struct Assembly {
    /// What its new layers become.
    pub layers: Layers,
    /// What becomes of the layers of the image that it starts from.
    pub base_layers: BaseLayers,
    /// Whose types its documents and layers have.
    pub family: Family,
    /// `SOURCE_DATE_EPOCH`: the time that its configuration says, in seconds since 1970.
    pub epoch: Option<i64>,
    /// Free names and values.
    pub annotations: Annotations,
    /// The field that makes the image a cache, if it is to be one.
    pub cache: Option<(String, Value)>,
}

/// What the new layers of an image become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// Blobs in the store.
    Packed(Options),
    /// Plain archives that nobody has written: the store knows them, and makes them when somebody wants them.
    Plain {
        /// The latest time that an entry may have, in seconds since 1970 (`SOURCE_DATE_EPOCH`).
        epoch: Option<i64>,
    },
}

/// What becomes of the layers of a base image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseLayers {
    /// They are the blobs that they were, whatever compresses them.
    Kept,
    /// Those that are compressed in another format than the new ones are compressed anew. They have to be in the store.
    Compressed,
}

/// Free names and values, by where they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// In the manifest.
    pub manifest: BTreeMap<String, String>,
    /// In whatever refers to the manifest: the list of a layout.
    pub manifest_descriptor: BTreeMap<String, String>,
}

/// An image, assembled: its documents and its new layers are in the store.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The manifest.
    pub descriptor: Descriptor,
    /// The manifest's content.
    pub manifest: Manifest,
    /// The configuration.
    pub config: ImageConfig,
    /// The configuration's digest.
    pub config_digest: Digest,
}

/// Assembles the image of a plan, given what its steps have become.
///
/// # Errors
/// If a layer cannot be packed, or the store refuses something.
pub fn assemble(plan: &Plan, products: &[Product], site: &Site<'_>, how: &Assembly) -> Result<Assembled, Error> {
    let store = site.store;
    let base = plan.image.base.map(|step| base(plan, step.index(), site.bases)).transpose()?;
    let made = |index: usize| products[index].made().expect("only steps that change trees have a history");
    let layers = || plan.image.history.iter().filter(|history| history.step.is_some());
    let folders = layers().map(|history| history.steps().map(|step| made(step.index()).change.folder).collect());
    let folders: Vec<Folders> = folders.collect();
    let mut packed = HashMap::new();
    for (history, parts) in
        layers().zip(&folders).filter(|(_, parts)| !parts.iter().all(|part| pack::is_here(store, part)))
    {
        let elsewhere = match (parts.as_slice(), how.layers) {
            ([folder], Layers::Packed(options)) => site.caches.blob(store, folder, options, site.listener)?,
            _ => None,
        };
        match elsewhere {
            // It stays where it is until somebody needs it.
            Some(blob) => drop(packed.insert(parts.clone(), blob)),
            None => {
                history.steps().try_for_each(|step| site.bring(&products[step.index()]))?;
            }
        }
    }
    let here: Vec<Folders> = folders.iter().filter(|parts| !packed.contains_key(*parts)).cloned().collect();
    packed.extend(match how.layers {
        Layers::Packed(options) => pack(store, &here, options)?,
        Layers::Plain { epoch } => each(&here, |folders| plain::describe(store, folders, epoch))?,
    });

    let mut layers = base.map_or_else(|| Ok(Vec::new()), |base| base_layers(base, store, how))?;
    let mut diff_ids = base.map_or_else(Vec::new, |base| base.config.rootfs.diff_ids.clone());
    for parts in &folders {
        let layer = &packed[parts];
        layers.push(of_family(how.family, &described(layer)));
        diff_ids.push(layer.diff_id);
    }

    let mut history = base.map_or_else(Vec::new, base_history);
    let mut latest = base.and_then(|base| base.config.created.clone());
    for planned in &plan.image.history {
        let at = planned.step.map(|step| made(step.index()).at);
        // An instruction without a layer is as old as what it follows.
        latest = how.epoch.or(at).map(rfc3339).or(latest);
        let comment = if planned.entry.comment.is_empty() { COMMENT.to_owned() } else { planned.entry.comment.clone() };
        history.push(History { created: latest.clone(), comment, ..planned.entry.clone() });
    }

    let config = ImageConfig {
        created: latest.or_else(|| how.epoch.map(rfc3339)),
        author: plan.image.author.clone(),
        architecture: plan.platform.architecture.clone(),
        os: plan.platform.os.clone(),
        variant: plan.platform.variant.clone(),
        config: plan.image.config.clone(),
        rootfs: RootFs { diff_ids, ..RootFs::default() },
        history,
        other: base.map_or_else(Default::default, |base| without_cache(&base.config)),
    };
    let config = ImageConfig { other: config.other.into_iter().chain(how.cache.clone()).collect(), ..config };
    let document = json(&config);
    let config_digest = store.put_blob(&document)?;
    let config_descriptor = Descriptor::of(MediaType::Config(how.family), &document);
    let mut manifest = Manifest::new(MediaType::Manifest(how.family), config_descriptor, layers);
    manifest.annotations.clone_from(&how.annotations.manifest);
    let document = json(&manifest);
    store.put_blob(&document)?;
    let mut descriptor = Descriptor::of(MediaType::Manifest(how.family), &document);
    descriptor.annotations.clone_from(&how.annotations.manifest_descriptor);
    Ok(Assembled { descriptor, manifest, config, config_digest })
}

/// What else the configuration of a base says. That it is a cache is not true of what is made from it.
fn without_cache(config: &ImageConfig) -> Map<String, Value> {
    let mut other = config.other.clone();
    for field in [FIELD, BUILDKITS] {
        other.remove(field);
    }
    other
}

fn base<'a>(plan: &Plan, index: usize, bases: &'a Bases) -> Result<&'a LocalImage, Error> {
    let Operation::Image(image) = &plan.steps[index].operation else {
        unreachable!("what an image starts from is an image");
    };
    let key = (image.reference.clone(), image.platform.clone());
    bases.get(&key).ok_or_else(|| Error::UnknownBase(image.reference.clone()))
}

/// The folders of which a layer is made, lowest first: mostly one.
pub(crate) type Folders = Vec<ContentId>;

/// Packs each layer once.
pub(crate) fn pack(
    store: &Store,
    folders: &[Folders],
    options: Options,
) -> Result<HashMap<Folders, LayerBlob>, layer::Error> {
    each(folders, |folders| blob::make_any(store, folders, options))
}

/// Does it once for each layer. On plain threads, since each waits for the claim on its folder; what they compute is on rayon's.
pub(crate) fn each<K: Clone + Eq + Hash + Ord + Send + Sync, E: Send>(
    layers: &[K],
    make: impl Fn(&K) -> Result<LayerBlob, E> + Sync,
) -> Result<HashMap<K, LayerBlob>, E> {
    let mut unique = layers.to_vec();
    unique.sort_unstable();
    unique.dedup();
    let (next, made) = (AtomicUsize::new(0), Mutex::new(Ok(HashMap::new())));
    let work = || {
        while let Some(layer) = unique.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = make(layer);
            let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
            match (made.as_mut(), result) {
                (Ok(made), Ok(blob)) => drop(made.insert(layer.clone(), blob)),
                (Ok(_), Err(error)) => *made = Err(error),
                (Err(_), _) => return,
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..rayon::current_num_threads().min(unique.len()) {
            scope.spawn(work);
        }
        work();
    });
    made.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The layers of the base as the new image has them.
fn base_layers(base: &LocalImage, store: &Store, how: &Assembly) -> Result<Vec<Descriptor>, Error> {
    let layers = base.manifest.layers.iter().zip(&base.config.rootfs.diff_ids);
    let Layers::Packed(Options { compression, .. }) = how.layers else {
        return Ok(layers.map(|(layer, _)| of_family(how.family, layer)).collect());
    };
    let wanted = MediaType::from(compression.media_type().to_owned()).layer_compression();
    layers
        .map(|(layer, diff_id)| {
            let is_other = matches!(&layer.media_type, MediaType::Layer(_, found) if Some(*found) != wanted);
            // Of a base that was built here and went nowhere, nobody has made a blob yet.
            if is_other
                && layer.digest == *diff_id
                && let Some(made) = blob::made_now(store, diff_id, compression)?
            {
                return Ok(of_family(how.family, &described(&made)));
            }
            if how.base_layers == BaseLayers::Kept || !is_other {
                return Ok(of_family(how.family, layer));
            }
            let layer = Layer { diff_id: *diff_id, blob: layer.digest, contents: Contents::All };
            let made = blob::compressed_anew(store, &layer, compression)?;
            Ok(of_family(how.family, &described(&made)))
        })
        .collect()
}

pub(crate) fn described(layer: &LayerBlob) -> Descriptor {
    Descriptor::new(MediaType::from(layer.media_type().to_owned()), layer.digest, layer.size)
}

/// The same layer, named as one family of types names it: a manifest is of one family, whatever the base's is.
pub(crate) fn of_family(family: Family, layer: &Descriptor) -> Descriptor {
    let media_type = match &layer.media_type {
        MediaType::Layer(_, compression) => MediaType::Layer(family, *compression),
        other => other.clone(),
    };
    Descriptor { media_type, ..layer.bare() }
}

/// The base's history, with an entry for every layer: some tools leave them out.
fn base_history(base: &LocalImage) -> Vec<History> {
    let mut history = base.config.history.clone();
    let told = history.iter().filter(|entry| !entry.empty_layer).count();
    let untold = base.config.rootfs.diff_ids.len().saturating_sub(told);
    history.extend((0..untold).map(|_| History { created: base.config.created.clone(), ..History::default() }));
    history
}

fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}

fn json(document: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("documents have only text keys")
}
