//! Compression of layers: streaming, on all cores, with the same bytes for any number of cores.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::error::Error;

mod blocks;
mod gzip;
mod zstd;

use blocks::Blocks;

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "format", rename_all = "kebab-case")]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, which everything reads.
    Gzip {
        /// From 0 to 9.
        level: u32,
    },
    /// Zstandard: smaller and many times faster to unpack; Docker reads it since version 23.
    Zstd {
        /// From 1 to 22.
        level: i32,
    },
}

/// Compresses what is written to it. Unfinished, its output is not complete.
pub struct Compressor<W: Write>(Encoder<W>);

enum Encoder<W: Write> {
    None(W),
    Blocks(Blocks<W>),
}

impl Compression {
    /// gzip at its usual level.
    pub const GZIP: Self = Self::Gzip { level: 6 };
    /// Zstandard at its usual level.
    pub const ZSTD: Self = Self::Zstd { level: 3 };

    /// The OCI media type of a layer that is compressed so.
    ///
    /// Source: image-spec `layer.md`.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip { .. } => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd { .. } => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// Whether there is such a level.
    ///
    /// # Errors
    /// If there is none.
    pub fn check(self) -> Result<(), Error> {
        match self {
            Self::None | Self::Gzip { level: 0..=9 } | Self::Zstd { level: 1..=22 } => Ok(()),
            Self::Gzip { level } => {
                let level = i32::try_from(level).unwrap_or(i32::MAX);
                Err(Error::Level { format: "gzip", level, least: 0, most: 9 })
            }
            Self::Zstd { level } => Err(Error::Level { format: "zstd", level, least: 1, most: 22 }),
        }
    }

    /// A compressor that writes to `out`.
    ///
    /// # Errors
    /// If there is no such level.
    pub fn compressor<W: Write>(self, out: W) -> Result<Compressor<W>, Error> {
        self.check()?;
        Ok(Compressor(match self {
            Self::None => Encoder::None(out),
            Self::Gzip { level } => Encoder::Blocks(Blocks::new(out, gzip::compress, level.cast_signed(), gzip::BLOCK)),
            Self::Zstd { level } => Encoder::Blocks(Blocks::new(out, zstd::compress, level, zstd::block(level))),
        }))
    }
}

impl<W: Write> Compressor<W> {
    /// Writes what is still to come and returns what everything was written to.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Encoder::None(out) => Ok(out),
            Encoder::Blocks(blocks) => blocks.finish(),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Encoder::None(out) => out.write(bytes),
            Encoder::Blocks(blocks) => blocks.write(bytes),
        }
    }

    /// Does nothing: a flush in the middle would change the bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
