//! [`Manifest`] and [`Index`]: what an image consists of, and the images of one name for several platforms.
//!
//! Source: image-spec `manifest.md` and `image-index.md`; docker's schema 2 has the same shape.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::image::descriptor::{Descriptor, null_is_default};
use crate::image::media::MediaType;

/// An image: its configuration and its layers. Fields this version does not know are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// The document's own type; OCI allows to leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, the lowest first.
    #[serde(deserialize_with = "null_is_default")]
    pub layers: Vec<Descriptor>,
    /// Free key and value pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The images of one name. Fields this version does not know are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// The document's own type; OCI allows to leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<MediaType>,
    /// Manifests, and perhaps further indexes.
    #[serde(deserialize_with = "null_is_default")]
    pub manifests: Vec<Descriptor>,
    /// Free key and value pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Manifest {
    /// The manifest of an image with these blobs.
    #[must_use]
    pub fn new(media_type: MediaType, config: Descriptor, layers: Vec<Descriptor>) -> Self {
        let (annotations, other) = (BTreeMap::new(), Map::new());
        Self { schema_version: 2, media_type: Some(media_type), config, layers, annotations, other }
    }

    /// Every blob the image needs: its configuration, then its layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.config).chain(&self.layers)
    }
}

impl Index {
    /// An index of these images.
    #[must_use]
    pub fn new(media_type: MediaType, manifests: Vec<Descriptor>) -> Self {
        let (annotations, other) = (BTreeMap::new(), Map::new());
        Self { schema_version: 2, media_type: Some(media_type), manifests, annotations, other }
    }
}
