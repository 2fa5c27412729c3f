//! [`MediaType`]: what a blob of an image is, in OCI's and in docker's words.
//!
//! Source: image-spec `media-types.md`; distribution's "Image Manifest Version 2, Schema 2".

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a blob is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum MediaType {
    /// A list of manifests, one for each platform.
    Index(Family),
    /// An image's manifest.
    Manifest(Family),
    /// An image's configuration.
    Config(Family),
    /// A layer: a tar.
    Layer(Family, Compression),
    /// A layer that its owner does not want in other registries (Windows bases): a tar.
    ForeignLayer(Family, Compression),
    /// Docker's manifests of before 2016, which name no configuration.
    Schema1,
    /// Anything else.
    Other(String),
}

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// The Open Container Initiative's.
    Oci,
    /// Docker's, schema 2.
    Docker,
}

/// How a layer's tar is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// By gzip.
    Gzip,
    /// By zstd.
    Zstd,
}

use Compression::{Gzip, None as Plain, Zstd};
use Family::{Docker, Oci};

/// Every type that has a name of its own.
const NAMES: [(MediaType, &str); 19] = [
    (MediaType::Index(Oci), "application/vnd.oci.image.index.v1+json"),
    (MediaType::Index(Docker), "application/vnd.docker.distribution.manifest.list.v2+json"),
    (MediaType::Manifest(Oci), "application/vnd.oci.image.manifest.v1+json"),
    (MediaType::Manifest(Docker), "application/vnd.docker.distribution.manifest.v2+json"),
    (MediaType::Config(Oci), "application/vnd.oci.image.config.v1+json"),
    (MediaType::Config(Docker), "application/vnd.docker.container.image.v1+json"),
    (MediaType::Layer(Oci, Plain), "application/vnd.oci.image.layer.v1.tar"),
    (MediaType::Layer(Oci, Gzip), "application/vnd.oci.image.layer.v1.tar+gzip"),
    (MediaType::Layer(Oci, Zstd), "application/vnd.oci.image.layer.v1.tar+zstd"),
    (MediaType::Layer(Docker, Plain), "application/vnd.docker.image.rootfs.diff.tar"),
    (MediaType::Layer(Docker, Gzip), "application/vnd.docker.image.rootfs.diff.tar.gzip"),
    (MediaType::Layer(Docker, Zstd), "application/vnd.docker.image.rootfs.diff.tar.zstd"),
    (MediaType::ForeignLayer(Oci, Plain), "application/vnd.oci.image.layer.nondistributable.v1.tar"),
    (MediaType::ForeignLayer(Oci, Gzip), "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
    (MediaType::ForeignLayer(Oci, Zstd), "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"),
    (MediaType::ForeignLayer(Docker, Plain), "application/vnd.docker.image.rootfs.foreign.diff.tar"),
    (MediaType::ForeignLayer(Docker, Gzip), "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
    (MediaType::ForeignLayer(Docker, Zstd), "application/vnd.docker.image.rootfs.foreign.diff.tar.zstd"),
    (MediaType::Schema1, "application/vnd.docker.distribution.manifest.v1+prettyjws"),
];
const SCHEMA1_UNSIGNED: &str = "application/vnd.docker.distribution.manifest.v1+json";

impl MediaType {
    /// Whether it is a list of manifests.
    #[must_use]
    pub fn is_index(&self) -> bool {
        matches!(self, Self::Index(_))
    }

    /// Whether it is an image's manifest.
    #[must_use]
    pub fn is_manifest(&self) -> bool {
        matches!(self, Self::Manifest(_))
    }

    /// How a layer of this type is compressed; `None` if it is no layer.
    #[must_use]
    pub fn layer_compression(&self) -> Option<Compression> {
        match self {
            Self::Layer(_, compression) | Self::ForeignLayer(_, compression) => Some(*compression),
            Self::Index(_) | Self::Manifest(_) | Self::Config(_) | Self::Schema1 | Self::Other(_) => None,
        }
    }
}

impl From<String> for MediaType {
    fn from(text: String) -> Self {
        // Servers may add parameters, `; charset=utf-8`, and types compare without regard to case.
        let name = text.split(';').next().unwrap_or_default().trim();
        if name.eq_ignore_ascii_case(SCHEMA1_UNSIGNED) {
            return Self::Schema1;
        }
        let known = NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name)).map(|(known, _)| known.clone());
        known.unwrap_or(Self::Other(text))
    }
}

impl From<MediaType> for String {
    fn from(media_type: MediaType) -> Self {
        media_type.to_string()
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other(text) => f.write_str(text),
            known => f.write_str(NAMES.iter().find(|(named, _)| named == known).map_or("", |(_, name)| *name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_type_has_a_name_and_is_found_by_it() {
        for family in [Oci, Docker] {
            let mut all = vec![MediaType::Index(family), MediaType::Manifest(family), MediaType::Config(family)];
            for compression in [Plain, Gzip, Zstd] {
                all.extend([MediaType::Layer(family, compression), MediaType::ForeignLayer(family, compression)]);
            }
            for media_type in all {
                let name = media_type.to_string();
                assert!(!name.is_empty(), "{media_type:?} has no name");
                assert_eq!(MediaType::from(name), media_type);
            }
        }
    }

    #[test]
    fn parameters_and_case_do_not_count_and_unknown_types_are_kept() {
        let with_parameter = "application/vnd.OCI.image.index.v1+json; charset=utf-8".to_owned();
        assert_eq!(MediaType::from(with_parameter), MediaType::Index(Oci));
        assert_eq!(MediaType::from("text/x; a=b".to_owned()).to_string(), "text/x; a=b");
        assert_eq!(MediaType::from(SCHEMA1_UNSIGNED.to_owned()), MediaType::Schema1);
    }
}
