//! Layer blobs: made once for each folder and options, in one pass, and remembered in the store.

use std::io::{self, Write};

use layercake_cache::{ContentId, ContentKey, Digest, Digester, KeyHasher, Store};
use serde::{Deserialize, Serialize};

use super::compress::Compression;
use super::error::Error;
use super::{tar, unpack};
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
    let key = key(folder, options);
    if let Some(blob) = remembered(store, &key)? {
        return Ok(blob);
    }
    let _claim = store.claim(&key)?;
    if let Some(blob) = remembered(store, &key)? {
        return Ok(blob);
    }
    let blob = write(store, folder, options)?;
    let record = serde_json::to_vec(&blob).expect("digests, numbers and names are always JSON");
    store.put_record(&key, &record)?;
    // Times that were clamped are others than the folder's.
    if options.epoch.is_none() {
        unpack::made_of(store, &blob.diff_id, folder)?;
    }
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

fn write(store: &Store, folder: &ContentId, options: Options) -> Result<LayerBlob, Error> {
    let out = store.blob_writer()?;
    let temporary = out.path().to_owned();
    let place = |error: Error| match error {
        Error::Stream { source, fault: Fault::Environment, .. } => PathError::new("write", &temporary, source).into(),
        error => error,
    };
    let compressor = options.compression.compressor(out).map_err(place)?;
    let hashed = Hashed { digester: Digester::default(), out: compressor };
    let hashed = tar::write(&store.folder_path(folder), options.epoch, hashed).map_err(place)?;
    let (diff_id, _) = hashed.digester.finish();
    let out = hashed.out.finish().map_err(|error| PathError::new("write", &temporary, error))?;
    let (digest, size) = out.finish()?;
    Ok(LayerBlob { diff_id, digest, size, compression: options.compression })
}

/// Hashes the archive on its way into the compressor.
struct Hashed<W> {
    digester: Digester,
    out: W,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.out.write(bytes)?;
        self.digester.update(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
