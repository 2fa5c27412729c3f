//! [`Place`]: where a cache lies, and how its parts come from there and get there.

use std::fmt;

use layercake_cache::Store;
use layercake_compiler::platform::Platform;

use super::error::Error;
use crate::image::descriptor::Descriptor;
use crate::image::layout::{self, REF_NAME};
use crate::image::local::LocalImage;
use crate::image::pick::LayoutReference;
use crate::image::reference::Reference;
use crate::image::save::Saving;
use crate::registry::client::Client;
use crate::registry::error::Error as RegistryError;
use crate::registry::event::Events;

/// Where a cache lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a registry.
    Registry(Reference),
    /// In an OCI layout.
    Layout(LayoutReference),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(reference) => f.write_str(&reference.familiar()),
            Self::Layout(layout) => layout.folder.display().fmt(f),
        }
    }
}

impl Place {
    /// The documents of the image that is the cache; its layers stay where they are. `None` if there is nothing yet.
    pub(super) fn documents(
        &self,
        store: &Store,
        client: Option<&Client>,
        platform: &Platform,
        events: Events<'_>,
    ) -> Result<Option<LocalImage>, Error> {
        match self {
            Self::Registry(reference) => {
                let client = client.ok_or_else(|| Error::Offline(self.to_string()))?;
                match client.resolve(store, reference, platform, events) {
                    Ok(image) => Ok(Some(image)),
                    Err(RegistryError::NotFound { .. }) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
            Self::Layout(layout) if !layout.exists() => Ok(None),
            Self::Layout(layout) => Ok(Some(layout.documents(store, platform)?)),
        }
    }

    /// Brings a blob of the cache into the store.
    pub(super) fn fetch(
        &self,
        store: &Store,
        client: Option<&Client>,
        blob: &Descriptor,
        events: Events<'_>,
    ) -> Result<(), Error> {
        match self {
            Self::Registry(reference) => {
                let client = client.ok_or_else(|| Error::Offline(self.to_string()))?;
                Ok(client.fetch_layers(store, reference, std::slice::from_ref(blob), events)?)
            }
            Self::Layout(layout) => Ok(layout.layer(store, blob)?),
        }
    }

    /// Puts a cache there, in the place of what was there before. Blobs that are there are not sent.
    ///
    /// # Errors
    /// If it cannot be put there. What was there before stays then.
    pub fn put(
        &self,
        store: &Store,
        client: Option<&Client>,
        manifest: &Descriptor,
        platform: &Platform,
        events: Events<'_>,
    ) -> Result<(), Error> {
        match self {
            Self::Registry(reference) => {
                let client = client.ok_or_else(|| Error::Offline(self.to_string()))?;
                client.push(store, manifest, reference, events)?;
            }
            Self::Layout(layout) => {
                let mut descriptor = manifest.clone();
                descriptor.annotations.extend(layout.tag.iter().map(|tag| (REF_NAME.to_owned(), tag.clone())));
                layout::write_folder(store, &[Saving { descriptor, names: Vec::new() }], &layout.folder, platform)?;
            }
        }
        Ok(())
    }
}
