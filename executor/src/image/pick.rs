//! One image of an OCI layout, brought into the store under no name: what `oci-layout://` names.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use layercake_cache::{Digest, Error as StoreError, Store};
use layercake_compiler::platform::Platform;

use crate::fault::At;
use crate::image::descriptor::Descriptor;
use crate::image::document::{LIMIT, stored};
use crate::image::error::{ArchiveProblem, Error};
use crate::image::layout::{self, IMAGE_NAME, INDEX, REF_NAME};
use crate::image::local::LocalImage;
use crate::image::manifest::Index;
use crate::image::select::{Selection, select};

/// The tag that is meant where none is said.
const LATEST: &str = "latest";

/// An image of a layout: `FOLDER[:TAG][@DIGEST]`.
///
/// Source: buildx's `util/ocilayout/parse.go`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayoutReference {
    /// The layout's folder.
    pub folder: PathBuf,
    /// The tag; `latest` if nothing is said.
    pub tag: Option<String>,
    /// The digest of a manifest or an index. It goes before the tag.
    pub digest: Option<Digest>,
}

impl LayoutReference {
    /// Reads what stands behind `oci-layout://`. What looks like no tag or digest is part of the path.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (rest, digest) = match text.rsplit_once('@').map(|(rest, digest)| (rest, digest.parse())) {
            Some((rest, Ok(digest))) => (rest, Some(digest)),
            _ => (text, None),
        };
        let (folder, tag) = match rest.rsplit_once(':').filter(|(_, tag)| is_tag(tag)) {
            Some((folder, tag)) => (folder, Some(tag.to_owned())),
            None => (rest, digest.is_none().then(|| LATEST.to_owned())),
        };
        Self { folder: PathBuf::from(folder), tag, digest }
    }

    /// Brings the image for `platform` into the store, with all its layers.
    ///
    /// # Errors
    /// If there is no layout or no such image in it, it is damaged, or the store cannot be written.
    pub fn bring(&self, store: &Store, platform: &Platform) -> Result<LocalImage, Error> {
        let image = self.documents(store, platform)?;
        image.manifest.layers.iter().try_for_each(|layer| self.layer(store, layer))?;
        Ok(image)
    }

    /// Whether there is a layout, or something that may be meant to be one.
    pub(crate) fn exists(&self) -> bool {
        self.folder.join(INDEX).exists()
    }

    /// Brings a layer of the image into the store, if it is not there.
    ///
    /// # Errors
    /// If it is missing or damaged, or the store cannot be written.
    pub(crate) fn layer(&self, store: &Store, layer: &Descriptor) -> Result<(), Error> {
        self.take(store, layer, "layer")
    }

    /// Brings the documents of the image for `platform` into the store.
    ///
    /// # Errors
    /// As for [`Self::bring`].
    pub(crate) fn documents(&self, store: &Store, platform: &Platform) -> Result<LocalImage, Error> {
        let top = self.find()?;
        let mut read = |descriptor: &Descriptor| -> Result<Option<Vec<u8>>, Error> {
            // Of an index, the images for other platforms may have been left out.
            Ok(if self.has(store, descriptor) {
                self.take(store, descriptor, "document")?;
                stored(store, &descriptor.digest)?
            } else {
                None
            })
        };
        let found = match select(&top, platform, &mut read)? {
            Selection::Found(found) => *found,
            Selection::Absent(digest) => return Err(self.wrong(ArchiveProblem::Missing { what: "manifest", digest })),
            Selection::NotFor(platforms) => {
                return Err(self.wrong(ArchiveProblem::NotFor { wanted: Box::new(platform.clone()), platforms }));
            }
        };
        let descriptor = top.bare();
        let manifest_digest = found.descriptor.digest;
        Ok(LocalImage { reference: None, descriptor, manifest_digest, manifest: found.manifest, config: found.config })
    }

    /// The manifest or index that is meant.
    fn find(&self) -> Result<Descriptor, Error> {
        if let Some(digest) = self.digest {
            return self.describe(&digest);
        }
        let path = self.folder.join(INDEX);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.folder.is_dir() => {
                return Err(self.wrong(ArchiveProblem::NotALayout));
            }
            result => result.at("read", &path)?,
        };
        let index: Index = serde_json::from_slice(&bytes)
            .map_err(|source| self.wrong(ArchiveProblem::Json { file: INDEX, source }))?;
        let tag = self.tag.as_deref().unwrap_or(LATEST);
        let names = |entry: &Descriptor| -> Vec<String> {
            [REF_NAME, IMAGE_NAME].into_iter().filter_map(|key| entry.annotations.get(key).cloned()).collect()
        };
        let is_meant = |entry: &&Descriptor| {
            names(entry).iter().any(|name| name == tag || name.rsplit_once(':').is_some_and(|(_, last)| last == tag))
        };
        // As buildx: the only image is meant whatever it is called.
        let only = match index.manifests.as_slice() {
            [only] => Some(only),
            _ => None,
        };
        let found = index.manifests.iter().find(is_meant).or(only);
        found.cloned().ok_or_else(|| {
            let known = index.manifests.iter().flat_map(names).collect();
            self.wrong(ArchiveProblem::NoTag { tag: tag.to_owned(), known })
        })
    }

    /// What a blob that was named by its digest is.
    fn describe(&self, digest: &Digest) -> Result<Descriptor, Error> {
        let path = self.path(digest);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.folder.is_dir() => {
                return Err(self.wrong(ArchiveProblem::Missing { what: "manifest", digest: *digest }));
            }
            result => result.at("open", &path)?,
        };
        let mut bytes = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut bytes).at("read", &path)?;
        if bytes.len() as u64 > LIMIT {
            return Err(self.wrong(ArchiveProblem::TooLong(layout::blob_path(digest))));
        }
        let (media_type, _) = crate::image::document::Document::parse(&bytes, None)?;
        Ok(Descriptor::new(media_type, *digest, bytes.len() as u64))
    }

    fn has(&self, store: &Store, descriptor: &Descriptor) -> bool {
        store.has_blob(&descriptor.digest) || self.path(&descriptor.digest).exists()
    }

    /// Puts a blob into the store, if it is not there.
    fn take(&self, store: &Store, descriptor: &Descriptor, what: &'static str) -> Result<(), Error> {
        if store.has_blob(&descriptor.digest) {
            return Ok(());
        }
        let path = self.path(&descriptor.digest);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.wrong(ArchiveProblem::Missing { what, digest: descriptor.digest }));
            }
            result => result.at("open", &path)?,
        };
        let mut writer = store.blob_writer()?;
        io::copy(&mut file, &mut writer).at("copy", &path)?;
        writer.finish_as(&descriptor.digest, Some(descriptor.size)).map_err(|error| match error {
            StoreError::Digest { found, .. } => {
                self.wrong(ArchiveProblem::Digest { path: layout::blob_path(&descriptor.digest), found })
            }
            StoreError::Size { digest, expected, found } => {
                self.wrong(ArchiveProblem::Size { digest, found, expected })
            }
            error => error.into(),
        })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(layout::blob_path(digest))
    }

    fn wrong(&self, problem: ArchiveProblem) -> Error {
        Error::Layout { folder: self.folder.clone(), problem }
    }
}

/// Whether a text can be a tag, as the distribution's grammar has it.
fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let parse = |text: &str| {
            let found = LayoutReference::parse(text);
            (found.folder.display().to_string(), found.tag, found.digest.map(|digest| digest.to_string()))
        };
        let expected = |folder: &str, tag: Option<&str>, digest: Option<&str>| {
            (folder.to_owned(), tag.map(str::to_owned), digest.map(str::to_owned))
        };
        assert_eq!(parse("/a/b"), expected("/a/b", Some("latest"), None));
        assert_eq!(parse("./a:v1"), expected("./a", Some("v1"), None));
        assert_eq!(parse(&format!("/a@{digest}")), expected("/a", None, Some(&digest)));
        assert_eq!(parse(&format!("/a:v1@{digest}")), expected("/a", Some("v1"), Some(&digest)));
        assert_eq!(parse("/a:b/c@d"), expected("/a:b/c@d", Some("latest"), None));
    }
}
