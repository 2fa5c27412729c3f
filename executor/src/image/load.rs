//! Loading every image of an archive, with all its names: OCI layouts, and docker's archives old and new.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use layercake_cache::{Digest, Digester, Store};
use serde::Deserialize;

use crate::fault::At;
use crate::image::archive::{Blob, Contents, Stop, read_folder, read_tar, stream_problem};
use crate::image::config::ImageConfig;
use crate::image::decompress;
use crate::image::descriptor::Descriptor;
use crate::image::docker::{self, Entry};
use crate::image::document::{Document, DocumentError, LIMIT, Problem, image_config};
use crate::image::error::{ArchiveProblem, Error};
use crate::image::layout;
use crate::image::local::Images;
use crate::image::manifest::{Index, Manifest};
use crate::image::media::{Compression, Family, MediaType};
use crate::image::reference::{InvalidReference, Reference};
use crate::image::save;

/// An image that has been loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its manifest or index.
    pub descriptor: Descriptor,
    /// The names it has been given; without any it is kept under its digest.
    pub names: Vec<Reference>,
    /// What the archive calls it that is no name. The image is none the worse for it.
    pub refused: Vec<InvalidReference>,
}

/// Loads the images in the file or folder at `path`.
///
/// # Errors
/// As [`load`].
pub fn load_path(store: &Store, path: &Path) -> Result<Vec<Loaded>, Error> {
    named(store, bring_path(store, path)?)
}

/// Takes in the images of an archive, or of a folder with an OCI image layout, and gives them no names.
///
/// # Errors
/// As [`load_path`].
pub fn bring_path(store: &Store, path: &Path) -> Result<Vec<Loaded>, Error> {
    let name = path.display().to_string();
    if fs::metadata(path).at("open", path)?.is_dir() {
        return checked(store, &name, read_folder(store, path));
    }
    bring(store, Box::new(File::open(path).at("open", path)?), &name)
}

/// Loads the images in the archive that `input` holds, compressed or not; `name` is what messages call it. Names are given
/// only after everything has been checked.
///
/// # Errors
/// If it is no archive of images, is damaged or contradicts itself, or if the store cannot be written. Then no name has
/// been given or changed.
pub fn load(store: &Store, input: Box<dyn Read + Send>, name: &str) -> Result<Vec<Loaded>, Error> {
    named(store, bring(store, input, name)?)
}

fn bring(store: &Store, input: Box<dyn Read + Send>, name: &str) -> Result<Vec<Loaded>, Error> {
    let contents = match decompress::open(input) {
        Ok(mut input) => read_tar(store, &mut input),
        Err(problem) => Err(problem.into()),
    };
    checked(store, name, contents)
}

fn checked(store: &Store, name: &str, contents: Result<Contents, Stop>) -> Result<Vec<Loaded>, Error> {
    contents.and_then(|contents| found(store, &contents)).map_err(|stop| match stop {
        Stop::Archive(problem) => Error::Archive { archive: name.to_owned(), problem },
        Stop::Other(error) => error,
    })
}

fn named(store: &Store, found: Vec<Loaded>) -> Result<Vec<Loaded>, Error> {
    let images = Images::new(store);
    for Loaded { descriptor, names, .. } in &found {
        if names.is_empty() {
            images.keep(descriptor)?;
        }
        for name in names {
            images.tag(name, descriptor)?;
        }
    }
    Ok(found)
}

/// The images of an archive, every one checked.
fn found(store: &Store, contents: &Contents) -> Result<Vec<Loaded>, Stop> {
    let images = match (contents.lists.get(layout::INDEX), contents.lists.get(docker::MANIFEST)) {
        (Some(index), manifest) => {
            Layout { store, contents, known: RefCell::default() }.images(index, manifest.map(Vec::as_slice))?
        }
        (None, Some(manifest)) => docker_images(store, contents, manifest)?,
        (None, None) => {
            return Err(ArchiveProblem::NotImages { root_file_system: contents.root_file_system() }.into());
        }
    };
    if images.is_empty() { Err(ArchiveProblem::Empty.into()) } else { Ok(images) }
}

fn add<'a>(all: &mut Vec<Loaded>, descriptor: &Descriptor, names: impl IntoIterator<Item = &'a str>) {
    let index = all.iter().position(|loaded| loaded.descriptor.digest == descriptor.digest).unwrap_or_else(|| {
        all.push(Loaded { descriptor: descriptor.bare(), names: Vec::new(), refused: Vec::new() });
        all.len() - 1
    });
    name(&mut all[index], names);
}

/// Gives an image names, as far as they are any.
fn name<'a>(loaded: &mut Loaded, names: impl IntoIterator<Item = &'a str>) {
    for name in names {
        match name.parse() {
            Ok(name) => loaded.names.push(name),
            Err(error) => loaded.refused.push(error),
        }
    }
}

fn list<'a, T: Deserialize<'a>>(file: &'static str, bytes: &'a [u8]) -> Result<T, ArchiveProblem> {
    serde_json::from_slice(bytes).map_err(|source| ArchiveProblem::Json { file, source })
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

/// An OCI layout whose blobs are in the store.
struct Layout<'a> {
    store: &'a Store,
    contents: &'a Contents,
    /// What was found at each depth below the list: a few indexes that list each other again and again are read once.
    known: RefCell<HashMap<(Digest, usize), Presence>>,
}

/// Whether all of an image is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Complete,
    /// A tool that had only some of an index's images wrote this one's entry without its blobs.
    Partial,
}

impl Layout<'_> {
    fn images(&self, index: &[u8], docker_manifest: Option<&[u8]>) -> Result<Vec<Loaded>, Stop> {
        if let Some(bytes) = self.contents.lists.get(layout::VERSION_FILE) {
            let Version { version } = list(layout::VERSION_FILE, bytes)?;
            if !version.starts_with("1.") {
                return Err(ArchiveProblem::Version(version).into());
            }
        }
        let index: Index = list(layout::INDEX, index)?;
        let mut all = Vec::new();
        for entry in &index.manifests {
            // A list of blobs that are no images (signatures, charts) may stand beside images.
            if !entry.media_type.is_manifest() && !entry.media_type.is_index() {
                continue;
            }
            self.check(entry, 0)?;
            add(&mut all, entry, names(entry));
        }
        if let Some(bytes) = docker_manifest {
            self.add_docker_names(&mut all, bytes)?;
        }
        Ok(all)
    }

    /// Some writers name images only in docker's list.
    fn add_docker_names(&self, all: &mut [Loaded], bytes: &[u8]) -> Result<(), Stop> {
        let entries: Vec<Entry> = list(docker::MANIFEST, bytes)?;
        for loaded in all.iter_mut().filter(|loaded| loaded.names.is_empty()) {
            let document = self.document(&loaded.descriptor)?;
            let Some((_, Document::Manifest(manifest))) = document else { continue };
            let path = layout::blob_path(&manifest.config.digest);
            let tags = entries.iter().filter(|entry| entry.config == path).flat_map(|entry| &entry.repo_tags);
            name(loaded, tags.map(String::as_str));
        }
        Ok(())
    }

    fn check(&self, descriptor: &Descriptor, depth: usize) -> Result<Presence, Stop> {
        let missing = |what, descriptor: &Descriptor| ArchiveProblem::Missing { what, digest: descriptor.digest };
        if depth > 4 {
            return Err(wrong(descriptor, Problem::TooDeep(4)).into());
        }
        let Some((_, document)) = self.document(descriptor)? else {
            return match depth {
                0 => Err(missing("manifest", descriptor).into()),
                _ => Ok(Presence::Partial),
            };
        };
        match document {
            Document::Manifest(manifest) => {
                for blob in manifest.blobs() {
                    if !self.has(blob)? {
                        let what = if blob.digest == manifest.config.digest { "configuration" } else { "layer" };
                        return if depth == 0 { Err(missing(what, blob).into()) } else { Ok(Presence::Partial) };
                    }
                }
                self.check_config(descriptor, &manifest)?;
                Ok(Presence::Complete)
            }
            Document::Index(index) => {
                let mut presence = Presence::Partial;
                for entry in &index.manifests {
                    let place = (entry.digest, depth + 1);
                    let known = self.known.borrow().get(&place).copied();
                    let found = known.map_or_else(|| self.check(entry, depth + 1), Ok)?;
                    self.known.borrow_mut().insert(place, found);
                    if found == Presence::Complete {
                        presence = Presence::Complete;
                    }
                }
                match (depth, presence) {
                    (0, Presence::Partial) => Err(missing("manifest of every image in the index", descriptor).into()),
                    _ => Ok(presence),
                }
            }
        }
    }

    fn check_config(&self, descriptor: &Descriptor, manifest: &Manifest) -> Result<(), Stop> {
        // Attestations lie in indexes beside images and have no configuration worth reading.
        if descriptor.annotations.contains_key("vnd.docker.reference.type") {
            return Ok(());
        }
        let bytes = read_document(self.store, &manifest.config.digest, manifest.config.size)?;
        image_config(descriptor.digest, manifest, &bytes).map_err(ArchiveProblem::Document)?;
        Ok(())
    }

    /// The document that `descriptor` leads to; `None` if it is not there.
    fn document(&self, descriptor: &Descriptor) -> Result<Option<(MediaType, Document)>, Stop> {
        if !self.has(descriptor)? {
            return Ok(None);
        }
        let bytes = read_document(self.store, &descriptor.digest, descriptor.size)?;
        Ok(Some(Document::parse(&bytes, Some(&descriptor.media_type)).map_err(ArchiveProblem::Document)?))
    }

    /// Whether a blob is in the archive, with the size that its descriptor says.
    fn has(&self, descriptor: &Descriptor) -> Result<bool, ArchiveProblem> {
        match self.contents.file(&layout::blob_path(&descriptor.digest))? {
            None => Ok(false),
            // The name of a link is checked here, that of a file was checked when it was read.
            Some(Blob { digest, .. }) if digest != descriptor.digest => {
                Err(ArchiveProblem::Digest { path: layout::blob_path(&descriptor.digest), found: digest })
            }
            Some(Blob { size, digest }) if size != descriptor.size => {
                Err(ArchiveProblem::Size { digest, expected: descriptor.size, found: size })
            }
            Some(_) => Ok(true),
        }
    }
}

fn wrong(descriptor: &Descriptor, problem: Problem) -> ArchiveProblem {
    ArchiveProblem::Document(DocumentError { digest: descriptor.digest, problem })
}

fn read_document(store: &Store, digest: &Digest, size: u64) -> Result<Vec<u8>, Stop> {
    if size > LIMIT {
        return Err(ArchiveProblem::TooLong(digest.to_string()).into());
    }
    let gone = || ArchiveProblem::Missing { what: "blob", digest: *digest };
    Ok(store.read_blob(digest)?.ok_or_else(gone)?)
}

/// The names that a layout's entry has. A bare tag in `ref.name` names nothing: the repository is not known.
fn names(entry: &Descriptor) -> Option<&str> {
    let full = entry.annotations.get(layout::IMAGE_NAME).map(String::as_str);
    let short = entry.annotations.get(layout::REF_NAME).map(String::as_str);
    // podman, buildah and skopeo write the full name there; others write what pleases them.
    full.or(short.filter(|short| short.contains(['/', ':']) && short.parse::<Reference>().is_ok()))
}

/// The images of a docker archive. They have no manifests, so each is given one.
fn docker_images(store: &Store, contents: &Contents, manifest: &[u8]) -> Result<Vec<Loaded>, Stop> {
    let entries: Vec<Entry> = list(docker::MANIFEST, manifest)?;
    let mut all = Vec::new();
    for entry in &entries {
        let descriptor = docker_image(store, contents, entry)?;
        add(&mut all, &descriptor, entry.repo_tags.iter().map(String::as_str));
    }
    Ok(all)
}

fn docker_image(store: &Store, contents: &Contents, entry: &Entry) -> Result<Descriptor, Stop> {
    let file = |path: &str| -> Result<Blob, ArchiveProblem> {
        contents.file(path)?.ok_or_else(|| ArchiveProblem::MissingFile(path.to_owned()))
    };
    let config_blob = file(&entry.config)?;
    let name = entry.config.rsplit('/').next().unwrap_or_default();
    let claimed = name.trim_end_matches(".json").trim_start_matches("sha256:");
    // Writers name a configuration by its digest; a name that is no digest claims nothing.
    if format!("sha256:{claimed}").parse::<Digest>().is_ok_and(|claimed| claimed != config_blob.digest) {
        return Err(ArchiveProblem::Digest { path: entry.config.clone(), found: config_blob.digest }.into());
    }
    let bytes = read_document(store, &config_blob.digest, config_blob.size)?;
    let config: ImageConfig = serde_json::from_slice(&bytes).map_err(|source| {
        let problem = Problem::Json { what: "image configuration", source };
        ArchiveProblem::Document(DocumentError { digest: config_blob.digest, problem })
    })?;
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() != entry.layers.len() {
        let problem = Problem::LayerCount { layers: entry.layers.len(), diff_ids: diff_ids.len() };
        return Err(ArchiveProblem::Document(DocumentError { digest: config_blob.digest, problem }).into());
    }
    let mut layers = Vec::new();
    for (path, diff_id) in entry.layers.iter().zip(diff_ids) {
        layers.push(docker_layer(store, path, file(path)?, diff_id)?);
    }
    let config = Descriptor::new(MediaType::Config(Family::Oci), config_blob.digest, config_blob.size);
    let media_type = MediaType::Manifest(Family::Oci);
    let manifest = save::json(&Manifest::new(media_type.clone(), config, layers));
    store.put_blob(&manifest)?;
    Ok(Descriptor::of(media_type, &manifest))
}

/// A layer of a docker archive. Only the diff id says what it must be.
fn docker_layer(store: &Store, path: &str, blob: Blob, diff_id: &Digest) -> Result<Descriptor, Stop> {
    let gone = || ArchiveProblem::Missing { what: "layer", digest: blob.digest };
    let mut file = store.open_blob(&blob.digest)?.ok_or_else(gone)?;
    let mut magic = [0; 4];
    let length = file.read(&mut magic).map_err(ArchiveProblem::Read)?;
    let compression = match &magic[..length] {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
        _ => Compression::None,
    };
    let found = match compression {
        Compression::None => blob.digest,
        Compression::Gzip | Compression::Zstd => {
            let file = store.open_blob(&blob.digest)?.ok_or_else(gone)?;
            let mut digester = Digester::default();
            std::io::copy(&mut decompress::open(Box::new(file))?, &mut digester).map_err(stream_problem)?;
            digester.finish().0
        }
    };
    if found != *diff_id {
        return Err(ArchiveProblem::DiffId { path: path.to_owned(), expected: *diff_id, found }.into());
    }
    Ok(Descriptor::new(MediaType::Layer(Family::Oci, compression), blob.digest, blob.size))
}
