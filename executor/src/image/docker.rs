//! Docker's own archive of images: `manifest.json`, configurations and layers.
//!
//! Source: moby's `image/tarexport`. `docker load` reads `manifest.json` in every version since 1.10 and ignores the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::image::descriptor::null_is_default;
use crate::image::reference::Reference;

/// The list of images.
pub(crate) const MANIFEST: &str = "manifest.json";
/// Names to top layers, for readers older than [`MANIFEST`]; docker still writes it.
pub(crate) const REPOSITORIES: &str = "repositories";

/// One image of a [`MANIFEST`]: paths in the archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry {
    pub(crate) config: String,
    /// Familiar names with tags.
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) repo_tags: Vec<String>,
    /// The lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) layers: Vec<String>,
}

/// The names that docker can take: those with a tag.
pub(crate) fn tags(names: &[Reference]) -> Vec<String> {
    names.iter().filter_map(|name| Some(format!("{}:{}", name.familiar_name(), name.tag()?))).collect()
}

/// The content of [`REPOSITORIES`]: repository to tag to the hexadecimal digits of the top layer.
pub(crate) fn repositories<'a>(
    images: impl Iterator<Item = (&'a [Reference], String)>,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (names, top) in images {
        for name in names {
            if let Some(tag) = name.tag() {
                all.entry(name.familiar_name()).or_default().insert(tag.to_owned(), top.clone());
            }
        }
    }
    all
}
