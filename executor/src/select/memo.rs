//! [`Memo`]: contents that were hashed before, by everything that would change if they had.
//!
//! The idea is git's index ("racy git" in its documentation) and so is its hazard: a file that is written to twice within
//! the grain of the clock looks the same after the second time. So a file is remembered only if it had not been touched
//! for a while when it was read.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use blake3::Hash;
use layercake_cache::{ContentKey, KeyHasher, Store};
use rustix::fs::Stat;
use rustix::time::{ClockId, clock_gettime};

/// Seconds for which a file must not have been touched. Covers file systems that count in seconds, or in two (FAT).
const REST: i64 = 2;
/// Files that may be kept although a selection did not come to them, besides as many as it came to.
const SLACK: usize = 10_000;
/// Bytes of a stamp: seven numbers, lowest byte first.
const STAMP: usize = 7 * 8;
/// Bytes of a stamp that say which file it is of: the first two numbers.
const FILE: usize = 2 * 8;
/// Bytes of an entry: a stamp and the hash.
const ENTRY: usize = STAMP + blake3::OUT_LEN;

/// Everything that a file's status says about its content and attributes: device, inode, size, and the times of the last
/// modification and change, in seconds and nanoseconds. The change time moves with both, and cannot be set.
type Stamp = [u8; STAMP];

/// Hashes of the files of one folder, kept in the store between builds.
#[derive(Debug)]
pub struct Memo<'a> {
    store: &'a Store,
    key: ContentKey,
    known: Known,
    learned: Mutex<Vec<(Stamp, Hash)>>,
}

/// What was remembered, as it came from the store: nothing is decoded before it is asked for.
#[derive(Debug)]
struct Known {
    /// The entries, one behind the other.
    bytes: Vec<u8>,
    /// For each file the number of its entry: open addressing with linear probing. At least half of it is [`FREE`].
    slots: Vec<u32>,
    /// For each entry whether a selection came to it.
    seen: Vec<AtomicBool>,
}

/// A slot without an entry.
const FREE: u32 = u32::MAX;

impl<'a> Memo<'a> {
    /// What the store remembers of this folder: nothing at first, or if it was damaged. Files are told apart by device
    /// and inode number, so the path only says which of them are remembered together.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn load(store: &'a Store, folder: &Path) -> Result<Self, layercake_cache::Error> {
        let key = KeyHasher::new("layercake 1 memo of contents").field(folder.as_os_str().as_bytes()).finish();
        let known = Known::new(store.record(&key)?.unwrap_or_default());
        Ok(Self { store, key, known, learned: Mutex::default() })
    }

    /// Keeps what was learned for the next time; writes nothing if that is nothing.
    ///
    /// # Errors
    /// If the store cannot be written to.
    pub fn save(self) -> Result<(), layercake_cache::Error> {
        let learned = self.learned.into_inner().unwrap_or_else(PoisonError::into_inner);
        if learned.is_empty() {
            return Ok(());
        }
        let Known { mut bytes, seen, .. } = self.known.learn(&learned);
        let seen: Vec<bool> = seen.into_iter().map(AtomicBool::into_inner).collect();
        let came_to = seen.iter().filter(|seen| **seen).count();
        // Another selection of the same folder may come to the others; but of files that are gone, nothing says so.
        if seen.len() > 2 * came_to + SLACK {
            let entries = bytes.chunks_exact(ENTRY).zip(&seen).filter(|(_, seen)| **seen);
            bytes = entries.flat_map(|(entry, _)| entry.iter().copied()).collect();
        }
        self.store.put_record(&self.key, &bytes)
    }

    /// Asks about files that lie in one folder.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { memo: self, next: 0, learned: Vec::new() }
    }
}

/// Asks about files one after the other. Those of a folder were remembered one after the other, and so are they found.
pub(super) struct Reader<'a> {
    memo: &'a Memo<'a>,
    /// The entry behind the one that was found last.
    next: usize,
    learned: Vec<(Stamp, Hash)>,
}

impl Reader<'_> {
    /// The hash that a file of this status had.
    pub(super) fn get(&mut self, stat: &Stat) -> Option<Hash> {
        let (known, stamp) = (&self.memo.known, stamp(stat));
        let number = if known.is_of(self.next, &stamp) { self.next } else { known.find(&stamp)? };
        self.next = number + 1;
        let (then, hash) = known.entry(number).split_at(STAMP);
        if then != stamp {
            return None;
        }
        known.seen[number].store(true, Ordering::Relaxed);
        Some(Hash::from_bytes(hash.try_into().expect("the rest of an entry is a hash")))
    }

    /// Remembers the hash of a file that had the same status before and after it was read, if it had been at rest at
    /// `start`, when its reading began (seconds since 1970).
    pub(super) fn put(&mut self, before: &Stat, after: &Stat, start: i64, hash: Hash) {
        let stamp = stamp(before);
        if stamp == self::stamp(after) && before.st_mtime.max(before.st_ctime) < start - REST {
            self.learned.push((stamp, hash));
        }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if !self.learned.is_empty() {
            self.memo.learned.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.learned);
        }
    }
}

impl Known {
    fn new(mut bytes: Vec<u8>) -> Self {
        bytes.truncate(bytes.len() - bytes.len() % ENTRY);
        let count = bytes.len() / ENTRY;
        let mut known = Self {
            bytes,
            slots: vec![FREE; (2 * count).next_power_of_two()],
            seen: std::iter::repeat_with(AtomicBool::default).take(count).collect(),
        };
        for number in 0..u32::try_from(count).expect("there are not as many files in a folder") {
            let slot = known.slot(known.entry(number as usize));
            // Of two entries of a file the later one is of use.
            known.slots[slot] = number;
        }
        known
    }

    /// With what was learned. A file has one content: what was known of it before it changed makes way.
    fn learn(mut self, learned: &[(Stamp, Hash)]) -> Self {
        for (stamp, hash) in learned {
            let number = self.find(stamp).unwrap_or(self.seen.len());
            if number == self.seen.len() {
                self.bytes.resize(self.bytes.len() + ENTRY, 0);
                self.seen.push(AtomicBool::default());
            }
            let (then, known) = self.bytes[number * ENTRY..(number + 1) * ENTRY].split_at_mut(STAMP);
            then.copy_from_slice(stamp);
            known.copy_from_slice(hash.as_bytes());
            *self.seen[number].get_mut() = true;
        }
        self
    }

    /// Whether this entry is of the file whose stamp this is.
    fn is_of(&self, number: usize, stamp: &[u8]) -> bool {
        self.bytes.get(number * ENTRY..).is_some_and(|entry| entry.starts_with(&stamp[..FILE]))
    }

    fn entry(&self, number: usize) -> &[u8] {
        &self.bytes[number * ENTRY..(number + 1) * ENTRY]
    }

    /// The number of the entry of the file whose stamp this is, whatever its status was.
    fn find(&self, stamp: &Stamp) -> Option<usize> {
        let number = self.slots[self.slot(stamp)];
        (number != FREE).then_some(number as usize)
    }

    /// The slot of the file that these bytes begin with, or else a free one.
    fn slot(&self, stamp: &[u8]) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = spread(&stamp[..FILE]) & mask;
        while self.slots[slot] != FREE && !self.is_of(self.slots[slot] as usize, stamp) {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

/// A number that is another for most files. Inode numbers follow one another, so it is enough to spread them (Knuth,
/// The Art of Computer Programming 3, 6.4: multiplication by the golden ratio).
fn spread(file: &[u8]) -> usize {
    let number = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().expect("eight bytes were taken"));
    let product = (number(8) ^ number(0).rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (product >> 32) as usize
}

/// Seconds since 1970, by the clock that file systems stamp with.
pub(super) fn now() -> i64 {
    clock_gettime(ClockId::RealtimeCoarse).tv_sec
}

fn stamp(stat: &Stat) -> Stamp {
    let numbers = [
        stat.st_dev,
        stat.st_ino,
        stat.st_size.unsigned_abs(),
        stat.st_mtime.cast_unsigned(),
        stat.st_mtime_nsec,
        stat.st_ctime.cast_unsigned(),
        stat.st_ctime_nsec,
    ];
    let mut stamp = [0; STAMP];
    for (field, number) in stamp.chunks_exact_mut(8).zip(numbers) {
        field.copy_from_slice(&number.to_le_bytes());
    }
    stamp
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeMap;

    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    /// When every file here was touched last.
    const TOUCHED: i64 = 1_000_000;

    /// The status of a file after so many changes to it.
    fn status(inode: u64, changes: u8) -> Stat {
        let mut stat = rustix::fs::stat("/").unwrap();
        (stat.st_dev, stat.st_ino, stat.st_size) = (7, inode, 100);
        (stat.st_mtime, stat.st_mtime_nsec) = (TOUCHED, 0);
        (stat.st_ctime, stat.st_ctime_nsec) = (TOUCHED, changes.into());
        stat
    }

    fn content(inode: u64, changes: u8) -> Hash {
        blake3::hash(format!("{inode} {changes}").as_bytes())
    }

    #[test]
    fn a_file_that_was_touched_a_moment_ago_is_not_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let found = |status: &Stat| Memo::load(&store, Path::new("/")).unwrap().reader().get(status).is_some();
        let read = |before: &Stat, after: &Stat, start| {
            let memo = Memo::load(&store, Path::new("/")).unwrap();
            memo.reader().put(before, after, start, content(1, 0));
            memo.save().unwrap();
        };
        let file = status(1, 0);
        for start in TOUCHED - 1..=TOUCHED + REST {
            read(&file, &file, start);
            assert!(!found(&file), "read at {start}, it may have been written to since without a sign");
        }
        read(&file, &status(1, 1), TOUCHED + 10);
        assert!(!found(&file), "it was written to while it was read");
        let but = |change: fn(&mut Stat)| {
            let mut other = file;
            change(&mut other);
            other
        };
        let moved = but(|stat| stat.st_ctime = TOUCHED + 9);
        read(&moved, &moved, TOUCHED + 10);
        assert!(!found(&moved), "its attributes were touched, so perhaps its content and then the time");
        read(&file, &file, TOUCHED + REST + 1);
        assert!(found(&file));
        assert!(!found(&but(|stat| stat.st_size += 1)));
        assert!(!found(&but(|stat| stat.st_mtime_nsec += 1)));
        assert!(!found(&but(|stat| stat.st_dev += 1)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// In each build the files come in an order of their own, and some of them have changed.
        #[test]
        fn what_was_seen_last_is_known_and_nothing_else(
            builds in vec(btree_map(any::<u8>(), (0..3_u8, any::<u16>()), 0..60), 1..6),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).unwrap();
            let mut known: BTreeMap<u8, u8> = BTreeMap::new();
            for files in builds {
                let mut order: Vec<_> = files.into_iter().collect();
                order.sort_by_key(|(_, (_, place))| *place / 4096);
                let memo = Memo::load(&store, Path::new("/")).unwrap();
                for folder in order.chunks(7) {
                    let mut reader = memo.reader();
                    for (file, (changes, _)) in folder {
                        let status = status((*file).into(), *changes);
                        let expected = (known.get(file) == Some(changes)).then(|| content((*file).into(), *changes));
                        prop_assert_eq!(reader.get(&status), expected);
                        if expected.is_none() {
                            reader.put(&status, &status, TOUCHED + 10, content((*file).into(), *changes));
                        }
                    }
                }
                memo.save().unwrap();
                known.extend(order.iter().map(|(file, (changes, _))| (*file, *changes)));
            }
        }
    }
}
