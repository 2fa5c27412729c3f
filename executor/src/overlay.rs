//! Overlays: folders of layers, shown as one tree. Mounted for as long as a value lives, and never left behind: the
//! mount is attached nowhere, so the kernel takes it down with the last descriptor, however the process ends.
//!
//! Layers are in overlayfs's own form with `userxattr`, for root too, so that there is one form: a whiteout is a character
//! device 0:0, an opaque folder has the attribute `user.overlay.opaque` = `y`.
//! See the kernel's `Documentation/filesystems/overlayfs.rst`.

mod error;
mod mounting;
mod root;

pub use error::Error;
pub use mounting::Way;
pub use root::MountedRoot;

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The most layers that the kernel stacks (`OVL_MAX_STACK`).
pub const MAX_LOWERS: usize = 500;

/// Layers, one over the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// The folders that are only read, the topmost first, as overlayfs's own `lowerdir` has them.
    pub lowers: Vec<PathBuf>,
    /// Where changes go; without it the tree is read-only.
    pub upper: Option<Upper>,
}

/// Where the changes to an overlay go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upper {
    /// The folder that takes the changes, in overlay form.
    pub upper: PathBuf,
    /// A folder of the same file system for overlayfs's own use. What an earlier mount left in it is removed: with `volatile`
    /// overlayfs refuses a used one, to warn of unsynced data, and whether `upper` is sound is known here from its record.
    pub work: PathBuf,
}

impl Overlay {
    /// Mounts the overlay. The calling process has its own mount namespace ([`crate::namespace::enter`]).
    ///
    /// A single lower without an upper is just that folder, and an upper without lowers is just the upper.
    ///
    /// # Errors
    /// [`Error::TooManyLowers`], or what the kernel refuses.
    pub fn mount(&self) -> Result<MountedRoot, Error> {
        self.mount_by(Way::Newest)
    }

    /// The same, by a way of choice: what lacks the newest way takes the older one by itself.
    ///
    /// # Errors
    /// As [`Overlay::mount`].
    pub fn mount_by(&self, way: Way) -> Result<MountedRoot, Error> {
        match (self.lowers.as_slice(), &self.upper) {
            ([], None) => MountedRoot::empty(),
            ([folder], None) | ([], Some(Upper { upper: folder, .. })) => MountedRoot::folder(folder),
            _ => mounting::mount(self, None, way).map(MountedRoot::mounted),
        }
    }

    /// Whether the kernel takes the layers of this overlay, of two folders or more, one by one.
    pub(crate) fn takes_layers_one_by_one(&self) -> Result<bool, Error> {
        mounting::takes_layers_one_by_one(self)
    }

    /// Mounts the overlay with one more layer, already open, over the lowers and below the upper.
    pub(crate) fn mount_with(&self, top: &OwnedFd, way: Way) -> Result<OwnedFd, Error> {
        mounting::mount(self, Some(top), way)
    }
}
