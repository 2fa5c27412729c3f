//! Decompression of layers and archives, by what they begin with.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// Reads an archive that may be compressed.
pub struct Decompressor<R: Read>(Decoder<R>);

enum Decoder<R: Read> {
    None(BufReader<R>),
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    Zstd(zstd::stream::read::Decoder<'static, BufReader<R>>),
}

impl<R: Read> Decompressor<R> {
    /// Looks at the first bytes to tell gzip (of one or several members), zstd and no compression apart.
    ///
    /// # Errors
    /// If nothing can be read.
    pub fn new(input: R) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(1 << 17, input);
        let start = input.fill_buf()?;
        Ok(Self(if start.starts_with(&[0x1f, 0x8b]) {
            Decoder::Gzip(Box::new(MultiGzDecoder::new(input)))
        } else if is_zstd(start) {
            Decoder::Zstd(zstd::stream::read::Decoder::with_buffer(input)?)
        } else {
            Decoder::None(input)
        }))
    }
}

/// A frame, or a skippable frame, with which some writers begin (RFC 8878, 3.1).
fn is_zstd(start: &[u8]) -> bool {
    match start.first_chunk().copied().map(u32::from_le_bytes) {
        Some(magic) => magic == 0xfd2f_b528 || magic & 0xffff_fff0 == 0x184d_2a50,
        None => false,
    }
}

impl<R: Read> Read for Decompressor<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Decoder::None(input) => input.read(buffer),
            Decoder::Gzip(input) => input.read(buffer),
            Decoder::Zstd(input) => input.read(buffer),
        }
    }
}
