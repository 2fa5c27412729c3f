//! The list of a stream's chunks: a blob of its own.

use std::collections::HashMap;
use std::io::{self, Read};

use layercake_cache::Store;

use super::known::Known;
use super::pack::{BLOCK, put_tar};
use super::{CHUNK, Packed};
use crate::layer::blob::LayerBlob;

/// Bytes of a chunk in a list: hash, pack, offset, length.
const ENTRY: usize = 32 + 3 * 4;
/// The most bytes that a list may have: as many as describe some 40 GB.
const LIST_LIMIT: u64 = 16 << 20;

/// The BLAKE3 of a chunk.
pub(super) type Hash = [u8; 32];

/// Where a chunk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) hash: Hash,
    /// The number of the pack.
    pub(super) pack: u32,
    /// Of its compressed bytes in the pack.
    pub(super) offset: u32,
    pub(super) length: u32,
}

/// Leaves out packs of which nothing is used, and stores the list.
pub(super) fn write(store: &Store, known: &Known, mut list: Vec<Chunk>, new: Vec<LayerBlob>) -> io::Result<Packed> {
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
pub(super) fn read(store: &Store, packed: &Packed) -> io::Result<Result<Vec<Chunk>, Damage>> {
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

pub(super) fn damaged(damage: Damage) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, damage)
}
