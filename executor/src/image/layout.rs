//! The OCI image layout: its files, and writing one as a folder.
//!
//! Source: image-spec `image-layout.md`; the annotation of the full name is containerd's.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use layercake_cache::{Digest, Store};
use layercake_compiler::platform::Platform;

use crate::fault::At;
use crate::image::descriptor::Descriptor;
use crate::image::error::{ArchiveProblem, Error};
use crate::image::manifest::Index;
use crate::image::media::{Family, MediaType};
use crate::image::save::{self, Saving};

/// Marks a layout and says its version.
pub(crate) const VERSION_FILE: &str = "oci-layout";
pub(crate) const VERSION: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The list of the layout's images.
pub(crate) const INDEX: &str = "index.json";
/// The annotation that holds an image's full name.
pub(crate) const IMAGE_NAME: &str = "io.containerd.image.name";
/// The annotation that holds a tag, or by some writers a full name.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Where a layout holds a blob.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// The list of these images: one entry for each name.
pub(crate) fn index(savings: &[Saving]) -> Index {
    Index::new(MediaType::Index(Family::Oci), savings.iter().flat_map(entries).collect())
}

fn entries(saving: &Saving) -> Vec<Descriptor> {
    if saving.names.is_empty() {
        return vec![saving.descriptor.clone()];
    }
    let entry = |name: &crate::image::reference::Reference| {
        let mut annotations = saving.descriptor.annotations.clone();
        annotations.insert(IMAGE_NAME.to_owned(), name.to_string());
        // Like containerd: the tag alone, or the digest where there is no tag.
        let short = name.tag().map(str::to_owned).or_else(|| name.digest().map(Digest::to_string));
        annotations.extend(short.map(|short| (REF_NAME.to_owned(), short)));
        Descriptor { annotations, ..saving.descriptor.clone() }
    };
    saving.names.iter().map(entry).collect()
}

/// Writes images into the layout in `folder`, which is made if it is not there. Images that are already in it stay; one
/// that has a name which is written now loses that name. The list is replaced last and at once, so that a reader sees
/// the old images or the new ones.
///
/// # Errors
/// If an image is not completely in the store, or the folder cannot be written or holds a list that cannot be read.
pub fn write_folder(store: &Store, savings: &[Saving], folder: &Path, platform: &Platform) -> Result<(), Error> {
    let parts = savings.iter().map(|saving| save::parts(store, saving, platform)).collect::<Result<Vec<_>, _>>()?;
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).at("create the folder", &blobs)?;
    for blob in parts.iter().flat_map(|parts| &parts.blobs) {
        let path = blobs.join(blob.digest.hex());
        if fs::metadata(&path).is_ok_and(|found| found.len() == blob.size) {
            continue;
        }
        match store.open_blob(&blob.digest)? {
            Some(mut content) => replace(&path, &mut |file| io::copy(&mut content, file).map(drop).at("write", &path))?,
            None => replace(&path, &mut |file| save::plain(store, blob, file))?,
        }
    }
    let list = merged(&folder.join(INDEX), savings)?;
    let (version, index) = (folder.join(VERSION_FILE), folder.join(INDEX));
    replace(&version, &mut |file| io::Write::write_all(file, VERSION).at("write", &version))?;
    replace(&index, &mut |file| io::Write::write_all(file, &save::json(&list)).at("write", &index))
}

/// What the list at `path` holds, with `savings` in it.
fn merged(path: &Path, savings: &[Saving]) -> Result<Index, Error> {
    let mut list = index(savings);
    let old = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(list),
        Err(error) => return Err(error).at("read", path).map_err(Error::from),
    };
    let mut old: Index = serde_json::from_slice(&old).map_err(|source| Error::Archive {
        archive: path.display().to_string(),
        problem: ArchiveProblem::Json { file: INDEX, source },
    })?;
    let name = |entry: &Descriptor| -> Option<BTreeMap<String, String>> {
        let of = |key: &str| entry.annotations.get(key).map(|value| (key.to_owned(), value.clone()));
        Some([of(IMAGE_NAME), of(REF_NAME)].into_iter().flatten().collect())
            .filter(|name: &BTreeMap<_, _>| !name.is_empty())
    };
    old.manifests.retain(|entry| match name(entry) {
        Some(named) => !list.manifests.iter().any(|new| name(new) == Some(named.clone())),
        None => !list.manifests.iter().any(|new| new.digest == entry.digest),
    });
    list.manifests.splice(0..0, old.manifests);
    Ok(list)
}

/// Writes a file beside its place and renames it there.
fn replace<E: Into<Error>>(path: &Path, write: &mut dyn FnMut(&mut fs::File) -> Result<(), E>) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    let temporary = path.with_file_name(name);
    let created = fs::File::create(&temporary).at("write", &temporary).map_err(Error::from);
    let written = created.and_then(|mut file| write(&mut file).map_err(Into::into));
    if written.is_err() {
        // It is of no use; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    Ok(fs::rename(&temporary, path).at("publish", path)?)
}
