//! A tree's files, outside of images: in a tar, or in a folder.

use std::fs;
use std::io::Write;
use std::path::Path;

use rustix::fs::FileType;

use crate::build::error::Error;
use crate::build::site::Site;
use crate::build::tree::Tree;
use crate::draft::Draft;
use crate::fault::At;
use crate::layer;
use crate::op::copy::source::Source;
use crate::op::copy::write::{Owner, Writer};
use crate::overlay::Overlay;
use crate::root::Root;
use crate::select::Verdict;

/// Writes the files of a tree as one tar. None is changed later than `epoch`, in seconds since 1970.
///
/// # Errors
/// If the tree cannot be fetched or read, or `out` not be written.
pub fn tar(tree: &Tree, site: &Site<'_>, epoch: Option<i64>, out: &mut dyn Write) -> Result<(), Error> {
    let mounted = Overlay { lowers: site.folders(tree)?, upper: None }.mount()?;
    // The path is a link to the root, which whoever opens a folder does not follow; what it leads to is the folder.
    layer::tar::write(&mounted.path().join("."), epoch, out)?;
    Ok(())
}

/// Writes the files of several trees as one tar, each in the folder of this name.
///
/// # Errors
/// As [`tar()`].
pub fn tar_each(
    trees: &[(String, &Tree)],
    site: &Site<'_>,
    epoch: Option<i64>,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let mut mounted = Vec::new();
    for (name, tree) in trees {
        let root = Overlay { lowers: site.folders(tree)?, upper: None }.mount()?;
        let path = root.path().join(".");
        mounted.push((name.as_str(), path, root));
    }
    let folders: Vec<(&str, &Path)> = mounted.iter().map(|(name, path, _)| (*name, path.as_path())).collect();
    layer::tar::write_each(&folders, epoch, out)?;
    Ok(())
}

/// Writes the files of a tree into a folder, over what is there. They belong to whoever builds: the ids of the image mean
/// nothing on this machine.
///
/// # Errors
/// If the tree cannot be fetched or read, or the folder not be written.
pub fn folder(tree: &Tree, site: &Site<'_>, epoch: Option<i64>, folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).at("create the folder", folder)?;
    let mounted = Overlay { lowers: site.folders(tree)?, upper: None }.mount()?;
    let (from, to) = (Root::of(&mounted)?, Root::open(folder)?);
    let everything = |_: &Path, _: FileType| Verdict::Take;
    let layers = [folder.to_owned()];
    let mut draft = Draft::on(&layers)?;
    let mut writer = Writer::new(&mut draft, Owner::Set { uid: 0, gid: 0 }, None).no_later_than(epoch);
    for selected in (Source { root: &from, filter: &everything }).select("/")? {
        writer.copy(&from, &everything, &selected, "/")?;
    }
    Ok(draft.write_onto(&to)?)
}
