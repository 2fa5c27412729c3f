//! Layers of images as folders of the store, each unpacked once.

use std::io::Read;
use std::path::PathBuf;
use std::thread;

use layercake_cache::{ContentId, ContentKey, Digest, KeyHasher, Store};

use super::arriving::{Arriving, Transfer};
use super::{Dependence, Options, Skipped, unpack};
use crate::layer::Contents;
use crate::layer::error::Error;
use crate::layer::{pack, plain};

/// A layer of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layer {
    /// The digest of the archive, as the image's configuration has it.
    pub diff_id: Digest,
    /// The digest of the blob, as the manifest has it.
    pub blob: Digest,
    /// What of its files is wanted.
    pub contents: Contents,
}

/// The layers that a layer lies on.
#[derive(Clone, Copy)]
pub struct Below<'a> {
    /// Their diff ids, bottom first, as an image's configuration has them.
    pub diff_ids: &'a [Digest],
    /// Their folders, topmost first. Called only if what the layer becomes depends on them; may wait for them.
    pub folders: &'a (dyn Fn() -> Result<Vec<PathBuf>, Error> + Sync),
}

/// A layer's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Under which the store has it.
    pub id: ContentId,
    /// Where it lies.
    pub path: PathBuf,
    /// What was left out, if it was unpacked just now.
    pub skipped: Skipped,
}

/// The folder of a layer, unpacked from its blob in the store if it is not there yet.
///
/// The folder's id is made from the diff id, and from those of the layers below if the folder depends on them: a
/// whiteout, for one, is kept only where it hides something.
///
/// # Errors
/// If the blob is missing, damaged or not what the diff id says, or if the disk refuses something.
pub fn ensure(store: &Store, layer: &Layer, below: Below<'_>) -> Result<Unpacked, Error> {
    ensure_from(store, layer, below, || {
        plain::keep(store, &layer.blob)?;
        store.open_blob(&layer.blob)?.ok_or(Error::Missing { digest: layer.blob })
    })
}

/// The folder of a layer as [`ensure`] has it. Its blob is brought into the store by `fetch` and unpacked meanwhile.
///
/// # Errors
/// As [`ensure`], and what `fetch` says.
pub(super) fn ensure_while<E: From<Error> + Send>(
    store: &Store,
    layer: &Layer,
    below: Below<'_>,
    fetch: impl FnOnce() -> Result<(), E> + Send,
) -> Result<Unpacked, E> {
    let transfer = Transfer::default();
    let (fetched, unpacked) = thread::scope(|scope| {
        let fetching = transfer.begin();
        let fetched = scope.spawn(move || {
            let _fetching = fetching;
            fetch()
        });
        let unpacked = ensure_from(store, layer, below, || Ok(Arriving::new(store, layer.blob, &transfer)));
        (fetched.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), unpacked)
    });
    fetched?;
    match unpacked {
        Ok(unpacked) => Ok(unpacked),
        // What came first may have been of no use. Now the blob is there, and it is the right one.
        Err(_) => Ok(ensure(store, layer, below)?),
    }
}

/// What is unpacked is what the diff id says, wherever it came from.
fn ensure_from<R: Read + Send>(
    store: &Store,
    layer: &Layer,
    below: Below<'_>,
    blob: impl FnOnce() -> Result<R, Error>,
) -> Result<Unpacked, Error> {
    if let Some(found) = find(store, layer, below) {
        return Ok(found);
    }
    let _claim = store.claim(&claim(layer, below))?;
    if let Some(found) = find(store, layer, below) {
        return Ok(found);
    }
    // As a folder of its own it would have other times.
    if let Some(id) = origin(store, &layer.diff_id)
        && let Some(path) = pack::folder(store, &id)?
    {
        return Ok(Unpacked { id, path, skipped: Skipped::default() });
    }
    let blob = blob()?;
    let scratch = store.scratch()?;
    let folder = scratch.folder_apart()?;
    crate::change::prepare(&folder, &[])?;
    let options = Options { contents: layer.contents, scratch: Some(&scratch), ..Options::of_layer(below.folders) };
    let outcome = unpack(blob, &folder, options)?;
    if outcome.diff_id != layer.diff_id {
        return Err(Error::DiffId { expected: layer.diff_id, found: outcome.diff_id });
    }
    let id = match outcome.dependence {
        Dependence::None => id(layer, &[]),
        Dependence::Below => id(layer, below.diff_ids),
    };
    Ok(Unpacked { id, path: store.put_folder(&id, &folder)?, skipped: outcome.skipped })
}

/// The folder of a layer, if it is there.
#[must_use]
pub fn find(store: &Store, layer: &Layer, below: Below<'_>) -> Option<Unpacked> {
    // The whole layer is its outline too.
    let whole = Layer { contents: Contents::All, ..*layer };
    let unpacked = [&whole, layer].into_iter().flat_map(|layer| [id(layer, &[]), id(layer, below.diff_ids)]);
    let mut known = unpacked.chain(std::iter::once_with(|| origin(store, &layer.diff_id)).flatten());
    known.find(|id| store.has_folder(id)).map(|id| Unpacked {
        id,
        path: store.folder_path(&id),
        skipped: Skipped::default(),
    })
}

/// Notes that a layer was made of a folder of the store, so that it need not be unpacked here.
pub(crate) fn made_of(store: &Store, diff_id: &Digest, folder: &ContentId) -> Result<(), Error> {
    Ok(store.put_record(&origin_key(diff_id), String::from(*folder).as_bytes())?)
}

/// The folder that a layer was made of. A note that cannot be read costs unpacking the layer, no more.
fn origin(store: &Store, diff_id: &Digest) -> Option<ContentId> {
    let note = store.record(&origin_key(diff_id)).ok()??;
    String::from_utf8(note).ok()?.try_into().ok()
}

fn origin_key(diff_id: &Digest) -> ContentKey {
    KeyHasher::new("layercake 1 origin of a layer").field(diff_id.as_bytes()).finish()
}

/// The id of a layer's folder that depends on these layers below.
#[must_use]
pub fn id(layer: &Layer, below: &[Digest]) -> ContentId {
    let mut hasher = blake3::Hasher::new_derive_key(match layer.contents {
        Contents::All => "layercake 1 unpacked layer",
        Contents::Outline => "layercake 1 outlined layer",
    });
    hasher.update(layer.diff_id.as_bytes());
    for diff_id in below {
        hasher.update(diff_id.as_bytes());
    }
    ContentId::new(hasher.finalize())
}

/// The claim names the layers below too: an image may have the same layer twice, and the upper one may wait for the lower.
fn claim(layer: &Layer, below: Below<'_>) -> ContentKey {
    KeyHasher::new("layercake 1 unpack").field(id(layer, below.diff_ids).as_bytes()).finish()
}

/// Under which names the store may have the folder of the layer at this place, and the notes which one that is.
pub(crate) fn places(diff_ids: &[Digest], at: usize) -> Vec<String> {
    let (below, diff_id) = (&diff_ids[..at], diff_ids[at]);
    // The blob does not matter to what it unpacks to.
    let layer = |contents| Layer { diff_id, blob: diff_id, contents };
    let ids = [Contents::All, Contents::Outline].map(layer).into_iter();
    let ids = ids.flat_map(|layer| [id(&layer, &[]).to_string(), id(&layer, below).to_string()]);
    ids.chain([origin_key(&diff_id).to_string(), plain::origin_key(&diff_id).to_string()]).collect()
}
