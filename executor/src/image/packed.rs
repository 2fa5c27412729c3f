//! Images as registries want them: with layers that are compressed.
//!
//! What is built and goes nowhere has plain layers, and what `docker save` writes has them too. Sent as they are they would
//! take twice the time and the room. An image of which all layers are compressed stays what it is.

use layercake_cache::{Digest, Store};

use crate::assemble::{described, each, of_family};
use crate::image::descriptor::Descriptor;
use crate::image::document::{Document, image_config, stored};
use crate::image::error::Error;
use crate::image::manifest::Manifest;
use crate::image::media::{Compression as Found, MediaType};
use crate::image::save::json;
use crate::image::select::DEPTH;
use crate::layer::compress::Compression;
use crate::layer::unpack::Layer;
use crate::layer::{self, Contents, blob, plain};

/// The image or the index that `descriptor` leads to, with its plain layers compressed so. Those for which `is_kept` says so stay
/// plain, as do those that are not in the store. The documents that this makes are put into the store; the same image always
/// gives the same ones, whether its layers were plain or compressed from the start.
///
/// # Errors
/// If a document cannot be read, or a layer not be packed.
pub fn packed(
    store: &Store,
    descriptor: &Descriptor,
    compression: Compression,
    is_kept: &dyn Fn(&Digest) -> bool,
) -> Result<Descriptor, Error> {
    Packing { store, compression, is_kept }.document(descriptor, 0)
}

struct Packing<'a> {
    store: &'a Store,
    compression: Compression,
    is_kept: &'a dyn Fn(&Digest) -> bool,
}

impl Packing<'_> {
    fn document(&self, descriptor: &Descriptor, depth: usize) -> Result<Descriptor, Error> {
        let bytes = if depth > DEPTH { None } else { stored(self.store, &descriptor.digest)? };
        // What is too deep or not here, and what is wrong, is found by whoever sends it.
        let Some(bytes) = bytes else { return Ok(descriptor.clone()) };
        let new = match Document::parse(&bytes, Some(&descriptor.media_type))? {
            (_, Document::Manifest(mut manifest)) => {
                let old = manifest.layers.clone();
                self.layers(descriptor, &mut manifest)?;
                (manifest.layers != old).then(|| json(&manifest))
            }
            (_, Document::Index(mut index)) => {
                let old = index.manifests.clone();
                for entry in &mut index.manifests {
                    *entry = self.document(entry, depth + 1)?;
                }
                (index.manifests != old).then(|| json(&index))
            }
        };
        let Some(new) = new else { return Ok(descriptor.clone()) };
        self.store.put_blob(&new)?;
        let Descriptor { digest, size, .. } = Descriptor::of(descriptor.media_type.clone(), &new);
        Ok(Descriptor { digest, size, ..descriptor.clone() })
    }

    fn layers(&self, descriptor: &Descriptor, manifest: &mut Manifest) -> Result<(), Error> {
        let is_plain = |layer: &Descriptor| match layer.media_type {
            MediaType::Layer(_, Found::None) => plain::is_at_hand(self.store, &layer.digest),
            _ => false,
        };
        if !manifest.layers.iter().any(is_plain) {
            return Ok(());
        }
        let Some(bytes) = stored(self.store, &manifest.config.digest)? else { return Ok(()) };
        let Ok(config) = image_config(descriptor.digest, manifest, &bytes) else { return Ok(()) };
        let layers = manifest.layers.iter().zip(&config.rootfs.diff_ids);
        let is_meant = |layer: &Descriptor| is_plain(layer) && !(self.is_kept)(&layer.digest);
        let meant: Vec<(Digest, Digest)> =
            layers.filter(|(layer, _)| is_meant(layer)).map(|(layer, diff_id)| (layer.digest, *diff_id)).collect();
        let (store, compression) = (self.store, self.compression);
        let made = each(&meant, |(digest, diff_id)| match blob::made_now(store, diff_id, compression)? {
            Some(made) => Ok(made),
            None => {
                let plain = Layer { diff_id: *diff_id, blob: *digest, contents: Contents::All };
                blob::compressed_anew(store, &plain, compression)
            }
        });
        let made = made.map_err(|error: layer::Error| Error::from(error))?;
        for (layer, diff_id) in manifest.layers.iter_mut().zip(&config.rootfs.diff_ids) {
            if let (MediaType::Layer(family, _), Some(made)) = (&layer.media_type, made.get(&(layer.digest, *diff_id)))
            {
                *layer = Descriptor { annotations: layer.annotations.clone(), ..of_family(*family, &described(made)) };
            }
        }
        Ok(())
    }
}
