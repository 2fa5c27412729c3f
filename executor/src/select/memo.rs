//! [`Memo`]: contents that were hashed before, by everything that would change if they had.
//!
//! The idea is git's index ("racy git" in its documentation) and so is its hazard: a file that is written to twice within
//! the grain of the clock looks the same after the second time. So a file is remembered only if it had not been touched
//! for a while when it was read.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use blake3::Hash;
use layercake_cache::{ContentKey, KeyHasher, Store};
use rustix::fs::Stat;
use rustix::time::{ClockId, clock_gettime};

/// Seconds for which a file must not have been touched. Covers file systems that count in seconds, or in two (FAT).
const REST: i64 = 2;
/// Files that may be kept although a selection did not come to them, besides as many as it came to.
const SLACK: usize = 10_000;
/// Bytes of an entry: the six numbers of a stamp and the hash.
const ENTRY: usize = 7 * 8 + 32;

/// Everything that a file's status says about its content and attributes. The change time moves with both, and cannot be
/// set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, u64),
    changed: (i64, u64),
}

/// Hashes of the files of one folder, kept in the store between builds.
#[derive(Debug)]
pub struct Memo<'a> {
    store: &'a Store,
    key: ContentKey,
    known: HashMap<Stamp, Hash>,
    seen: Mutex<Vec<(Stamp, Hash)>>,
}

impl<'a> Memo<'a> {
    /// What the store remembers of this folder: nothing at first, or if it was damaged. Files are told apart by device
    /// and inode number, so the path only says which of them are remembered together.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn load(store: &'a Store, folder: &Path) -> Result<Self, layercake_cache::Error> {
        let key = KeyHasher::new("layercake 1 memo of contents").field(folder.as_os_str().as_bytes()).finish();
        let bytes = store.record(&key)?.unwrap_or_default();
        Ok(Self { store, key, known: bytes.chunks_exact(ENTRY).map(decode).collect(), seen: Mutex::default() })
    }

    /// Keeps what was learned for the next time; writes nothing if that is nothing.
    ///
    /// # Errors
    /// If the store cannot be written to.
    pub fn save(self) -> Result<(), layercake_cache::Error> {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        if seen.iter().all(|(stamp, _)| self.known.contains_key(stamp)) {
            return Ok(());
        }
        let mut kept: HashMap<Stamp, Hash> = seen.into_iter().collect();
        // Another selection of the same folder may come to the others; but of files that are gone, nothing says so.
        if self.known.len() <= 2 * kept.len() + SLACK {
            for (stamp, hash) in self.known {
                kept.entry(stamp).or_insert(hash);
            }
        }
        let mut entries: Vec<[u8; ENTRY]> = kept.iter().map(|(stamp, hash)| encode(stamp, hash)).collect();
        entries.sort_unstable();
        self.store.put_record(&self.key, &entries.concat())
    }

    /// The hash that a file of this status had.
    pub(super) fn get(&self, stat: &Stat) -> Option<Hash> {
        let stamp = Stamp::of(stat);
        let hash = self.known.get(&stamp).copied()?;
        self.see(stamp, hash);
        Some(hash)
    }

    /// Remembers the hash of a file that had the same status before and after it was read, if it had been at rest at
    /// `start`, when its reading began (seconds since 1970).
    pub(super) fn put(&self, before: &Stat, after: &Stat, start: i64, hash: Hash) {
        let stamp = Stamp::of(before);
        if stamp == Stamp::of(after) && stamp.modified.0.max(stamp.changed.0) < start - REST {
            self.see(stamp, hash);
        }
    }

    fn see(&self, stamp: Stamp, hash: Hash) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push((stamp, hash));
    }
}

/// Seconds since 1970, by the clock that file systems stamp with.
pub(super) fn now() -> i64 {
    clock_gettime(ClockId::RealtimeCoarse).tv_sec
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size.unsigned_abs(),
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

fn encode(stamp: &Stamp, hash: &Hash) -> [u8; ENTRY] {
    let numbers = [
        stamp.device,
        stamp.inode,
        stamp.size,
        stamp.modified.0.cast_unsigned(),
        stamp.modified.1,
        stamp.changed.0.cast_unsigned(),
        stamp.changed.1,
    ];
    let mut entry = [0; ENTRY];
    for (field, number) in entry.chunks_exact_mut(8).zip(numbers) {
        field.copy_from_slice(&number.to_le_bytes());
    }
    entry[ENTRY - 32..].copy_from_slice(hash.as_bytes());
    entry
}

fn decode(entry: &[u8]) -> (Stamp, Hash) {
    let (numbers, hash) = entry.split_at(ENTRY - 32);
    let number = |index: usize| {
        u64::from_le_bytes(numbers[8 * index..8 * index + 8].try_into().expect("eight bytes were taken"))
    };
    let stamp = Stamp {
        device: number(0),
        inode: number(1),
        size: number(2),
        modified: (number(3).cast_signed(), number(4)),
        changed: (number(5).cast_signed(), number(6)),
    };
    (stamp, Hash::from_bytes(hash.try_into().expect("a hash has 32 bytes")))
}
