//! Looking things up in a stack of layer folders as an overlay over them would show them, without mounting one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat, lstat};
use rustix::io::Errno;

use super::attributes::Attributes;
use super::mark::{self, Opacity};
use super::xattr::Source;
use crate::fault::{At, PathError};

/// A folder of the merged tree.
#[derive(Clone, Debug)]
pub struct Folder<'a> {
    /// From the tree's root.
    path: PathBuf,
    /// The layers that have a part in it, topmost first; none only for the root of a tree without layers.
    layers: Vec<&'a Path>,
}

/// What the merged tree has of a name.
#[derive(Clone, Debug)]
pub enum Found<'a> {
    /// Nothing.
    Absent,
    /// A folder.
    Folder(Folder<'a>),
    /// Anything else: where it lies, and its status.
    Other(PathBuf, Stat),
}

impl<'a> Folder<'a> {
    /// The root of the tree that these layers, topmost first, make.
    #[must_use]
    pub fn root(layers: &'a [PathBuf]) -> Self {
        Self { path: PathBuf::new(), layers: layers.iter().map(PathBuf::as_path).collect() }
    }

    /// What it has of this name. A link is found, not followed.
    ///
    /// # Errors
    /// If a layer cannot be read.
    pub fn child(&self, name: &OsStr) -> Result<Found<'a>, PathError> {
        let path = self.path.join(name);
        let mut layers = Vec::new();
        for layer in &self.layers {
            let place = layer.join(&path);
            let stat = match lstat(&place) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(error).at("look at", &place),
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                layers.push(*layer);
                if mark::opacity(Source::Path(&place)).at("read the attributes of", &place)? == Opacity::Opaque {
                    break;
                }
            } else if layers.is_empty() && !mark::is_whiteout(&stat) {
                return Ok(Found::Other(place, stat));
            } else {
                break;
            }
        }
        Ok(if layers.is_empty() { Found::Absent } else { Found::Folder(Folder { path, layers }) })
    }

    /// Whether both are the same folder of the same layers, so that everything in them is the same.
    #[must_use]
    pub fn is_made_of_the_layers_of(&self, other: &Folder<'_>) -> bool {
        self.path == other.path && self.layers == other.layers
    }

    /// The names in it, sorted.
    ///
    /// # Errors
    /// If a layer cannot be read.
    pub fn names(&self) -> Result<Vec<OsString>, PathError> {
        let mut names = BTreeMap::new();
        for layer in &self.layers {
            let place = layer.join(&self.path);
            for entry in std::fs::read_dir(&place).at("list", &place)? {
                let entry = entry.at("list", &place)?;
                let path = entry.path();
                let stat = lstat(&path).at("look at", &path)?;
                // The topmost layer that knows the name decides.
                names.entry(entry.file_name()).or_insert(!mark::is_whiteout(&stat));
            }
        }
        Ok(names.into_iter().filter_map(|(name, shown)| shown.then_some(name)).collect())
    }

    /// Where the topmost part of the folder lies, which decides about its attributes and times; `None` for the root of a
    /// tree without layers.
    #[must_use]
    pub fn place(&self) -> Option<PathBuf> {
        // The path of the root is empty, and to join it adds a slash, which is harmless.
        self.layers.first().map(|layer| layer.join(&self.path))
    }

    /// The folder's own attributes.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn attributes(&self) -> Result<Attributes, PathError> {
        let Some(place) = self.place() else { return Ok(Attributes::folder_default()) };
        let stat = lstat(&place).at("look at", &place)?;
        Attributes::read(&stat, Source::Path(&place)).at("read the attributes of", &place)
    }
}
