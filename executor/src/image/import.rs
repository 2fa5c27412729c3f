//! A root file system, a tar, as an image of one layer.

use std::io::{self, Read, Write};

use layercake_cache::{Digest, Digester, Store};
use layercake_compiler::oci::{ContainerConfig, History};
use layercake_compiler::platform::Platform;

use crate::image::archive::stream_problem;
use crate::image::config::{ImageConfig, RootFs};
use crate::image::decompress;
use crate::image::descriptor::Descriptor;
use crate::image::error::{ArchiveProblem, Error};
use crate::image::local::Images;
use crate::image::manifest::Manifest;
use crate::image::media::{Family, MediaType};
use crate::image::reference::Reference;
use crate::image::save::json;
use crate::layer::compress::{Compression, Compressor};

/// What an imported image is to say of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// What its containers start with.
    pub config: ContainerConfig,
    /// What it is for.
    pub platform: Platform,
    /// The time of the import, as RFC 3339; `None` writes none.
    pub created: Option<String>,
    /// The comment of its one history entry.
    pub comment: String,
}

/// Makes an image of the tar that `input` holds, plain or compressed by gzip, zstd, xz or bzip2, and gives it the names;
/// `archive` is what messages call it.
///
/// # Errors
/// If it is no tar or is cut short, or if the store cannot be written. Then nothing has been made.
pub fn import(
    store: &Store,
    input: Box<dyn Read + Send>,
    archive: &str,
    image: Imported,
    names: &[Reference],
) -> Result<Descriptor, Error> {
    let problem = |problem| Error::Import { archive: archive.to_owned(), problem };
    let mut input = decompress::open(input).map_err(problem)?;
    let layer = Compression::GZIP.compressor(store.blob_writer()?)?;
    let mut tee = Tee { input: &mut input, layer, digester: Digester::default(), zeros: 0, failed: None };
    let read = read_tar(&mut tee);
    // A failure of the store shows as one of the input; it goes first.
    let unwritten = |error| Error::Path(crate::fault::PathError::new("write a blob in", store.root(), error));
    if let Some(error) = tee.failed.take() {
        return Err(unwritten(error));
    }
    read.map_err(problem)?;
    let (diff_id, _) = tee.digester.finish();
    let (digest, size) = tee.layer.finish().map_err(unwritten)?.finish()?;
    let layer = Descriptor::new(MediaType::from(Compression::GZIP.media_type().to_owned()), digest, size);
    let descriptor = put_documents(store, image, diff_id, layer)?;
    let images = Images::new(store);
    if names.is_empty() {
        images.keep(&descriptor)?;
    }
    for name in names {
        images.tag(name, &descriptor)?;
    }
    Ok(descriptor)
}

fn put_documents(store: &Store, image: Imported, diff_id: Digest, layer: Descriptor) -> Result<Descriptor, Error> {
    let history = History { created: image.created.clone(), comment: image.comment, ..History::default() };
    let config = json(&ImageConfig {
        created: image.created,
        architecture: image.platform.architecture,
        os: image.platform.os,
        variant: image.platform.variant,
        config: image.config,
        rootfs: RootFs { diff_ids: vec![diff_id], ..RootFs::default() },
        history: vec![history],
        ..ImageConfig::default()
    });
    store.put_blob(&config)?;
    let media_type = MediaType::Manifest(Family::Oci);
    let config = Descriptor::of(MediaType::Config(Family::Oci), &config);
    let manifest = json(&Manifest::new(media_type.clone(), config, vec![layer]));
    store.put_blob(&manifest)?;
    Ok(Descriptor::of(media_type, &manifest))
}

/// Reads all entries and what follows them, so that every byte has passed through the tee.
fn read_tar(tee: &mut Tee<'_, impl Write>) -> Result<(), ArchiveProblem> {
    let mut first = true;
    {
        let mut archive = tar::Archive::new(&mut *tee);
        for entry in archive.entries().map_err(ArchiveProblem::Read)? {
            let entry = entry.map_err(if first { ArchiveProblem::NotATar } else { stream_problem })?;
            entry.header().entry_size().map_err(ArchiveProblem::NotATar)?;
            first = false;
        }
    }
    io::copy(tee, &mut io::sink()).map_err(stream_problem)?;
    // A tar ends with two blocks of zeros. Cut off between two entries, it would otherwise pass for a whole one.
    if tee.zeros < 1024 {
        return Err(ArchiveProblem::Truncated("the two blocks of zeros at its end are missing".to_owned()));
    }
    Ok(())
}

/// Passes bytes on to a reader, and at once to the layer and its digest.
struct Tee<'a, W: Write> {
    input: &'a mut dyn Read,
    layer: Compressor<W>,
    digester: Digester,
    /// How many zeros the bytes so far end with.
    zeros: u64,
    failed: Option<io::Error>,
}

impl<W: Write> Read for Tee<'_, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        let bytes = &buffer[..length];
        self.digester.update(bytes);
        let tail = bytes.iter().rev().take_while(|byte| **byte == 0).count();
        self.zeros = if tail == length { self.zeros + tail as u64 } else { tail as u64 };
        if let Err(error) = self.layer.write_all(bytes) {
            self.failed = Some(error);
            return Err(io::ErrorKind::Other.into());
        }
        Ok(length)
    }
}
