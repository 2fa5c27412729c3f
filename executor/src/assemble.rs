//! Assembling an image of what a plan has become: layers, configuration, history, manifest.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use layercake_cache::{ContentId, Digest, Store};
use layercake_compiler::oci::History;
use layercake_compiler::operation::Operation;
use layercake_compiler::plan::Plan;

use crate::build::error::Error;
use crate::build::product::Product;
use crate::build::site::Bases;
use crate::image::config::{ImageConfig, RootFs};
use crate::image::descriptor::Descriptor;
use crate::image::local::LocalImage;
use crate::image::manifest::Manifest;
use crate::image::media::{Family, MediaType};
use crate::layer::blob::{self, LayerBlob, Options};

/// What the comment of every history entry says, as BuildKit's says `buildkit.dockerfile.v0`.
const COMMENT: &str = "layercake";

/// How an image is assembled.
#[derive(Clone, Debug)]
pub struct Assembly {
    /// How its new layers are packed.
    pub layers: Options,
    /// `SOURCE_DATE_EPOCH`: the time that everything new has, in seconds since 1970.
    pub epoch: Option<i64>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
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
pub fn assemble(
    plan: &Plan,
    products: &[Product],
    bases: &Bases,
    store: &Store,
    how: &Assembly,
) -> Result<Assembled, Error> {
    let base = plan.image.base.map(|step| base(plan, step.index(), bases)).transpose()?;
    let made = |index: usize| products[index].made().expect("only steps that change trees have a history");
    let steps = || plan.image.history.iter().filter_map(|history| history.step);
    let folders: Vec<ContentId> = steps().map(|step| made(step.index()).change.folder).collect();
    let packed = pack(store, &folders, how.layers)?;

    let mut layers: Vec<Descriptor> = base.iter().flat_map(|base| &base.manifest.layers).map(as_oci).collect();
    let mut diff_ids = base.map_or_else(Vec::new, |base| base.config.rootfs.diff_ids.clone());
    for folder in &folders {
        let layer = &packed[folder];
        let media_type = MediaType::from(layer.media_type().to_owned());
        layers.push(Descriptor::new(media_type, layer.digest, layer.size));
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
        other: base.map_or_else(Default::default, |base| base.config.other.clone()),
    };
    let document = json(&config);
    let config_digest = store.put_blob(&document)?;
    let config_descriptor = Descriptor::of(MediaType::Config(Family::Oci), &document);
    let mut manifest = Manifest::new(MediaType::Manifest(Family::Oci), config_descriptor, layers);
    manifest.annotations.clone_from(&how.annotations);
    let document = json(&manifest);
    store.put_blob(&document)?;
    let descriptor = Descriptor::of(MediaType::Manifest(Family::Oci), &document);
    Ok(Assembled { descriptor, manifest, config, config_digest })
}

fn base<'a>(plan: &Plan, index: usize, bases: &'a Bases) -> Result<&'a LocalImage, Error> {
    let Operation::Image(image) = &plan.steps[index].operation else {
        unreachable!("what an image starts from is an image");
    };
    let key = (image.reference.clone(), image.platform.clone());
    bases.get(&key).ok_or_else(|| Error::UnknownBase(image.reference.clone()))
}

/// Packs each folder once. On plain threads, since each waits for the claim on its folder; what they compute is on rayon's.
fn pack(store: &Store, folders: &[ContentId], options: Options) -> Result<HashMap<ContentId, LayerBlob>, Error> {
    let mut unique = folders.to_vec();
    unique.sort_unstable();
    unique.dedup();
    let (next, packed) = (AtomicUsize::new(0), Mutex::new(Ok(HashMap::new())));
    let work = || {
        while let Some(folder) = unique.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = blob::make(store, folder, options);
            let mut packed = packed.lock().unwrap_or_else(PoisonError::into_inner);
            match (packed.as_mut(), result) {
                (Ok(packed), Ok(layer)) => drop(packed.insert(*folder, layer)),
                (Ok(_), Err(error)) => *packed = Err(error.into()),
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
    packed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The same layer, named as OCI names it: a manifest of ours is OCI's, whatever the base's is.
fn as_oci(layer: &Descriptor) -> Descriptor {
    let media_type = match &layer.media_type {
        MediaType::Layer(_, compression) => MediaType::Layer(Family::Oci, *compression),
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
