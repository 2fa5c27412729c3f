//! Packs: folders of the store that are there as the archive that they give, and in no other way until somebody needs them.
//!
//! A pack is the blob of that archive, and two records under the folder's id: which blob it is, and what the times of its entries
//! have beyond seconds. A folder that is made of it is the one that would have been made at once.

use std::path::{Path, PathBuf};

use layercake_cache::{ContentId, ContentKey, Digest, KeyHasher, Store};

use super::blob::LayerBlob;
use super::error::Error;
use super::unpack::{self, Options};
use crate::change;
use crate::fault::Fault;

/// Notes that a blob of the store is the archive of a folder, which nobody has made. `nanoseconds` are, for each of its entries,
/// what its time has beyond seconds.
///
/// # Errors
/// If the store cannot be written.
pub fn keep(store: &Store, folder: &ContentId, blob: &LayerBlob, nanoseconds: &[u32]) -> Result<(), Error> {
    let mut times = times_of(&blob.digest);
    times.extend(nanoseconds.iter().flat_map(|part| part.to_le_bytes()));
    store.put_record(&times_key(folder), &times)?;
    let record = serde_json::to_vec(blob).expect("digests, numbers and names are always JSON");
    Ok(store.put_record(&key(folder), &record)?)
}

/// The blob of a folder's pack, if there is one.
#[must_use]
pub fn find(store: &Store, folder: &ContentId) -> Option<LayerBlob> {
    let record = store.record(&key(folder)).ok()??;
    let blob: LayerBlob = serde_json::from_slice(&record).ok()?;
    store.has_blob(&blob.digest).then_some(blob)
}

/// Whether the store has a folder, or its pack.
#[must_use]
pub fn is_here(store: &Store, folder: &ContentId) -> bool {
    store.has_folder(folder) || find(store, folder).is_some()
}

/// Where a folder lies. If only its pack is there, it is made of that; `None` if there is neither, or the pack is damaged, and is no
/// longer known then.
///
/// # Errors
/// If the store cannot be read or written.
pub fn folder(store: &Store, id: &ContentId) -> Result<Option<PathBuf>, Error> {
    let here = || store.has_folder(id).then(|| store.folder_path(id));
    if let Some(path) = here() {
        return Ok(Some(path));
    }
    let Some(blob) = find(store, id) else { return Ok(None) };
    let _claim = store.claim(&key(id))?;
    if let Some(path) = here() {
        return Ok(Some(path));
    }
    let made = match make(store, id, &blob.digest) {
        Err(error) if error.fault() == Fault::Input => None,
        result => result?,
    };
    if made.is_none() {
        forget(store, id)?;
    }
    Ok(made)
}

/// Where a folder lies, or would lie if there were one. If only its pack is there, it is made of that.
///
/// # Errors
/// As [`folder`].
pub fn path(store: &Store, id: &ContentId) -> Result<PathBuf, Error> {
    Ok(folder(store, id)?.unwrap_or_else(|| store.folder_path(id)))
}

/// Puts a finished folder into the store. If it is there already, or its pack, that stays.
///
/// # Errors
/// If the store cannot be written.
pub fn put_folder(store: &Store, id: &ContentId, finished: &Path) -> Result<PathBuf, Error> {
    match folder(store, id)? {
        Some(path) => Ok(path),
        None => Ok(store.put_folder(id, finished)?),
    }
}

/// Forgets a pack that is damaged: it counts as not here.
///
/// # Errors
/// If the store cannot be written.
pub(super) fn forget(store: &Store, folder: &ContentId) -> Result<(), Error> {
    Ok(store.forget_record(&key(folder))?)
}

/// Makes a folder of its pack; `None` if that is not what it should be.
fn make(store: &Store, id: &ContentId, digest: &Digest) -> Result<Option<PathBuf>, Error> {
    let (Some(blob), Some(times)) = (store.open_blob(digest)?, store.record(&times_key(id))?) else { return Ok(None) };
    let Some(times) = times.strip_prefix(times_of(digest).as_slice()) else { return Ok(None) };
    let nanoseconds: Vec<u32> = times.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    let scratch = store.scratch()?;
    let folder = scratch.folder_apart()?;
    change::prepare(&folder, &[])?;
    // It lists all of its folders, and depends on nothing below.
    let below = || Ok(Vec::new());
    let options = Options { scratch: Some(&scratch), nanoseconds: &nanoseconds, ..Options::of_layer(&below) };
    let found = unpack::unpack(blob, &folder, options)?.diff_id;
    let is_right = found == *digest && change::capture(&folder, &[])?.folder == *id;
    Ok(if is_right { Some(store.put_folder(id, &folder)?) } else { None })
}

/// What the times of a pack begin with: it leads to the blob, so that they stay as long as that does.
fn times_of(digest: &Digest) -> Vec<u8> {
    format!("{digest}\n").into_bytes()
}

fn key(folder: &ContentId) -> ContentKey {
    KeyHasher::new("layercake 1 pack of a folder").field(folder.as_bytes()).finish()
}

fn times_key(folder: &ContentId) -> ContentKey {
    KeyHasher::new("layercake 1 times of a pack").field(folder.as_bytes()).finish()
}
