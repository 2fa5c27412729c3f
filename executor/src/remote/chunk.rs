//! Streams in chunks that are cut where the content says so, and chunks in packs: after a small change nearly all chunks are
//! the same, and of a great many small files there are few blobs.
//!
//! Cut by `FastCDC` (Xia et al., "`FastCDC`: a Fast and Efficient Content-Defined Chunking Approach for Data Deduplication",
//! USENIX ATC 2016). A pack ends where a chunk's hash says so, for the same reason: packs too are mostly the same after a change,
//! even where nobody remembers the ones before. Each is a tar with one file, so that every registry takes it as a layer.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use layercake_cache::{Digest, Store};
use serde::{Deserialize, Serialize};

use crate::layer::blob::LayerBlob;
use crate::layer::compress::Compression;

/// Bytes of a chunk: the least, the usual, the most.
const CHUNK: (usize, usize, usize) = (32 << 10, 128 << 10, 512 << 10);
/// Bytes of a pack: it is not ended before it has the first, and is when it has the second.
const PACK: (usize, usize) = (4 << 20, 16 << 20);
/// Of so many chunks one ends a pack that may end.
const PACK_END: u8 = 32;
/// Bytes of the head of a tar's entry, in which everything in a tar is counted.
const BLOCK: usize = 512;
/// Bytes of a chunk in a list: hash, pack, offset, length.
const ENTRY: usize = 32 + 3 * 4;
/// The most bytes that a list may have: as many as describe some 40 GB.
const LIST_LIMIT: u64 = 16 << 20;

/// The BLAKE3 of a chunk.
type Hash = [u8; 32];

/// A stream that was put away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// The blob with the list of its chunks, in order.
    pub list: LayerBlob,
    /// The packs that they lie in.
    pub packs: Vec<LayerBlob>,
}

/// Where a chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chunk {
    hash: Hash,
    /// The number of the pack.
    pack: u32,
    /// Of its compressed bytes in the pack.
    offset: u32,
    length: u32,
}

/// Chunks that need not be put away again.
#[derive(Debug, Default)]
pub struct Known {
    packs: Vec<LayerBlob>,
    chunks: HashMap<Hash, Chunk>,
}

impl Known {
    /// Adds those of a stream whose list is in the store. A list that cannot be read is as good as none.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn add(&mut self, store: &Store, packed: &Packed) -> io::Result<()> {
        let Ok(list) = read_list(store, packed)? else { return Ok(()) };
        let first = u32::try_from(self.packs.len()).unwrap_or(u32::MAX);
        self.packs.extend(&packed.packs);
        for chunk in list {
            self.chunks.entry(chunk.hash).or_insert(Chunk { pack: first.saturating_add(chunk.pack), ..chunk });
        }
        Ok(())
    }

    /// Leaves out packs of which less than half is used by this list: carrying them on would cost more than it spares.
    fn retain_useful(&mut self, list: &[Chunk]) -> bool {
        let mut used = vec![0_u64; self.packs.len()];
        let mut counted = std::collections::HashSet::new();
        for chunk in list.iter().filter(|chunk| counted.insert(chunk.hash)) {
            if self.chunks.get(&chunk.hash) == Some(chunk) {
                used[chunk.pack as usize] += u64::from(chunk.length);
            }
        }
        let is_poor = |pack: u32| {
            let pack = pack as usize;
            used[pack] > 0 && used[pack] * 2 < self.packs[pack].size
        };
        let before = self.chunks.len();
        self.chunks.retain(|_, chunk| !is_poor(chunk.pack));
        self.chunks.len() != before
    }
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
        let mut cutter = Cutter { buffer: Vec::new(), take: |chunk: &[u8]| packer.chunk(chunk) };
        write(&mut cutter)?;
        cutter.finish()?;
        packer.end_pack()?;
        let (list, new) = (packer.list, packer.new);
        // Known packs have the first numbers.
        if known.retain_useful(&list) {
            continue;
        }
        return Ok(finish(store, &known, list, new)?);
    }
}

/// Leaves out packs of which nothing is used, and stores the list.
fn finish(store: &Store, known: &Known, mut list: Vec<Chunk>, new: Vec<LayerBlob>) -> io::Result<Packed> {
    let all: Vec<LayerBlob> = known.packs.iter().copied().chain(new).collect();
    let mut packs: Vec<LayerBlob> = Vec::new();
    let mut numbers = HashMap::new();
    for chunk in &mut list {
        chunk.pack = *numbers.entry(all[chunk.pack as usize].digest).or_insert_with(|| {
            packs.push(all[chunk.pack as usize]);
            u32::try_from(packs.len() - 1).expect("a list is shorter")
        });
    }
    let mut bytes = Vec::with_capacity(list.len() * ENTRY);
    for chunk in &list {
        bytes.extend_from_slice(&chunk.hash);
        [chunk.pack, chunk.offset, chunk.length]
            .iter()
            .for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
    }
    if bytes.len() as u64 > LIST_LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large to travel"));
    }
    let mut content = vec![0; BLOCK];
    content.extend(zstd::bulk::compress(&bytes, 3)?);
    Ok(Packed { list: put_tar(store, "chunks", content)?, packs })
}

/// Cuts what is written to it.
struct Cutter<F> {
    buffer: Vec<u8>,
    take: F,
}

impl<F: FnMut(&[u8]) -> io::Result<()>> Cutter<F> {
    /// Takes chunks as long as at least `least` bytes are there: where a chunk ends is decided by no more than the longest.
    fn cut(&mut self, least: usize) -> io::Result<()> {
        let (min, average, max) = CHUNK;
        let cutter = fastcdc::v2020::FastCDC::new(&self.buffer, min, average, max);
        let mut start = 0;
        while self.buffer.len() - start >= least.max(1) {
            let (_, end) = cutter.cut(start, self.buffer.len() - start);
            (self.take)(&self.buffer[start..end])?;
            start = end;
        }
        self.buffer.drain(..start);
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.cut(0)
    }
}

impl<F: FnMut(&[u8]) -> io::Result<()>> Write for Cutter<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= 8 * CHUNK.2 {
            self.cut(CHUNK.2)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Puts chunks into packs.
struct Packer<'a> {
    store: &'a Store,
    known: &'a Known,
    /// Packs that were made.
    new: Vec<LayerBlob>,
    chunks: HashMap<Hash, Chunk>,
    list: Vec<Chunk>,
    /// The pack that is being filled, behind the place for its head.
    pack: Vec<u8>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

impl<'a> Packer<'a> {
    fn new(store: &'a Store, known: &'a Known) -> Self {
        let (new, chunks, list) = (Vec::new(), HashMap::new(), Vec::new());
        Self { store, known, new, chunks, list, pack: vec![0; BLOCK], compressor: None }
    }

    fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let hash: Hash = blake3::hash(bytes).into();
        if let Some(chunk) = self.known.chunks.get(&hash).or_else(|| self.chunks.get(&hash)) {
            self.list.push(*chunk);
            return Ok(());
        }
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(zstd::bulk::Compressor::new(3)?),
        };
        let compressed = compressor.compress(bytes)?;
        let number = |number: usize| u32::try_from(number).expect("packs and what is in them are small");
        let pack = number(self.known.packs.len() + self.new.len());
        let chunk = Chunk { hash, pack, offset: number(self.pack.len()), length: number(compressed.len()) };
        self.pack.extend_from_slice(&compressed);
        self.chunks.insert(hash, chunk);
        self.list.push(chunk);
        let may_end = self.pack.len() >= PACK.0 && hash[0].is_multiple_of(PACK_END);
        if may_end || self.pack.len() >= PACK.1 { self.end_pack() } else { Ok(()) }
    }

    fn end_pack(&mut self) -> io::Result<()> {
        if self.pack.len() > BLOCK {
            let pack = std::mem::replace(&mut self.pack, vec![0; BLOCK]);
            self.new.push(put_tar(self.store, "pack", pack)?);
        }
        Ok(())
    }
}

/// Stores a tar with one file of this name. Its content stands in `bytes` behind the place for the head.
fn put_tar(store: &Store, name: &str, mut bytes: Vec<u8>) -> io::Result<LayerBlob> {
    let mut head = tar::Header::new_ustar();
    head.set_path(name)?;
    head.set_size((bytes.len() - BLOCK) as u64);
    head.set_mode(0o644);
    head.set_cksum();
    bytes[..BLOCK].copy_from_slice(head.as_bytes());
    // To a whole block, and two empty ones.
    bytes.resize(bytes.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    let digest = store.put_blob(&bytes).map_err(io::Error::other)?;
    Ok(LayerBlob { diff_id: digest, digest, size: bytes.len() as u64, compression: Compression::None })
}

/// Why a stream cannot be had again: it is not what was put away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// There is none, or it is none.
    #[error("its list of chunks cannot be read")]
    List,
    /// The list names what cannot be.
    #[error("its list of chunks says what cannot be")]
    Entry,
    /// The bytes are others.
    #[error("a chunk is not what the list says")]
    Chunk,
}

/// The list of a stream, whose blob is in the store.
fn read_list(store: &Store, packed: &Packed) -> io::Result<Result<Vec<Chunk>, Damage>> {
    let Some(blob) = store.open_blob(&packed.list.digest).map_err(io::Error::other)? else {
        return Ok(Err(Damage::List));
    };
    let mut compressed = Vec::new();
    blob.take(LIST_LIMIT + 1).read_to_end(&mut compressed)?;
    let body = compressed.get(BLOCK..).unwrap_or_default();
    let mut bytes = Vec::new();
    // What follows the one frame is the tar's padding.
    let Ok(decoder) = zstd::stream::read::Decoder::with_buffer(body) else { return Ok(Err(Damage::List)) };
    let is_read = decoder.single_frame().take(LIST_LIMIT + 1).read_to_end(&mut bytes).is_ok();
    if !is_read || bytes.len() as u64 > LIST_LIMIT || bytes.len() % ENTRY != 0 {
        return Ok(Err(Damage::List));
    }
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes were taken"));
    let chunk = |entry: &[u8]| {
        let hash = entry[..32].try_into().expect("so many bytes were taken");
        let chunk = Chunk {
            hash,
            pack: number(&entry[32..36]),
            offset: number(&entry[36..40]),
            length: number(&entry[40..44]),
        };
        let pack = packed.packs.get(chunk.pack as usize).ok_or(Damage::Entry)?;
        let end = u64::from(chunk.offset) + u64::from(chunk.length);
        if end > pack.size || chunk.length as usize > 2 * CHUNK.2 { Err(Damage::Entry) } else { Ok(chunk) }
    };
    Ok(bytes.chunks_exact(ENTRY).map(chunk).collect())
}

/// A stream that was put away, to be read. Packs are asked for when they are needed.
pub struct Reader<'a, F> {
    list: std::vec::IntoIter<Chunk>,
    packed: &'a Packed,
    open: F,
    files: HashMap<Digest, File>,
    chunk: io::Cursor<Vec<u8>>,
}

impl<'a, F: FnMut(&LayerBlob) -> io::Result<File>> Reader<'a, F> {
    /// Of a stream whose list is in the store. `open` brings and opens a pack.
    ///
    /// # Errors
    /// If there is no list, or none that can be.
    pub fn new(store: &Store, packed: &'a Packed, open: F) -> io::Result<Self> {
        let list = read_list(store, packed)?.map_err(damaged)?.into_iter();
        Ok(Self { list, packed, open, files: HashMap::new(), chunk: io::Cursor::default() })
    }

    fn next(&mut self, chunk: &Chunk) -> io::Result<()> {
        let pack = &self.packed.packs[chunk.pack as usize];
        if !self.files.contains_key(&pack.digest) {
            self.files.insert(pack.digest, (self.open)(pack)?);
        }
        let mut compressed = vec![0; chunk.length as usize];
        self.files[&pack.digest]
            .read_exact_at(&mut compressed, u64::from(chunk.offset))
            .map_err(|_| damaged(Damage::Chunk))?;
        let bytes = zstd::bulk::decompress(&compressed, CHUNK.2).map_err(|_| damaged(Damage::Chunk))?;
        if blake3::hash(&bytes) != chunk.hash {
            return Err(damaged(Damage::Chunk));
        }
        self.chunk = io::Cursor::new(bytes);
        Ok(())
    }
}

impl<F: FnMut(&LayerBlob) -> io::Result<File>> Read for Reader<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.chunk.read(buffer)? {
                0 if !buffer.is_empty() => match self.list.next() {
                    Some(chunk) => self.next(&chunk)?,
                    None => return Ok(0),
                },
                length => return Ok(length),
            }
        }
    }
}

fn damaged(damage: Damage) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, damage)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

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
