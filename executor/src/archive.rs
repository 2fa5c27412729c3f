//! Archives that users bring: told by their content, whatever their names, and unpacked so that neither the files around
//! nor the disk can suffer.

use std::io::{Cursor, Read};
use std::path::Path;

use crate::fault::Fault;
use crate::image::decompress;
use crate::image::error::ArchiveProblem;
use crate::layer::archive::Archive;
pub use crate::layer::unpack::Top;
use crate::layer::unpack::{Marks, Options, unpack as unpack_layer};
use crate::layer::{self, Contents};

/// Bytes of a file that tell whether it is an archive: more than any header that precedes the first entry.
pub const BEGINNING: usize = 1 << 16;

/// Why an archive could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is compressed in a way that it is not, or that nobody here knows.
    #[error(transparent)]
    Compressed(#[from] ArchiveProblem),
    /// It is damaged, has entries that cannot be, or the disk refuses something.
    #[error(transparent)]
    Unpack(#[from] layer::Error),
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Compressed(ArchiveProblem::Read(_) | ArchiveProblem::NoDecompressor(_)) => Fault::Environment,
            Self::Compressed(_) => Fault::Input,
            Self::Unpack(error) => error.fault(),
        }
    }
}

/// Whether this is a tar, compressed or not. As for BuildKit, one with a first entry is.
#[must_use]
pub fn is_archive(input: Box<dyn Read + Send>) -> bool {
    decompress::open(input).ok().is_some_and(|input| matches!(Archive::new(input).next(), Ok(Some(_))))
}

/// Whether what begins so is meant to be an archive, and no text: it is compressed, or begins with an entry of a tar or
/// with the empty block that ends one.
#[must_use]
pub fn begins_archive(beginning: &[u8]) -> bool {
    const MAGIC: [&[u8]; 5] = [b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"LZIP"];
    MAGIC.iter().any(|magic| beginning.starts_with(magic))
        || beginning.get(..512).is_some_and(|block| block.iter().all(|byte| *byte == 0))
        || matches!(Archive::new(Cursor::new(beginning)).next(), Ok(Some(_)))
}

/// Unpacks an archive, compressed or not, into a folder. Nothing is written outside of it, and some room is left on its
/// disk. Entries belong to `owner`, or to whom they say. `top` says what an entry for the folder itself means.
///
/// # Errors
/// If the archive is damaged or would lead out of the folder, or if the disk refuses something. Then the folder is left
/// half filled.
pub fn unpack(input: Box<dyn Read + Send>, folder: &Path, top: Top, owner: Option<(u32, u32)>) -> Result<(), Error> {
    let below = || Ok(Vec::new());
    unpack_layer(
        decompress::open(input)?,
        folder,
        Options { marks: Marks::Names, top, owner, contents: Contents::All, ..Options::of_layer(&below) },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn archives_are_told_from_texts() {
        let mut header = tar::Header::new_ustar();
        header.set_path("Dockerfile").unwrap();
        header.set_size(0);
        header.set_cksum();
        assert!(begins_archive(header.as_bytes()));
        let mut old = tar::Header::new_old();
        old.set_path("x").unwrap();
        old.set_size(0);
        old.set_cksum();
        assert!(begins_archive(old.as_bytes()), "a tar of 1979 has no magic");
        assert!(begins_archive(&[0; 1024]), "an empty tar");
        for magic in [&b"\x1f\x8b\x08\0"[..], b"BZh91AY", b"\xfd7zXZ\0\0", b"\x28\xb5\x2f\xfd\0"] {
            assert!(begins_archive(magic));
        }
        for text in [&b""[..], b"FROM scratch\n", &[b'#'; 2048], b"BZ", &[0; 511]] {
            assert!(!begins_archive(text), "{text:?}");
        }
    }
}
