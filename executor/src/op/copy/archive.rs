//! Archives among the sources of an `ADD`, which are unpacked.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::FileType;

use super::source::{Selected, Source};
use crate::archive;
use crate::build::error::Error;
use crate::fault::PathError;
use crate::mount;
use crate::root::{Root, kind};

/// Whether a selected path is a tar, compressed or not.
#[must_use]
pub fn is_archive(source: &Source<'_>, selected: &Selected) -> bool {
    kind(&selected.stat) == FileType::RegularFile
        && source.root.open_file(&selected.path).is_ok_and(|file| archive::is_archive(Box::new(file)))
}

/// Unpacks a selected archive into a folder of the tree. Its entries belong to whom it says, unless there is an owner for
/// everything.
///
/// # Errors
/// If the archive is damaged or would lead out of the folder, or the tree cannot be written.
pub fn unpack(
    source: &Source<'_>,
    selected: &Selected,
    tree: &Root,
    folder: &Path,
    owner: Option<(u32, u32)>,
) -> Result<(), Error> {
    let unreadable = |error: io::Error| PathError::new("read the archive", &selected.path, error);
    let opened = tree.open_folder(folder).map_err(|error| PathError::new("open", folder, error))?;
    let file = source.root.open_file(&selected.path).map_err(unreadable)?;
    let place = mount::path_of(opened.as_fd());
    archive::unpack(Box::new(file), Path::new(&place), archive::Top::Left, owner).map_err(|error| match error {
        archive::Error::Compressed(problem) => Error::Archive(selected.path.clone(), problem),
        archive::Error::Unpack(error) => error.into(),
    })
}
