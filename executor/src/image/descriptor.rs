//! [`Descriptor`]: how one document refers to a blob.
//!
//! Source: image-spec `descriptor.md`, and `image-index.md` for `platform`.

use std::collections::BTreeMap;

use layercake_cache::Digest;
use layercake_compiler::platform::Platform;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::image::media::MediaType;

/// A blob's type, digest and size, and what the referring document says of it. Fields this version does not know are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Other places to get it from.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub urls: Vec<String>,
    /// Free key and value pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// What the image is for, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<DescriptorPlatform>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The platform of an image as an index has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescriptorPlatform {
    /// The processor.
    #[serde(default)]
    pub architecture: String,
    /// The operating system.
    #[serde(default)]
    pub os: String,
    /// The processor's variant.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// `os.version`, `os.features` and what is still to come.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Descriptor {
    /// A descriptor that says no more than it must.
    #[must_use]
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            digest,
            size,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            platform: None,
            other: Map::new(),
        }
    }

    /// The descriptor of a document.
    #[must_use]
    pub fn of(media_type: MediaType, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// The same blob without what the referring document says of it.
    #[must_use]
    pub fn bare(&self) -> Self {
        Self::new(self.media_type.clone(), self.digest, self.size)
    }
}

impl From<&DescriptorPlatform> for Platform {
    fn from(platform: &DescriptorPlatform) -> Self {
        Self::new(&platform.os, &platform.architecture, &platform.variant)
    }
}

impl From<&Platform> for DescriptorPlatform {
    fn from(platform: &Platform) -> Self {
        Self {
            architecture: platform.architecture.clone(),
            os: platform.os.clone(),
            variant: platform.variant.clone(),
            other: Map::new(),
        }
    }
}

/// Go programs write `null` where they mean nothing.
pub(crate) fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
