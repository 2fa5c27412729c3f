//! Streams in chunks that are cut where the content says so, and chunks in packs: after a small change nearly all chunks are
//! the same, and of a great many small files there are few blobs.
//!
//! Cut by `FastCDC` (Xia et al., "`FastCDC`: a Fast and Efficient Content-Defined Chunking Approach for Data Deduplication",
//! USENIX ATC 2016). A pack ends where a chunk's hash says so, for the same reason: packs too are mostly the same after a change,
//! even where nobody remembers the ones before. Each is a tar with one file, so that every registry takes it as a layer.

mod cut;
mod known;
mod list;
mod pack;
mod read;

use std::io::{self, Write};

use layercake_cache::Store;
use serde::{Deserialize, Serialize};

use crate::layer::blob::LayerBlob;
use cut::Cutter;
pub use known::Known;
pub use list::Damage;
use pack::Packer;
pub use read::Reader;

/// Bytes of a chunk: the least, the usual, the most.
const CHUNK: (usize, usize, usize) = (32 << 10, 128 << 10, 512 << 10);

/// A stream that was put away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// The blob with the list of its chunks, in order.
    pub list: LayerBlob,
    /// The packs that they lie in.
    pub packs: Vec<LayerBlob>,
}

/// Puts away the stream that `write` writes. Chunks that are known are not stored again. `write` is called a second time if it
/// turns out that too little of the known packs is of use.
///
/// # Errors
/// What `write` fails with, or the store.
pub fn put<E: From<io::Error>>(
    store: &Store,
    mut known: Known,
    write: impl Fn(&mut dyn Write) -> Result<(), E>,
) -> Result<Packed, E> {
    loop {
        let mut packer = Packer::new(store, &known);
        let mut cutter = Cutter::new(|chunk: &[u8]| packer.chunk(chunk));
        write(&mut cutter)?;
        cutter.finish()?;
        packer.end_pack()?;
        let (list, new) = (packer.list, packer.new);
        // Known packs have the first numbers.
        if known.retain_useful(&list) {
            continue;
        }
        return Ok(list::write(store, &known, list, new)?);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::fs::File;
    use std::io::Read;

    use super::pack::{BLOCK, put_tar};
    use super::*;

    /// Bytes that no compressor makes fewer of, the same for the same seed.
    fn noise(seed: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        (folder, store)
    }

    fn put_bytes(store: &Store, known: Known, bytes: &[u8]) -> Packed {
        put(store, known, |out| out.write_all(bytes)).unwrap()
    }

    fn read(store: &Store, packed: &Packed) -> io::Result<Vec<u8>> {
        let open = |pack: &LayerBlob| File::open(store.blob_path(&pack.digest));
        let mut bytes = Vec::new();
        Reader::new(store, packed, open)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn what_was_put_away_comes_back() {
        let (_folder, store) = store();
        for length in [0, 1, 31 << 10, 1 << 20, (9 << 20) + 7] {
            let bytes = noise(1, length);
            let packed = put_bytes(&store, Known::default(), &bytes);
            assert_eq!(read(&store, &packed).unwrap(), bytes);
            // However it is written.
            let again =
                put(&store, Known::default(), |out| bytes.chunks(1013).try_for_each(|part| out.write_all(part)));
            assert_eq!(again.unwrap(), packed);
        }
    }

    #[test]
    fn after_a_small_change_little_is_new() {
        let (_folder, store) = store();
        let mut bytes = noise(1, 30 << 20);
        let before = put_bytes(&store, Known::default(), &bytes);
        bytes.splice(9_000_000..9_000_010, noise(2, 5000));
        let mut known = Known::default();
        known.add(&store, &before).unwrap();
        let after = put_bytes(&store, known, &bytes);
        assert_eq!(read(&store, &after).unwrap(), bytes);
        let new = |after: &Packed| -> u64 {
            after.packs.iter().filter(|pack| !before.packs.contains(pack)).map(|pack| pack.size).sum()
        };
        assert!(new(&after) < 1 << 20, "{}", new(&after));
        // And where nobody remembers, no more than some packs are.
        let after = put_bytes(&store, Known::default(), &bytes);
        assert!(new(&after) < 20 << 20, "{}", new(&after));
    }

    #[test]
    fn packs_of_which_little_is_used_are_not_carried_on() {
        let (_folder, store) = store();
        let bytes = noise(1, 12 << 20);
        let before = put_bytes(&store, Known::default(), &bytes);
        let mut known = Known::default();
        known.add(&store, &before).unwrap();
        let after = put_bytes(&store, known, &bytes[..1 << 20]);
        assert_eq!(read(&store, &after).unwrap(), &bytes[..1 << 20]);
        assert!(after.packs.iter().map(|pack| pack.size).sum::<u64>() < 3 << 20);
    }

    #[test]
    fn what_is_damaged_is_found_out() {
        let (_folder, store) = store();
        let packed = put_bytes(&store, Known::default(), &noise(1, 1 << 20));
        let other = put_bytes(&store, Known::default(), &noise(2, 1 << 20));
        // Packs of something else, no pack at all, and a list that is none.
        let lies = [
            Packed { packs: other.packs.clone(), ..packed.clone() },
            Packed { packs: Vec::new(), ..packed.clone() },
            Packed { list: packed.packs[0], ..packed.clone() },
        ];
        for lie in lies {
            assert_eq!(read(&store, &lie).unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        // A list that swells.
        let mut content = vec![0; BLOCK];
        content.extend(zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap());
        let bomb = Packed { list: put_tar(&store, "chunks", content).unwrap(), ..packed };
        assert_eq!(read(&store, &bomb).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
