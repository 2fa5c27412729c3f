//! Cache mounts that travel: what lies in the folders of `RUN --mount=type=cache`, as archives in chunks.
//!
//! What lies in such a folder is whatever commands have left there, and nothing can be held against it. So it comes only from a
//! cache of which that was expressly asked, and only into a folder that this machine does not have yet.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use layercake_cache::{KeyHasher, Store};
use layercake_compiler::operation::{MountKind, Operation};
use layercake_compiler::plan::{Plan, StepId};

use super::caches::Caches;
use super::chunk::{self, Known, Packed};
use crate::build::error::Error as BuildError;
use crate::build::event::{Event, Listener};
use crate::build::product::Product;
use crate::build::site::Site;
use crate::fault::At;
use crate::layer::unpack::{self, Marks};
use crate::layer::{self, Contents, blob::LayerBlob, tar};
use crate::op::run::shared_name;

/// Whether what lies in cache mounts is taken from a cache, or put into it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mounts {
    /// It is not.
    #[default]
    Stay,
    /// It is.
    Travel,
}

/// What a mount is called in an index: its name says what it is for, and begins with what the user has called it.
#[must_use]
pub fn key(name: &str) -> String {
    KeyHasher::new("layercake cache mount 1").field(name.as_bytes()).finish().to_string()
}

/// The cache mounts of a plan as they are now. One that no command of this build has used, and that a cache has, stays what it
/// is there: that of this machine may be older.
///
/// # Errors
/// If one cannot be read. One that somebody is using is left out, with a word about it.
pub fn of_plan(
    plan: &Plan,
    products: &[Product],
    was_done: &dyn Fn(StepId) -> bool,
    site: &Site<'_>,
) -> Result<BTreeMap<String, Packed>, BuildError> {
    let mut used: BTreeMap<String, bool> = BTreeMap::new();
    for step in &plan.steps {
        let Operation::Run(run) = &step.operation else { continue };
        let inputs: Vec<Product> = step.inputs.iter().map(|input| products[input.index()].clone()).collect();
        for mount in run.mounts.iter().filter(|mount| matches!(mount.kind, MountKind::Cache { .. })) {
            let name = shared_name(mount, &inputs, site)?.expect("it is a cache mount");
            *used.entry(name).or_default() |= was_done(step.id);
        }
    }
    let mut all = BTreeMap::new();
    for (name, was_used) in used {
        let elsewhere = site.caches.mount(&key(&name));
        let packed = match elsewhere {
            Some(packed) if !was_used => Some(packed.clone()),
            elsewhere => match pack(site.store, site.caches, &name, site.listener) {
                Err(error) => {
                    let text = format!("a cache mount stays here: {error}");
                    (site.listener)(Event::Note { text: &text });
                    elsewhere.cloned()
                }
                Ok(packed) => packed.or_else(|| elsewhere.cloned()),
            },
        };
        all.extend(packed.map(|packed| (key(&name), packed)));
    }
    Ok(all)
}

/// A mount in chunks; `None` if there is none, or somebody is using it.
fn pack(
    store: &Store,
    caches: &Caches<'_>,
    name: &str,
    listener: Listener<'_>,
) -> Result<Option<Packed>, layer::Error> {
    let Some(folder) = store.shared_folder_at_rest(name)? else { return Ok(None) };
    let mut known = Known::default();
    if let Some(packed) = caches.mount(&key(name)) {
        // Without what was there before, all of it is sent.
        if caches.fetch_part(store, &packed.list, listener).is_ok() {
            known.add(store, packed).at("read the chunks of", folder.path())?;
        }
    }
    let path = folder.path();
    let packed = chunk::put(store, known, |out| tar::write(path, None, out).map(drop).map_err(Packing::Layer));
    packed.map(Some).map_err(|error| match error {
        Packing::Layer(error) => error,
        Packing::Store(source) => crate::fault::PathError::new("pack", path, source).into(),
    })
}

enum Packing {
    Layer(layer::Error),
    Store(io::Error),
}

impl From<io::Error> for Packing {
    fn from(error: io::Error) -> Self {
        Self::Store(error)
    }
}

/// Fills an empty folder with what lay in the mount elsewhere. Says whether a cache has it; what cannot be had or is damaged is
/// as good as not there, with a word about it, and the folder is empty then.
///
/// # Errors
/// If the folder cannot be emptied.
pub fn restore(name: &str, folder: &Path, site: &Site<'_>) -> Result<bool, BuildError> {
    let Some(packed) = site.caches.mount(&key(name)) else { return Ok(false) };
    match unpack(packed, folder, site) {
        Ok(()) => Ok(true),
        Err(error) => {
            let text = format!("a cache mount begins empty, because that of the cache cannot be had: {error}");
            (site.listener)(Event::Note { text: &text });
            fs::remove_dir_all(folder).at("remove", folder)?;
            fs::create_dir(folder).at("create the folder", folder)?;
            Ok(false)
        }
    }
}

fn unpack(packed: &Packed, folder: &Path, site: &Site<'_>) -> Result<(), layer::Error> {
    let store = site.store;
    let bring = |blob: &LayerBlob| -> io::Result<File> {
        site.caches.fetch_part(store, blob, site.listener).map_err(io::Error::other)?;
        File::open(store.blob_path(&blob.digest))
    };
    bring(&packed.list).at("read the chunks of", folder)?;
    let content = chunk::Reader::new(store, packed, bring).at("read the chunks of", folder)?;
    let below = || Ok(Vec::new());
    let contents = Contents::All;
    let options = unpack::Options { marks: Marks::Names, contents, ..unpack::Options::of_layer(&below) };
    unpack::unpack(content, folder, options).map(drop)
}
