//! Sparse files: which parts of a file an archive stores.
//!
//! Source: GNU tar's manual, "Storing Sparse Files": the old format (type `S`) and versions 0.0, 0.1 and 1.0 of the one
//! in extended headers.

use std::io::Read;

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::pax::{Extended, digits};
use super::{Archive, BLOCK, Kind, MOST_EXTENDED, Part};
use crate::layer::error::Error;

/// The most parts a file may have: a map of 1 MiB has fewer.
const MOST_PARTS: usize = 1 << 18;

impl<R: Read> Archive<R> {
    /// A file whose stored content follows.
    pub(super) fn file(&mut self, stored: u64, extended: &Extended) -> Result<Kind, Error> {
        let holes = &extended.holes;
        let Some(size) = holes.size else {
            return Ok(Kind::File { size: stored, parts: vec![Part { offset: 0, length: stored }] });
        };
        let parts = if holes.map_in_content { self.map_in_content()? } else { holes.parts.clone() };
        self.check(size, &parts)?;
        Ok(Kind::File { size, parts })
    }

    /// The size and the parts of a file of the old format, whose header has room for four; the rest follow in blocks.
    pub(super) fn old_sparse(&mut self, header: &Header) -> Result<(u64, Vec<Part>), Error> {
        let header = header.as_gnu().ok_or_else(|| self.damaged("a sparse file has no GNU header"))?;
        let mut parts = Vec::new();
        self.add_old(&header.sparse, &mut parts)?;
        let mut more = header.is_extended();
        while more && parts.len() < MOST_PARTS {
            let mut block = GnuExtSparseHeader::new();
            let mut bytes = [0; BLOCK];
            if !self.block(&mut bytes)? {
                return Err(self.damaged("it ends in the middle of a map of holes"));
            }
            block.as_mut_bytes().copy_from_slice(&bytes);
            self.add_old(block.sparse(), &mut parts)?;
            more = block.is_extended();
        }
        let size = super::field::number(&header.realsize).and_then(|size| u64::try_from(size).ok());
        let size = size.ok_or_else(|| self.damaged("the size is not a number"))?;
        self.check(size, &parts)?;
        Ok((size, parts))
    }

    fn add_old(&self, entries: &[GnuSparseHeader], parts: &mut Vec<Part>) -> Result<(), Error> {
        let number = |field: &[u8]| super::field::number(field).and_then(|number| u64::try_from(number).ok());
        for entry in entries.iter().filter(|entry| !entry.is_empty()) {
            let part = number(&entry.offset).zip(number(&entry.numbytes));
            let (offset, length) = part.ok_or_else(|| self.damaged("a map of holes breaks the format"))?;
            parts.push(Part { offset, length });
        }
        Ok(())
    }

    /// Version 1.0: decimal numbers, each on a line: how many parts, then offset and length of each; then padding.
    fn map_in_content(&mut self) -> Result<Vec<Part>, Error> {
        let mut map = Vec::new();
        let mut wanted = 1;
        let mut lines = 0;
        while lines < wanted {
            let mut block = [0; BLOCK];
            let mut filled = 0;
            while filled < BLOCK {
                let read = self.read(&mut block[filled..])?;
                if read == 0 || map.len() as u64 > MOST_EXTENDED {
                    return Err(self.damaged("a map of holes breaks the format"));
                }
                filled += read;
            }
            map.extend_from_slice(&block);
            lines = map.iter().filter(|byte| **byte == b'\n').count();
            if let Some(count) = map.split(|byte| *byte == b'\n').next().filter(|_| lines > 0).and_then(digits) {
                wanted = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(2).saturating_add(1);
            }
        }
        let numbers = map.split(|byte| *byte == b'\n').skip(1).take(wanted - 1).map(digits).collect::<Option<Vec<_>>>();
        let numbers = numbers.ok_or_else(|| self.damaged("a map of holes breaks the format"))?;
        Ok(numbers.chunks_exact(2).map(|pair| Part { offset: pair[0], length: pair[1] }).collect())
    }

    /// Parts are in order, lie within the file, and are what is stored.
    fn check(&self, size: u64, parts: &[Part]) -> Result<(), Error> {
        let mut end = 0;
        let mut stored: u64 = 0;
        for part in parts {
            let next = part.offset.checked_add(part.length).filter(|next| part.offset >= end && *next <= size);
            end = next.ok_or_else(|| self.damaged("the parts of a sparse file lie outside of it or overlap"))?;
            stored += part.length;
        }
        if stored == self.left && i64::try_from(size).is_ok() {
            Ok(())
        } else {
            Err(self.damaged("a sparse file stores less or more than its parts"))
        }
    }
}
