//! [`Index`]: which layer came of which key, as the field of an image's configuration that makes the image a cache.

use std::collections::{BTreeMap, HashSet};

use layercake_cache::{ContentId, ContentKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chunk;
use crate::build::product::Made;
use crate::image::config::ImageConfig;
use crate::layer::blob::{LayerBlob, Options};

/// The name of the field.
pub(crate) const FIELD: &str = "layercake.cache";

/// The version of what the field holds. One of another version is as good as none.
const VERSION: u32 = 1;

/// What a cache has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// What came of steps, by their keys.
    pub steps: BTreeMap<String, Made>,
    /// The blobs of what came of them, by folder. Of a step without a blob it is known what it became, and no more.
    pub layers: BTreeMap<ContentId, Packed>,
    /// The outlines of layers, by the folders of those: what stands where in them.
    pub outlines: BTreeMap<ContentId, LayerBlob>,
    /// What was found in trees, so that those that have the trees' ids alone can look up what is made from them.
    pub facts: BTreeMap<String, Value>,
    /// What lies in cache mounts.
    pub mounts: BTreeMap<String, chunk::Packed>,
}

/// A folder as a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// The blob.
    pub blob: LayerBlob,
    /// The latest time that an entry has, if times were clamped.
    pub epoch: Option<i64>,
}

impl Packed {
    /// In which way it was packed.
    #[must_use]
    pub fn options(&self) -> Options {
        Options { compression: self.blob.compression, epoch: self.epoch }
    }
}

/// An index as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    steps: BTreeMap<String, Made>,
    layers: Vec<(ContentId, Packed)>,
    facts: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    outlines: Vec<(ContentId, LayerBlob)>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    mounts: BTreeMap<String, chunk::Packed>,
}

impl Index {
    /// What came of the step of this key.
    #[must_use]
    pub fn step(&self, key: &ContentKey) -> Option<&Made> {
        self.steps.get(&key.to_string())
    }

    /// The index of a cache; `None` if the image is none, or one of another version.
    #[must_use]
    pub fn of(config: &ImageConfig) -> Option<Self> {
        let written: Written = serde_json::from_value(config.other.get(FIELD)?.clone()).ok()?;
        let Written { version, steps, layers, outlines, facts, mounts } = written;
        let (layers, outlines) = (layers.into_iter().collect(), outlines.into_iter().collect());
        (version == VERSION).then_some(Self { steps, layers, outlines, facts, mounts })
    }

    /// All blobs that it leads to, each once.
    #[must_use]
    pub fn blobs(&self) -> Vec<&LayerBlob> {
        let mounts = self.mounts.values().flat_map(|mount| std::iter::once(&mount.list).chain(&mount.packs));
        let mut seen = HashSet::new();
        let all = self.layers.values().map(|packed| &packed.blob).chain(self.outlines.values()).chain(mounts);
        all.filter(|blob| seen.insert(blob.digest)).collect()
    }

    /// The field that makes an image a cache.
    #[must_use]
    pub fn field(&self) -> (String, Value) {
        let Self { steps, layers, outlines, facts, mounts } = self.clone();
        let (layers, outlines) = (layers.into_iter().collect(), outlines.into_iter().collect());
        let written = Written { version: VERSION, steps, layers, outlines, facts, mounts };
        (FIELD.to_owned(), serde_json::to_value(written).expect("its keys are texts"))
    }
}
