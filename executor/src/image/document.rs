//! [`Document`]: telling manifests and indexes apart, and refusing what is neither.

use layercake_cache::{Digest, Error as StoreError, Store};
use serde_json::Value;

use crate::image::config::ImageConfig;
use crate::image::manifest::{Index, Manifest};
use crate::image::media::{Family, MediaType};

/// The most bytes a manifest, an index or a configuration may have; registries refuse longer manifests too.
pub const LIMIT: u64 = 8 << 20;

/// The most layers an image may have. Docker's limit is 127, and the kernel's for one mount 500.
const LAYERS: usize = 1000;

/// What a name or an index may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// One image.
    Manifest(Box<Manifest>),
    /// Images for several platforms.
    Index(Box<Index>),
}

/// A document of an image that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{digest}` {problem}")]
pub struct DocumentError {
    /// The document.
    pub digest: Digest,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a document.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It is not JSON, or its fields have other types than they must.
    #[error("is no readable {what}: {source}")]
    Json {
        /// What it should be.
        what: &'static str,
        /// What the parser says, with the place.
        source: serde_json::Error,
    },
    /// Docker's format of before 2016.
    #[error(
        "is an image in docker's schema 1, which was replaced in 2016 and has no configuration; pull it with an old docker and push it again to convert it"
    )]
    Schema1,
    /// It says it is something that no version of this program knows.
    #[error("is a `{0}`, not an image's manifest or an index of images")]
    NotAnImage(String),
    /// A manifest and an index at once: which of the two a program sees would be chance (CVE-2021-41190).
    #[error("has the fields of a manifest and of an index; one document cannot be both")]
    Ambiguous,
    /// Its type and its fields contradict each other.
    #[error("says it is a `{0}` but does not have the fields of one")]
    Contradiction(MediaType),
    /// The configuration is of something other than an image.
    #[error("is an artifact (its configuration is a `{0}`), not an image")]
    Artifact(MediaType),
    /// A layer of a type that cannot be unpacked.
    #[error("has a layer of type `{0}`, which this version cannot unpack")]
    Layer(MediaType),
    /// Manifest and configuration contradict each other.
    #[error("has {layers} layers, but its configuration lists {diff_ids} diff ids")]
    LayerCount {
        /// Layers in the manifest.
        layers: usize,
        /// Diff ids in the configuration.
        diff_ids: usize,
    },
    /// More layers than any system can stack; whoever made this means ill.
    #[error("has {0} layers; more than {LAYERS} are no image's")]
    TooManyLayers(usize),
    /// Indexes that lead to more documents than anybody would look through.
    #[error("is one of more than {0} documents that have to be looked at to find the image")]
    TooWide(usize),
    /// Indexes in indexes in indexes.
    #[error("lies deeper than {0} indexes")]
    TooDeep(usize),
}

impl Document {
    /// Reads a manifest or an index and says its type. `declared` is what the referring document or the registry says it
    /// is; the document's own word goes before it.
    ///
    /// # Errors
    /// If it is neither, or both.
    pub fn parse(bytes: &[u8], declared: Option<&MediaType>) -> Result<(MediaType, Self), DocumentError> {
        read(bytes, declared).map_err(|problem| DocumentError { digest: Digest::of(bytes), problem })
    }
}

/// Reads a stored document; `None` if it is not there. A blob that is too long to be a document is as good as none: what
/// refers to it may want no more than to fill the memory.
pub(crate) fn stored(store: &Store, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
    let too_long = std::fs::metadata(store.blob_path(digest)).is_ok_and(|found| found.len() > LIMIT);
    if too_long { Ok(None) } else { store.read_blob(digest) }
}

fn read(bytes: &[u8], declared: Option<&MediaType>) -> Result<(MediaType, Document), Problem> {
    let json = |what| move |source| Problem::Json { what, source };
    let value: Value = serde_json::from_slice(bytes).map_err(json("manifest"))?;
    let own = value.get("mediaType").and_then(Value::as_str).map(|text| MediaType::from(text.to_owned()));
    let has = |field| value.get(field).is_some();
    if own == Some(MediaType::Schema1) || value.get("schemaVersion").and_then(Value::as_u64) == Some(1) {
        return Err(Problem::Schema1);
    }
    if has("manifests") && (has("layers") || has("config")) {
        return Err(Problem::Ambiguous);
    }
    let family = match own.as_ref().or(declared) {
        Some(MediaType::Index(family) | MediaType::Manifest(family)) => *family,
        _ => Family::Oci,
    };
    let (media_type, document) = if has("manifests") {
        let index = serde_json::from_slice(bytes).map_err(json("index"))?;
        (MediaType::Index(family), Document::Index(index))
    } else if has("config") && has("layers") {
        let manifest = serde_json::from_slice(bytes).map_err(json("manifest"))?;
        (MediaType::Manifest(family), Document::Manifest(manifest))
    } else {
        return Err(match own {
            Some(known @ (MediaType::Index(_) | MediaType::Manifest(_))) => Problem::Contradiction(known),
            own => Problem::NotAnImage(own.map_or_else(|| "document of no known type".to_owned(), String::from)),
        });
    };
    match own {
        Some(own) if own != media_type => Err(match own {
            MediaType::Index(_) | MediaType::Manifest(_) => Problem::Contradiction(own),
            other => Problem::NotAnImage(other.to_string()),
        }),
        _ => Ok((media_type, document)),
    }
}

/// Reads the configuration of the image that `manifest` describes and checks that the two agree.
///
/// # Errors
/// If it cannot be read, is not an image's, or contradicts the manifest.
pub fn image_config(manifest_digest: Digest, manifest: &Manifest, bytes: &[u8]) -> Result<ImageConfig, DocumentError> {
    let wrong = |problem| DocumentError { digest: manifest_digest, problem };
    // Some old tools name no type for the configuration.
    let unnamed = |text: &str| text.is_empty() || text == "application/octet-stream";
    match &manifest.config.media_type {
        MediaType::Config(_) => (),
        MediaType::Other(text) if unnamed(text) => (),
        other => return Err(wrong(Problem::Artifact(other.clone()))),
    }
    if manifest.layers.len() > LAYERS {
        return Err(wrong(Problem::TooManyLayers(manifest.layers.len())));
    }
    if let Some(layer) = manifest.layers.iter().find(|layer| layer.media_type.layer_compression().is_none()) {
        return Err(wrong(Problem::Layer(layer.media_type.clone())));
    }
    let config: ImageConfig = serde_json::from_slice(bytes).map_err(|source| DocumentError {
        digest: manifest.config.digest,
        problem: Problem::Json { what: "image configuration", source },
    })?;
    let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers == diff_ids { Ok(config) } else { Err(wrong(Problem::LayerCount { layers, diff_ids })) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use serde_json::json;

    use super::*;

    const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

    fn parse(value: &Value) -> Result<MediaType, Problem> {
        let bytes = serde_json::to_vec(value).unwrap();
        Document::parse(&bytes, None).map(|(media_type, _)| media_type).map_err(|error| error.problem)
    }

    fn config() -> Value {
        json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(b"").to_string(), "size": 0})
    }

    #[test]
    fn fields_and_types_tell_manifest_from_index() {
        let manifest = json!({"schemaVersion": 2, "config": config(), "layers": []});
        assert_eq!(parse(&manifest).unwrap(), MediaType::Manifest(Family::Oci));
        let docker = json!({"schemaVersion": 2, "mediaType": DOCKER_MANIFEST, "config": config(), "layers": null});
        assert_eq!(parse(&docker).unwrap(), MediaType::Manifest(Family::Docker));
        assert_eq!(parse(&json!({"schemaVersion": 2, "manifests": []})).unwrap(), MediaType::Index(Family::Oci));
    }

    #[test]
    fn a_document_is_never_two_things() {
        let both = json!({"schemaVersion": 2, "manifests": [], "layers": []});
        assert!(matches!(parse(&both), Err(Problem::Ambiguous)));
        let liar = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "config": config(), "layers": []});
        assert!(matches!(parse(&liar), Err(Problem::Contradiction(MediaType::Index(_)))));
        let bare = json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST});
        assert!(matches!(parse(&bare), Err(Problem::Contradiction(MediaType::Manifest(_)))));
    }

    #[test]
    fn what_is_no_image_is_named() {
        assert!(matches!(parse(&json!({"schemaVersion": 1, "fsLayers": []})), Err(Problem::Schema1)));
        let artifact = json!({"mediaType": "application/vnd.oci.artifact.manifest.v1+json"});
        assert!(matches!(parse(&artifact), Err(Problem::NotAnImage(name)) if name.contains("artifact")));
        assert!(matches!(parse(&json!([])), Err(Problem::NotAnImage(_))));
        assert!(matches!(Document::parse(b"<html>", None).unwrap_err().problem, Problem::Json { .. }));
    }

    #[test]
    fn a_configuration_must_be_an_images_and_agree_with_the_manifest() {
        let manifest = |kind: &str, layers: usize| -> Manifest {
            let layer = json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": Digest::of(b"").to_string(), "size": 0});
            let mut config = config();
            config["mediaType"] = kind.into();
            serde_json::from_value(json!({"schemaVersion": 2, "config": config, "layers": vec![layer; layers]}))
                .unwrap()
        };
        let image = "application/vnd.oci.image.config.v1+json";
        let bytes = br#"{"rootfs": {"type": "layers", "diff_ids": []}}"#;
        let check =
            |manifest: &Manifest| image_config(Digest::of(b"m"), manifest, bytes).map_err(|error| error.problem);
        assert!(check(&manifest(image, 0)).is_ok());
        assert!(matches!(check(&manifest(image, 1)), Err(Problem::LayerCount { layers: 1, diff_ids: 0 })));
        let helm = manifest("application/vnd.cncf.helm.config.v1+json", 0);
        assert!(matches!(check(&helm), Err(Problem::Artifact(_))));
        let mut encrypted = manifest(image, 1);
        encrypted.layers[0].media_type = MediaType::Other("application/x+encrypted".into());
        assert!(matches!(check(&encrypted), Err(Problem::Layer(_))));
    }
}
