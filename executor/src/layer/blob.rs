//! Layer blobs: made once for each folder and options, in one pass, and remembered in the store.

use std::io::{self, Write};

use layercake_cache::{ContentId, ContentKey, Digest, Hashed, KeyHasher, Store};
use serde::{Deserialize, Serialize};

use super::compress::Compression;
use super::decompress::Decompressor;
use super::error::Error;
use super::unpack::Layer;
use super::{pack, plain, tar, unpack};
use crate::fault::{Fault, PathError};

/// What a blob depends on besides the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Options {
    /// How it is compressed.
    pub compression: Compression,
    /// The latest time that an entry may have, in seconds since 1970 (`SOURCE_DATE_EPOCH`).
    pub epoch: Option<i64>,
}

/// A layer as an image names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerBlob {
    /// The digest of the archive, uncompressed.
    pub diff_id: Digest,
    /// The digest of the blob.
    pub digest: Digest,
    /// The length of the blob in bytes.
    pub size: u64,
    /// How it is compressed.
    pub compression: Compression,
}

/// What is remembered of a blob: what it is, and what it was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packed {
    #[serde(flatten)]
    pub(crate) blob: LayerBlob,
    /// The folders of the store, lowest first; none for one that was compressed anew.
    #[serde(default)]
    pub(crate) folders: Vec<ContentId>,
    /// The latest time that an entry may have had.
    #[serde(default)]
    pub(crate) epoch: Option<i64>,
}

impl LayerBlob {
    /// Its OCI media type.
    #[must_use]
    pub fn media_type(&self) -> &'static str {
        self.compression.media_type()
    }
}

/// The blob of one of the store's folders: the one that was made before with these options, if it is still there.
///
/// # Errors
/// If the folder cannot be read or expressed as a layer, or the blob cannot be written.
pub fn make(store: &Store, folder: &ContentId, options: Options) -> Result<LayerBlob, Error> {
    once(store, &key(folder, options), &[*folder], options.epoch, || {
        let pack = |out: &mut dyn Write| plain::archive(store, &[*folder], options.epoch, out).map(drop);
        let blob = write(store, options.compression, pack)?;
        // Times that were clamped are others than the folder's.
        if options.epoch.is_none() {
            unpack::made_of(store, &blob.diff_id, folder)?;
        }
        Ok(blob)
    })
}

/// The blob of several of the store's folders, lowest first, as one layer: what lies in any of them, and the upper one's where
/// several have it. None of them hides anything that lies below it.
///
/// # Errors
/// As [`make`], and if the folders cannot be mounted.
pub fn make_joined(store: &Store, folders: &[ContentId], options: Options) -> Result<LayerBlob, Error> {
    let serialized = serde_json::to_vec(&options).expect("numbers and names are always JSON");
    let mut key = KeyHasher::new("layercake 1 joined layer blob");
    for folder in folders {
        key.field(folder.as_bytes());
    }
    once(store, &key.field(&serialized).finish(), folders, options.epoch, || {
        write(store, options.compression, |out| plain::archive(store, folders, options.epoch, out).map(drop))
    })
}

/// The outline of one of the store's folders: a layer in which files are empty.
///
/// # Errors
/// As [`make`].
pub fn make_outline(store: &Store, folder: &ContentId) -> Result<LayerBlob, Error> {
    let key = KeyHasher::new("layercake 1 outline of a layer").field(folder.as_bytes()).finish();
    once(store, &key, &[], None, || {
        let path = pack::path(store, folder)?;
        write(store, Compression::ZSTD, |out| tar::write_outline(&path, out).map(drop))
    })
}

/// The blob of a layer's folders, lowest first.
///
/// # Errors
/// As [`make`] and [`make_joined`].
pub fn make_any(store: &Store, folders: &[ContentId], options: Options) -> Result<LayerBlob, Error> {
    match folders {
        [folder] => make(store, folder, options),
        several => make_joined(store, several, options),
    }
}

/// A layer that was made here and whose blob nobody has made, as a blob that is compressed so; `None` if it is no such layer.
///
/// # Errors
/// As [`make_any`].
pub fn made_now(store: &Store, diff_id: &Digest, compression: Compression) -> Result<Option<LayerBlob>, Error> {
    let Some(Packed { folders, epoch, .. }) = plain::origin(store, diff_id) else { return Ok(None) };
    let blob = make_any(store, &folders, Options { compression, epoch })?;
    if blob.diff_id == *diff_id {
        Ok(Some(blob))
    } else {
        Err(Error::DiffId { expected: *diff_id, found: blob.diff_id })
    }
}

/// The archive of a layer that is in the store, as a blob that is compressed so.
///
/// # Errors
/// If the layer's blob is missing or damaged, or the new one cannot be written.
pub fn compressed_anew(store: &Store, layer: &Layer, compression: Compression) -> Result<LayerBlob, Error> {
    if !store.has_blob(&layer.blob)
        && let Some(made) = made_now(store, &layer.diff_id, compression)?
    {
        return Ok(made);
    }
    let options = serde_json::to_vec(&compression).expect("numbers and names are always JSON");
    let mut key = KeyHasher::new("layercake 1 compressed anew");
    once(store, &key.field(layer.blob.as_bytes()).field(&options).finish(), &[], None, || {
        let blob = store.open_blob(&layer.blob)?.ok_or(Error::Missing { digest: layer.blob })?;
        let made = write(store, compression, |out| {
            let failed = |source: io::Error| {
                use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
                let is_damaged = matches!(source.kind(), InvalidData | InvalidInput | UnexpectedEof);
                let fault = if is_damaged { Fault::Input } else { Fault::Environment };
                Error::Stream { operation: "decompress the layer", source, fault }
            };
            let mut archive = Decompressor::new(blob).map_err(failed)?;
            io::copy(&mut archive, out).map(drop).map_err(failed)
        })?;
        if made.diff_id != layer.diff_id {
            return Err(Error::DiffId { expected: layer.diff_id, found: made.diff_id });
        }
        Ok(made)
    })
}

/// What was made before under this key, if it is still there; else it is made now, by one process alone.
fn once(
    store: &Store,
    key: &ContentKey,
    folders: &[ContentId],
    epoch: Option<i64>,
    make: impl FnOnce() -> Result<LayerBlob, Error>,
) -> Result<LayerBlob, Error> {
    if let Some(blob) = remembered(store, key)? {
        return Ok(blob);
    }
    let _claim = store.claim(key)?;
    if let Some(blob) = remembered(store, key)? {
        return Ok(blob);
    }
    let blob = make()?;
    let packed = Packed { blob, folders: folders.to_vec(), epoch };
    let record = serde_json::to_vec(&packed).expect("digests, numbers and names are always JSON");
    store.put_record(key, &record)?;
    Ok(blob)
}

fn key(folder: &ContentId, options: Options) -> ContentKey {
    let options = serde_json::to_vec(&options).expect("numbers and names are always JSON");
    KeyHasher::new("layercake 1 layer blob").field(folder.as_bytes()).field(&options).finish()
}

/// A record that cannot be read is as good as none.
fn remembered(store: &Store, key: &ContentKey) -> Result<Option<LayerBlob>, Error> {
    let record = store.record(key)?;
    let blob = record.and_then(|record| serde_json::from_slice::<LayerBlob>(&record).ok());
    Ok(blob.filter(|blob| store.has_blob(&blob.digest)))
}

/// Writes a blob of the archive that `pack` writes.
fn write(
    store: &Store,
    compression: Compression,
    pack: impl FnOnce(&mut dyn Write) -> Result<(), Error>,
) -> Result<LayerBlob, Error> {
    let out = store.blob_writer()?;
    let temporary = out.path().to_owned();
    let place = |error: Error| match error {
        Error::Stream { source, fault: Fault::Environment, .. } => PathError::new("write", &temporary, source).into(),
        error => error,
    };
    let compressor = compression.compressor(out).map_err(place)?;
    let mut hashed = Hashed::new(compressor);
    pack(&mut hashed).map_err(place)?;
    let (diff_id, _) = hashed.digester.finish();
    let out = hashed.out.finish().map_err(|error| PathError::new("write", &temporary, error))?;
    let (digest, size) = out.finish()?;
    Ok(LayerBlob { diff_id, digest, size, compression })
}
