//! [`Reader`]: a stream that was put away, read again.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use layercake_cache::{Digest, Store};

use super::list::{self, Chunk, Damage, damaged};
use super::{CHUNK, Packed};
use crate::layer::blob::LayerBlob;

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
        let list = list::read(store, packed)?.map_err(damaged)?.into_iter();
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
