//! [`Operand`]: an image that is compared, wherever it is.

use std::path::Path;

use layercake_cache::Store;
use layercake_compiler::platform::Platform;
use layercake_executor::image::load;
use layercake_executor::image::local::{Images, LocalImage};
use layercake_executor::image::pick::LayoutReference;
use layercake_executor::image::reference::Reference;
use layercake_executor::registry::client::Client;
use layercake_executor::registry::event::ignore;

use super::super::images::find;
use crate::failure::Failure;

/// An image of a registry, in the words of `--build-context`.
const REGISTRY: &str = "docker-image://";
/// One of a layout.
const LAYOUT: &str = "oci-layout://";

/// An image that is compared. Its documents are in the store; its layers are fetched if they are needed.
pub(super) struct Operand {
    /// What it was called.
    pub(super) name: String,
    pub(super) image: LocalImage,
    /// Where its layers are, of one that a registry was asked for.
    pub(super) repository: Option<Reference>,
}

impl Operand {
    /// Finds the image that is meant. Nothing gets a name by this: what was brought in goes with the next `prune`.
    ///
    /// # Errors
    /// If there is none, or several.
    pub(super) fn find(text: &str, store: &Store, platform: &Platform, client: &Client) -> Result<Self, Failure> {
        let of = |image, repository| Self { name: text.to_owned(), image, repository };
        if let Some(name) = text.strip_prefix(REGISTRY) {
            let reference: Reference = name.parse().map_err(Failure::input)?;
            let image = client.resolve(store, &reference, platform, &ignore)?;
            return Ok(of(image, Some(reference)));
        }
        if let Some(layout) = text.strip_prefix(LAYOUT) {
            return Ok(of(LayoutReference::parse(layout).bring(store, platform)?, None));
        }
        // A name goes before a file that is called the same; a path with a slash in front or a dot is no name.
        if text.starts_with(['.', '/']) {
            return Ok(of(in_archive(text, store, platform)?, None));
        }
        Ok(of(find(store, text, platform)?, None))
    }
}

/// The only image of an archive or a layout.
fn in_archive(path: &str, store: &Store, platform: &Platform) -> Result<LocalImage, Failure> {
    let found = load::bring_path(store, Path::new(path))?;
    let [only] = found.as_slice() else {
        let names: Vec<String> = found.iter().flat_map(|image| &image.names).map(Reference::familiar).collect();
        return Err(Failure::input(format!("`{path}` holds {} images: {}", found.len(), names.join(", ")))
            .help("take it in with `layercake load`, and name the one that is meant"));
    };
    let image = Images::new(store).documents(None, &only.descriptor, platform)?;
    image.ok_or_else(|| {
        Failure::input(format!("`{path}` has no image for `{platform}`")).help("name another with `--platform`")
    })
}
