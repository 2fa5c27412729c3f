//! [`Part`]: entries of an archive, in memory, to be put together with others.

use tar::Builder;

use super::BLOCK;
use super::header::Header;

/// What ends an archive: two empty blocks.
pub(crate) const END: [u8; 2 * BLOCK as usize] = [0; 2 * BLOCK as usize];

/// Some entries, one after the other.
pub(crate) struct Part {
    out: Builder<Vec<u8>>,
}

impl Part {
    /// No entries, in memory that is used again.
    pub(crate) fn new(mut memory: Vec<u8>) -> Self {
        memory.clear();
        Self { out: Builder::new(memory) }
    }

    /// Adds what is said about an entry. If it has content, that follows.
    pub(crate) fn header(&mut self, header: &Header<'_>) {
        header.write(&mut self.out).expect("memory takes what is written to it");
    }

    /// All bytes so far. The content of a file is put at their end.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        self.out.get_mut()
    }

    /// Fills up the last block of the content.
    pub(crate) fn pad(&mut self) {
        let bytes = self.bytes();
        bytes.resize(bytes.len().next_multiple_of(BLOCK as usize), 0);
    }

    /// The bytes of the entries.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut bytes = self.out.into_inner().expect("memory takes what is written to it");
        // More entries may follow.
        bytes.truncate(bytes.len() - END.len());
        bytes
    }
}
