//! The index of the images that were made for several platforms.

use std::collections::BTreeMap;

use layercake_cache::{Error, Store};

use super::{Assembled, json};
use crate::image::descriptor::Descriptor;
use crate::image::manifest::Index;
use crate::image::media::{Family, MediaType};

/// Free names and values of an index, by where they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    /// In the index.
    pub index: BTreeMap<String, String>,
    /// In whatever refers to it: the list of a layout.
    pub index_descriptor: BTreeMap<String, String>,
}

/// Puts an index of these images into the store; they stand in it in their order.
///
/// # Errors
/// If the store refuses it.
pub fn index(
    store: &Store,
    images: &[Assembled],
    family: Family,
    annotations: &Annotations,
) -> Result<Descriptor, Error> {
    let entry = |image: &Assembled| Descriptor {
        platform: Some((&image.config.platform()).into()),
        ..image.descriptor.clone()
    };
    let media_type = MediaType::Index(family);
    let mut index = Index::new(media_type.clone(), images.iter().map(entry).collect());
    index.annotations.clone_from(&annotations.index);
    let document = json(&index);
    store.put_blob(&document)?;
    let mut descriptor = Descriptor::of(media_type, &document);
    descriptor.annotations.clone_from(&annotations.index_descriptor);
    Ok(descriptor)
}
