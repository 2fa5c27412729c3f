//! [`Packer`]: chunks in packs, each a blob that every registry takes.

use std::collections::HashMap;
use std::io;

use layercake_cache::Store;

use super::known::Known;
use super::list::{Chunk, Hash};
use crate::layer::blob::LayerBlob;
use crate::layer::compress::Compression;

/// Bytes of a pack: it is not ended before it has the first, and is when it has the second.
const PACK: (usize, usize) = (4 << 20, 16 << 20);
/// Of so many chunks one ends a pack that may end.
const PACK_END: u8 = 32;
/// Bytes of the head of a tar's entry, in which everything in a tar is counted.
pub(super) const BLOCK: usize = 512;

/// Puts chunks into packs.
pub(super) struct Packer<'a> {
    store: &'a Store,
    known: &'a Known,
    /// Packs that were made.
    pub(super) new: Vec<LayerBlob>,
    chunks: HashMap<Hash, Chunk>,
    pub(super) list: Vec<Chunk>,
    /// The pack that is being filled, behind the place for its head.
    pack: Vec<u8>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
}

impl<'a> Packer<'a> {
    pub(super) fn new(store: &'a Store, known: &'a Known) -> Self {
        let (new, chunks, list) = (Vec::new(), HashMap::new(), Vec::new());
        Self { store, known, new, chunks, list, pack: vec![0; BLOCK], compressor: None }
    }

    /// Takes a chunk.
    pub(super) fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
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

    /// Stores the pack that is being filled.
    pub(super) fn end_pack(&mut self) -> io::Result<()> {
        if self.pack.len() > BLOCK {
            let pack = std::mem::replace(&mut self.pack, vec![0; BLOCK]);
            self.new.push(put_tar(self.store, "pack", pack)?);
        }
        Ok(())
    }
}

/// Stores a tar with one file of this name. Its content stands in `bytes` behind the place for the head.
pub(super) fn put_tar(store: &Store, name: &str, mut bytes: Vec<u8>) -> io::Result<LayerBlob> {
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
