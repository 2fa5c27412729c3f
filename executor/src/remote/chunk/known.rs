//! Chunks that lie somewhere already.

use std::collections::{HashMap, HashSet};
use std::io;

use layercake_cache::Store;

use super::Packed;
use super::list::{self, Chunk, Hash};
use crate::layer::blob::LayerBlob;

/// Chunks that need not be put away again.
#[derive(Debug, Default)]
pub struct Known {
    pub(super) packs: Vec<LayerBlob>,
    pub(super) chunks: HashMap<Hash, Chunk>,
}

impl Known {
    /// Adds those of a stream whose list is in the store. A list that cannot be read is as good as none.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn add(&mut self, store: &Store, packed: &Packed) -> io::Result<()> {
        let Ok(list) = list::read(store, packed)? else { return Ok(()) };
        let first = u32::try_from(self.packs.len()).unwrap_or(u32::MAX);
        self.packs.extend(&packed.packs);
        for chunk in list {
            self.chunks.entry(chunk.hash).or_insert(Chunk { pack: first.saturating_add(chunk.pack), ..chunk });
        }
        Ok(())
    }

    /// Leaves out packs of which less than half is used by this list: carrying them on would cost more than it spares.
    pub(super) fn retain_useful(&mut self, list: &[Chunk]) -> bool {
        let mut used = vec![0_u64; self.packs.len()];
        let mut counted = HashSet::new();
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
