//! A block as gzip: one member, or several where part of it is noise.
//!
//! The bytes depend on the level and on the version of libdeflate, and on nothing else: its search for matches reads words in
//! little-endian order and reckons in whole numbers, and what it has in several forms for several processors are checksums and the
//! clearing of tables.

use std::io;

use libdeflater::{CompressionLvl, Compressor};

/// Bytes of a block. Smaller ones cost more, since each begins without a history: 0.4 % at a quarter of that.
pub(super) const BLOCK: usize = 1 << 20;
/// Bytes that are looked at together for whether they are noise.
const PIECE: usize = 1 << 16;
/// libdeflate's levels for gzip's, by the size that comes of them: its second is within 0.2 % of zlib's sixth, in a third of
/// the time.
const LEVELS: [i32; 10] = [0, 1, 1, 2, 2, 2, 2, 4, 6, 9];

pub(super) fn compress(block: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let level = LEVELS[usize::try_from(level).unwrap_or(0).min(LEVELS.len() - 1)];
    let mut compressed = Vec::with_capacity(block.len() / 2 + 64);
    for (run, length) in runs(block) {
        member(&block[run..run + length.bytes], if length.is_noise { 0 } else { level }, &mut compressed)?;
    }
    if block.is_empty() {
        member(block, level, &mut compressed)?;
    }
    Ok(compressed)
}

/// Appends a member.
fn member(bytes: &[u8], level: i32, out: &mut Vec<u8>) -> io::Result<()> {
    let level = CompressionLvl::new(level).map_err(|_| io::Error::other("libdeflate has no such level"))?;
    let mut compressor = Compressor::new(level);
    let start = out.len();
    out.resize(start + compressor.gzip_compress_bound(bytes.len()), 0);
    let length = compressor.gzip_compress(bytes, &mut out[start..]).map_err(io::Error::other)?;
    out.truncate(start + length);
    Ok(())
}

/// Bytes of one kind.
#[derive(Clone, Copy)]
struct Run {
    bytes: usize,
    is_noise: bool,
}

/// The runs of a block, by where they begin.
fn runs(block: &[u8]) -> Vec<(usize, Run)> {
    let mut runs: Vec<(usize, Run)> = Vec::new();
    let mut start = 0;
    for piece in block.chunks(PIECE) {
        let (bytes, is_noise) = (piece.len(), is_noise(piece));
        match runs.last_mut() {
            Some((_, run)) if run.is_noise == is_noise => run.bytes += bytes,
            _ => runs.push((start, Run { bytes, is_noise })),
        }
        start += bytes;
    }
    runs
}

/// Whether all bytes are about equally frequent in it, as in what is compressed or encrypted already: nothing is found there, and
/// looking costs as much as everywhere. The measure is the chance that two bytes are the same; noise has 1/256 and a little, and
/// what has 4 % more holds 0.03 bits less in a byte.
fn is_noise(piece: &[u8]) -> bool {
    if piece.len() < PIECE / 4 {
        return false;
    }
    // Several tables, so that equal bytes in a row do not wait for one another.
    let mut counts = [[0u32; 256]; 4];
    for (index, byte) in piece.iter().enumerate() {
        counts[index % 4][usize::from(*byte)] += 1;
    }
    let sum = |byte: usize| counts.iter().map(|table| u64::from(table[byte])).sum::<u64>();
    let pairs: u64 = (0..256).map(|byte| sum(byte) * sum(byte)).sum();
    let length = piece.len() as u64;
    pairs * 256 * 24 < length * length * 25
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that nothing is found in.
    fn noise(length: usize) -> Vec<u8> {
        let mut stream = blake3::Hasher::new().finalize_xof();
        let mut bytes = vec![0; length];
        stream.fill(&mut bytes);
        bytes
    }

    #[test]
    fn noise_is_what_every_byte_is_equally_frequent_in() {
        assert!(is_noise(&noise(PIECE)));
        assert!(is_noise(&noise(PIECE / 4)));
        assert!(!is_noise(&noise(PIECE / 4 - 1)), "of a few bytes nothing can be said");
        assert!(!is_noise(&vec![7; PIECE]));
        // Digits of noise: half of it is redundant.
        let digits: Vec<u8> = noise(PIECE).iter().map(|byte| byte & 15).collect();
        assert!(!is_noise(&digits));
        let mut tenth = noise(PIECE);
        tenth[..PIECE / 10].fill(0);
        assert!(!is_noise(&tenth), "headers between files are not noise");
    }

    #[test]
    fn runs_cover_a_block_in_order() {
        let block = [noise(2 * PIECE), vec![1; PIECE], noise(PIECE), vec![2; 10]].concat();
        let found: Vec<(usize, usize, bool)> =
            runs(&block).into_iter().map(|(start, run)| (start, run.bytes, run.is_noise)).collect();
        let expected =
            [(0, 2 * PIECE, true), (2 * PIECE, PIECE, false), (3 * PIECE, PIECE, true), (4 * PIECE, 10, false)];
        assert_eq!(found, expected);
    }
}
