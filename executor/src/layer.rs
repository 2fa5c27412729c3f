//! Layers: change sets as archives, compressed, stored as blobs, and unpacked again.
//!
//! Sources of the formats: POSIX `pax` (ustar and extended headers), GNU tar's manual (long names, sparse files), star's
//! `SCHILY.xattr`, and the OCI image-spec's `layer.md` (whiteouts).

pub mod archive;
pub mod blob;
pub mod compress;
pub mod decompress;
mod error;
pub mod pack;
pub mod plain;
pub mod tar;
pub mod unpack;

pub use error::Error;

/// What of the files of a layer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Contents {
    /// Everything.
    All,
    /// That they are there, and what those hold that name users and groups: an outline. It says where a path leads, with which
    /// attributes, and whom a name means.
    Outline,
}

impl Contents {
    /// Whether a file at this path, from the root, has its content.
    fn has(self, path: &[u8]) -> bool {
        self == Self::All || [&b"etc/passwd"[..], b"etc/group"].contains(&path)
    }
}

/// A name that begins with this deletes, in a layer, what lies below under the rest of the name.
pub(crate) const WHITEOUT_PREFIX: &[u8] = b".wh.";
/// The name that makes the folder that it lies in opaque.
const OPAQUE_NAME: &[u8] = b".wh..wh..opq";
