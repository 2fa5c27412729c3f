//! Plain layers: archives that nobody has compressed or written. The store knows their digest and length, and the folders that
//! they are made of, and makes them again when somebody wants the bytes.
//!
//! That is what the layers of an image are that was built and goes nowhere yet: an image needs its diff ids, and those cost one
//! pass of reading and hashing.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use layercake_cache::{ContentId, ContentKey, Digest, Digester, Hashed, KeyHasher, Store};
use serde::{Deserialize, Serialize};

use super::blob::{LayerBlob, Packed};
use super::compress::Compression;
use super::error::Error;
use super::{pack, tar, unpack};
use crate::fault::Fault;
use crate::overlay::Overlay;

/// What was found out about folders, and about which.
#[derive(Serialize, Deserialize)]
struct Described {
    #[serde(flatten)]
    packed: Packed,
    /// A folder that was lost and made anew has its name again and may have other times, which archives hold.
    instances: Vec<Option<Instance>>,
}

/// Tells a folder from one that is made in its place later: its inode, and when it was changed, in seconds and nanoseconds.
type Instance = (u64, i64, i64);

fn instances(store: &Store, folders: &[ContentId]) -> Vec<Option<Instance>> {
    let instance = |folder: &ContentId| {
        let found = fs::symlink_metadata(store.folder_path(folder)).ok()?;
        Some((found.ino(), found.mtime(), found.mtime_nsec()))
    };
    folders.iter().map(instance).collect()
}

/// What the archive of these folders, lowest first, will be: found out once.
///
/// # Errors
/// If a folder cannot be read or expressed as a layer, or several cannot be mounted.
pub fn describe(store: &Store, folders: &[ContentId], epoch: Option<i64>) -> Result<LayerBlob, Error> {
    let key = key(folders, epoch);
    if let Some(packed) = remembered(store, &key)? {
        return Ok(packed.blob);
    }
    let _claim = store.claim(&key)?;
    if let Some(packed) = remembered(store, &key)? {
        return Ok(packed.blob);
    }
    let instances = instances(store, folders);
    let (diff_id, size) = match pack_of(store, folders, epoch) {
        Some(pack) => (pack.diff_id, pack.size),
        None => archive_of_folders(store, folders, epoch, Digester::default())?.finish(),
    };
    let blob = LayerBlob { diff_id, digest: diff_id, size, compression: Compression::None };
    let packed = Packed { blob, folders: folders.to_vec(), epoch };
    let json = "digests, numbers and names are always JSON";
    store.put_record(&origin_key(&diff_id), &serde_json::to_vec(&packed).expect(json))?;
    if let ([folder], None) = (folders, epoch) {
        unpack::made_of(store, &diff_id, folder)?;
    }
    let described = Described { packed, instances };
    store.put_record(&key, &serde_json::to_vec(&described).expect(json))?;
    Ok(blob)
}

/// Writes the archive of these folders, lowest first: what lies in any of them, and the upper one's where several have it. None of
/// them hides anything that lies below it.
///
/// # Errors
/// As [`describe`], and if `out` fails.
pub(crate) fn archive<W: Write>(store: &Store, folders: &[ContentId], epoch: Option<i64>, out: W) -> Result<W, Error> {
    if let Some(pack) = pack_of(store, folders, epoch)
        && let Some(blob) = store.open_blob(&pack.digest)?
    {
        return copy(blob, &pack.diff_id, out).inspect_err(|error| {
            if let (Error::DiffId { .. }, [folder]) = (error, folders) {
                // It is damaged, and has to be made again. That this is not noted costs another failure.
                let _ = pack::forget(store, folder);
            }
        });
    }
    archive_of_folders(store, folders, epoch, out)
}

/// The same, from the folders themselves.
///
/// # Errors
/// As [`archive`].
pub(crate) fn archive_of_folders<W: Write>(
    store: &Store,
    folders: &[ContentId],
    epoch: Option<i64>,
    out: W,
) -> Result<W, Error> {
    if let [folder] = folders {
        return tar::write(&pack::path(store, folder)?, epoch, out);
    }
    let mut lowers: Vec<PathBuf> = Vec::new();
    for folder in folders.iter().rev() {
        let path = pack::path(store, folder)?;
        // One that lies on itself would be refused, and the upper one shows everything that the lower one does.
        if !lowers.contains(&path) {
            lowers.push(path);
        }
    }
    let mounted = Overlay { lowers, upper: None }.mount()?;
    tar::write(&mounted.path().join("."), epoch, out)
}

/// The pack that is the archive of these folders.
fn pack_of(store: &Store, folders: &[ContentId], epoch: Option<i64>) -> Option<LayerBlob> {
    match (folders, epoch) {
        ([folder], None) => pack::find(store, folder),
        _ => None,
    }
}

/// Copies what has this digest.
fn copy<W: Write>(mut from: impl Read, digest: &Digest, out: W) -> Result<W, Error> {
    let mut out = Hashed::new(out);
    let failed = |source| Error::Stream { operation: "write the layer", source, fault: Fault::Environment };
    io::copy(&mut from, &mut out).map_err(failed)?;
    let (found, _) = out.digester.finish();
    if found == *digest { Ok(out.out) } else { Err(Error::DiffId { expected: *digest, found }) }
}

/// What a layer was made of here, if that is still there.
pub(super) fn origin(store: &Store, diff_id: &Digest) -> Option<Packed> {
    let record = store.record(&origin_key(diff_id)).ok()??;
    let packed: Packed = serde_json::from_slice(&record).ok()?;
    packed.folders.iter().all(|folder| pack::is_here(store, folder)).then_some(packed)
}

/// Whether the store has a blob, or what it takes to make it.
#[must_use]
pub fn is_at_hand(store: &Store, digest: &Digest) -> bool {
    store.has_blob(digest) || origin(store, digest).is_some()
}

/// Writes the blob of a layer: the one that is in the store, or the archive of its folders.
///
/// # Errors
/// If there is neither, if it is not what its digest says, or if it cannot be written.
pub fn write(store: &Store, digest: &Digest, out: &mut dyn Write) -> Result<(), Error> {
    if let Some(mut blob) = store.open_blob(digest)? {
        let failed = |source| Error::Stream { operation: "write the layer", source, fault: Fault::Environment };
        return io::copy(&mut blob, out).map(drop).map_err(failed);
    }
    let packed = origin(store, digest).ok_or(Error::Missing { digest: *digest })?;
    let hashed = Hashed::new(out);
    let (found, _) = archive(store, &packed.folders, packed.epoch, hashed)?.digester.finish();
    if found == *digest { Ok(()) } else { Err(Error::DiffId { expected: *digest, found }) }
}

/// Puts the archive of a layer into the store, for those who want a file.
///
/// # Errors
/// As [`write()`].
pub fn keep(store: &Store, digest: &Digest) -> Result<(), Error> {
    if !store.has_blob(digest) {
        let mut blob = store.blob_writer()?;
        write(store, digest, &mut blob)?;
        blob.finish_as(digest, None)?;
    }
    Ok(())
}

/// Under which name the store notes what a layer was made of.
pub(super) fn origin_key(diff_id: &Digest) -> ContentKey {
    KeyHasher::new("layercake 1 folders of a layer").field(diff_id.as_bytes()).finish()
}

fn key(folders: &[ContentId], epoch: Option<i64>) -> ContentKey {
    let mut key = KeyHasher::new("layercake 1 plain layer");
    for folder in folders {
        key.field(folder.as_bytes());
    }
    let epoch = serde_json::to_vec(&epoch).expect("a number is always JSON");
    key.field(&epoch).finish()
}

/// What was found out before, if it can be found by its diff id too and is still so.
fn remembered(store: &Store, key: &ContentKey) -> Result<Option<Packed>, Error> {
    let record = store.record(key)?;
    let Some(described) = record.and_then(|record| serde_json::from_slice::<Described>(&record).ok()) else {
        return Ok(None);
    };
    let Described { packed, instances: known } = described;
    let is_so = match pack_of(store, &packed.folders, packed.epoch) {
        Some(pack) => pack.diff_id == packed.blob.diff_id,
        None => instances(store, &packed.folders) == known,
    };
    Ok(Some(packed).filter(|packed| is_so && origin(store, &packed.blob.diff_id).is_some()))
}
