//! [`Seen`]: what stands at a path of a tree, in full, so that it can be told, and made again elsewhere.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use layercake_cache::KeyHasher;
use rustix::fs::{FileType, Stat};
use serde::{Deserialize, Serialize};

use super::Times;
use super::text::Text;
use crate::root::{Root, kind};
use crate::tree::attributes::Attributes;
use crate::tree::xattr;

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Seen {
    /// Nothing.
    Nothing,
    /// A folder.
    Folder(Folder),
    /// A link, and where it leads.
    Link(Text),
    /// Anything else.
    Other,
}

/// What a folder has besides what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Folder {
    mode: u32,
    uid: u32,
    gid: u32,
    /// Names and values, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    xattrs: Vec<(CString, Vec<u8>)>,
    /// When it was changed, in whole seconds since 1970, as a layer has it.
    pub(super) modified: i64,
}

impl Folder {
    /// Its attributes.
    pub(super) fn attributes(&self) -> Attributes {
        let Self { mode, uid, gid, .. } = *self;
        Attributes { mode, uid, gid, xattrs: self.xattrs.iter().cloned().collect() }
    }
}

impl Seen {
    /// What stands at a path of `tree` that is free of links and has this status. Times that do not count become the latest one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn at(tree: &Root, path: &Path, stat: Option<&Stat>, times: Times) -> io::Result<Self> {
        let Some(stat) = stat else { return Ok(Self::Nothing) };
        Ok(match kind(stat) {
            FileType::Symlink => Self::Link(Text::of(tree.link_target(path)?.as_os_str().as_bytes())),
            FileType::Directory => {
                let folder = tree.open_folder(path)?;
                let attributes = Attributes::read(stat, xattr::Source::Open(folder.as_fd()))?;
                let Attributes { mode, uid, gid, xattrs } = attributes;
                let xattrs = xattrs.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                let modified = match times {
                    Times::Before(epoch) => stat.st_mtime.min(epoch),
                    Times::Ignored => stat.st_mtime,
                };
                Self::Folder(Folder { mode, uid, gid, xattrs, modified })
            }
            _ => Self::Other,
        })
    }

    /// In words that are equal only for equal things. `path` is where it stands.
    #[must_use]
    pub(super) fn words(&self, path: &Path, times: Times) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Link(target) => format!("a link to {}", target.shown()),
            Self::Other => "neither a folder nor a link".to_owned(),
            Self::Folder(Folder { mode, uid, gid, xattrs, modified }) => {
                let mut words = format!("a folder {mode:04o} {uid}:{gid}");
                if !xattrs.is_empty() {
                    let mut hasher = KeyHasher::new("layercake attributes of a folder 1");
                    for (name, value) in xattrs {
                        hasher.field(name.to_bytes()).field(value);
                    }
                    words.extend([" with attributes ", &hasher.finish().to_string()]);
                }
                match times {
                    // The root is made anew for each step.
                    Times::Before(epoch) if *modified < epoch && !path.as_os_str().is_empty() => {
                        words.extend([" of ", &modified.to_string()]);
                    }
                    Times::Before(_) | Times::Ignored => {}
                }
                words
            }
        }
    }
}
