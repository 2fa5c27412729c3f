//! [`ImageConfig`]: an image's configuration document.
//!
//! Source: image-spec `config.md`.

use layercake_cache::Digest;
use layercake_compiler::oci::{ContainerConfig, History};
use layercake_compiler::platform::Platform;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::image::descriptor::null_is_default;

/// What an image is for, what its containers start with, and what its layers unpack to. Fields this version does not
/// know are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// When it was made, as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The processor it is for.
    #[serde(default)]
    pub architecture: String,
    /// The operating system it is for.
    #[serde(default)]
    pub os: String,
    /// The processor's variant.
    #[serde(default, skip_serializing_if = "String::is_empty", deserialize_with = "null_is_default")]
    pub variant: String,
    /// What a container starts with.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: ContainerConfig,
    /// What the layers unpack to.
    pub rootfs: RootFs,
    /// What made the layers.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub history: Vec<History>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The uncompressed layers of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digest of each layer's uncompressed tar, the lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".to_owned(), diff_ids: Vec::new() }
    }
}

impl ImageConfig {
    /// What it is for, in canonical words.
    #[must_use]
    pub fn platform(&self) -> Platform {
        Platform::new(&self.os, &self.architecture, &self.variant)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_survives() {
        let document = json!({
            "architecture": "arm", "os": "linux", "variant": "v7", "os.version": "1.2", "container": "abc",
            "config": {"Env": ["A=b"], "Hostname": "h"},
            "rootfs": {"type": "layers", "diff_ids": []},
            "history": [{"created_by": "x", "empty_layer": true}],
        });
        let config: ImageConfig = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(config.platform().to_string(), "linux/arm/v7");
        assert_eq!(serde_json::to_value(config).unwrap(), document);
    }

    #[test]
    fn null_means_nothing() {
        let document = json!({"config": null, "rootfs": {"type": "layers", "diff_ids": null}, "history": null});
        assert_eq!(serde_json::from_value::<ImageConfig>(document).unwrap(), ImageConfig::default());
    }
}
