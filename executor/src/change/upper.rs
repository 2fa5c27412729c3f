//! The upper folder of an overlay before anything is written to it.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, Uid, fchmod, fchown};

use crate::fault::{At, PathError};
use crate::tree::lookup::Folder;
use crate::tree::xattr;

/// Gives an empty folder the attributes of the root of the tree below (layers, topmost first), so that the root of the
/// overlay looks as it did and is not taken for changed.
///
/// # Errors
/// If an attribute cannot be read or set.
pub fn prepare(upper: &Path, below: &[PathBuf]) -> Result<(), PathError> {
    let wanted = Folder::root(below).attributes()?;
    let folder = File::open(upper).at("open", upper)?;
    fchown(&folder, Some(Uid::from_raw(wanted.uid)), Some(Gid::from_raw(wanted.gid))).at("set the owner of", upper)?;
    fchmod(&folder, Mode::from_raw_mode(wanted.mode)).at("set the mode of", upper)?;
    for (name, value) in wanted.xattrs.iter() {
        xattr::set(&folder, name, value).at("set an attribute of", upper)?;
    }
    Ok(())
}
