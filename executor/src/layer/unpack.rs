//! Unpacks archives: layers into folders in overlay form, and other archives onto a tree.
//!
//! A layer is unpacked as if onto the tree below it: a path through a symbolic link of a lower layer ends where the link
//! leads, an unlisted parent folder looks as it does below, a hard link may name a file of a lower layer. Nothing is
//! mounted for that; the layers below are looked at only if something depends on them, so that the layers of an image
//! can be unpacked at the same time.

mod arriving;
mod extract;
mod feed;
mod folder;
mod layer;
mod marks;
mod name;
mod node;
mod nursery;
mod room;
mod stack;

use std::io::Read;
use std::path::{Path, PathBuf};

use layercake_cache::{Digest, Scratch};

use super::Contents;
use super::error::Error;
pub(crate) use layer::made_of;
pub(crate) use layer::places;
pub use layer::{Below, Layer, Unpacked, ensure, find, id};
pub use stack::ensure_all;

/// How an archive is unpacked.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// What names that begin with `.wh.` mean.
    pub marks: Marks,
    /// What an entry for the folder itself means.
    pub top: Top,
    /// Whose everything becomes; `None`: whose the archive says.
    pub owner: Option<(u32, u32)>,
    /// What of files.
    pub contents: Contents,
    /// The folders of the layers below, topmost first. Called at most once, and only if something depends on them.
    pub below: &'a (dyn Fn() -> Result<Vec<PathBuf>, Error> + Sync),
    /// Where files may be made that are then moved to their place, on the same file system. `None`: nowhere.
    pub scratch: Option<&'a Scratch>,
    /// For each entry in its turn what its time has beyond what the archive says, where that is known.
    pub nanoseconds: &'a [u32],
}

impl<'a> Options<'a> {
    /// As a layer is unpacked that lies on these folders, with everything in it.
    #[must_use]
    pub fn of_layer(below: &'a (dyn Fn() -> Result<Vec<PathBuf>, Error> + Sync)) -> Self {
        Self {
            marks: Marks::Deletions,
            top: Top::Taken,
            owner: None,
            contents: Contents::All,
            below,
            scratch: None,
            nanoseconds: &[],
        }
    }
}

/// What names that begin with `.wh.` mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// Deletions, as in a layer.
    Deletions,
    /// Nothing, as in any other archive.
    Names,
}

/// What an entry for the folder that is unpacked into, such as `./`, means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Top {
    /// The folder gets its attributes.
    Taken,
    /// Nothing: the folder stays as it is, as for docker's `ADD`.
    Left,
}

/// What was left out because this machine or this user may not have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Devices. In a user namespace none can be made; when something runs in the tree, `/dev` is mounted over anyway.
    pub devices: u64,
    /// Extended attributes that the kernel or the file system refused.
    pub xattrs: u64,
}

/// What came of an archive.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// What was left out.
    pub skipped: Skipped,
    /// The digest of the archive, uncompressed.
    pub diff_id: Digest,
    /// Whether the folders of the layers below were asked for.
    pub dependence: Dependence,
}

/// Whether what an archive became depends on the layers below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependence {
    /// It would be the same on any.
    None,
    /// It may be other on others.
    Below,
}

/// Unpacks an archive, compressed or not, into the folder `root`, which need not be empty.
///
/// Nothing is ever written outside of `root`: links are followed inside it only, and names that lead out are refused.
///
/// # Errors
/// If the archive is damaged or has entries that cannot be, or if the disk refuses something. Then `root` is left half
/// filled.
pub fn unpack(input: impl Read + Send, root: &Path, options: Options<'_>) -> Result<Outcome, Error> {
    feed::with_archive(input, |archive| extract::all(archive, root, options))
}
