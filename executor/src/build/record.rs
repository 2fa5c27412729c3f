//! What the store remembers of a step: the change set that came of it.

use std::time::Duration;

use layercake_cache::{ContentKey, Digest, Error as StoreError, Store};
use serde::{Deserialize, Serialize};

use super::product::Made;
use crate::layer::pack;

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    made: Made,
    /// How long it took, in milliseconds.
    took: u64,
    /// The blob of its pack, where it has no folder: it stays as long as this record is of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pack: Option<Digest>,
}

/// What was made before from the same, if its folder or its pack is still there. A record that cannot be read is none.
///
/// # Errors
/// If the store cannot be read.
pub fn find(store: &Store, key: &ContentKey) -> Result<Option<Made>, StoreError> {
    let record = store.record(key)?;
    let made = record.and_then(|record| serde_json::from_slice::<Record>(&record).ok()).map(|record| record.made);
    Ok(made.filter(|made| pack::is_here(store, &made.change.folder)))
}

/// How long what was made under this key took; `None` if it was not made here.
///
/// # Errors
/// If the store cannot be read.
pub fn took(store: &Store, key: &ContentKey) -> Result<Option<Duration>, StoreError> {
    let record = store.record(key)?;
    let took = record.and_then(|record| serde_json::from_slice::<Record>(&record).ok()).map(|record| record.took);
    Ok(took.map(Duration::from_millis))
}

/// Remembers what was made, and how long that took.
///
/// # Errors
/// If the store cannot be written.
pub fn keep(store: &Store, key: &ContentKey, made: Made, took: Duration) -> Result<(), StoreError> {
    let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let folder = &made.change.folder;
    let pack = if store.has_folder(folder) { None } else { pack::find(store, folder).map(|blob| blob.digest) };
    let record = serde_json::to_vec(&Record { made, took, pack }).expect("ids and numbers are always JSON");
    store.put_record(key, &record)
}
