//! Archives among the sources of an `ADD`: told by their content, whatever their names, and unpacked.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::FileType;

use super::source::{Selected, Source};
use super::write::Writer;
use crate::build::error::Error;
use crate::fault::PathError;
use crate::image::decompress;
use crate::layer::archive::Archive;
use crate::layer::unpack::{Marks, Options, unpack as unpack_archive};
use crate::mount;
use crate::root::kind;

/// Whether a selected path is a tar, compressed or not. As for BuildKit, one with a first entry is.
#[must_use]
pub fn is_archive(source: &Source<'_>, selected: &Selected) -> bool {
    kind(&selected.stat) == FileType::RegularFile
        && source
            .root
            .open_file(&selected.path)
            .ok()
            .and_then(|file| decompress::open(Box::new(file)).ok())
            .is_some_and(|input| matches!(Archive::new(input).next(), Ok(Some(_))))
}

/// Unpacks a selected archive into the folder `destination`. Its entries belong to whom it says, unless the writer sets
/// an owner for everything.
///
/// # Errors
/// If the archive is damaged or would lead out of the folder, or the tree cannot be written.
pub fn unpack(
    source: &Source<'_>,
    selected: &Selected,
    destination: &str,
    owner: Option<(u32, u32)>,
    writer: &Writer<'_>,
) -> Result<(), Error> {
    let unreadable = |error: io::Error| PathError::new("read the archive", &selected.path, error);
    let folder = writer.folder_at(destination)?;
    let opened = writer.tree().open_folder(&folder).map_err(|error| PathError::new("open", &folder, error))?;
    let file: File = source.root.open_file(&selected.path).map_err(unreadable)?;
    let input = decompress::open(Box::new(file)).map_err(|problem| Error::Archive(selected.path.clone(), problem))?;
    let below = || Ok(Vec::new());
    let options = Options { marks: Marks::Names, owner, below: &below };
    let place = mount::path_of(opened.as_fd());
    unpack_archive(input, Path::new(&place), options)?;
    Ok(())
}
