//! What of an image goes into an archive, and writing archives.
//!
//! Both kinds are deterministic: the same images give the same bytes.

use std::collections::HashSet;
use std::io::{self, Read, Write};

use layercake_cache::{Digest, Store};
use layercake_compiler::platform::Platform;

use crate::image::descriptor::Descriptor;
use crate::image::docker::{self, Entry};
use crate::image::document::{Document, stored};
use crate::image::error::Error;
use crate::image::layout;
use crate::image::manifest::Manifest;
use crate::image::media::Compression;
use crate::image::reference::Reference;
use crate::image::select::{choose, images};
use crate::layer::{self, plain};

/// Bytes of a block, in which everything in an archive is counted.
const BLOCK: u64 = 512;
/// Bytes of a blob that are copied at once.
const CHUNK: usize = 1 << 18;

/// An image to be written, with the names it is to have there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saving {
    /// A manifest or an index.
    pub descriptor: Descriptor,
    /// Its names; there may be none.
    pub names: Vec<Reference>,
}

/// The kind of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An OCI image layout in a tar, which `docker load` takes as well: what `docker save` writes since version 25.
    Oci,
    /// Docker's archive before that: `manifest.json`, configurations and layers, nothing of OCI. An index is reduced to
    /// the image for one platform.
    Docker,
}

/// The parts of an image that are in the store.
pub(crate) struct Parts {
    /// Every blob, in the order in which a reader wants them.
    pub(crate) blobs: Vec<Descriptor>,
    /// The image for the wanted platform, or else the first.
    pub(crate) main: Manifest,
}

/// Writes images into one archive. Where several platforms' images are behind one name, docker's part of the archive can
/// only hold one: that for `platform`, or the first. Of an index, images that are not in the store are left out.
///
/// # Errors
/// If an image is not completely in the store, or `out` cannot be written.
pub fn save(
    store: &Store,
    savings: &[Saving],
    format: Format,
    platform: &Platform,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let parts = savings.iter().map(|saving| parts(store, saving, platform)).collect::<Result<Vec<_>, _>>()?;
    let mut archive = ArchiveWriter::new(store, out);
    match format {
        Format::Oci => {
            archive.document(layout::VERSION_FILE, layout::VERSION)?;
            archive.document(layout::INDEX, &json(&layout::index(savings)))?;
            let entry =
                |(saving, parts): (&Saving, &Parts)| docker_entry(saving, parts, &layout::blob_path, &blob_path_of);
            let entries: Vec<Entry> = savings.iter().zip(&parts).map(entry).collect();
            archive.document(docker::MANIFEST, &json(&entries))?;
            archive.document(docker::REPOSITORIES, &json(&repositories(savings, &parts)))?;
            archive.folder("blobs/")?;
            archive.folder("blobs/sha256/")?;
            for blob in parts.iter().flat_map(|parts| &parts.blobs) {
                archive.blob(&layout::blob_path(&blob.digest), blob)?;
            }
        }
        Format::Docker => {
            let config_path = |digest: &Digest| format!("{}.json", digest.hex());
            let entry =
                |(saving, parts): (&Saving, &Parts)| docker_entry(saving, parts, &config_path, &docker_layer_path);
            let entries: Vec<Entry> = savings.iter().zip(&parts).map(entry).collect();
            archive.document(docker::MANIFEST, &json(&entries))?;
            archive.document(docker::REPOSITORIES, &json(&repositories(savings, &parts)))?;
            for Parts { main, .. } in &parts {
                archive.blob(&config_path(&main.config.digest), &main.config)?;
                for layer in &main.layers {
                    archive.blob(&docker_layer_path(layer), layer)?;
                }
            }
        }
    }
    archive.finish()
}

/// Layers go as they are stored: every reader of docker archives decompresses by the content.
fn docker_layer_path(layer: &Descriptor) -> String {
    let extension = match layer.media_type.layer_compression() {
        Some(Compression::Gzip) => "tar.gz",
        Some(Compression::Zstd) => "tar.zst",
        Some(Compression::None) | None => "tar",
    };
    format!("{}.{extension}", layer.digest.hex())
}

fn blob_path_of(layer: &Descriptor) -> String {
    layout::blob_path(&layer.digest)
}

fn docker_entry(
    saving: &Saving,
    parts: &Parts,
    config_path: &dyn Fn(&Digest) -> String,
    layer_path: &dyn Fn(&Descriptor) -> String,
) -> Entry {
    Entry {
        config: config_path(&parts.main.config.digest),
        repo_tags: docker::tags(&saving.names),
        layers: parts.main.layers.iter().map(layer_path).collect(),
    }
}

fn repositories(savings: &[Saving], parts: &[Parts]) -> impl serde::Serialize {
    docker::repositories(savings.iter().zip(parts).filter_map(|(saving, parts)| {
        let top = parts.main.layers.last()?;
        Some((saving.names.as_slice(), top.digest.hex()))
    }))
}

pub(crate) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("documents have only text keys")
}

/// What of `saving` is in the store.
pub(crate) fn parts(store: &Store, saving: &Saving, platform: &Platform) -> Result<Parts, Error> {
    let mut collector = Collector { store, seen: HashSet::new(), blobs: Vec::new(), mains: Vec::new(), missing: None };
    collector.add(&saving.descriptor, platform)?;
    let Collector { blobs, mains, missing, .. } = collector;
    if let Some(main) = mains.into_iter().next() {
        return Ok(Parts { blobs, main });
    }
    let (what, digest) = missing.unwrap_or(("manifest", saving.descriptor.digest));
    let image = saving.names.first().map_or_else(|| saving.descriptor.digest.to_string(), Reference::familiar);
    Err(Error::Incomplete { image, what, digest })
}

struct Collector<'a> {
    store: &'a Store,
    /// Documents that have been looked at: a few indexes that list each other again and again are read once.
    seen: HashSet<Digest>,
    blobs: Vec<Descriptor>,
    /// The best first.
    mains: Vec<Manifest>,
    /// The first part that was looked for in vain.
    missing: Option<(&'static str, Digest)>,
}

impl Collector<'_> {
    fn add(&mut self, descriptor: &Descriptor, platform: &Platform) -> Result<(), Error> {
        if !self.seen.insert(descriptor.digest) {
            return Ok(());
        }
        let Some(bytes) = stored(self.store, &descriptor.digest)? else {
            self.missing.get_or_insert(("manifest", descriptor.digest));
            return Ok(());
        };
        match Document::parse(&bytes, Some(&descriptor.media_type))? {
            (_, Document::Manifest(manifest)) => self.add_manifest(descriptor, *manifest),
            (_, Document::Index(index)) => {
                self.push(descriptor);
                // The one for docker goes first; the order of blobs does not matter to anybody.
                let best = choose(&index, platform).map(|best| best.digest);
                let is_best = |entry: &&Descriptor| Some(entry.digest) == best;
                let known: HashSet<Digest> = images(&index).map(|image| image.digest).collect();
                let is_image = |entry: &&Descriptor| known.contains(&entry.digest);
                let rest = index.manifests.iter().filter(|entry| !is_best(entry));
                let (images, others): (Vec<&Descriptor>, Vec<&Descriptor>) = rest.partition(is_image);
                for entry in index.manifests.iter().filter(is_best).chain(images) {
                    self.add(entry, platform)?;
                }
                let mains = self.mains.len();
                for entry in others {
                    self.add(entry, platform)?;
                }
                // An attestation goes along but is not what anybody runs.
                self.mains.truncate(mains);
            }
        }
        Ok(())
    }

    fn add_manifest(&mut self, descriptor: &Descriptor, manifest: Manifest) {
        if let Some(config) = Some(&manifest.config).filter(|config| !self.store.has_blob(&config.digest)) {
            self.missing.get_or_insert(("configuration", config.digest));
        } else if let Some(layer) = manifest.layers.iter().find(|layer| !plain::is_at_hand(self.store, &layer.digest)) {
            self.missing.get_or_insert(("layer", layer.digest));
        } else {
            self.push(descriptor);
            manifest.blobs().for_each(|blob| self.push(blob));
            self.mains.push(manifest);
        }
    }

    fn push(&mut self, blob: &Descriptor) {
        self.blobs.push(blob.clone());
    }
}

/// Writes a layer that nobody has compressed, straight from its folder.
pub(crate) fn plain(store: &Store, blob: &Descriptor, out: &mut dyn Write) -> Result<(), Error> {
    plain::write(store, &blob.digest, out).map_err(|error| match error {
        layer::Error::Missing { digest } => Error::Incomplete { image: digest.to_string(), what: "blob", digest },
        layer::Error::Stream { source, .. } => Error::Write(source),
        error => error.into(),
    })
}

/// A tar on its way out. Headers hold nothing but names, sizes and types.
struct ArchiveWriter<'a> {
    store: &'a Store,
    tar: tar::Builder<&'a mut dyn Write>,
    written: HashSet<String>,
}

impl<'a> ArchiveWriter<'a> {
    fn new(store: &'a Store, out: &'a mut dyn Write) -> Self {
        Self { store, tar: tar::Builder::new(out), written: HashSet::new() }
    }

    fn document(&mut self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        self.append(path, bytes.len() as u64, &mut &*bytes)
    }

    fn blob(&mut self, path: &str, blob: &Descriptor) -> Result<(), Error> {
        // One layer may be in several images.
        if !self.written.insert(path.to_owned()) {
            return Ok(());
        }
        let file = self.store.open_blob(&blob.digest)?;
        let size = match &file {
            Some(file) => file.metadata().map_err(Error::Write)?.len(),
            None => blob.size,
        };
        let mut header = header(size, 0o644);
        header.set_path(path).map_err(Error::Write)?;
        header.set_cksum();
        let out = self.tar.get_mut();
        out.write_all(header.as_bytes()).map_err(Error::Write)?;
        match file {
            Some(file) => copy(&mut file.take(size), size, out).map_err(Error::Write)?,
            None => plain(self.store, blob, out)?,
        }
        let padding = usize::try_from(size.next_multiple_of(BLOCK) - size).expect("less than a block");
        out.write_all(&[0; BLOCK as usize][..padding]).map_err(Error::Write)
    }

    fn folder(&mut self, path: &str) -> Result<(), Error> {
        let mut header = header(0, 0o755);
        header.set_entry_type(tar::EntryType::Directory);
        self.tar.append_data(&mut header, path, io::empty()).map_err(Error::Write)
    }

    fn append(&mut self, path: &str, size: u64, content: &mut dyn Read) -> Result<(), Error> {
        self.tar.append_data(&mut header(size, 0o644), path, content).map_err(Error::Write)
    }

    fn finish(self) -> Result<(), Error> {
        self.tar.into_inner().and_then(Write::flush).map_err(Error::Write)
    }
}

/// Copies so many bytes, in larger pieces than the standard library's.
fn copy(from: &mut dyn Read, size: u64, to: &mut dyn Write) -> io::Result<()> {
    let mut buffer = vec![0; usize::try_from(size).unwrap_or(CHUNK).clamp(1, CHUNK)];
    let mut left = size;
    while left > 0 {
        match from.read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                to.write_all(&buffer[..length])?;
                left -= length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}
