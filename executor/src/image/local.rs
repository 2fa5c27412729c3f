//! [`Images`]: the images in a store, by name and by id.

use layercake_cache::{Digest, Error as StoreError, Store};
use layercake_compiler::platform::Platform;
use serde::{Deserialize, Serialize};

use crate::image::config::ImageConfig;
use crate::image::descriptor::Descriptor;
use crate::image::document::{Document, stored};
use crate::image::error::Error;
use crate::image::manifest::Manifest;
use crate::image::media::{Family, MediaType};
use crate::image::reference::Reference;
use crate::image::select::{Selection, images, select};
use crate::layer::plain;

/// Where the names lie in the store.
const SHELF: &str = "images";

/// The images of a store. A name leads to a manifest or an index; the blobs stay when a name goes.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    store: &'a Store,
}

/// An image whose documents are in the store. Its layers may be elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalImage {
    /// The name that led to it; `None` if it was found by its id and has no name.
    pub reference: Option<Reference>,
    /// What the name leads to: the manifest, or the index that lists it.
    pub descriptor: Descriptor,
    /// The manifest's digest.
    pub manifest_digest: Digest,
    /// The manifest.
    pub manifest: Manifest,
    /// The configuration; its digest, docker's image id, is `manifest.config.digest`.
    pub config: ImageConfig,
}

/// One entry of the list of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedImage {
    /// Its name; `None` for an image that is kept without one.
    pub reference: Option<Reference>,
    /// What the name leads to.
    pub descriptor: Descriptor,
}

/// What the shelf holds. An image without a name is kept under its digest.
#[derive(Serialize, Deserialize)]
struct Record {
    name: Option<String>,
    descriptor: Descriptor,
}

impl<'a> Images<'a> {
    /// The images of `store`.
    #[must_use]
    pub fn new(store: &'a Store) -> Self {
        Self { store }
    }

    /// The image that `reference` names, for `platform`; `None` if there is none whose documents are all here. A digest
    /// is enough to find an image: no name must lead to it.
    ///
    /// # Errors
    /// If the store cannot be read, or a document in it is not an image's.
    pub fn resolve(&self, reference: &Reference, platform: &Platform) -> Result<Option<LocalImage>, Error> {
        let found = match reference.digest() {
            Some(digest) => self.descriptor_of(digest)?,
            None => self.named(reference)?,
        };
        match found {
            Some(descriptor) => self.documents(Some(reference), &descriptor, platform),
            None => Ok(None),
        }
    }

    /// The image that `text` names or that has it as its id: `sha256:…`, or the beginning of one. The id is the digest
    /// of the index, the manifest or the configuration. A name goes before an id.
    ///
    /// # Errors
    /// If several images have ids that begin so, or as for [`Images::resolve`].
    pub fn find(&self, text: &str, platform: &Platform) -> Result<Option<LocalImage>, Error> {
        if let Ok(reference) = text.parse()
            && let Some(found) = self.resolve(&reference, platform)?
        {
            return Ok(Some(found));
        }
        let id = text.strip_prefix("sha256:").unwrap_or(text);
        if id.is_empty() || id.len() > 64 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(None);
        }
        self.by_id(id, text, platform)
    }

    /// As [`Images::find`], for who asks for an image and not for what runs here: where an index has none for `platform`, its first
    /// that is here.
    ///
    /// # Errors
    /// As for [`Images::find`].
    pub fn find_any(&self, text: &str, platform: &Platform) -> Result<Option<LocalImage>, Error> {
        if let Some(found) = self.find(text, platform)? {
            return Ok(Some(found));
        }
        let wanted = text.parse::<Reference>().ok();
        let id = text.strip_prefix("sha256:").unwrap_or(text);
        let is_wanted = |named: &NamedImage| {
            let is_named = wanted.is_some() && named.reference == wanted;
            is_named || (!id.is_empty() && named.descriptor.digest.hex().starts_with(id))
        };
        match self.list()?.into_iter().find(is_wanted) {
            Some(named) => self.any(named.reference.as_ref(), &named.descriptor, platform),
            None => Ok(None),
        }
    }

    /// The image for `platform` that `descriptor` leads to, or else the first that is here.
    ///
    /// # Errors
    /// As for [`Images::documents`].
    pub fn any(
        &self,
        reference: Option<&Reference>,
        descriptor: &Descriptor,
        platform: &Platform,
    ) -> Result<Option<LocalImage>, Error> {
        match self.documents(reference, descriptor, platform)? {
            Some(found) => Ok(Some(found)),
            None => Ok(self.each(reference, descriptor)?.into_iter().next()),
        }
    }

    /// The images that `descriptor` leads to, of an index those for all platforms, as far as their documents are here.
    ///
    /// # Errors
    /// As for [`Images::documents`].
    pub fn each(&self, reference: Option<&Reference>, descriptor: &Descriptor) -> Result<Vec<LocalImage>, Error> {
        let entries = self.with_entries(descriptor)?;
        // What is no index leads to the same, whatever is asked for.
        let no_platform = Platform::new("", "", "");
        let platform = |entry: &Descriptor| entry.platform.as_ref().map_or_else(|| no_platform.clone(), Platform::from);
        let several = if entries.len() > 1 { &entries[1..] } else { &entries };
        let found = several.iter().map(|entry| self.documents(reference, descriptor, &platform(entry)));
        found.filter_map(Result::transpose).collect()
    }

    /// What `reference` leads to; `None` if it has not been given a meaning.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn named(&self, reference: &Reference) -> Result<Option<Descriptor>, Error> {
        let Some(bytes) = self.store.named(SHELF, &reference.to_string())? else { return Ok(None) };
        // A record that cannot be read is as good as none: it is written again when the image comes again.
        Ok(serde_json::from_slice::<Record>(&bytes).ok().map(|record| record.descriptor))
    }

    /// Makes `reference` lead to `descriptor`, instead of what it led to before.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn tag(&self, reference: &Reference, descriptor: &Descriptor) -> Result<(), Error> {
        self.put(&reference.to_string(), Some(reference.to_string()), descriptor)
    }

    /// When `reference` was given its meaning; `None` if it has none.
    #[must_use]
    pub fn tagged(&self, reference: &Reference) -> Option<std::time::SystemTime> {
        self.store.named_at(SHELF, &reference.to_string())
    }

    /// Keeps an image that has no name.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn keep(&self, descriptor: &Descriptor) -> Result<(), Error> {
        self.put(&descriptor.digest.to_string(), None, descriptor)
    }

    /// Takes a name away; says whether it was there. Blobs stay.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn untag(&self, reference: &Reference) -> Result<bool, Error> {
        Ok(self.store.forget_named(SHELF, &reference.to_string())?)
    }

    /// Keeps an image that has no name no longer; says whether it was kept.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn unkeep(&self, digest: &Digest) -> Result<bool, Error> {
        Ok(self.store.forget_named(SHELF, &digest.to_string())?)
    }

    /// All images, in the order of their names.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn list(&self) -> Result<Vec<NamedImage>, Error> {
        let records = self.store.shelf(SHELF)?;
        let mut all: Vec<NamedImage> = records.iter().filter_map(|bytes| read_record(bytes)).collect();
        all.sort_by(|a, b| (&a.reference, a.descriptor.digest).cmp(&(&b.reference, b.descriptor.digest)));
        Ok(all)
    }

    /// The documents of the image for `platform` that `descriptor` leads to; `None` if one of them is not here.
    ///
    /// # Errors
    /// If the store cannot be read, or a document in it is not an image's.
    pub fn documents(
        &self,
        reference: Option<&Reference>,
        descriptor: &Descriptor,
        platform: &Platform,
    ) -> Result<Option<LocalImage>, Error> {
        let mut read = |descriptor: &Descriptor| -> Result<Option<Vec<u8>>, Error> {
            match stored(self.store, &descriptor.digest) {
                // A damaged document is as good as none; it is replaced when it comes again.
                Err(StoreError::Digest { .. }) => Ok(None),
                result => Ok(result?),
            }
        };
        Ok(match select(descriptor, platform, &mut read)? {
            Selection::Found(found) => Some(LocalImage {
                reference: reference.cloned(),
                descriptor: descriptor.clone(),
                manifest_digest: found.descriptor.digest,
                manifest: found.manifest,
                config: found.config,
            }),
            Selection::Absent(_) | Selection::NotFor(_) => None,
        })
    }

    fn put(&self, key: &str, name: Option<String>, descriptor: &Descriptor) -> Result<(), Error> {
        // What an index or a layout said of the blob is not part of what the name leads to.
        let record = Record { name, descriptor: descriptor.bare() };
        let bytes = serde_json::to_vec(&record).expect("a record has only text keys");
        Ok(self.store.put_named(SHELF, key, &bytes)?)
    }

    /// The descriptor of a stored manifest or index.
    pub(crate) fn descriptor_of(&self, digest: &Digest) -> Result<Option<Descriptor>, Error> {
        let Some(bytes) = stored(self.store, digest)? else { return Ok(None) };
        let (media_type, _) = Document::parse(&bytes, None)?;
        Ok(Some(Descriptor::new(media_type, *digest, bytes.len() as u64)))
    }

    fn by_id(&self, id: &str, text: &str, platform: &Platform) -> Result<Option<LocalImage>, Error> {
        let mut found: Vec<LocalImage> = Vec::new();
        for NamedImage { reference, descriptor } in self.list()? {
            for candidate in self.with_entries(&descriptor)? {
                let Some(image) = self.documents(reference.as_ref(), &candidate, platform)? else { continue };
                let ids = [candidate.digest, image.manifest_digest, image.manifest.config.digest];
                let known = found.iter().any(|other| other.manifest_digest == image.manifest_digest);
                if !known && ids.iter().any(|digest| digest.hex().starts_with(id)) {
                    found.push(image);
                }
            }
        }
        match found.len() {
            0 | 1 => Ok(found.pop()),
            _ => Err(Error::AmbiguousId {
                id: text.to_owned(),
                matches: found.iter().map(|image| image.manifest_digest).collect(),
            }),
        }
    }

    /// A descriptor, and those of the images for other platforms beside it.
    fn with_entries(&self, descriptor: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        let mut all = vec![descriptor.clone()];
        if let Some(bytes) = stored(self.store, &descriptor.digest)?
            && let (_, Document::Index(index)) = Document::parse(&bytes, Some(&descriptor.media_type))?
        {
            all.extend(images(&index).cloned());
        }
        Ok(all)
    }
}

fn read_record(bytes: &[u8]) -> Option<NamedImage> {
    let record: Record = serde_json::from_slice(bytes).ok()?;
    let reference = record.name.map(|name| name.parse()).transpose().ok()?;
    Some(NamedImage { reference, descriptor: record.descriptor })
}

impl LocalImage {
    /// The manifest's descriptor.
    ///
    /// # Errors
    /// If the manifest has gone from the store.
    pub fn manifest_descriptor(&self, store: &Store) -> Result<Descriptor, Error> {
        if self.manifest_digest == self.descriptor.digest {
            return Ok(self.descriptor.bare());
        }
        let size = stored(store, &self.manifest_digest)?.map_or(0, |bytes| bytes.len() as u64);
        let media_type = self.manifest.media_type.clone().unwrap_or(MediaType::Manifest(Family::Oci));
        Ok(Descriptor::new(media_type, self.manifest_digest, size))
    }

    /// The layers that are not in the store, and cannot be made of what is.
    pub fn missing_layers<'a>(&'a self, store: &'a Store) -> impl Iterator<Item = &'a Descriptor> {
        self.manifest.layers.iter().filter(|layer| !plain::is_at_hand(store, &layer.digest))
    }
}
