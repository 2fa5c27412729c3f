//! Where the blobs of a store came from or have been sent, so that a registry can be asked to take one from its own
//! other repository, and so that a layer that was never fetched can still be.
//!
//! Docker keeps the same (`distribution/metadata`), per layer.

use layercake_cache::{Digest, Error as StoreError, Store};
use serde::{Deserialize, Serialize};

use crate::registry::repository::Repository;

/// Where the notes lie in the store.
const SHELF: &str = "blob-sources";
/// As many as are kept for one blob, the newest first.
const LIMIT: usize = 8;

#[derive(Serialize, Deserialize)]
struct Note {
    digest: Digest,
    repositories: Vec<Repository>,
}

/// The repositories that are known to have had the blob, the latest first.
///
/// # Errors
/// If the store cannot be read.
pub fn known(store: &Store, digest: &Digest) -> Result<Vec<Repository>, StoreError> {
    let Some(bytes) = store.named(SHELF, &digest.to_string())? else { return Ok(Vec::new()) };
    // A note that cannot be read costs a transfer, no more.
    Ok(serde_json::from_slice::<Note>(&bytes).map(|note| note.repositories).unwrap_or_default())
}

/// Notes that `repository` has the blob.
///
/// # Errors
/// If the store cannot be written.
pub fn remember(store: &Store, digest: &Digest, repository: &Repository) -> Result<(), StoreError> {
    let mut repositories = known(store, digest)?;
    if repositories.first() == Some(repository) {
        return Ok(());
    }
    repositories.retain(|other| other != repository);
    repositories.insert(0, repository.clone());
    repositories.truncate(LIMIT);
    let bytes = serde_json::to_vec(&Note { digest: *digest, repositories }).expect("a note has only text keys");
    store.put_named(SHELF, &digest.to_string(), &bytes)
}
